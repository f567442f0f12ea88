# SPDX-License-Identifier: Apache-2.0
"""How processes are stopped and started anew, whoever it is that watches them."""

from __future__ import annotations

import signal
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from semcom_ros.graph import NodeProcess
from semcom_ros.nodes import processes as module
from semcom_ros.nodes.processes import Processes

DEAF = (
    # Tests that a shell runs in the background inherit that SIGINT is ignored.
    "import signal; signal.signal(signal.SIGINT, signal.SIG_DFL); "
    "[signal.signal(s, signal.SIG_IGN) for s in ({})]; print('up', flush=True)"
)


def node(name: str) -> NodeProcess:
    return NodeProcess(name, name, "/v", {})


@pytest.mark.parametrize(
    ("deaf_to", "ended_by"),
    [
        ("", signal.SIGINT),
        ("signal.SIGINT,", signal.SIGTERM),
        ("signal.SIGINT, signal.SIGTERM", signal.SIGKILL),
    ],
)
def test_a_node_that_does_not_hear_is_ended_by_what_it_cannot_but_hear(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, deaf_to: str, ended_by: signal.Signals
) -> None:
    code = DEAF.format(deaf_to) + "; signal.pause()"
    monkeypatch.setattr(module, "command", lambda node: [sys.executable, "-c", code])
    # What it does not hear is hardly waited for, what it does as long as it takes.
    patience = [(one, 60.0 if one == ended_by else 0.05) for one, _ in module.STOP]
    monkeypatch.setattr(module, "STOP", patience)
    with Processes([node("a")], tmp_path) as processes:
        while not (tmp_path / "a.log").read_text():
            time.sleep(0.02)
    assert processes.running["a"].returncode == -ended_by


def test_each_restart_waits_twice_as_long_until_the_node_has_run_for_a_while(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0.0]
    monkeypatch.setattr(module, "command", lambda node: ["true"])
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: now[0]))
    waits = []
    with Processes([node("a")], tmp_path) as processes:
        for lived_s in (0, 0, 0, 0, 0, 0, 0, 0, module.STEADY_S + 1, 0):
            processes.running["a"].wait()
            now[0] += lived_s
            waits.append(processes.start_anew(node("a")))
            now[0] += waits[-1]
            assert processes.start_anew(node("a")) == 0
    assert waits == [0.5, 1, 2, 4, 8, 16, 30, 30, 0.5, 1]
    assert processes.restarts == {"a": 10}
