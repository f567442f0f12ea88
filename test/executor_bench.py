# SPDX-License-Identifier: Apache-2.0
"""An executor under test, its decoder, and what was delivered of each frame."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

import numpy as np

from semcom_ros.codecs import codec_of
from semcom_ros.codecs.base import Received
from semcom_ros.payload import Header, Part, Payload, pack
from semcom_ros.percepts import FIELDS, Percepts
from semcom_ros.pipeline.executor import LocalExecutor
from semcom_ros.pipeline.receiver import Arrival, Receiver
from semcom_ros.pipeline.rsu import Rsu, Wanted
from semcom_ros.reconstruction import Reconstruction

ALL = frozenset(FIELDS)
MAP = np.zeros((256, 512), np.uint8)


class Decoder:
    """Gives an empty street, or no map at all; notes what it was asked for; `go_on` holds it."""

    model, settings = b"", None

    def __init__(self, labels: np.ndarray | None = MAP) -> None:
        self.known = Reconstruction(labels=labels, confidence=labels)
        self.maps: list[list[int]] = []
        self.go_on = threading.Event()
        self.go_on.set()

    def warm_up(self) -> None:
        pass

    def decode_labels(self, batch: Sequence[Received]) -> list[Reconstruction]:
        self.maps.append([one.payload.header.sequence for one in batch])
        self.go_on.wait()
        return [self.known] * len(batch)

    def decode_images(
        self, batch: Sequence[Received], known: Sequence[Reconstruction]
    ) -> list[np.ndarray]:
        return [np.zeros((256, 512, 3), np.uint8)] * len(batch)


class Road:
    """An executor and what it delivered: of which frame, whether for the first time, the last."""

    def __init__(
        self,
        decoder: Decoder,
        wanted: Callable[[Arrival], Wanted] = lambda _: ALL,
        images: Callable[..., list[Percepts]] | None = None,
        **options,
    ) -> None:
        self.rsu = Rsu(decoder)
        self.rsu.images = images or self.rsu.images
        self.receiver = Receiver("gesco", codec_of("gesco"), max_age_s=0)
        self.delivered: list[tuple[int, bool, bool]] = []
        self.failures: list[Exception] = []
        self.fails = False
        self.executor = LocalExecutor(
            lambda: self.rsu, wanted, self.deliver, self.failures.append, **options
        )

    def deliver(self, arrival: Arrival, percepts: Percepts, last: bool) -> None:
        sequence = arrival.payload.header.sequence
        self.delivered.append((sequence, arrival.seen is None, last))
        if self.fails:
            raise OSError("nobody can be told")

    def send(self, *sequences: int) -> None:
        for sequence in sequences:
            header = Header("gesco", 1, b"", 256, 512, "cityscapes19", sequence, sequence)
            data = pack(Payload(header, (Part("labels", 0, bits=b"map"),)))
            self.executor.put(self.receiver.receive(data, sequence))

    def counts(self, newest: int = 0) -> dict:
        """The books once frame `newest`, which none overtakes, is through and all is stopped."""
        end = time.monotonic() + 20
        while newest and time.monotonic() < end:
            if any(number == newest and last for number, _, last in self.delivered):
                break
            time.sleep(0.001)
        self.executor.stop()
        counts = self.receiver.counters.snapshot()
        assert not counts["in_flight"]
        return counts
