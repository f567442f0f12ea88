# SPDX-License-Identifier: Apache-2.0
"""A fault every few seconds, drawn by a seed, and what must hold whatever happens."""

from __future__ import annotations

import os
import random
import signal
import time
from argparse import Namespace
from collections.abc import Iterator
from functools import partial

from semcom_ros.graph import VEHICLE_RSU
from semcom_ros.lab.soak.air import publish_garbage, refused
from semcom_ros.lab.soak.live import LiveDrive, Measured, drive

APART_S, LASTS_S, TOLD_S = 16.0, 3.0, 2.0
"""From one fault to the next; how long one lasts; how soon it must be told of."""
SETTINGS: dict[str, tuple[str, dict[str, bool | float | str]]] = {
    "all lost": ("channel_node", {"loss": 1.0}),
    "late": ("channel_node", {"delay_ms": 1500.0}),
    "no room on the air": ("channel_node", {"rate_kbps": 1.0}),
    "camera held": ("camera_node", {"paused": True}),
    "another codec": ("vehicle_node", {"codec": "jpeg2000"}),
}
"""Faults by parameters: of which node, and what they are while it lasts."""


def chaos(args: Namespace) -> Iterator[Measured]:
    """Faults at random, each of which must be told of and pass."""
    draw, times = random.Random(args.seed), list[tuple[float, str]]()
    usual = {"loss": 0.0, "delay_ms": 0.0, "rate_kbps": 0.0, "paused": False, "codec": args.codec}
    with drive(args) as up:
        begun, speaker = time.monotonic(), publish_garbage(up, draw)
        while time.monotonic() - begun < args.seconds:
            since, counted = time.monotonic(), refused(up)
            kind = draw.choice(("killed", "hung", "garbage", *SETTINGS))
            node, values = SETTINGS.get(kind, (draw.choice(VEHICLE_RSU), {}))
            if kind in ("killed", "hung"):
                pid = up.pid(node)
                os.kill(pid, signal.SIGKILL if kind == "killed" else signal.SIGSTOP)
            elif kind == "garbage":
                speaker(500)
            else:
                up.observer.set(node, **values)

            silent = node if kind == "hung" else ""
            up.observer.spin(LASTS_S, partial(told, up, since, counted, silent))
            times.append((time.monotonic() - since, f"{kind} {node}"))
            up.observer.spin(since + LASTS_S - time.monotonic())
            if kind == "hung":
                os.kill(pid, signal.SIGCONT)
            if values:
                up.observer.set(node, **{name: usual[name] for name in values})
            up.observer.spin(since + APART_S - time.monotonic())
        back = up.returns(up.output, 60.0)
        yield from up.invariants()
    late = [what for seconds, what in times if seconds > TOLD_S]
    yield Measured("faults", len(times))
    yield Measured("told of, most s", max(times)[0], TOLD_S)
    yield Measured("told of too late" + "".join(f", {what}" for what in late), len(late), 0)
    yield Measured("back, s", back, 5.0)


def told(up: LiveDrive, since: float, counted: int, silent: str) -> bool:
    """Whether anything told of a fault: a warning, a refusal, or `silent`, which tells nothing."""
    told_nothing = silent and time.monotonic() - up.last(silent).at > 1.5
    return bool(told_nothing or refused(up) > counted or up.warned(since) < TOLD_S)
