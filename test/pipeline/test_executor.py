# SPDX-License-Identifier: Apache-2.0
"""Whatever fails on the way to percepts, every payload is delivered by steps and counted once."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from executor_bench import ALL, MAP, Decoder, Road

from semcom_ros.codecs import codec_of
from semcom_ros.codecs.base import Received
from semcom_ros.payload import Header, Payload, PayloadError
from semcom_ros.perception.perceive import Predictions
from semcom_ros.percepts import Percepts
from semcom_ros.pipeline.executor import MAP_LAG_S, BackendUnavailable
from semcom_ros.pipeline.receiver import Arrival, Receiver
from semcom_ros.pipeline.rsu import Rsu, Wanted
from semcom_ros.pipeline.worker import HOLD_S
from semcom_ros.reconstruction import Reconstruction


def test_every_admitted_map_is_decoded_and_delivered_and_the_books_are_closed() -> None:
    road = Road(decoder := Decoder())
    road.send(*range(1, 9))
    counts = road.counts(8)
    assert decoder.maps == [[n] for n in range(1, 9)]
    assert counts["decoded"] + counts["superseded"] == 8
    assert counts["maps_only"] == counts["superseded"]
    assert [n for n, first, _ in road.delivered if first] == list(range(1, 9))
    assert sum(last for *_, last in road.delivered) == counts["decoded"]


def test_an_overtaken_frame_without_a_map_is_no_map_only() -> None:
    arrival = Arrival(Payload(Header("hevc", 1, b"", 256, 512, "", 1, 1), ()), receiver=None)
    arrival.seen = Percepts()
    road = Road(Decoder(labels=None))
    arrival.receiver = road.receiver
    road.receiver.counters.add("received")
    road.executor.stop()
    road.executor._images.put(arrival)
    counts = road.counts()
    assert (counts["superseded"], counts["maps_only"]) == (1, 0)


def test_frames_that_cannot_be_delivered_are_counted_all_the_same() -> None:
    road = Road(Decoder())
    road.fails = True
    road.send(1, 2)
    counts = road.counts(2)
    assert counts["decoded"] + counts["superseded"] == 2
    assert len(road.failures) == len(road.delivered) >= 3


def test_an_image_does_not_wait_for_those_who_look_at_it() -> None:
    road, told = Road(Decoder(labels=None)), []

    def look(images: Sequence[np.ndarray], *_: object) -> list[Predictions]:
        told.extend(road.delivered)
        return [Predictions(detections=[]) for _ in images]

    road.executor.warm.result()  # what warms up is looked at, too
    road.rsu.perceive["detection"] = look
    road.send(1)
    road.counts(1)
    assert told == [(1, True, False), (1, False, False)]
    assert road.delivered == [*told, (1, False, True)]


def lost(_: object) -> list[Reconstruction]:
    raise PayloadError("lost", "A decoder may raise what it should return.")


@pytest.mark.parametrize(
    ("decode", "wanted", "reason"),
    [
        (lambda batch: [], lambda _: ALL, "malformed"),
        (lambda batch: [None] * len(batch), lambda _: ALL, "malformed"),
        (lost, lambda _: ALL, "lost"),
        (None, lambda _: 1 / 0, "malformed"),
    ],
    ids=["too few", "no reconstruction", "raised", "nobody knows what is wanted"],
)
def test_a_step_that_fails_rejects_its_frames(decode, wanted, reason: str) -> None:
    decoder = Decoder()
    decoder.decode_labels = decode or decoder.decode_labels
    road = Road(decoder, wanted)
    road.send(1, 2, 3)
    assert road.counts(3)["rejected"][reason] == 3


def test_frames_go_on_with_the_codec_that_they_came_with() -> None:
    road = Road(first := Decoder())
    first.go_on.clear()
    road.send(1, 2)
    road.rsu = Rsu(second := Decoder())
    road.send(3)
    first.go_on.set()
    road.counts(3)
    assert (first.maps, second.maps) == ([[1], [2]], [[3]])


def test_images_are_made_once_the_map_is_delivered() -> None:
    asked = []

    def paint(batch, seen, wanted, tell):
        asked.append(([one.seen.map_received for one in batch], seen == [batch[0].seen], wanted))
        return [replace(one.seen, image=MAP) for one in batch]

    road = Road(Decoder(), images=paint)
    road.send(1)
    assert road.counts(1)["decoded"] == 1
    assert asked == [([True], True, [ALL])]


def test_where_nothing_can_be_painted_the_map_is_all_and_no_payload_is_to_blame() -> None:
    def paint(*_):
        raise BackendUnavailable("The cluster is away.")

    road = Road(Decoder(), images=paint)
    road.send(1)
    while not road.failures:
        time.sleep(0.001)
    counts = road.counts()
    assert (counts["superseded"], counts["maps_only"], counts["decoded"]) == (1, 1, 0)
    assert road.delivered[0] == (1, True, False)
    assert not any(last for *_, last in road.delivered)


def test_only_what_is_listened_to_of_each_vehicle_is_made_of_its_frames() -> None:
    road = Road(Decoder(), lambda one: ALL if one.receiver is road.receiver else Wanted())
    other = Receiver("gesco", codec_of("gesco"), max_age_s=0)
    mine, road.receiver = road.receiver, other
    road.send(1)
    road.receiver = mine
    road.send(2)
    assert road.counts(2)["decoded"] == 1
    assert other.counters.snapshot()["decoded"] == 1
    assert (1, True, True) in road.delivered and (2, True, False) in road.delivered


def test_batches_that_are_painted_at_once_hold_no_vehicle_twice() -> None:
    both, at_work = threading.Barrier(2, timeout=20), []

    def paint(batch, *_):
        at_work.append([one.receiver for one in batch])
        both.wait()
        return [one.seen for one in batch]

    road = Road(Decoder(), images=paint, at_once=2, batch=1)
    first, second = road.receiver, Receiver("gesco", codec_of("gesco"), max_age_s=0)
    road.send(1, 2)
    road.receiver = second
    road.send(3)
    while not second.counters.snapshot()["decoded"]:
        time.sleep(0.001)
    assert at_work[:2] == [[first], [second]]
    both.abort()
    road.counts()


def test_memory_that_runs_out_costs_images_and_no_map_until_there_is_some_again() -> None:
    short, paint = iter([MemoryError("CUDA is out of memory")] * 3), Decoder().decode_images

    def images(*batch: object) -> list[np.ndarray]:
        for error in short:
            raise error
        return paint(*batch)

    decoder = Decoder()
    decoder.decode_images = images
    road = Road(decoder)
    for n in range(1, 7):
        road.send(n)
        while road.receiver.counters.snapshot()["in_flight"]:
            time.sleep(0.001)
    counts = road.counts()
    assert (counts["rejected"]["malformed"], counts["decoded"]) == (3, 3)
    assert [n for n, first, _ in road.delivered if first] == list(range(1, 7))


def test_images_that_hang_hold_no_map_up_and_one_frame_at_most_waits_for_them() -> None:
    decoder, go_on, paint = Decoder(), threading.Event(), Decoder().decode_images
    decoder.decode_images = lambda *batch: go_on.wait(20) and paint(*batch)
    road = Road(decoder)
    for n in range(1, 51):
        road.send(n)
        while (n, True, False) not in road.delivered:
            time.sleep(0.001)
    end = time.monotonic() + 20  # the last is told of before it takes the place of another
    while road.receiver.counters.snapshot()["in_flight"] > 2 and time.monotonic() < end:
        time.sleep(0.001)
    go_on.set()
    counts = road.counts(50)
    assert (counts["superseded"], counts["maps_only"], counts["decoded"]) == (48, 48, 2)


def test_maps_of_several_vehicles_are_decoded_at_once_and_those_of_one_in_order() -> None:
    both, at_work = threading.Barrier(2, timeout=20), []

    class TwoAtOnce(Decoder):
        def decode_labels(self, batch: Sequence[Received]) -> list[Reconstruction]:
            at_work.append([one.payload.header.sequence for one in batch])
            both.wait()
            return [self.known] * len(batch)

    road = Road(TwoAtOnce(), lambda _: Wanted(), map_threads=2, batch=2)
    first = road.receiver
    road.send(1, 2)
    road.receiver = second = Receiver("gesco", codec_of("gesco"), max_age_s=0)
    road.send(11, 12)
    for receiver in (first, second):
        while receiver.counters.snapshot()["decoded"] < 2:
            time.sleep(0.001)
    road.counts()
    assert sorted(at_work[:2]) == [[1], [11]] and sorted(at_work[2:]) == [[2], [12]]


def test_no_image_is_begun_while_maps_are_behind() -> None:
    painted = threading.Event()

    def paint(batch, *_):
        painted.set()
        return [one.seen for one in batch]

    road, behind_s = Road(Decoder(), images=paint), [2 * MAP_LAG_S]
    road.executor._maps.waits_s = lambda: behind_s[0]
    road.send(1)
    road.executor.warm.result()
    assert not painted.wait(10 * HOLD_S)
    behind_s[0] = 0.0
    assert road.counts(1)["decoded"] == 1 and painted.is_set()


def test_what_comes_after_the_end_is_superseded() -> None:
    road = Road(Decoder())
    road.executor.stop()
    road.send(1)
    assert road.counts()["superseded"] == 1


def test_while_what_paints_is_busy_maps_go_on_and_images_wait() -> None:
    road = Road(decoder := Decoder(), busy=lambda: True)
    road.send(1, 2)
    until = time.monotonic() + 20
    while len(road.delivered) < 2 and time.monotonic() < until:
        time.sleep(0.001)
    counts = road.counts()
    assert len(decoder.maps) == 2 and counts["superseded"] == counts["maps_only"] == 2
