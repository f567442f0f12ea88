# SPDX-License-Identifier: Apache-2.0
"""`semcom soak`: what there is, and what is said of limits that hold or do not."""

from __future__ import annotations

import json
from argparse import Namespace
from collections.abc import Iterator

import pytest

pytest.importorskip("rclpy", reason="no ROS 2 for this Python")

from semcom_ros.cli import main
from semcom_ros.lab.soak.live import Measured
from semcom_ros.lab.soak.soaks import SOAKS, Soak


@pytest.fixture
def trial(monkeypatch: pytest.MonkeyPatch) -> list[Measured]:
    """What the soak called trial measures."""
    found: list[Measured] = []

    def run(args: Namespace) -> Iterator[Measured]:
        args.log.touch()
        yield from found

    monkeypatch.setitem(SOAKS, "trial", Soak("nothing", run, 3.0))
    return found


def test_all_soaks_are_listed(capsys: pytest.CaptureFixture) -> None:
    assert main(["soak", "list"]) == 0
    said = capsys.readouterr().out
    assert all(name in said for name in SOAKS)
    assert main(["soak", "kill8"]) == 2
    assert "did you mean 'kill9'?" in capsys.readouterr().err


def test_what_does_not_hold_is_named_and_is_the_exit_status(trial, tmp_path, capsys) -> None:
    trial += [Measured("back, s", 4.0, 5.0), Measured("share", 0.9, least=0.95)]
    file = tmp_path / "found.json"
    line = ["soak", "trial", "--log", str(tmp_path / "new" / "nodes.log"), "--json", str(file)]
    assert main(line) == 1
    assert "trial does not hold: share." in capsys.readouterr().err
    held = {"back, s": [4.0, "at most 5", True], "share": [0.9, "at least 0.95", False]}
    assert json.loads(file.read_text()) == held
    trial.pop()
    assert main(line) == 0


def test_what_is_no_number_holds_no_limit() -> None:
    assert not Measured("back, s", float("nan"), 5.0).holds
    assert not Measured("back, s", float("inf"), 5.0).holds
    assert Measured("told", 3).holds and Measured("told", 3).limit == ""
