# SPDX-License-Identifier: Apache-2.0
"""What the RSU lets in, and that its counts add up."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest

from semcom_ros.codecs import codec_of
from semcom_ros.codecs.base import LinkState
from semcom_ros.payload import REASONS, Header, Part, Payload, PayloadError, pack, unpack
from semcom_ros.pipeline.counters import Counters
from semcom_ros.pipeline.receiver import Receiver

SECOND = 10**9
START = 1_700_000_000 * SECOND


def packet(
    sequence: int,
    stamp: int,
    codec: str = "gesco",
    parts: tuple[Part, ...] = (Part("labels", 0, bits=b"map"),),
    reference: int = 0,
) -> bytes:
    header = Header(codec, 1, b"", 256, 512, "cityscapes19", sequence, stamp, reference=reference)
    return pack(Payload(header, parts))


def at(seconds: float) -> int:
    return START + round(seconds * SECOND)


def reason(receiver: Receiver, data: bytes, now_ns: int) -> str | None:
    try:
        receiver.receive(data, now_ns)
    except PayloadError as error:
        return error.reason
    return None


def test_a_payload_without_its_most_important_part_is_lost_and_one_with_it_gets_in() -> None:
    receiver = Receiver("gesco", codec_of("gesco"))
    no_labels, no_colours = Part("labels", 0, erased=True), Part("thumbnail", 1, erased=True)
    labels, colours = Part("labels", 0, bits=b"map"), Part("thumbnail", 1, bits=b"grey")
    for sequence, (parts, expected) in enumerate(
        (
            ((no_labels, no_colours), "lost"),
            ((colours, no_labels), "lost"),
            ((labels, no_colours), None),
        )
    ):
        data = packet(sequence, at(sequence), parts=parts)
        assert reason(receiver, data, at(sequence + 0.05)) == expected


def test_what_a_guard_refuses_reaches_nothing_and_what_it_opens_goes_on() -> None:
    def guard(payload: Payload) -> Payload:
        if payload.seal != b"good":
            raise PayloadError("authentication", "no")
        return replace(payload, parts=(Part("labels", 0, bits=b"opened"),))

    receiver = Receiver("gesco", codec_of("gesco"), guard=guard)
    sent = unpack(packet(9, at(0)))
    for seal in (b"", b"bad"):
        # Not even that it is of another codec, or old, is looked at.
        foreign = replace(sent, header=replace(sent.header, codec="hevc", stamp=0), seal=seal)
        assert reason(receiver, pack(foreign), at(0)) == "authentication"
    assert receiver.link_state(at(0)) == LinkState()
    arrival = receiver.receive(pack(replace(sent, seal=b"good")), at(0))
    assert arrival.payload.bits("labels") == b"opened"


def test_an_rsu_that_looks_at_no_seals_refuses_what_is_sealed() -> None:
    receiver = Receiver("gesco", codec_of("gesco"))
    sealed = pack(replace(unpack(packet(9, at(0))), seal=b"x"))
    assert reason(receiver, sealed, at(0)) == "authentication"
    assert reason(receiver, packet(9, at(0)), at(0)) is None


def test_the_snr_of_the_last_measurement_holds_for_three_seconds() -> None:
    receiver = Receiver("gesco", codec_of("gesco"), max_age_s=0)
    assert receiver.snr_db(at(0)) is None
    for sequence, snr_db in enumerate((12.0, 7.5, None)):
        lost = (Part("labels", 0, erased=True),)
        header = Header("gesco", 1, b"", 256, 512, "cityscapes19", sequence, at(sequence))
        assert reason(receiver, pack(Payload(header, lost, snr_db)), at(sequence)) == "lost"
    # The last one, lost without a measurement, leaves that of 1 s before.
    assert [receiver.snr_db(at(t)) for t in (2.0, 4.0, 4.1)] == [7.5, 7.5, None]
    assert receiver.snr_db(at(0.5)) is None


def test_news_gets_in_once_and_in_order() -> None:
    receiver = Receiver("gesco", codec_of("gesco"))
    assert reason(receiver, packet(0, at(0.0)), at(0.05)) is None
    assert reason(receiver, packet(0, at(0.0)), at(0.06)) == "duplicate"
    assert reason(receiver, packet(2, at(0.2)), at(0.25)) is None
    assert reason(receiver, packet(1, at(0.1)), at(0.26)) == "late"
    assert reason(receiver, packet(1, at(0.1)), at(0.27)) == "duplicate"
    assert reason(receiver, packet(3, at(0.3), codec="classical"), at(0.35)) == "codec"
    assert reason(receiver, packet(3, at(0.3))[:-1], at(0.35)) == "malformed"
    assert reason(receiver, packet(3, at(0.3)), at(0.35)) is None


def test_old_and_future_captures_are_stale_unless_the_check_is_off() -> None:
    for max_age_s, expected in ((1.0, "stale"), (0.0, None)):
        receiver = Receiver("gesco", codec_of("gesco"), max_age_s=max_age_s)
        assert reason(receiver, packet(0, at(0.0)), at(1.01)) == expected
        assert reason(receiver, packet(1, at(1.2)), at(1.05)) == expected
    receiver = Receiver("gesco", codec_of("gesco"))
    assert reason(receiver, packet(0, at(0.0)), at(1.0)) is None
    assert reason(receiver, packet(1, at(1.1)), at(1.0)) is None


@pytest.mark.parametrize("max_age_s", [0.0, 1.0])
def test_a_bag_that_starts_again_is_let_in_again(max_age_s: float) -> None:
    receiver = Receiver("gesco", codec_of("gesco"), max_age_s=max_age_s)
    for _ in range(2):
        for i in range(30):
            assert reason(receiver, packet(i, at(i / 10)), at(i / 10 + 0.02)) is None
    assert receiver.counters.snapshot()["missing"] == 0


def test_a_camera_that_starts_again_is_let_in_again_while_the_vehicle_runs_on() -> None:
    receiver = Receiver("gesco", codec_of("gesco"), max_age_s=0.0)
    for turn in range(3):
        for i in range(100):
            now = at(10 * turn + i / 10)
            assert reason(receiver, packet(100 * turn + i, at(i / 10)), now) is None
    assert receiver.counters.snapshot()["missing"] == 0


def test_a_frame_that_was_overtaken_by_a_lost_one_is_decoded_and_not_missing() -> None:
    receiver = Receiver("gesco", codec_of("gesco"))
    lost = (Part("labels", 0, erased=True),)
    assert reason(receiver, packet(1, at(0.1)), at(0.1)) is None
    assert reason(receiver, packet(3, at(0.3), parts=lost), at(0.3)) == "lost"
    assert reason(receiver, packet(2, at(0.2)), at(0.31)) is None
    assert reason(receiver, packet(4, at(0.4)), at(0.4)) is None
    assert receiver.counters.snapshot()["missing"] == 0


def test_a_small_step_of_the_clock_lets_nothing_in_twice() -> None:
    receiver = Receiver("gesco", codec_of("gesco"))
    assert reason(receiver, packet(0, at(0.0)), at(0.05)) is None
    assert reason(receiver, packet(0, at(0.0)), at(0.0)) == "duplicate"


def test_missing_counts_what_never_arrived() -> None:
    receiver = Receiver("gesco", codec_of("gesco"))

    def missing_after(sequence: int, seconds: float, now: float) -> int:
        reason(receiver, packet(sequence, at(seconds)), at(now))
        return receiver.counters.snapshot()["missing"]

    assert missing_after(10, 1.0, 1.0) == 0
    assert missing_after(14, 1.4, 1.4) == 3
    assert missing_after(12, 1.2, 1.5) == 2, "a late one did arrive"
    assert missing_after(12, 1.2, 1.5) == 2, "but only once"
    assert missing_after(15, 1.5, 3.0) == 2, "a stale one did arrive"
    assert missing_after(16, 3.1, 3.1) == 2
    assert missing_after(0, 3.2, 3.2) == 2, "the vehicle was started anew"
    assert missing_after(2, 3.4, 3.4) == 3


def leaning(receiver: Receiver, seconds: float, sequence: int, reference: int) -> str | None:
    return reason(receiver, packet(sequence, at(seconds), reference=reference), at(seconds))


def test_of_a_vehicle_that_starts_anew_nothing_leans_on_what_it_sent_before() -> None:
    receiver = Receiver("gesco", codec_of("gesco"))
    for sequence in (1, 2, 3):
        assert leaning(receiver, sequence / 10, sequence, sequence - 1) is None
    before = receiver.memory
    assert leaning(receiver, 1.1, 1, 0) is None
    assert receiver.memory is not before
    # The second frame is lost on its way, and the one of that number of before is another.
    assert leaning(receiver, 1.3, 3, 2) == "reference"
    assert receiver.link_state(at(1.4)).refresh
    assert leaning(receiver, 1.4, 4, 0) is None
    assert not receiver.link_state(at(1.5)).refresh


def test_where_numbers_begin_again_frames_go_on_to_lean() -> None:
    receiver, largest = Receiver("gesco", codec_of("gesco")), 2**32 - 1
    assert leaning(receiver, 0.1, largest, 0) is None
    assert leaning(receiver, 0.2, 1, largest) is None
    assert leaning(receiver, 0.3, 2, 1) is None


def test_a_refresh_is_asked_for_where_a_frame_that_was_let_in_could_not_be_decoded() -> None:
    receiver = Receiver("gesco", codec_of("gesco"))
    assert leaning(receiver, 0.1, 1, 0) is None and leaning(receiver, 0.2, 2, 1) is None
    receiver.rejected(PayloadError("reference", "Frame 1 was not decoded here."))
    assert receiver.link_state(at(0.3)).refresh


def test_every_received_payload_is_accounted_for_at_all_times() -> None:
    receiver = Receiver("gesco", codec_of("gesco"))
    steps = [
        lambda: reason(receiver, packet(0, at(0.0)), at(0.01)),
        lambda: reason(receiver, packet(1, at(0.1)), at(0.11)),
        lambda: receiver.superseded(map_decoded=False),
        receiver.decoded,
        lambda: reason(receiver, b"noise", at(0.15)),
        lambda: reason(receiver, packet(2, at(0.2)), at(0.21)),
        lambda: receiver.rejected(PayloadError("lost", "Part 'labels' was lost on the air.")),
    ]
    in_flight = []
    for step in steps:
        step()
        counts = receiver.counters.snapshot()
        done = counts["decoded"] + counts["superseded"] + sum(counts["rejected"].values())
        assert counts["received"] == done + counts["in_flight"]
        in_flight.append(counts["in_flight"])
    assert in_flight == [1, 2, 1, 0, 0, 1, 0]
    assert set(counts["rejected"]) == set(REASONS)
    assert counts["rejected"]["malformed"] == counts["rejected"]["lost"] == 1


def test_threads_lose_no_count() -> None:
    counters = Counters()

    def work() -> None:
        for _ in range(2000):
            counters.add("received")
            counters.reject("late")

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    counts = counters.snapshot()
    assert (counts["received"], counts["rejected"]["late"], counts["in_flight"]) == (8000, 8000, 0)
