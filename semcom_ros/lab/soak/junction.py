# SPDX-License-Identifier: Apache-2.0
"""Many vehicles before an RSU without ROS, whose images a cluster paints in known time."""

from __future__ import annotations

import threading
import time
from collections import Counter

from semcom_ros.cluster.batch import RsuRecipe
from semcom_ros.cluster.gateway import Deployment
from semcom_ros.cluster.pool import Pool
from semcom_ros.cluster.remote_rsu import RemoteRsu
from semcom_ros.codecs import codec_of
from semcom_ros.lab.soak.sleeping_decoder import SleepingDecoder
from semcom_ros.labels import LABEL_SPACE
from semcom_ros.payload import Header, Part, Payload, pack
from semcom_ros.percepts import Percepts
from semcom_ros.pipeline.executor import LocalExecutor
from semcom_ros.pipeline.receiver import Arrival, Receiver

VEHICLES, RATE_HZ, DEADLINE_S, BATCH = 20, 10.0, 0.1, 16
NAME, DURATIONS_S = "semcom_soak", (0.02, 0.002)
RECIPE = RsuRecipe("semcom_ros.lab.soak.sleeping_decoder:sleeping_rsu", DURATIONS_S)
IMAGES = frozenset({"labels", "image"})


def deployment(address: str, name: str = NAME, replicas: int = 2) -> Deployment:
    """Replicas of known duration."""
    return Deployment(address, name, replicas, 0.1, 0.0, RECIPE)


class Junction:
    """An executor before a pool, receivers of `vehicles`, and what became of their frames.

    labels_s, images_s: how long after its arrival each frame had those, by when it arrived.
    strangers: images that were another vehicle's. sentences: what was said of failures.
    """

    def __init__(
        self, pool: Pool, vehicles: int = VEHICLES, deadline_s: float = DEADLINE_S
    ) -> None:
        rsu = RemoteRsu(SleepingDecoder(), pool, RECIPE, ())
        self.receivers = [
            Receiver("gesco", codec_of("gesco"), max_age_s=0) for _ in range(vehicles)
        ]
        self.labels_s, self.images_s = dict[float, float](), dict[float, float]()
        self.strangers = 0
        self.sentences: Counter[str] = Counter()
        self._sequences = Counter[int]()
        self._executor = LocalExecutor(
            lambda: rsu,
            lambda _: IMAGES,
            self._deliver,
            lambda error: self.sentences.update([str(error)]),
            at_once=pool.wanted.at_once,
            busy=lambda: pool.busy,
            batch=BATCH,
            deadline_s=lambda: deadline_s,
        )

    def send(self, vehicle: int, task: str = "") -> None:
        """The next frame of a vehicle, from 0."""
        self._sequences[vehicle] += 1
        sequence, now = self._sequences[vehicle], time.monotonic()
        codec = codec_of("gesco")
        header = Header("gesco", codec.version, b"", 256, 512, LABEL_SPACE, sequence, sequence,
                        task, vehicle + 1)  # fmt: skip
        data = pack(Payload(header, (Part("labels", 0, bits=b"map"),)))
        self._executor.put(self.receivers[vehicle].receive(data, sequence, now))

    def drive(self, until: threading.Event) -> None:
        """All vehicles at `RATE_HZ`, one after the other."""
        begun, sent, apart_s = time.monotonic(), 0, 1 / RATE_HZ / len(self.receivers)
        while not until.wait(0.002):
            while sent * apart_s <= time.monotonic() - begun:
                self.send(sent % len(self.receivers))
                sent += 1

    def books(self) -> dict[str, int]:
        """Of all vehicles."""
        books: Counter[str] = Counter()
        for receiver in self.receivers:
            books.update(receiver.counters.books())
        return dict(books)

    def stop(self) -> dict[str, int]:
        """The books, closed."""
        self._executor.stop()
        return self.books()

    def _deliver(self, arrival: Arrival, seen: Percepts, last: bool) -> None:
        came, took_s = arrival.context, time.monotonic() - arrival.context
        self.labels_s.setdefault(came, took_s)
        if seen.image is not None:
            self.images_s[came] = took_s
            self.strangers += int(seen.image[0, 0, 0] != arrival.payload.header.vehicle % 256)
