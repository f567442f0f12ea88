# SPDX-License-Identifier: Apache-2.0
"""The nodes of the graph as processes: started, watched, started anew, and stopped cleanly."""

from __future__ import annotations

import math
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path

from semcom_ros.graph import NodeProcess, command

STOP = ((signal.SIGINT, 5.0), (signal.SIGTERM, 10.0), (signal.SIGKILL, math.inf))
"""The signals that end a node, and the seconds that it has for each: it may load a network."""
BACK_OFF_S, MAX_BACK_OFF_S = 0.5, 30.0
"""From a node's end to its first restart; each further one waits twice as long, up to the most."""
STEADY_S = 60.0
"""A node that ran so long begins with the shortest wait again."""


class NodeFailure(RuntimeError):
    """A node that did not start or did not stay; the text ends with what it logged last."""


class Processes:
    """Runs `nodes` while its `with` block lasts, and no longer than this process and its thread.

    logs: the folder where each writes to `<name>.log`; None: they write where this process does.
    running: the process of each node, ended or not; restarts: how often one that had ended by
    itself was started anew; both by name.
    """

    def __init__(self, nodes: Sequence[NodeProcess], logs: Path | None = None) -> None:
        self._nodes = nodes
        self._logs = logs
        self._began: dict[str, float] = {}
        self._due: dict[str, float] = {}
        self._short_lives: Counter[str] = Counter()
        self.running: dict[str, subprocess.Popen[bytes]] = {}
        self.restarts: Counter[str] = Counter()

    def __enter__(self) -> Processes:
        if self._logs:
            self._logs.mkdir(parents=True, exist_ok=True)
        try:
            for node in self._nodes:
                self._start(node)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        # A second Ctrl-C must not leave nodes behind.
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
        for number, patience_s in STOP:
            left = [process for process in self.running.values() if process.poll() is None]
            for process in left:
                process.send_signal(number)
            deadline = time.monotonic() + patience_s
            for process in left:
                with suppress(subprocess.TimeoutExpired):
                    process.wait(max(0.0, deadline - time.monotonic()))
        signal.signal(signal.SIGINT, before)

    def start_anew(self, node: NodeProcess) -> float:
        """Start a node that has ended once it has waited for it; the seconds left until then."""
        name, now = node.name, time.monotonic()
        if name not in self._due:
            if now - self._began[name] > STEADY_S:
                self._short_lives[name] = 0
            self._due[name] = now + min(MAX_BACK_OFF_S, BACK_OFF_S * 2 ** self._short_lives[name])
            self._short_lives[name] += 1
        if now < self._due[name]:
            return self._due[name] - now
        del self._due[name]
        self.restarts[name] += 1
        self._start(node)
        return 0.0

    def check(self, restarts: int = 0) -> bool:
        """Whether all nodes run. One that has ended is started anew after a while, at most
        `restarts` times; not the first, whose frames would begin anew with it.

        Raises NodeFailure for a node that has ended and is not started anew.
        """
        waits = 0.0
        for node in self._nodes:
            times = self.restarts[node.name]
            if (status := self.running[node.name].poll()) is None:
                continue
            if node is self._nodes[0] or times >= restarts:
                again = f" after {times} restarts" if times else ""
                raise self.failure(node.name, f"ended with status {status}{again}")
            own = {**node.parameters, "autostart": True}
            waits += self.start_anew(replace(node, parameters=own))
        return not waits

    def failure(self, name: str, what: str, lines: int = 12) -> NodeFailure:
        """The error that says `what` befell node `name`, with the last lines of its log."""
        log = self._logs / f"{name}.log"
        tail = log.read_text(errors="replace").splitlines()[-lines:]
        said = "\n".join(f"  {line}" for line in tail) or "  (nothing)"
        return NodeFailure(f"{name} {what}. The last lines of {log}:\n{said}")

    def _start(self, node: NodeProcess) -> None:
        line, log = command(node), None
        with ExitStack() as stack:
            if self._logs:
                # The file takes all that a node prints; rcl's own in ~/.ros/log is not wanted.
                line += ["--disable-external-lib-logs"]
                mode = "a" if self.restarts[node.name] else "w"
                log = stack.enter_context((self._logs / f"{node.name}.log").open(mode))
            self._began[node.name] = time.monotonic()
            self.running[node.name] = subprocess.Popen(
                # Where this process is killed, the system ends its nodes.
                ["setpriv", "--pdeathsig", "TERM", *line],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                # A session of its own: Ctrl-C reaches this process alone, which stops its nodes.
                start_new_session=True,
            )
