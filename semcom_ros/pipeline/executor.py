# SPDX-License-Identifier: Apache-2.0
"""Where an RSU's work is done: in this process, on two threads."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from semcom_ros.percepts import Percepts
from semcom_ros.pipeline.receiver import Arrival
from semcom_ros.pipeline.rsu import Rsu, Wanted
from semcom_ros.pipeline.worker import Worker

Deliver = Callable[[Arrival, Percepts, bool], None]
"""Takes an arrival's percepts, and whether no more will follow."""


class Executor(Protocol):
    """Takes arrivals of many vehicles to their percepts, and closes their account."""

    def put(self, arrival: Arrival) -> None:
        """Begin with `arrival`; returns at once."""

    def stop(self) -> None:
        """Let what is at work finish, count the rest as superseded."""


class LocalExecutor:
    """Maps in one thread, every one of them; images in another, the newest of each vehicle.

    The map of a frame is not to wait for the image of the frame before. wanted: asked anew for
    every batch. deliver: called as percepts are known, for the map and then for the rest, from
    either thread. failed: hears of what went wrong outside of decoding and perceiving.
    """

    def __init__(
        self,
        rsu: Callable[[], Rsu],
        wanted: Callable[[], Wanted],
        deliver: Deliver,
        failed: Callable[[Exception], None],
        warm_up: Callable[[], None] = lambda: None,
    ) -> None:
        self._rsu, self._wanted, self._deliver = rsu, wanted, deliver
        # An image warms up in its own thread, since that is where torch keeps what it prepares.
        self._images: Worker[tuple[Arrival, Percepts]] = Worker(
            self._complete,
            lambda item: self._give_up(item[0]),
            failed,
            warm_up,
            sender=lambda item: item[0].receiver,
        )
        self._maps: Worker[Arrival] = Worker(
            self._begin,
            self._give_up,
            failed,
            lambda: rsu().decoder.warm_up(),
            sender=lambda arrival: arrival.receiver,
            newest_wins=False,
        )

    def put(self, arrival: Arrival) -> None:
        self._maps.put(arrival)

    def stop(self) -> None:
        self._maps.stop()
        self._images.stop()

    def _begin(self, batch: list[Arrival]) -> None:
        rsu, wanted = self._rsu(), self._wanted()
        for arrival, percepts in zip(batch, rsu.maps(batch, wanted), strict=True):
            arrival.rsu = rsu
            last = not rsu.unfinished(percepts, wanted)
            self._publish(arrival, percepts, last)
            if not last:
                self._images.put((arrival, percepts))

    def _complete(self, batch: list[tuple[Arrival, Percepts]]) -> None:
        # A codec may have changed since a frame began: it goes on with what it began with.
        wanted = self._wanted()
        for rsu in dict.fromkeys(arrival.rsu for arrival, _ in batch):
            arrivals, before = zip(*(one for one in batch if one[0].rsu is rsu), strict=True)
            for arrival, percepts in zip(
                arrivals, rsu.images(arrivals, before, wanted), strict=True
            ):
                self._publish(arrival, percepts, True)

    def _publish(self, arrival: Arrival, percepts: Percepts, last: bool) -> None:
        try:
            self._deliver(arrival, percepts, last)
        finally:
            if percepts.error is not None:
                arrival.receiver.rejected(percepts.error)
            elif last:
                arrival.receiver.decoded()

    def _give_up(self, arrival: Arrival) -> None:
        """Count a frame whose image a newer one overtook, after its map was delivered."""
        arrival.receiver.superseded(map_decoded=arrival.known is not None)
