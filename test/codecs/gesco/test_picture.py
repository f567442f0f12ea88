# SPDX-License-Identifier: Apache-2.0
"""GESCO's picture beside the map: its bytes, what leans on what, and what a loss leaves."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import cv2
import numpy as np
import pytest

from semcom_ros.codecs import create_decoder, create_encoder
from semcom_ros.codecs.base import LinkState, Memory, Received, Request
from semcom_ros.codecs.gesco.focus import focused
from semcom_ros.codecs.gesco.picture import (
    BYTES,
    HOLDS,
    KEY,
    MOST,
    SIDES,
    PictureDecoder,
    PictureEncoder,
    sharpness,
)
from semcom_ros.datasets.scenes.drive import Drive
from semcom_ros.frame import Frame
from semcom_ros.labels import TRAIN_ID
from semcom_ros.payload import Part, Payload, pack
from semcom_ros.pipeline import single
from semcom_ros.pipeline.transmitter import Transmitter

ROOM, FRAMES = 455, 5
pytestmark = pytest.mark.usefixtures("one_thread")


@cache
def drive() -> tuple[Frame, ...]:
    town = Drive(1)
    return tuple(replace(town.render(20 + i), stamp=1 + i) for i in range(FRAMES))


@cache
def coded(room: int = ROOM) -> tuple[bytes, ...]:
    encoder = PictureEncoder()
    return tuple(encoder.encode(f, room, i == 0) for i, f in enumerate(drive()))


def nearness(pixels: np.ndarray, frame: Frame) -> float:
    """PSNR in dB at full size."""
    size = frame.image.shape[1::-1]
    return cv2.PSNR(cv2.resize(pixels, size, interpolation=cv2.INTER_CUBIC), frame.image)


@pytest.mark.parametrize("room", [150, 300, 455, 960, 1140])
def test_pictures_keep_to_their_share_and_the_first_alone_needs_no_other(room: int) -> None:
    bits = coded(room)
    assert all(0 < len(one) <= MOST * room for one in bits)
    assert [bool(one[0] & KEY) for one in bits] == [True] + [False] * (FRAMES - 1)


def test_more_room_buys_larger_and_truer_pictures_and_too_little_none() -> None:
    shown = [PictureDecoder().decode(coded(room)[0], 1) for room in (200, 455, 960)]
    assert tuple(one.pixels.shape[:2] for one in shown) == SIDES
    quality = [nearness(one.pixels, drive()[0]) for one in shown]
    assert quality == sorted(quality) and quality[0] > 16
    assert coded(int(BYTES[0] / MOST) - 1) == (b"",) * FRAMES


def test_of_a_street_too_busy_for_its_size_the_next_smaller_picture_goes_on() -> None:
    town, encoder = Drive(7), PictureEncoder()
    bits = [encoder.encode(town.render(i), 685, i == 0) for i in range(3)]
    assert [(one[0] & ~KEY, bool(one[0] & KEY)) for one in bits] == [
        (1, True), (1, False), (1, False),
    ]  # fmt: skip


def test_things_are_truer_than_in_a_picture_that_favours_nothing() -> None:
    street = np.full_like(drive()[0].labels, TRAIN_ID["road"])
    things, box, shown = street.copy(), (slice(0, 128), slice(0, 256)), []
    things[box] = TRAIN_ID["car"]
    for labels in (street, things):
        encoder, decoder = PictureEncoder(), PictureDecoder()
        for i, frame in enumerate(drive()):
            last = decoder.decode(encoder.encode(replace(frame, labels=labels), ROOM, i == 0), i)
        full = cv2.resize(last.pixels, frame.image.shape[1::-1], interpolation=cv2.INTER_CUBIC)
        shown.append(cv2.PSNR(full[box], frame.image[box]))
    assert shown[1] > shown[0] + 0.5


def test_what_is_no_thing_is_softened_and_things_are_left_as_they_are() -> None:
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (256, 512, 3), np.uint8)
    labels = np.full((256, 512), TRAIN_ID["building"], np.uint8)
    labels[100:160, 200:300] = TRAIN_ID["person"]
    small = cv2.resize(image, (256, 128), interpolation=cv2.INTER_AREA)
    found = focused(image, labels, (128, 256))
    assert (found[52:78, 102:148] == small[52:78, 102:148]).all()
    assert found[:30].std() < 0.9 * small[:30].std()
    assert abs(found[:30].mean() - small[:30].mean()) < 1


def test_a_drive_in_order_is_decoded_and_grows_truer() -> None:
    decoder = PictureDecoder()
    shown = [decoder.decode(bits, i) for i, bits in enumerate(coded())]
    assert all(one.sharpness == sharpness(256) == 8 for one in shown)
    assert nearness(shown[-1].pixels, drive()[-1]) > nearness(shown[0].pixels, drive()[0])
    # Asked once more, as when a batch is tried again, it says the same and goes on.
    assert decoder.decode(coded()[-1], FRAMES - 1) is shown[-1]


def test_after_a_loss_the_last_colours_stand_in_until_a_picture_stands_alone() -> None:
    decoder = PictureDecoder()
    before = decoder.decode(coded()[0], 0)
    for sequence, bits in ((1, None), (2, coded()[2])):
        stands_in = decoder.decode(bits, sequence)
        assert stands_in.sharpness == sharpness(32) and decoder.lacking
        colours = cv2.resize(before.pixels, (32, 16), interpolation=cv2.INTER_AREA) / 255
        assert np.abs(stands_in.pixels - colours).max() < 0.01
    assert decoder.decode(coded()[0], 3).sharpness == 8 and not decoder.lacking
    assert decoder.decode(None, 3 + HOLDS) is not None
    assert decoder.decode(None, 4 + HOLDS) is None


def test_a_frame_without_a_picture_is_no_loss() -> None:
    decoder = PictureDecoder()
    decoder.decode(coded()[0], 0)
    assert decoder.decode(b"", 1).sharpness == sharpness(32) and not decoder.lacking


def test_any_bytes_give_a_picture_or_none() -> None:
    rng = np.random.default_rng(0)
    forged = [bytes([KEY | 1]) + b"\0\0\1\x42\1" + rng.bytes(50), bytes([KEY | 3]), bytes([1])]
    for bits in [*forged, *(bytes([KEY | 1]) + rng.bytes(n) for n in (0, 1, 40, 400))]:
        decoder = PictureDecoder()
        found = decoder.decode(bits, 1)
        assert found is None or found.pixels.shape == (128, 256, 3)
        # Nor does it spoil what comes later.
        assert decoder.decode(coded()[0], 2).sharpness == 8


@pytest.fixture(scope="module")
def decoder():
    return create_decoder("gesco")


def sent(**settings: str) -> list[Payload]:
    transmitter = Transmitter("gesco", create_encoder("gesco", **settings))
    return [transmitter.transmit(frame, 512).payload for frame in drive()]


def without_picture(payload: Payload) -> Payload:
    labels, picture = payload.parts
    return Payload(payload.header, (labels, Part(picture.name, 1, erased=True)))


def test_images_with_a_video_are_truer_than_with_a_thumbnail_and_those_than_with_none(
    decoder,
) -> None:
    quality = []
    for way in ("none", "thumbnail", "video"):
        payloads, memory = sent(gesco_picture=way), Memory()
        assert all(len(pack(payload)) <= 512 for payload in payloads)
        shown = [single.decode("gesco", decoder, payload, memory).image for payload in payloads]
        quality.append(nearness(shown[-1], drive()[-1]))
    assert quality[0] + 1 < quality[1] < quality[2] - 1


def test_a_lost_picture_costs_no_map_and_is_asked_for_and_sent_anew(decoder) -> None:
    transmitter = Transmitter("gesco", create_encoder("gesco"))
    memory, lacking = Memory(), []
    for i, frame in enumerate(drive()):
        transmitter.report(LinkState(refresh=memory.lacking))
        payload = transmitter.transmit(frame, 512).payload
        shown = single.decode(
            "gesco", decoder, without_picture(payload) if i == 1 else payload, memory
        )
        assert shown.labels is not None and shown.image is not None
        lacking.append(memory.lacking)
    assert lacking == [False, True, False, False, False]


def test_a_map_that_a_picture_would_leave_no_room_for_goes_without_and_none_leans_on_that_one():
    encoder, frame = create_encoder("gesco"), drive()[0]
    noise = np.random.default_rng(0).integers(0, 19, frame.labels.shape, np.uint8)
    cases = ((frame, True), (replace(frame, labels=noise), False), (frame, False))
    parts = [encoder.encode(one, Request.of_bytes(180, refresh=alone)) for one, alone in cases]
    assert [p[-1].name for p in parts] == ["picture", "thumbnail", "picture"]
    assert parts[2][-1].bits[0] & KEY


def test_a_video_that_is_asked_for_again_begins_anew() -> None:
    encoder = create_encoder("gesco")
    parts = []
    for picture, frame in zip(("video", "none", "video"), drive(), strict=False):
        encoder.settings = replace(encoder.settings, picture=picture)
        parts.append(encoder.encode(frame, Request.of_bytes(ROOM, refresh=not parts))[-1])
    assert [part.name for part in parts] == ["picture", "labels", "picture"]
    assert parts[2].bits[0] & KEY


def test_vehicles_of_one_batch_keep_their_pictures_apart(decoder) -> None:
    first, second = sent(), sent()[1:]
    memories = Memory(), Memory()
    alone = [single.decode("gesco", decoder, one, memories[0]).image for one in first[:2]]
    together = Memory(), Memory()
    for mine, theirs in zip(first[:2], second, strict=False):
        batch = [Received(mine, together[0]), Received(theirs, together[1])]
        known = decoder.decode_labels(batch)
        images = decoder.decode_images(batch, known)
    assert np.abs(images[0].astype(int) - alone[1]).mean() < 1
    assert together[1].lacking and not together[0].lacking
