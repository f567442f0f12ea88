# SPDX-License-Identifier: Apache-2.0
"""`semcom bench rsu`: how many vehicles one RSU serves in time on this machine.

Payloads are made once and replayed at `RATE_HZ` through receivers and executor, without ROS.
"""

from __future__ import annotations

import argparse
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from semcom_ros.codecs import CODECS, codec_of, create_decoder, create_encoder
from semcom_ros.datasets import open_source
from semcom_ros.errors import SemcomError, choose
from semcom_ros.frame import fit
from semcom_ros.graph import table
from semcom_ros.lab.evaluation.shared import number, show, write_json
from semcom_ros.lab.evaluation.timing import timed
from semcom_ros.payload import Payload, pack
from semcom_ros.perception.segmentation import Segmenter
from semcom_ros.percepts import Percepts
from semcom_ros.pipeline.executor import LocalExecutor, map_threads
from semcom_ros.pipeline.receiver import Arrival, Receiver
from semcom_ros.pipeline.rsu import Rsu
from semcom_ros.pipeline.transmitter import Transmitter

RATE_HZ, WARM_UP_S = 10, 1
WANTED = frozenset({"labels", "image"})
TIMES = ("label_ms", "image_ms")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `semcom bench rsu` beside those of every bench."""
    parser.add_argument("--vehicles", default="1,4,16,50", help="of rsu: how many, one by one")
    parser.add_argument("--codec", default="gesco", help="of rsu: what they send by")
    parser.add_argument("--seconds", type=int, default=5, help="of rsu: for each number of them")
    default = table("rsu_node")["deadline_ms"].default
    parser.add_argument("--deadline-ms", type=int, default=default, help="of rsu: of a picture")


def run(args: argparse.Namespace) -> None:
    """Print a row for each number of vehicles, and write it as a record. Raises SemcomError."""
    try:
        numbers = [int(n) for n in args.vehicles.split(",")]
        if min(*numbers, args.seconds) < 1:
            raise ValueError
    except ValueError:
        raise SemcomError(
            f"--vehicles is '{args.vehicles}' and --seconds {args.seconds}: give numbers from 1, "
            "of vehicles with commas between."
        ) from None
    choose(args.codec, CODECS, "codec")
    batch = args.batch[0] if args.batch else 1 if args.device == "cpu" else 32
    count, n_bytes = (WARM_UP_S + args.seconds) * RATE_HZ, args.payload_bytes or 512
    ends = {"device": args.device, **args.settings}
    payloads = payloads_of(args.codec, args.data, count, n_bytes, **ends)
    rsu = Rsu(create_decoder(args.codec, **ends))
    map_ms, image_ms = _alone(rsu, payloads, args.device)
    # All maps come first; images have a thread of their own.
    most_maps = int(map_threads() * 1e3 / RATE_HZ / map_ms)
    records = []
    for n in numbers:
        traffic = Traffic(rsu, n, payloads, batch, args.deadline_ms)
        could = min(n * RATE_HZ, 1e3 / image_ms) if n <= most_maps else 0
        # A batch may take hardly longer than an image alone: nothing is expected of it.
        expected = round(could * args.seconds) if batch == 1 else None
        records.append(traffic.drive() | {"expected_in_time": expected})
        if args.json:  # what stops a bench leaves what it has found
            write_json(args.json, records)
    counts = ("vehicles", "received", "in_time", "expected_in_time")
    rows = [
        [number(one[name], "d") for name in counts]
        + [f"{one['jain']:.3f}"]
        + [f"{number(one[of]['p50'], '.0f')}, {number(one[of]['p99'], '.0f')}" for of in TIMES]
        for one in records
    ]
    show(
        f"rsu, {args.codec} at {RATE_HZ} Hz for {args.seconds} s",
        ("vehicles", "received", "in time", "expected", "Jain", "labels ms", "image ms"),
        rows,
        f"Device {args.device}, threads {args.threads}. Times are p50 and p99 since a payload was "
        f"due; an image is in time within {args.deadline_ms} ms.",
        f"Alone, a map takes {map_ms:.1f} ms and an image {image_ms:.1f} ms: expected are maps of "
        f"up to {most_maps} vehicles and, as long as these keep up and images are made one by one, "
        f"as many of them in time as {args.seconds} s hold.",
    )  # fmt: skip


class Traffic:
    """`vehicles` that send the same `payloads`, each at its own moment of the tenth of a second."""

    def __init__(
        self, rsu: Rsu, vehicles: int, payloads: Sequence[Payload], batch: int, deadline_ms: int
    ) -> None:
        self.limit_s = deadline_ms / 1e3
        self.labels_ms: list[float] = []
        self.images_ms: list[float] = []
        self.in_time: Counter[int] = Counter()
        self._rsu, self._batch, self._lock = rsu, batch, threading.Lock()
        self._receivers = [_receiver(rsu, payloads[0]) for _ in range(vehicles)]
        self._sent = [
            [pack(replace(one, header=replace(one.header, vehicle=n + 1))) for one in payloads]
            for n in range(vehicles)
        ]

    def drive(self) -> dict[str, Any]:
        """Send all, wait for the end, and report what came after the warm-up."""
        failures: list[Exception] = []
        executor = LocalExecutor(
            lambda: self._rsu,
            lambda _: WANTED,
            self._deliver,
            failures.append,
            batch=self._batch,
            deadline_s=lambda: self.limit_s,
            map_threads=map_threads(),
        )
        executor.warm.result()
        try:
            before = self._send(executor.put)
            while any(one.counters.snapshot()["in_flight"] for one in self._receivers):
                time.sleep(0.01)
        finally:
            executor.stop()
        for failure in failures:
            raise failure
        after = self._counts()
        counts = {name: after[name] - before[name] for name in after}
        shares = [self.in_time[n] for n in range(len(self._receivers))]
        return {
            "vehicles": len(self._receivers),
            **counts,
            "in_time": sum(shares),
            "jain": jain(shares),
            "label_ms": _percentiles(self.labels_ms),
            "image_ms": _percentiles(self.images_ms),
        }

    def _send(self, put: Callable[[Arrival], None]) -> dict[str, int]:
        """The counts at the end of the warm-up, when none of the frames was on its way."""
        n, warm = len(self._receivers), WARM_UP_S * RATE_HZ
        before, began = self._counts(), time.monotonic()
        for frame in range(len(self._sent[0])):
            if frame == warm:
                while any(one.counters.snapshot()["in_flight"] for one in self._receivers):
                    time.sleep(0.001)
                before, began = self._counts(), time.monotonic() - warm / RATE_HZ
                with self._lock:
                    self.labels_ms, self.images_ms, self.in_time = [], [], Counter()
            for vehicle, receiver in enumerate(self._receivers):
                due = began + (frame + vehicle / n) / RATE_HZ
                time.sleep(max(0.0, due - time.monotonic()))
                # What the RSU falls behind with is its delay, too.
                put(receiver.receive(self._sent[vehicle][frame], frame + 1, (vehicle, due)))
        return before

    def _deliver(self, arrival: Arrival, seen: Percepts, last: bool) -> None:
        vehicle, due = arrival.context
        took_s, before = time.monotonic() - due, arrival.seen
        with self._lock:
            if before is None and seen.labels is not None:
                self.labels_ms.append(1e3 * took_s)
            if seen.image is not None and (before is None or before.image is None):
                self.images_ms.append(1e3 * took_s)
                self.in_time[vehicle] += not self.limit_s or took_s <= self.limit_s

    def _counts(self) -> dict[str, int]:
        """Of all vehicles."""
        books = [one.counters.books() for one in self._receivers]
        names = ("received", "decoded", "superseded", "rejected")
        return {name: sum(one[name] for one in books) for name in names}


def jain(shares: Iterable[float]) -> float:
    """Jain's index of fairness: 1 where all have the same, 1 / n where one has all."""
    given = np.array([*shares], float)
    squares = len(given) * (given**2).sum()
    return float(given.sum() ** 2 / squares) if squares else 1.0


def payloads_of(
    codec: str, data: str, count: int, n_bytes: int = 512, device: str = "cpu", **settings: Any
) -> list[Payload]:
    """Those of one vehicle, of the first `count` frames of `data`, over and over."""
    source, encoder = open_source(data), create_encoder(codec, device=device, **settings)
    labels = codec_of(codec).sends_labels
    segmenter = Segmenter.from_pretrained(device=device) if labels else list
    transmitter = Transmitter(codec, encoder, lambda images: segmenter(list(images)))
    frames = (replace(fit(source[i % len(source)]), stamp=i + 1) for i in range(count))
    return [transmitter.transmit(one, n_bytes).payload for one in frames]


def _receiver(rsu: Rsu, payload: Payload) -> Receiver:
    name = payload.header.codec
    return Receiver(name, codec_of(name), rsu.decoder.model, max_age_s=0)


@torch.inference_mode()
def _alone(rsu: Rsu, payloads: Sequence[Payload], device: str) -> tuple[float, float]:
    """Milliseconds of a map and of an image, each alone on the machine: medians."""
    for _ in rsu.warm_up():
        pass
    receiver = _receiver(rsu, payloads[0])
    times = []
    for now, payload in enumerate(payloads, 1):
        arrival = receiver.receive(pack(payload), now)
        seen, map_ms = timed(lambda one=arrival: rsu.maps([one]), device)
        _, image_ms = timed(lambda one=arrival, s=seen: rsu.images([one], s, [WANTED]), device)
        times.append((map_ms, image_ms))
    map_ms, image_ms = np.median(times, axis=0)
    return float(map_ms), float(image_ms)


def _percentiles(times: Sequence[float]) -> dict[str, float | None]:
    """In milliseconds, None where nothing came."""
    if not times:
        return {"p50": None, "p99": None}
    p50, p99 = np.percentile(times, (50, 99))
    return {"p50": round(float(p50), 2), "p99": round(float(p99), 2)}
