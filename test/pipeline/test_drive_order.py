# SPDX-License-Identifier: Apache-2.0
"""A drive that begins anew is recognised, and what is refused changes nothing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from semcom_ros.codecs import codec_of
from semcom_ros.errors import NO_CLOCK
from semcom_ros.frame import Camera
from semcom_ros.payload import Header, Part, Payload, PayloadError, coded_bytes, pack
from semcom_ros.pipeline.drive_order import BEGINS_AGAIN
from semcom_ros.pipeline.receiver import Receiver

SECOND = 10**9
START = 1_700_000_000 * SECOND
MAP, ERASED = Part("labels", 0, bits=b"map"), Part("labels", 0, erased=True)
CAMERA = Camera(360, 480, 500.0, 500.0, 239.5, 179.5)
LAST_NUMBER = 2**32 - 1


def at(seconds: float) -> int:
    return START + round(seconds * SECOND)


def frame(sequence: int, seconds: float, part: Part = MAP, **header: object) -> Payload:
    values = Header("gesco", 1, b"", 256, 512, "cityscapes19", sequence, at(seconds))
    return Payload(replace(values, **header), (part,))


def receiver(max_age_s: float = 0.0, **options: int) -> Receiver:
    return Receiver("gesco", codec_of("gesco"), max_age_s=max_age_s, **options)


def reason(door: Receiver, payload: Payload, now: float, stamp: int | None = None) -> str | None:
    try:
        door.receive(pack(payload), at(now), stamp=stamp)
    except PayloadError as error:
        return error.reason
    return None


def drive(door: Receiver, numbers: range, now: float, part: Part = MAP) -> list[str | None]:
    """What becomes of frames at 10 Hz, captured at their number and received from `now` on."""
    return [
        reason(door, frame(n, n / 10, part), now + i / 10) for i, n in enumerate(numbers, start=1)
    ]


def missing(door: Receiver) -> int:
    return door.counters.snapshot()["missing"]


@pytest.mark.parametrize("first", [0, 7])
def test_a_drive_that_begins_anew_without_a_clock_goes_on_after_some_frames_in_a_row(first: int):
    door = receiver()
    assert drive(door, range(60), 0) == [None] * 60
    before = door.memory
    for turn in (1, 2):
        again = drive(door, range(first, first + 20), 10 * turn)
        assert again[BEGINS_AGAIN - 1 :] == [None] * (21 - BEGINS_AGAIN)
        assert set(again[: BEGINS_AGAIN - 1]) <= {"duplicate", "late"}
    assert missing(door) == 0 and door.memory is not before


def test_of_a_drive_that_begins_anew_on_a_lossy_radio_what_is_lost_is_lost() -> None:
    door = receiver()
    drive(door, range(100, 160), 0)
    assert drive(door, range(40, 48), 10, ERASED) == ["late"] * 4 + ["lost"] * 4
    assert drive(door, range(48, 60), 11) == [None] * 12
    assert missing(door) == 0


def test_replayed_packets_among_those_of_the_drive_are_no_new_drive() -> None:
    door = receiver()
    drive(door, range(50), 0)
    for n in range(50, 90):
        assert reason(door, frame(n - 40, (n - 40) / 10), n / 10) == "duplicate"
        assert reason(door, frame(n, n / 10), n / 10 + 0.01) is None
    assert missing(door) == 0


def test_late_frames_in_a_row_that_were_missing_are_no_new_drive() -> None:
    door = receiver()
    drive(door, range(10), 0)
    assert reason(door, frame(20, 2.0), 2.0) is None and missing(door) == 10
    assert drive(door, range(10, 20), 2.1) == ["late"] * 10
    assert missing(door) == 0
    assert reason(door, frame(21, 2.1), 3.2) is None and missing(door) == 0


def test_numbers_that_a_camera_cannot_have_reached_count_nothing_as_missing() -> None:
    door = receiver()
    drive(door, range(10), 0)
    assert reason(door, frame(5_000_000, 1.0), 1.0) is None
    assert reason(door, frame(10, 1.1), 1.1) is None, "as from a vehicle that was started anew"
    assert reason(door, frame(12, 1.3), 1.3) is None
    assert missing(door) == 1


def state(door: Receiver, now: float) -> tuple:
    link = door.link_state(at(now))
    return link.snr_db, link.last_sequence, door.camera, id(door.memory), missing(door)


FORGED = frame(LAST_NUMBER, 2.0, source_height=360, source_width=480, camera=CAMERA)
FAR = 10**9


@pytest.mark.parametrize(
    ("expected", "payload", "stamp"),
    [
        ("codec", replace(FORGED.header, codec="sqgan"), None),
        ("version", replace(FORGED.header, codec_version=2), None),
        ("model", replace(FORGED.header, model=b"87654321"), None),
        ("malformed", replace(FORGED.header, height=128), None),
        ("malformed", FORGED.header, at(2.1)),
        ("stale", replace(FORGED.header, stamp=at(-100)), None),
        ("stale", replace(FORGED.header, stamp=at(FAR)), None),
        ("late", replace(FORGED.header, stamp=at(1.55)), None),
        ("duplicate", replace(FORGED.header, stamp=at(1.5)), None),
        ("lost", FORGED.header, None),
        ("lost", replace(FORGED.header, sequence=1), None),
        ("reference", replace(FORGED.header, reference=77), None),
    ],
)
def test_what_is_refused_changes_nothing(expected, payload, stamp) -> None:
    door = receiver(max_age_s=1.0)
    for n in range(10, 20):
        sent = replace(frame(n, n / 10), snr_db=7.0)
        assert reason(door, sent, n / 10 + 0.02) is None
    before = state(door, 2.0)
    part = ERASED if expected == "lost" else MAP
    forged = Payload(payload, (part,), 60.0)
    assert reason(door, forged, 2.0, stamp) == expected
    assert state(door, 2.0) == before
    assert reason(door, frame(20, 2.0, reference=19), 2.05) is None
    assert (missing(door), door.link_state(at(2.1)).last_sequence) == (0, 20)


@pytest.mark.parametrize("sequence", [1, 30, 31, LAST_NUMBER])
@pytest.mark.parametrize("part", [MAP, ERASED])
def test_a_far_stamp_shuts_nobody_out_for_longer_than_it_takes_to_see_it(sequence, part) -> None:
    door = receiver()
    drive(door, range(30), 0)
    reason(door, frame(sequence, FAR, part), 3.0)
    shut_out = drive(door, range(30, 50), 3.0)
    assert sum(what is not None for what in shut_out) < BEGINS_AGAIN
    assert shut_out[-10:] == [None] * 10 and 0 <= missing(door) <= BEGINS_AGAIN


def test_what_is_lost_in_its_turn_tells_of_the_link() -> None:
    door = receiver(max_age_s=1.0)
    drive(door, range(1, 5), 0.1)
    door.link_state(at(0.5))
    lost = replace(frame(5, 0.5, ERASED), snr_db=-3.0)
    assert reason(door, lost, 0.52) == "lost"
    # Garbage and copies are no frames: they do not thin the loss out.
    for _ in range(20):
        with pytest.raises(PayloadError):
            door.receive(b"noise", at(0.55))
        assert reason(door, frame(4, 0.4), 0.55) == "duplicate"
    link = door.link_state(at(0.6))
    assert (link.snr_db, link.loss, link.last_sequence) == (-3.0, 1.0, 5)
    assert reason(door, frame(6, 0.6), 0.62) is None and missing(door) == 0


def test_what_leans_on_what_never_came_did_arrive() -> None:
    door = receiver()
    drive(door, range(1, 5), 0)
    refused = [reason(door, frame(n, n / 10, reference=n - 1), n / 10) for n in (6, 7)]
    assert refused == ["reference"] * 2 and missing(door) == 1
    assert reason(door, frame(8, 0.8), 0.8) is None and missing(door) == 1


def test_after_a_start_whose_first_frames_are_lost_nothing_leans_on_those_of_before() -> None:
    door = receiver()
    drive(door, range(1, 4), 0)
    for n in (1, 2, 3):
        lost = frame(n, 5 + n / 10, ERASED, reference=n - 1)
        assert reason(door, lost, 5 + n / 10) == "lost"
    assert reason(door, frame(4, 5.4, reference=3), 5.4) == "reference"
    assert reason(door, frame(5, 5.5), 5.5) is None
    assert reason(door, frame(6, 5.6, reference=5), 5.6) is None


def test_more_coded_bytes_than_one_packet_carries_are_malformed_unless_allowed() -> None:
    def of(size: int) -> Payload:
        spare = len(pack(frame(1, 0, Part("labels", 0, bits=bytes(1000))))) - 1000
        return frame(1, 0, Part("labels", 0, bits=bytes(size - spare)))

    assert len(pack(of(1200))) == 1200
    assert reason(receiver(), of(1200), 0) is None
    assert reason(receiver(), of(1201), 0) == "malformed"
    assert reason(receiver(max_bytes=1201), of(1201), 0) is None
    # The radio adds its measurement to what it carries.
    assert reason(receiver(), replace(of(1200), snr_db=3.0), 0) is None


@pytest.mark.parametrize("noise", [None, np.full(4000, 0.1, np.float32)])
def test_uncoded_symbols_are_no_coded_bytes(noise) -> None:
    symbols = Part("planes", 0, symbols=np.ones(4000, np.complex64), noise_variance=noise)
    sent = frame(1, 0, symbols)
    data = pack(replace(sent, snr_db=9.0))
    assert len(data) > 32_000 and coded_bytes(replace(sent, snr_db=9.0), len(data)) < 60
    assert reason(receiver(), sent, 0) is None


def test_a_clock_that_has_not_begun_is_named() -> None:
    door = receiver(max_age_s=1.0)
    with pytest.raises(PayloadError, match=NO_CLOCK) as caught:
        door.receive(pack(frame(1, 0)), 0)
    assert caught.value.reason == "stale"
    assert drive(door, range(2, 5), 0.2) == [None] * 3 and missing(door) == 0


@pytest.mark.parametrize("seed", range(24))
def test_whatever_a_radio_does_no_frame_comes_twice_or_back_and_the_missing_are_counted(seed: int):
    random = np.random.default_rng(seed)
    jitter_s, copied, dropped, lost = random.choice(
        [(0.0, 0.0, 0.5, 0.3), (0.05, 0.2, 0.1, 0.0), (0.3, 1.0, 0.1, 0.3), (0.15, 0.5, 0.0, 0.0)]
    )
    sent = [n for n in range(1, 101) if random.random() >= dropped or n in (1, 100)]
    parts = {n: ERASED if random.random() < lost else MAP for n in sent}
    coming = [
        (n / 10 + random.exponential(jitter_s), n)
        for n in sent
        for _ in range(1 + (random.random() < copied))
    ]
    door, decoded, counts = receiver(), [], []
    for now, n in sorted(coming):
        if reason(door, frame(n, n / 10, parts[n]), now) is None:
            decoded.append(n)
        counts.append(missing(door))
    first = min(coming)[1]
    assert decoded == sorted(set(decoded)) and min(counts) >= 0
    assert missing(door) == len(set(range(first, 101)) - set(sent))
