# SPDX-License-Identifier: Apache-2.0
"""The nodes of the graph as processes: started with a log each, watched, and stopped cleanly."""

from __future__ import annotations

import signal
import subprocess
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from semcom_ros.graph import NodeProcess, command

PATIENCE_S = 15.0
"""How long a node may take to stop before it is killed: it may be loading a network."""
BACK_OFF_S = 0.5
"""From a node's end to its first restart; each further one waits twice as long."""


class NodeFailure(RuntimeError):
    """A node that did not start or did not stay; the text ends with what it logged last."""


class Processes:
    """Runs `nodes` while its `with` block lasts, each writing to `<logs>/<name>.log`.

    restarts: of each node that ended by itself and was started anew.
    """

    def __init__(self, nodes: Sequence[NodeProcess], logs: Path) -> None:
        self._nodes = nodes
        self._logs = logs
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._due: dict[str, float] = {}
        self.restarts: Counter[str] = Counter()

    def __enter__(self) -> Processes:
        self._logs.mkdir(parents=True, exist_ok=True)
        try:
            for node in self._nodes:
                self._start(node)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        # A second Ctrl-C must not leave nodes behind; all of this ends within PATIENCE_S.
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
        for process in self._running.values():
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
        deadline = time.monotonic() + PATIENCE_S
        for process in self._running.values():
            try:
                process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        signal.signal(signal.SIGINT, before)

    def check(self, restarts: int = 0) -> bool:
        """Whether all nodes run. One that has ended is started anew after a while, at most
        `restarts` times; not the first, whose frames would begin anew with it.

        Raises NodeFailure for a node that has ended and is not started anew.
        """
        for node in self._nodes:
            name, times = node.name, self.restarts[node.name]
            if (status := self._running[name].poll()) is None:
                continue
            if node is self._nodes[0] or times >= restarts:
                again = f" after {times} restarts" if times else ""
                raise self.failure(name, f"ended with status {status}{again}")
            due = self._due.setdefault(name, time.monotonic() + BACK_OFF_S * 2**times)
            if time.monotonic() >= due:
                del self._due[name]
                self.restarts[name] += 1
                own = {**node.parameters, "autostart": True}
                self._start(replace(node, parameters=own))
        return not self._due

    def failure(self, name: str, what: str, lines: int = 12) -> NodeFailure:
        """The error that says `what` befell node `name`, with the last lines of its log."""
        log = self._logs / f"{name}.log"
        tail = log.read_text(errors="replace").splitlines()[-lines:]
        said = "\n".join(f"  {line}" for line in tail) or "  (nothing)"
        return NodeFailure(f"{name} {what}. The last lines of {log}:\n{said}")

    def _start(self, node: NodeProcess) -> None:
        # The log file takes everything a node prints; rcl's own copy in ~/.ros/log is not wanted.
        line = [*command(node), "--disable-external-lib-logs"]
        mode = "a" if self.restarts[node.name] else "w"
        with (self._logs / f"{node.name}.log").open(mode) as log:
            # A session of its own: Ctrl-C reaches the demo alone, which then stops its nodes.
            self._running[node.name] = subprocess.Popen(
                line, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
            )
