# SPDX-License-Identifier: Apache-2.0
"""Where an RSU's work is done: maps in this process, images here or wherever they are painted."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future

from semcom_ros.errors import SemcomError, given
from semcom_ros.percepts import Percepts
from semcom_ros.pipeline.receiver import Arrival, Receiver
from semcom_ros.pipeline.rsu import Rsu, Wanted, unreadable
from semcom_ros.pipeline.schedule import Schedule
from semcom_ros.pipeline.worker import Worker

Deliver = Callable[[Arrival, Percepts, bool], None]
"""Takes an arrival, whose `seen` is what was delivered of it before, its percepts, and whether no
more will follow."""
Step = Callable[[Rsu, Sequence[Arrival], Sequence[Wanted]], Sequence[Percepts]]
MAP_LAG_S = 0.05
"""While a map has waited longer, no image is begun: the next map may lean on it, on images none."""
MOST_MAP_THREADS = 8


class BackendUnavailable(SemcomError):
    """Raised by `Rsu.images` where none can be made now, which is no fault of the payloads: they
    are superseded."""


def map_threads() -> int:
    """So many threads for maps as leave half of this machine's processors to all else."""
    return max(1, min(len(os.sched_getaffinity(0)) // 2, MOST_MAP_THREADS))


class LocalExecutor:
    """Every map, in threads of their own; images in another, the newest of each vehicle.

    The map of a frame is not to wait for the image of the frame before, nor the first map for the
    networks that images take: `warm` is done when those are. rsu: asked anew for every
    arrival, which goes on with what it began with. wanted: what is listened to of an arrival's
    vehicle, asked anew for every step. deliver: called as percepts are known, for map, image and
    the rest, from any of the threads. failed: hears of what went wrong outside of decoding and
    perceiving. at_once: batches of images that are made at a time, each in a thread of its own;
    batch: most images in one.
    deadline_s: asked for each batch: how long after its arrival a payload's image is of use, in
    seconds, 0 for ever. map_threads: that decode maps, each vehicle's in their order.
    busy: whether what makes images would let another batch wait.
    """

    def __init__(
        self,
        rsu: Callable[[], Rsu],
        wanted: Callable[[Arrival], Wanted],
        deliver: Deliver,
        failed: Callable[[Exception], None],
        *,
        at_once: int = 1,
        batch: int = 32,
        deadline_s: Callable[[], float] = lambda: 0.0,
        map_threads: int = 1,
        busy: Callable[[], bool] = lambda: False,
    ) -> None:
        self._rsu, self._wanted, self._deliver, self._failed = rsu, wanted, deliver, failed
        self._maps = Worker(
            self._decode_maps,
            self._give_up,
            failed,
            schedule=Schedule(
                _vehicle,
                newest_wins=False,
                most=max(1, batch // map_threads),
                came=lambda one: one.at,
            ),
            threads=map_threads,
        )
        # An image warms up in its own thread, since that is where torch keeps what it prepares.
        self._images = Worker(
            self._make_images,
            self._give_up,
            failed,
            lambda: rsu().warm_up(),
            Schedule(_vehicle, most=batch, came=lambda one: one.at, limit_s=deadline_s),
            at_once,
            held=lambda: self._maps.waits_s() > MAP_LAG_S or busy(),
        )
        self.warm: Future[None] = self._images.warm

    def put(self, arrival: Arrival) -> None:
        """Begin with `arrival`; returns at once."""
        arrival.rsu, arrival.at = self._rsu(), time.monotonic()
        self._maps.put(arrival)

    def forget(self, vehicle: Receiver) -> None:
        """Count what waits of a vehicle as superseded, and remember nothing of it."""
        self._maps.forget(vehicle)
        self._images.forget(vehicle)

    def stop(self) -> None:
        """Let what is at work finish, count the rest as superseded."""
        self._maps.stop()
        self._images.stop()

    def _decode_maps(self, batch: list[Arrival]) -> None:
        for arrival, wanted, percepts in self._attempt(batch, lambda rsu, own, _: rsu.maps(own)):
            rsu: Rsu = arrival.rsu
            if rsu.finds_objects(percepts, wanted):
                # Labels do not wait for the objects in them.
                self._tell(arrival, percepts, False)
                try:
                    percepts = rsu.with_objects(arrival, percepts, wanted)
                except Exception as error:
                    self._failed(error)
            self._settle(arrival, percepts, not rsu.unfinished(percepts, wanted))

    def _make_images(self, batch: list[Arrival]) -> None:
        def paint(rsu: Rsu, own: Sequence[Arrival], wanted: Sequence[Wanted]) -> Sequence[Percepts]:
            seen = [given(arrival.seen) for arrival in own]
            # An image does not wait for those who look at it.
            return rsu.images(own, seen, wanted, lambda one, known: self._tell(one, known, False))

        for arrival, _, percepts in self._attempt(batch, paint):
            self._settle(arrival, percepts, True)

    def _attempt(self, batch: list[Arrival], step: Step) -> list[tuple[Arrival, Wanted, Percepts]]:
        """One step of the arrivals of each RSU together; none of them goes uncounted."""
        done = []
        for rsu in dict.fromkeys(arrival.rsu for arrival in batch):
            own = [arrival for arrival in batch if arrival.rsu is rsu]
            try:
                wanted = [self._wanted(arrival) for arrival in own]
                done += list(zip(own, wanted, step(rsu, own, wanted), strict=True))
            except BackendUnavailable as error:
                self._failed(error)
                for arrival in own:
                    self._give_up(arrival)
            except Exception as error:
                rejection = Percepts(error=unreadable(error))
                done += [(arrival, Wanted(), rejection) for arrival in own]
        return done

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

    def _give_up(self, arrival: Arrival) -> None:
        seen = arrival.seen
        arrival.receiver.superseded(seen is not None and seen.map_received)


def _vehicle(arrival: Arrival) -> Receiver:
    return arrival.receiver
