# SPDX-License-Identifier: Apache-2.0
"""What befalls the processes of a drive: killed, asked too much, run for long."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from argparse import Namespace
from collections import defaultdict
from collections.abc import Iterator
from functools import partial

import numpy as np

from semcom_ros.graph import VEHICLE_RSU, table
from semcom_ros.lab.soak.live import Measured, Use, drive
from semcom_ros.nodes.drive import isolated
from semcom_ros.nodes.observer import discovered_s
from semcom_ros.parameter import Parameter

BACK_S, APART_S = 5.0, 16.0
"""A node that was killed is back within, beside what its models take to load; from one kill to the
next: a node has then run for longer than the minute after which its next restart is prompt."""
DELAYS = ("delay_ms", "jitter_ms", "rate_kbps", "symbol_rate_mhz")
"""What these delay is on its way for as long as they said, and what follows does not overtake it.
"""
ENDS = {"vehicle_node": "encoder", "rsu_node": "decoder"}


def kill9(args: Namespace) -> Iterator[Measured]:
    """Kill every node in turn."""
    back: dict[str, list[float]] = defaultdict(list)
    taken: dict[str, list[float]] = defaultdict(list)
    with drive(args) as up:
        begun = time.monotonic()
        while time.monotonic() - begun < args.seconds:
            for node in VEHICLE_RSU:
                pid, killed = up.pid(node), (time.monotonic(), time.time_ns())
                os.kill(pid, signal.SIGKILL)
                fresh = partial(up.taken_since, up.output, *killed)
                up.observer.spin(60.0, lambda fresh=fresh: np.isfinite(fresh()))
                back[node].append(fresh())
                taken[node].append(up.cpu_s(node))
                up.observer.spin(killed[0] + APART_S - time.monotonic())
        yield from up.invariants()
    for node, seconds in back.items():
        most = BACK_S + load_s(node, args.codec)
        yield Measured(f"{node} killed, times", len(seconds))
        yield Measured(f"{node} back, median s", float(np.median(seconds)))
        yield Measured(f"{node} back, median s of a core", float(np.median(taken[node])))
        yield Measured(f"{node} back, most s", max(seconds), most)


def load_s(node: str, codec: str) -> float:
    """Seconds that the models of a node take to load, in a process of their own."""
    if node not in ENDS:
        return 0.0
    code = (
        f"import time; from semcom_ros.codecs import create_{ENDS[node]} as make; "
        f"t = time.monotonic(); make({codec!r}).warm_up(); print(time.monotonic() - t)"
    )
    return float(subprocess.check_output([sys.executable, "-c", code]))


def leak(args: Namespace) -> Iterator[Measured]:
    """Let it run; the first half is for what fills once."""
    with drive(args) as up:
        used: dict[str, list[tuple[float, Use]]] = defaultdict(list)
        begun = time.monotonic()
        while (now := time.monotonic() - begun) < args.seconds:
            for node in VEHICLE_RSU:
                used[node].append((now, up.use(node)))
            up.observer.spin(5.0)
        yield from up.invariants()
        for node in VEHICLE_RSU:
            later = [(at / 3600, use) for at, use in used[node] if at > args.seconds / 2]
            slope = np.polyfit([at for at, _ in later], [use.mib for _, use in later], 1)[0]
            yield Measured(f"{node} MiB at the end", later[-1][1].mib)
            yield Measured(f"{node} MiB an hour", float(slope), 1.0)
            for what in ("threads", "files"):
                held = [getattr(use, what) for _, use in later]
                yield Measured(f"{node} {what} more", held[-1] - held[0], 0)


def lifecycle(args: Namespace) -> Iterator[Measured]:
    """Bring every node down and up again, over and over."""
    with drive(args) as up:
        begun, cycles, before = time.monotonic(), 0, dict[str, Use]()
        while time.monotonic() - begun < args.seconds and cycles < 100:
            for node in VEHICLE_RSU:
                for transition in ("deactivate", "cleanup", "configure", "activate"):
                    if not up.observer.change_state(node, transition):
                        yield Measured(f"{node} could not {transition}", 1, 0)
            cycles += 1
            if cycles == 10:  # what is imported and cached once is there by now
                before = {node: up.use(node) for node in VEHICLE_RSU}
        yield Measured("cycles of four nodes", cycles, least=100)
        yield Measured("back, s", up.returns(up.output, 60.0), 5.0)
        for node, was in before.items():
            now = up.use(node)
            yield Measured(f"{node} MiB more", now.mib - was.mib, 10.0)
            yield Measured(f"{node} threads more", now.threads - was.threads, 0)
            yield Measured(f"{node} files more", now.files - was.files, 0)


def overload(args: Namespace) -> Iterator[Measured]:
    """A camera at 30 Hz, whatever the machine can do."""
    args.rate_hz = 30.0
    with drive(args) as up:
        up.observer.spin(args.seconds)
        yield from up.invariants()
        told = [s.values for s in up.observer.told["rsu_node"] if "age_ms_p99" in s.values]
        third = len(told) // 3
        first, last = (
            np.median([float(v["age_ms_p50"]) for v in part])
            for part in (told[third : 2 * third], told[2 * third :])
        )
        yield Measured("outputs a second", up.seen(up.output, 0) / args.seconds)
        yield Measured("age in the second third, ms", first)
        yield Measured("age in the last third, ms", last, max(200.0, 1.5 * first))
        yield Measured("in flight, most", max(int(v["in_flight"]) for v in told), 5)


def parameters(args: Namespace) -> Iterator[Measured]:
    """Set parameters of all nodes to anything, then back."""
    draw = random.Random(args.seed)
    asked = unanswered = refused = mute = 0
    with drive(args) as up:
        pids = [up.pid(node) for node in VEHICLE_RSU]
        begun = time.monotonic()
        while time.monotonic() - begun < args.seconds:
            node = draw.choice(VEHICLE_RSU)
            parameter = draw.choice([p for p in table(node).values() if p.name not in DELAYS])
            answers = up.observer.set(node, **{parameter.name: anything(parameter, draw)})
            asked += 1
            unanswered += answers is None
            refused += any(answers or ())
            mute += any(reason and len(reason.split()) < 4 for reason in answers or ())
        for node in VEHICLE_RSU:
            known = {name: p.default for name, p in table(node).items() if p.when == "at once"}
            up.observer.set(node, **known | {"codec": args.codec} if "codec" in known else known)
        yield Measured("settings asked for", asked)
        yield Measured("refused with a sentence", refused)
        yield Measured("refused without one", mute, 0)
        yield Measured("without an answer", unanswered, 0)
        yield Measured("back, s", up.returns(up.output, 60.0), 5.0)
        yield Measured(
            "nodes ended", sum(p != up.pid(n) for p, n in zip(pids, VEHICLE_RSU, strict=True)), 0
        )


def discovery(args: Namespace) -> Iterator[Measured]:
    """So many DDS participants begin at once: more than 32 do not all find each other where
    discovery is kept to the host."""
    with isolated():
        for count, reach in ((32, "LOCALHOST"), (50, "SUBNET")):
            os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = reach
            taken = discovered_s(count, args.seconds)
            yield Measured(f"{count} participants in {reach} know each other, s", taken, 30)


def anything(parameter: Parameter, draw: random.Random) -> bool | int | float | str:
    """A value that may be one of the parameter, or of another type, or out of range."""
    own = [parameter.default, *(parameter.choices or ()), parameter.minimum, parameter.maximum]
    wild = [True, -1, 0, 2**62, -1.5, 1e308, float("nan"), float("inf"), "", "x" * 5000, "\x1b[2J"]
    return draw.choice([value for value in own if value is not None] * 2 + wild)
