# SPDX-License-Identifier: Apache-2.0
"""Ten vehicles on one RSU: nothing of any is lost, none is served worse, and one may go."""

from __future__ import annotations

import signal
import subprocess
import time
from argparse import Namespace
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from semcom_ros import graph
from semcom_ros.codecs import codec_of
from semcom_ros.graph import IMAGES, LABELS
from semcom_ros.lab.evaluation.bench_rsu import jain, payloads_of
from semcom_ros.lab.soak.live import IMAGE, PAYLOAD, RECEIVED, START_S, Measured
from semcom_ros.nodes.drive import isolated
from semcom_ros.nodes.messages import payload_message
from semcom_ros.nodes.observer import Observer, observing
from semcom_ros.nodes.topics import message_type
from semcom_ros.payload import Header, Payload, pack

NAMES = [f"/vehicle_{n}" for n in range(1, 11)]
LEAVES = 0.5
"""Share of the time after which the first vehicle is gone."""
LOOP = 30
"""Frames of a vehicle's drive until it begins again, with one that stands alone."""


def vehicles(args: Namespace) -> Iterator[Measured]:
    """Payloads made once, sent by each vehicle at `--rate-hz`, to one rsu_node."""
    payloads = payloads_of(args.codec, "scenes:1", LOOP)
    off = dict.fromkeys(("segmentation", "detection", "depth"), "none")
    (node,) = graph.vehicle_rsu(
        "/junction", ["rsu_node"], vehicles="/vehicle_*", codec=args.codec, autostart=True, **off
    )
    first = LABELS if codec_of(args.codec).sends_labels else IMAGES
    with isolated(), observing("/junction") as observer, args.log.open("wb") as log:
        for name in NAMES:
            for topic in {first, IMAGES}:
                observer.hear(f"{name}/{topic}", IMAGE)
        process = subprocess.Popen(graph.command(node), stdout=log, stderr=log)
        try:
            observer.spin(START_S, lambda: observer.told["rsu_node"])
            radios = {n: observer.speak(f"{n}/{RECEIVED}", PAYLOAD) for n in NAMES}
            yield from _measured(args, observer, radios, payloads, first)
        finally:
            process.send_signal(signal.SIGINT)
            process.wait()


def _measured(
    args: Namespace, observer: Observer, radios: dict[str, Any], payloads: Sequence[Payload],
    first: str,
) -> Iterator[Measured]:  # fmt: skip
    sent: dict[str, dict[int, float]] = {name: {} for name in NAMES}
    began, gone_at = time.monotonic(), float("inf")
    for number in range(int(args.seconds * args.rate_hz)):
        if number >= LEAVES * args.seconds * args.rate_hz and NAMES[0] in radios:
            observer.spin(2.0)
            observer.destroy_publisher(radios.pop(NAMES[0]))
            gone_at = time.monotonic()
            began += 2.0
        for place, name in enumerate(NAMES):
            due = began + (number + place / len(NAMES)) / args.rate_hz
            observer.spin(max(0.0, due - time.monotonic()))
            if name in radios:
                stamp, payload = time.time_ns(), payloads[number % LOOP]
                data = pack(replace(payload, header=_renumbered(payload, number, place, stamp)))
                header = message_type("std_msgs/msg/Header")(frame_id=name[1:])
                header.stamp.sec, header.stamp.nanosec = divmod(stamp, 10**9)
                radios[name].publish(payload_message(header, "semcom", data))
                sent[name][stamp] = time.monotonic()
    observer.spin(3.0)
    heard = {n: {stamp: at for at, stamp in observer.arrived[f"{n}/{first}"]} for n in NAMES}
    books = {name: observer.told[f"{name}/rsu"][-1].values for name in NAMES}
    known = ("decoded", "rejected", "superseded", "in_flight")
    lost = {n: len(sent[n]) - sum(int(books[n][one]) for one in known) for n in NAMES}
    yield Measured("payloads sent", sum(map(len, sent.values())))
    yield Measured("of a vehicle's, not accounted for", max(map(abs, lost.values())), 0)
    if first == LABELS:
        missing = {n: len(sent[n].keys() - heard[n].keys()) for n in NAMES}
        yield Measured("of a vehicle's, without a map", max(missing.values()), 0)
    images = [len(observer.arrived[f"{name}/{IMAGES}"]) for name in NAMES[1:]]
    yield Measured("images", sum(images))
    yield Measured("Jain's index of images", jain(images), least=0.95)
    took_ms = [1e3 * (at - sent[n][s]) for n in NAMES for s, at in heard[n].items()]
    yield Measured(f"{first} after its payload, p50 ms", float(np.percentile(took_ms, 50)))
    yield Measured(f"{first} after its payload, p99 ms", float(np.percentile(took_ms, 99)), 150)
    last = observer.told[f"{NAMES[0]}/rsu"][-1].at
    yield Measured("seconds until nothing was kept of who left", last - gone_at, 10, 0)


def _renumbered(payload: Payload, number: int, place: int, stamp: int) -> Header:
    """The header of a frame of the `place`-th vehicle, whose drive goes on where it began again."""
    old, sequence = payload.header, number + 1
    leans = sequence - (old.sequence - old.reference) if old.reference else 0
    return replace(old, vehicle=place + 1, sequence=sequence, reference=leans, stamp=stamp)
