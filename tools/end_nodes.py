# SPDX-License-Identifier: Apache-2.0
"""End the nodes of running graphs by either signal at random moments, and count how they ended.

python tools/end_nodes.py [ENDS [NAME=VALUE ...]]

A graph starts, each of its nodes is told to end by SIGINT or SIGTERM, by some twice, between the
first line of its main and SPAN_S later: loading, warming up or at work. NAME=VALUE: parameters of
the graph. The status is 1 where a node hung or ended with another status than 0; the logs of those
are printed, and where each thread of one that hung stood.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from semcom_ros import graph
from semcom_ros.nodes.drive import isolated
from semcom_ros.parameter import Value

SPAN_S, PATIENCE_S = 12.0, 60.0
SIGNALS = (signal.SIGINT, signal.SIGTERM)


def in_main(process: subprocess.Popen[bytes]) -> bool:
    """Whether it handles SIGTERM by now, which Python by itself leaves to the system."""
    lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
    caught = next(line for line in lines if line.startswith("SigCgt:"))
    return bool(int(caught.split()[1], 16) >> (signal.SIGTERM - 1) & 1)


def end_graph(values: dict[str, Value], folder: Path) -> Counter[str]:
    """How the nodes of one graph ended."""
    running: dict[str, subprocess.Popen[bytes]] = {}
    begun: dict[str, float] = {}
    due: dict[str, list[float]] = {}
    ends = Counter[str]()
    environment = {**os.environ, "PYTHONFAULTHANDLER": "1"}
    for node in graph.vehicle_rsu(graph.NAMESPACE, **values):
        with (folder / node.name).open("wb") as log:
            line = [*graph.command(node), "--disable-external-lib-logs"]
            running[node.name] = subprocess.Popen(line, stdout=log, stderr=log, env=environment)
    while running:
        time.sleep(0.005)
        now = time.monotonic()
        for name, process in list(running.items()):
            if process.poll() is not None or now > begun.get(name, now) + SPAN_S + PATIENCE_S:
                if hung := process.poll() is None:
                    process.send_signal(signal.SIGABRT)
                how = "hung" if hung else f"status {process.wait()}"
                ends[how] += 1
                if process.wait() or name not in begun:
                    print(f"{name}: {how}", (folder / name).read_text(), sep="\n", flush=True)
                del running[name]
            elif name not in begun and in_main(process):
                begun[name] = now
                first = now + random.uniform(0, SPAN_S)
                again = first + random.expovariate(2.0)
                due[name] = [first, again] if random.random() < 0.5 else [first]
            elif due.get(name) and now >= due[name][0]:
                due[name].pop(0)
                process.send_signal(random.choice(SIGNALS))
    return ends


def main() -> int:
    """Print the counts after each graph; the status of the process."""
    ends, known = Counter[str](), graph.arguments()
    given = dict(argument.split("=", 1) for argument in sys.argv[2:])
    values = {name: known[name].parse(text) for name, text in given.items()}
    while ends.total() < int((sys.argv[1:] or ["300"])[0]):
        with isolated(), tempfile.TemporaryDirectory() as folder:
            ends += end_graph({"autostart": True, **values}, Path(folder))
        print(f"{ends.total()} ends:", dict(ends), flush=True)
    return int(set(ends) != {"status 0"})


if __name__ == "__main__":
    sys.exit(main())
