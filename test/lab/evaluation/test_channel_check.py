# SPDX-License-Identifier: Apache-2.0
"""`semcom channel check`: the radio agrees with theory, and a radio that did not would be told."""

from __future__ import annotations

from importlib.util import find_spec

import numpy as np
import pytest

from semcom_ros.channel import radio
from semcom_ros.channel.phy import theory
from semcom_ros.cli import main
from semcom_ros.lab.evaluation import check_channel, check_symbols
from semcom_ros.lab.evaluation.probe import Figure

needs_sionna = pytest.mark.skipif(not find_spec("sionna"), reason="sionna-no-rt is not installed")


def test_the_radio_agrees_with_theory() -> None:
    found = list(check_channel.figures())
    assert len(found) > 60
    assert [f for f in found if not f.holds] == []


def test_a_radio_that_strays_from_theory_fails_the_check(monkeypatch, capsys) -> None:
    true = theory.awgn_bit_error_rate
    monkeypatch.setattr(theory, "awgn_bit_error_rate", lambda m, snr_db: true(m, snr_db + 0.5))
    monkeypatch.setattr(check_channel, "figures", check_symbols.uncoded)
    assert main(["channel", "check"]) == 1
    assert "OUT OF BOUNDS" in capsys.readouterr().out


def test_noise_that_is_a_tenth_of_a_decibel_off_fails_the_check(monkeypatch) -> None:
    true = radio.noise_power
    monkeypatch.setattr(radio, "noise_power", lambda snr_db, stretch: true(snr_db - 0.1, stretch))
    assert not any(f.holds for f in check_symbols.levels(0))


@needs_sionna
@pytest.mark.parametrize("off_db", [0.2, -0.3])
def test_a_code_that_is_worse_or_wondrously_better_fails_the_check(off_db: float) -> None:
    rng = np.random.default_rng(0)
    snr_db, blocks, errors = np.array(check_channel.REFERENCE["qpsk_1/2", 125]).T
    met_db = 1.1 + off_db + 0.2 * rng.standard_normal(400)
    lost = met_db < 1.0 + off_db + 0.25 * rng.standard_normal(400)
    gap = check_channel.distance(
        np.append(snr_db, met_db),
        np.append(blocks, np.ones(400)),
        np.append(errors, lost),
        ours=np.arange(404) >= 4,
    )
    assert gap.db == pytest.approx(off_db, abs=0.06)
    assert not check_channel.figure("a code", gap).holds


def test_no_figure_is_a_number_that_cannot_be_compared() -> None:
    assert not Figure("a rate", np.nan, 0.1, 0.0, 1.0).holds


@pytest.mark.parametrize(
    ("command", "sentence"),
    [
        ("channel check --seed -1", "seed is -1"),
        ("channel plot --channel none", "name a model, such as tdl_c"),
        ("channel plot --channel tdl", "no channel 'tdl'"),
        ("channel plot --seed -1", "seed is -1"),
        *((f"channel plot --seconds {s}", f"seconds is {s}") for s in ("nan", "0.0", "-3.0")),
        ("bench channel --repeats 0", "repeats is 0"),
    ],
)
def test_a_senseless_option_gets_a_sentence(command: str, sentence: str, tmp_path, capsys) -> None:
    options = ["--out", str(tmp_path / "plots")] if "plot" in command else []
    assert main([*command.split(), *options]) == 2
    assert sentence in capsys.readouterr().err
    assert not (tmp_path / "plots").exists()


def test_a_drive_with_lost_packets_is_drawn(tmp_path) -> None:
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    script = tmp_path / "drive.csv"
    script.write_text("time_s,snr_db,loss\n0,5,0\n2,5,1\n")
    out = tmp_path / "plots"
    options = ["--script", str(script), "--channel", "awgn", "--seconds", "3", "--out", str(out)]
    assert main(["channel", "plot", *options]) == 0
    assert (out / "drive.png").stat().st_size > 1000
