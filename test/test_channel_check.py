# SPDX-License-Identifier: Apache-2.0
"""`semcom channel check`: the radio agrees with theory, and a radio that did not would be told."""

from __future__ import annotations

import numpy as np

from semcom_ros.channel import theory
from semcom_ros.cli import main
from semcom_ros.evaluation import check_channel


def test_the_radio_agrees_with_theory() -> None:
    broken = [f for f in check_channel.figures() if not f.holds]
    assert not broken


def test_a_radio_that_strays_from_theory_fails_the_check(monkeypatch, capsys) -> None:
    true = theory.awgn_bit_error_rate
    monkeypatch.setattr(theory, "awgn_bit_error_rate", lambda m, snr_db: true(m, snr_db + 0.5))
    monkeypatch.setattr(check_channel, "figures", check_channel.uncoded)
    assert main(["channel", "check"]) == 1
    assert "OUT OF BOUNDS" in capsys.readouterr().out


def test_no_figure_is_a_number_that_cannot_be_compared() -> None:
    assert not check_channel.Figure("a rate", np.nan, 0.1, 1.0).holds
