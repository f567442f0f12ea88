# SPDX-License-Identifier: Apache-2.0
"""Many vehicles before one RSU, as their payloads alone: they drive, it is killed, they go."""

from __future__ import annotations

import os
import signal
import time
from argparse import Namespace
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np

from semcom_ros.codecs import create_encoder
from semcom_ros.frame import Frame
from semcom_ros.graph import IMAGES, LABELS, RECEIVED
from semcom_ros.lab.evaluation.bench_rsu import jain
from semcom_ros.lab.ground_truth import frames_with_truth
from semcom_ros.lab.soak.live import BOOKS, IMAGE, PAYLOAD, LiveDrive, Measured, launched
from semcom_ros.lab.soak.nodes import APART_S, BACK_S, load_s
from semcom_ros.messages.build import data_of
from semcom_ros.nodes.topics import message_type
from semcom_ros.payload import pack
from semcom_ros.pipeline import single

VEHICLES, JOINS_HZ, LIVES_S, EVICTED_S = 10, 5, 2.0, 10.0


class Crowd:
    """Vehicles by number; all send the same street under their own sequence and stamps.

    sent: by vehicle, when (monotonic, s) each payload was, by its stamp in ns.
    """

    def __init__(self, up: LiveDrive, codec: str, rate_hz: float) -> None:
        (frame,) = frames_with_truth("scenes:1", "val", [0], exact=False)
        frame = Frame(frame.image, frame.labels, stamp=1)
        self._payload = single.encode(codec, create_encoder(codec), frame, 512)
        self._up, self._period_s = up, 1 / rate_hz
        self._due, self.there = time.monotonic(), dict[int, Any]()
        self.sent: dict[int, dict[int, float]] = defaultdict(dict)

    def join(self, number: int) -> None:
        """A vehicle begins to send."""
        topic = f"/vehicle_{number}/{RECEIVED}"
        publisher = self._up.observer.create_publisher(message_type(PAYLOAD), topic, 10)
        self.there[number] = publisher

    def leave(self, number: int) -> None:
        """It is gone without a word."""
        self._up.observer.destroy_publisher(self.there.pop(number))

    def spin(self, seconds: float) -> None:
        """Each that is there sends at its rate, one after the other."""
        end = time.monotonic() + seconds
        self._due = max(self._due, time.monotonic())
        while time.monotonic() < end:
            if time.monotonic() >= self._due and self.there:
                self._due += self._period_s / len(self.there)
                number = next(iter(self.there))
                self.there[number] = radio = self.there.pop(number)  # it is the last of them now
                radio.publish(self._message(number))
            self._up.observer.spin(min(end, self._due) - time.monotonic())

    def _message(self, number: int) -> object:
        ns = time.time_ns()
        self.sent[number][ns] = time.monotonic()
        own = {"sequence": len(self.sent[number]), "stamp": ns, "vehicle": number}
        message = message_type(PAYLOAD)(format="semcom")
        message.header.stamp.sec, message.header.stamp.nanosec = divmod(ns, 10**9)
        message.data = data_of(
            pack(replace(self._payload, header=replace(self._payload.header, **own)))
        )
        return message


@contextmanager
def junction(args: Namespace) -> Iterator[tuple[LiveDrive, Crowd]]:
    """An RSU that serves whoever comes."""
    with launched(args, "rsu", "vehicles:=/vehicle_*", "bind:=127.0.0.1:47837") as up:
        up.wait(up.runs)
        up.observer.spin(3.0)
        yield up, Crowd(up, args.codec, args.rate_hz)


def vehicles(args: Namespace) -> Iterator[Measured]:
    """Ten drive, and one of them goes: nothing of any is lost, and none is served worse."""
    with junction(args) as (up, crowd):
        numbers, told = range(1, VEHICLES + 1), up.observer.told
        for number in numbers:
            for topic in {up.output, IMAGES}:
                up.observer.hear(f"/vehicle_{number}/{topic}", IMAGE)
            crowd.join(number)
        heard = [radio.get_subscription_count for radio in crowd.there.values()]
        up.observer.spin(30.0, lambda: all(one() for one in heard))
        up.observer.spin(2.0)
        crowd.spin(args.seconds / 2)
        up.observer.spin(3.0)
        crowd.leave(1)
        gone = time.monotonic()
        crowd.spin(args.seconds / 2)
        up.observer.spin(3.0)
    lost, missing, took_ms, images = [], [], [], []
    for number in numbers:
        sent, name = crowd.sent[number], f"/vehicle_{number}"
        seen = {stamp: at for at, stamp in up.observer.arrived[f"{name}/{up.output}"]}
        books = told[f"{name}/rsu"][-1].values
        lost.append(len(sent) - sum(int(books[one]) for one in BOOKS))
        missing.append(len(sent.keys() - seen.keys()))
        took_ms += [1e3 * (at - sent[stamp]) for stamp, at in seen.items()]
        images.append(len(up.observer.arrived[f"{name}/{IMAGES}"]))
    yield Measured("payloads sent", sum(map(len, crowd.sent.values())))
    yield Measured("of a vehicle's, not accounted for", max(map(abs, lost)), 0)
    if up.output == LABELS:
        yield Measured("of a vehicle's, without a map", max(missing), 0)
    yield Measured("images", sum(images))
    yield Measured("Jain's index of the others' images", jain(images[1:]), least=0.95)
    for p, most in ((50, float("inf")), (99, 150)):
        took = float(np.percentile(took_ms, p))
        yield Measured(f"{up.output} after its payload, p{p} ms", took, most)
    kept_s = told["/vehicle_1/rsu"][-1].at - gone
    yield Measured("who left, last told of after s", kept_s, EVICTED_S)


def restart(args: Namespace) -> Iterator[Measured]:
    """Kill the RSU of ten vehicles that go on to send."""
    back = list[float]()
    with junction(args) as (up, crowd):
        outputs = [f"/vehicle_{number}/{up.output}" for number in range(1, VEHICLES + 1)]
        for number, output in enumerate(outputs, 1):
            crowd.join(number)
            up.observer.hear(output, IMAGE)
        crowd.spin(10.0)
        yield Measured("vehicles seen", sum(up.seen(one, 0) > 0 for one in outputs), least=VEHICLES)
        begun = time.monotonic()
        while time.monotonic() - begun < args.seconds:
            killed = time.monotonic(), time.time_ns()
            os.kill(up.pid("rsu_node"), signal.SIGKILL)
            crowd.spin(4 * APART_S)
            back += [up.taken_since(one, *killed) for one in outputs]
    yield Measured("RSU killed, times", len(back) / VEHICLES)
    most = BACK_S + load_s("rsu_node", args.codec)
    yield Measured("vehicles seen again, most s", max(back), most)


def churn(args: Namespace) -> Iterator[Measured]:
    """Five vehicles a second come and go; nothing of them is to stay."""
    with junction(args) as (up, crowd):
        begun, number, before = time.monotonic(), 0, up.use("rsu_node")
        while time.monotonic() - begun < args.seconds:
            number += 1
            crowd.join(number)
            if number > JOINS_HZ * LIVES_S:
                crowd.leave(number - int(JOINS_HZ * LIVES_S))
            crowd.spin(1 / JOINS_HZ)
            if number == 20 * JOINS_HZ:  # what one vehicle alone brings is there by now
                before = up.use("rsu_node")
        for one in list(crowd.there):
            crowd.leave(one)
        gone = time.monotonic()
        up.observer.spin(60.0, lambda: up.last("rsu_node").values.get("vehicles") == "0")
        evicted_s = time.monotonic() - gone
        up.observer.spin(2.0)
        left = [t for t, _ in up.observer.get_topic_names_and_types() if t.startswith("/vehicle_")]
        books, after = up.last("rsu_node").values, up.use("rsu_node")
        done = sum(int(books[one]) for one in BOOKS)
    yield Measured("vehicles that came and went", number)
    yield Measured("payloads that came", int(books["received"]), least=number)
    yield Measured("payloads not accounted for", abs(int(books["received"]) - done), 0)
    yield Measured("gone from the RSU, s", evicted_s, EVICTED_S)
    yield Measured("topics of theirs that stay", len([t for t in left if "vehicle_1/" not in t]), 0)
    yield Measured("RSU's memory, share more", after.mib / before.mib - 1, 0.05)
    yield Measured("RSU's threads more", after.threads - before.threads, 0)
    yield Measured("RSU's files more", after.files - before.files, 0)
