# SPDX-License-Identifier: Apache-2.0
"""What reaches a drive from outside: garbage, replays, odd pictures, silence, another time."""

from __future__ import annotations

import os
import random
import signal
import time
from argparse import Namespace
from collections.abc import Callable, Iterator
from typing import Any

from semcom_ros.graph import PAYLOADS
from semcom_ros.lab.soak.live import IMAGE, PAYLOAD, RECEIVED, LiveDrive, Measured, drive
from semcom_ros.messages.build import data_of
from semcom_ros.messages.camera import ENCODINGS
from semcom_ros.nodes.topics import message_type

FLOOD_HZ, REPLAYED = 2000, 10_000
JUMPS_S = (0.001, 0.01, 0.09, -0.05, 0.5, -0.5, 1.2, -1.2, 37.0, 3600.0, -3600.0)
BLACKOUTS_S = (0.1, 1.0, 5.0, 30.0)
TOLERATED_S = (-0.1, 0.9)
"""By how much the RSU's clock may be off while the vehicle's frames are let in."""


def flood(args: Namespace) -> Iterator[Measured]:
    """Garbage on the topic of payloads, as fast as 2000 a second."""
    with drive(args) as up:
        before, publish = up.rate(up.output, 10.0), publish_garbage(up, random.Random(args.seed))
        counted, cpu_s, begun, sent = refused(up), up.cpu_s("rsu_node"), time.monotonic(), 0
        while (now := time.monotonic() - begun) < args.seconds:
            due = int(FLOOD_HZ * now) - sent
            publish(due)
            sent += due
            up.observer.spin(0.005)
        during, cpu_s = up.seen(up.output, begun) / args.seconds, up.cpu_s("rsu_node") - cpu_s
        up.observer.spin(2.0)
        yield Measured("garbage a second", sent / args.seconds, least=0.9 * FLOOD_HZ)
        yield Measured("outputs, share of those before", during / before, least=0.95)
        yield Measured("garbage that was refused and counted", (refused(up) - counted) / sent)
        yield Measured("RSU's core meanwhile, share", cpu_s / args.seconds)
        yield from up.invariants()


def publish_garbage(up: LiveDrive, draw: random.Random) -> Callable[[int], None]:
    """Publishes so many messages that hold no payload."""
    publisher, messages = up.observer.speak(RECEIVED, PAYLOAD), []
    for _ in range(99):
        message = message_type(PAYLOAD)(format="semcom")
        message.data = data_of(draw.choice((b"", b"SC\x02")) + draw.randbytes(draw.randrange(1200)))
        messages.append(message)

    def publish(count: int) -> None:
        for number in range(count):
            publisher.publish(messages[number % len(messages)])

    return publish


def replay(args: Namespace) -> Iterator[Measured]:
    """Payloads that were heard before, again and again, and to an RSU that starts anew."""
    heard: list[bytes] = []
    with drive(args) as up:
        up.observer.create_subscription(message_type(PAYLOAD), RECEIVED, heard.append, 50, raw=True)
        up.observer.spin(20.0)
        publisher = up.observer.speak(RECEIVED, PAYLOAD)
        captured, counted = list(heard), refused(up)
        for wait_s in (0.0, 2.0):
            up.observer.spin(wait_s)
            for number in range(REPLAYED // 2):
                publisher.publish(captured[number % len(captured)])
                up.observer.spin(0.002)
        up.observer.spin(2.0)
        yield Measured("refused of 10 000", refused(up) - counted, least=0.99 * REPLAYED)
        os.kill(up.pid("rsu_node"), signal.SIGKILL)
        for number in range(2000):
            publisher.publish(captured[number % len(captured)])
            up.observer.spin(0.005)
        yield from up.invariants()


def clock(args: Namespace) -> Iterator[Measured]:
    """The RSU's clock jumps, and jumps back."""
    slowest = 0.0
    with drive(args) as up:
        ticks = up.observer.create_publisher(message_type("rosgraph_msgs/msg/Clock"), "/clock", 1)

        def tick(off_s: float, seconds: float) -> None:
            end = time.monotonic() + seconds
            while time.monotonic() < end:
                message, now = message_type("rosgraph_msgs/msg/Clock")(), time.time() + off_s
                message.clock.sec, message.clock.nanosec = int(now), int(now % 1 * 1e9)
                ticks.publish(message)
                up.observer.spin(0.005)

        tick(0.0, 1.0)
        up.observer.set("rsu_node", use_sim_time=True)
        tick(0.0, 3.0)
        for off_s in JUMPS_S:
            tick(off_s, 0.5)
            begun = time.monotonic()
            tick(off_s, args.seconds / len(JUMPS_S))
            seen, tolerated = up.seen(up.output, begun), TOLERATED_S[0] <= off_s <= TOLERATED_S[1]
            most, least = (float("inf"), 1) if tolerated else (0, 0)
            yield Measured(f"outputs at {off_s:+g} s", seen, most, least)
            begun = time.monotonic()
            while not up.seen(up.output, begun) and time.monotonic() < begun + 10:
                tick(0.0, 0.02)
            slowest = max(slowest, time.monotonic() - begun)
        yield Measured("outputs again, s at most", slowest, 2.0)
        yield from up.invariants()


def blackout(args: Namespace) -> Iterator[Measured]:
    """Nothing gets through for a while."""
    with drive(args) as up:
        for seconds in BLACKOUTS_S:
            begun = time.monotonic()
            up.observer.set("channel_node", loss=1.0)
            up.observer.spin(seconds)
            warned = up.warned(begun, ("rsu_node",))
            up.observer.set("channel_node", loss=0.0)
            again = time.monotonic()
            up.returns(up.output, 20.0)
            yield Measured(
                f"frames until an output after {seconds:g} s", up.seen(PAYLOADS, again), 2
            )
            if seconds > 1:
                yield Measured(f"warned of {seconds:g} s after, s", warned, 1.0)
            up.observer.spin(3.0)
        yield from up.invariants()


def camera(args: Namespace) -> Iterator[Measured]:
    """A camera that shows anything at any rate, stalls, and stamps twice."""
    draw, shown = random.Random(args.seed), 0
    with drive(args, camera=False) as up:
        pid, begun = up.pid("vehicle_node"), time.monotonic()
        publisher = up.observer.speak("camera/image_raw", IMAGE)
        while time.monotonic() - begun < args.seconds:
            encoding = draw.choice([*ENCODINGS, "16UC1", "32FC1", "", "jpeg", "\x1b"])
            height, width = (draw.choice((0, 1, 2, 7, 63, 64, 255, 360)) for _ in "hw")
            step = draw.choice((1.0, 0.01))  # several stamped alike, or none
            message = picture(encoding, height, width, time.time() // step * step)
            for _ in range(draw.choice((1, 1, 2, 30))):
                publisher.publish(message)
                shown += 1
                up.observer.spin(draw.choice((0.0, 1 / 60, 0.2)))
            if draw.random() < 0.02:
                up.observer.spin(3.0)
        told = up.last("vehicle_node").values
        good = time.monotonic()
        for _ in range(20):
            publisher.publish(picture("rgb8", 256, 512, time.time()))
            up.observer.spin(0.2)
        yield Measured("pictures shown", shown)
        yield Measured("errors told", int(told.get("errors", 0)), least=1)
        yield Measured("vehicle ended", int(pid != up.pid("vehicle_node")), 0)
        yield Measured("good ones seen at the RSU of 20", up.seen(up.output, good), least=10)
        yield from up.invariants()


def picture(encoding: str, height: int, width: int, seconds: float) -> Any:
    """An Image stamped so; of an encoding that nobody knows, three bytes a pixel."""
    known = ENCODINGS.get(encoding)
    row = width * known.samples * known.bits // 8 if known else 3 * width
    message = message_type(IMAGE)(encoding=encoding, height=height, width=width, step=row)
    message.header.stamp.sec, message.header.stamp.nanosec = int(seconds), int(seconds % 1 * 1e9)
    message.data = data_of(os.urandom(row * height * (known.rows if known else 2) // 2))
    return message


def refused(up: LiveDrive) -> int:
    """Payloads that the RSU has refused."""
    return int(up.last("rsu_node").values.get("rejected", 0))
