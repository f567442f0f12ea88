# SPDX-License-Identifier: Apache-2.0
"""The package's codecs under study: settings reach the end that they are of."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tiny_gsc

from semcom_ros.channel.phy.mcs import MCS_TABLE
from semcom_ros.frame import Frame
from semcom_ros.lab.evaluation.study import codec_systems
from semcom_ros.lab.evaluation.study.links import parse_links
from semcom_ros.lab.evaluation.study.study_file import parse_study, read_study
from semcom_ros.lab.evaluation.study.study_options import one_table
from semcom_ros.lab.evaluation.study.systems import create_system

CONFIG = Path(__file__).resolve().parents[3] / "config"


@pytest.mark.parametrize("prefix", ["", "gesco_"])
def test_settings_reach_the_end_that_they_are_of_by_either_name(prefix: str) -> None:
    options = {"picture": "none", "generator": "diffusion", "steps": 2}
    system = create_system(
        "codec", {"codec": "gesco", **{prefix + k: v for k, v in options.items()}}
    )
    assert system.encoder.settings.picture == "none"
    assert (system.decoder.settings.generator, system.decoder.settings.steps) == ("diffusion", 2)


@pytest.mark.parametrize(("security", "seal"), [("none", 0), ("session", 29), ("signed", 86)])
def test_what_security_takes_is_inside_the_rate_of_its_row(security: str, seal: int) -> None:
    frame = Frame(np.random.default_rng(0).integers(0, 255, (256, 512, 3), np.uint8))
    options = {"codec": "hevc", "payload_bytes": 512, "security": security}
    system = create_system("codec", options)
    system.prepare([frame])
    system.begin(*parse_links("none"), 1)
    outcome = system.run(frame, None, 0)
    assert not outcome.lost and outcome.bytes <= 512
    assert len(system._sent[0][0].seal) == seal


def test_a_study_may_ask_for_several_kinds_of_security() -> None:
    given = {"codec": "hevc", "setting": "256", "security": "none,session"}
    rows = [entry.title for entry in parse_study(one_table(given), ("scenes:1",)).tables[0].entries]
    assert rows == ["hevc, security none, 256 bytes", "hevc, security session, 256 bytes"]


def test_a_codec_whose_weights_are_missing_lacks_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEMCOM_MODELS", str(tmp_path))
    codec_systems._ends.cache_clear()
    assert "semcom train map" in create_system("codec", {"codec": "sqgan"}).lacks


def test_gescos_ofdm_link_stands_at_a_position_drawn_anew_for_every_frame() -> None:
    """A random user for each image, zero forcing, as the authors' script has it."""
    study = read_study(CONFIG / "gesco.yaml", ("camvid",))
    (table,) = (one for one in study.tables if one.title == "OFDM over a trace")
    for link in table.links:
        told = dict(link.settings)
        assert (told["fading"], told["equaliser"]) == ("block", "zf")


def test_the_study_of_gsc_is_read_and_holds_every_rate_and_scheme() -> None:
    study = read_study(CONFIG / "gsc.yaml", ("camvid",))
    uses = {8 * size for table in study.tables for size in table.sizes}
    assert uses == {512, 1024, 2048, 4096, 8192, 24576}
    schemes = {cell.entry.scheme for cell in study.cells()} - {""}
    assert schemes == {mcs.name for mcs in MCS_TABLE}
    models = {link.name for table in study.tables for link in table.links}
    assert models == {"awgn", "rayleigh", "tdl_c"}


def test_gsc_sends_the_channel_uses_of_its_row_and_encodes_for_the_snr_of_every_link(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, one_thread: None
) -> None:
    monkeypatch.setenv("SEMCOM_MODELS", str(tiny_gsc.write(tmp_path)))
    study = read_study(CONFIG / "gsc.yaml", ("camvid",))
    rows = dict.fromkeys(e for t in study.tables for e in t.entries if ("gsc" in e.family))
    frame = Frame(np.full((256, 512, 3), 100, np.uint8))
    for row in rows:
        codec_systems._ends.cache_clear()
        system, sent = create_system(row.system, dict(row.options)), []
        system.prepare([frame])
        for snr_db in (0, 20):
            system.begin(*parse_links({"channel": "awgn", "snr_db": snr_db}), 1)
            assert system.run(frame, None, 0).channel_uses == 8 * row.size, row.title
            sent.append(system._sent[0][0].parts[0].symbols)
        assert np.array_equal(*sent) == ("told 10 dB" in row.title)
    codec_systems._ends.cache_clear()
