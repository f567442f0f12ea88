# SPDX-License-Identifier: Apache-2.0
"""Video at a byte rate: the mean meets the budget, and a loss costs all up to the next key."""

from __future__ import annotations

import os
from dataclasses import replace
from functools import cache
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from semcom_ros.codecs.image.rate_control import aim
from semcom_ros.codecs.image.still_video import encode as encode_picture
from semcom_ros.codecs.image.still_video import unchanged_priority
from semcom_ros.codecs.video.low_delay import VIDEO_CODERS, decode, encode
from semcom_ros.errors import SemcomError
from semcom_ros.frame import Frame
from semcom_ros.lab.evaluation.study.links import Link, parse_links
from semcom_ros.lab.evaluation.study.systems import GREY, System, create_system
from semcom_ros.payload import Part, Payload

CODECS = tuple(VIDEO_CODERS)
BYTES, FRAMES, GOP = 512, 12, 4


def test_an_encoder_takes_no_real_time_priority():
    images = [np.zeros((64, 64, 3), np.uint8)]

    def policies() -> set[int]:
        return {os.sched_getscheduler(int(task)) for task in os.listdir("/proc/self/task")}

    before = policies()
    with unchanged_priority():
        # As SVT-AV1 does where it may; a thread may always become idle.
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    encode(VIDEO_CODERS["svtav1"], images, 512, 10, 5)
    encode_picture("libsvtav1", images[0], {})
    assert policies() == before


@cache
def drive() -> tuple[Frame, ...]:
    """A red box that passes over a street with some texture, 128x256."""
    texture = np.random.default_rng(0).normal(0, 12, (128, 256, 3))
    texture = cv2.GaussianBlur(texture, (0, 0), 2) * 3
    frames = []
    for i in range(FRAMES):
        image = np.full((128, 256, 3), (120, 160, 200), np.float64)
        image[60:] = (90, 90, 95)
        image += np.roll(texture, 2 * i, axis=1)
        image[70:100, 20 + 6 * i : 60 + 6 * i] = (180, 30, 30)
        frames.append(Frame(image.clip(0, 255).astype(np.uint8), stamp=i))
    return tuple(frames)


@cache
def system(codec: str) -> System:
    made = create_system(codec, {"payload_bytes": BYTES, "gop": GOP, "scale": 1.0})
    made.prepare(drive())
    return made


def play(codec: str, lost: set[int] = frozenset()) -> list:
    """The drive's outcomes over a link that loses the frames `lost`."""
    one = system(codec)
    one.begin(Link(), 1)
    link = {"transmit": lambda p: erased(p) if sequence(p) in lost else p, "state": dict}
    one._channel = SimpleNamespace(**link)
    return [one.run(frame, None, i) for i, frame in enumerate(drive())]


def sequence(payload: Payload) -> int:
    return payload.header.sequence


def erased(payload: Payload) -> Payload:
    return Payload(payload.header, tuple(Part(p.name, 0, erased=True) for p in payload.parts))


def same(one, other) -> bool:
    return np.array_equal(one.reconstruction.image, other.reconstruction.image)


@pytest.mark.parametrize("codec", CODECS)
def test_the_mean_over_the_drive_meets_the_budget_and_shows_the_street(codec: str) -> None:
    outcomes = play(codec)
    mean = np.mean([o.bytes for o in outcomes])
    assert 0.9 * BYTES < mean <= BYTES
    assert all(o.budget == BYTES and not o.lost for o in outcomes)
    for outcome, frame in zip(outcomes, drive(), strict=True):
        assert cv2.PSNR(outcome.reconstruction.image, frame.image) > 23
    red, _, blue = outcomes[-1].reconstruction.image[85, 106]
    assert red > blue + 60


@pytest.mark.parametrize("codec", CODECS)
def test_every_frame_gives_its_packet_at_once_and_key_pictures_come_as_asked(codec: str) -> None:
    images = [np.ascontiguousarray(f.image[:, :, ::-1]) for f in drive()]
    stream = encode(VIDEO_CODERS[codec], images, BYTES, GOP, 5)
    assert [i for i, p in enumerate(stream.packets) if p.key] == list(range(0, FRAMES, GOP))
    assert len(list(decode(VIDEO_CODERS[codec], stream))) == FRAMES


@pytest.mark.parametrize("codec", CODECS)
def test_a_decoder_that_begins_at_a_key_picture_shows_what_one_from_the_start_shows(
    codec: str,
) -> None:
    coder = VIDEO_CODERS[codec]
    images = [np.ascontiguousarray(f.image[:, :, ::-1]) for f in drive()]
    stream = encode(coder, images, BYTES, GOP, 5)
    whole = list(decode(coder, stream))
    late = replace(stream, packets=stream.packets[GOP:])
    for one, other in zip(decode(coder, late), whole[GOP:], strict=True):
        assert np.array_equal(one, other)


def test_what_opens_every_av1_packet_is_not_sent() -> None:
    images = [np.ascontiguousarray(f.image[:, :, ::-1]) for f in drive()]
    stream = encode(VIDEO_CODERS["svtav1"], images, BYTES, GOP, 5)
    key, other = stream.openings
    assert key.startswith(other) and len(key) > len(other) == 2
    # Frame and frame header OBUs, of AV1's types 6 and 3, begin what is sent.
    assert {packet.bits[0] >> 3 for packet in stream.packets} <= {3, 6}


def test_a_lost_frame_leaves_the_last_good_one_up_to_the_next_key_picture() -> None:
    whole, broken = play("x264"), play("x264", lost={5})
    assert [o.lost for o in broken] == [i in (5, 6, 7) for i in range(FRAMES)]
    assert all(same(broken[i], whole[4]) for i in (5, 6, 7))
    assert all(same(broken[i], whole[i]) for i in range(8, FRAMES))


def test_before_the_first_key_picture_the_rsu_shows_grey() -> None:
    outcomes = play("x264", lost={0})
    assert all((o.reconstruction.image == GREY).all() and o.lost for o in outcomes[:GOP])
    assert not outcomes[GOP].lost


def test_over_a_hopeless_channel_every_frame_is_lost_and_over_a_good_one_none() -> None:
    for snr_db, lost in ((-10.0, True), (40.0, False)):
        (link,) = parse_links({"channel": "awgn", "snr_db": snr_db})
        system("x265").begin(link, 1)
        for i, frame in enumerate(drive()):
            outcome = system("x265").run(frame, None, i)
            assert outcome.lost == lost and outcome.channel_uses


def test_a_drive_that_cannot_fit_is_not_sent_and_says_the_least_it_needs() -> None:
    small = create_system("x265", {"payload_bytes": 32, "scale": 1.0})
    small.prepare(drive())
    small.begin(Link(), 1)
    outcome = small.run(drive()[0], None, 0)
    assert outcome.lost and "bytes a frame with 'x265', the setting is 32" in outcome.refusal


def test_the_best_scale_is_no_worse_than_the_full_one() -> None:
    best = create_system("x264", {"payload_bytes": 96, "gop": GOP})
    best.prepare(drive())
    full = create_system("x264", {"payload_bytes": 96, "gop": GOP, "scale": 1.0})
    full.prepare(drive())
    for one in (best, full):
        one.begin(Link(), 1)
    found = [[cv2.PSNR(one.run(f, None, i).reconstruction.image, f.image)
              for i, f in enumerate(drive())] for one in (best, full)]  # fmt: skip
    assert np.mean(found[0]) >= np.mean(found[1])


def test_a_wrong_option_gets_a_sentence() -> None:
    for options in ({"gop": 0}, {"scale": 2.0}, {"payload_bytes": "x"}, {"scale": "worst"}):
        with pytest.raises(SemcomError, match="give"):
            create_system("x264", options)


@pytest.mark.parametrize(("gain", "floor"), [(1.3, 0), (0.5, 0), (3.0, 20)])
def test_a_target_is_found_that_brings_the_bytes_to_within_2_percent(gain, floor) -> None:
    aimed = aim(lambda target: (target, floor + gain * target**0.9), 100.0)
    assert 98 <= aimed.bytes <= 100 and aimed.best is not None


def test_where_nothing_fits_the_least_is_told() -> None:
    aimed = aim(lambda target: (target, 150 + target), 100.0)
    assert aimed.best is None and 150 < aimed.least < 160
