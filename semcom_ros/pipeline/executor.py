# SPDX-License-Identifier: Apache-2.0
"""Where an RSU's work is done: in this process, on two threads."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future

from semcom_ros.errors import given
from semcom_ros.percepts import Percepts
from semcom_ros.pipeline.receiver import Arrival
from semcom_ros.pipeline.rsu import Rsu, Wanted, unreadable
from semcom_ros.pipeline.worker import Worker

Deliver = Callable[[Arrival, Percepts, bool], None]
"""Takes an arrival, whose `seen` is what was delivered of it before, its percepts, and whether no
more will follow."""
Step = Callable[[Rsu, Sequence[Arrival], Wanted], list[Percepts]]


class LocalExecutor:
    """Maps in one thread, every one of them; images in another, the newest of each vehicle.

    The map of a frame is not to wait for the image of the frame before, nor the first map for the
    networks that images take: `warm` is done when those are. rsu: asked anew for every
    arrival, which goes on with what it began with. wanted: asked anew for every batch. deliver:
    called as percepts are known, for map, image and the rest, from either thread. failed:
    hears of what went wrong outside of decoding and perceiving.
    """

    def __init__(
        self,
        rsu: Callable[[], Rsu],
        wanted: Callable[[], Wanted],
        deliver: Deliver,
        failed: Callable[[Exception], None],
    ) -> None:
        self._rsu, self._wanted, self._deliver, self._failed = rsu, wanted, deliver, failed

        def worker(
            step: Step,
            newest_wins: bool = False,
            warm_up: Callable[[], Iterable[object]] = tuple,
        ) -> Worker[Arrival]:
            return Worker(
                lambda batch: self._work(batch, step, final=newest_wins),
                lambda arrival: arrival.receiver.superseded(_map_delivered(arrival)),
                failed,
                warm_up,
                sender=lambda arrival: arrival.receiver,
                newest_wins=newest_wins,
            )

        # An image warms up in its own thread, since that is where torch keeps what it prepares.
        self._images = worker(
            self._paint,
            newest_wins=True,
            warm_up=lambda: rsu().warm_up(),
        )
        self.warm: Future[None] = self._images.warm
        self._maps = worker(lambda rsu, batch, _: rsu.maps(batch))

    def put(self, arrival: Arrival) -> None:
        """Begin with `arrival`; returns at once."""
        arrival.rsu = self._rsu()
        self._maps.put(arrival)

    def stop(self) -> None:
        """Let what is at work finish, count the rest as superseded."""
        self._maps.stop()
        self._images.stop()

    def _work(self, batch: list[Arrival], step: Step, final: bool) -> None:
        """One step of the arrivals of each RSU together; none of them goes uncounted."""
        for rsu in dict.fromkeys(arrival.rsu for arrival in batch):
            own, wanted = [arrival for arrival in batch if arrival.rsu is rsu], Wanted()
            try:
                wanted = self._wanted()
                found = list(zip(own, step(rsu, own, wanted), strict=True))
            except Exception as error:
                found = [(arrival, Percepts(error=unreadable(error))) for arrival in own]
            for arrival, percepts in found:
                if not final and rsu.finds_objects(percepts, wanted):
                    # Labels do not wait for the objects in them.
                    self._tell(arrival, percepts, False)
                    try:
                        percepts = rsu.with_objects(arrival, percepts, wanted)
                    except Exception as error:
                        self._failed(error)
                self._settle(arrival, percepts, final or not rsu.unfinished(percepts, wanted))

    def _paint(self, rsu: Rsu, batch: Sequence[Arrival], wanted: Wanted) -> list[Percepts]:
        """An image does not wait for those who look at it."""
        seen = [given(arrival.seen) for arrival in batch]
        return rsu.images(batch, seen, wanted, lambda one, known: self._tell(one, known, False))

    def _tell(self, arrival: Arrival, percepts: Percepts, last: bool) -> None:
        try:
            self._deliver(arrival, percepts, last)
        except Exception as error:
            self._failed(error)
        arrival.seen = percepts

    def _settle(self, arrival: Arrival, percepts: Percepts, last: bool) -> None:
        self._tell(arrival, percepts, last)
        if percepts.error is not None:
            arrival.receiver.rejected(percepts.error)
        elif last:
            arrival.receiver.decoded()
        else:
            self._images.put(arrival)


def _map_delivered(arrival: Arrival) -> bool:
    return arrival.seen is not None and arrival.seen.map_received
