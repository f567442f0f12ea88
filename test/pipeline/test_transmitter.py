# SPDX-License-Identifier: Apache-2.0
"""The vehicle's end: headers, numbers, refreshes, intrinsics, and what the link's report does."""

from __future__ import annotations

import threading
from dataclasses import replace
from types import SimpleNamespace
from unittest.mock import Mock

import numpy as np
import pytest

from semcom_ros.codecs.base import CodecEnd, LinkState, Request
from semcom_ros.errors import SemcomError
from semcom_ros.frame import Camera, Frame, Mounting, mounting_of
from semcom_ros.payload import Part, Payload, pack
from semcom_ros.pipeline.transmitter import Transmitter

CAMERA = Camera(360, 480, 500.0, 500.0, 239.5, 179.5, mounting=Mounting(1.5, 0.0, 1.25))
FRAME = Frame(np.zeros((360, 480, 3), np.uint8), stamp=7, camera=CAMERA)


class Asked(CodecEnd):
    """An encoder that notes its requests and fills its budget."""

    def __init__(self) -> None:
        super().__init__()
        self.requests: list[Request] = []
        self.fails = False

    def encode(self, frame: Frame, request: Request) -> tuple[Part, ...]:
        if self.fails:
            raise SemcomError("no")
        assert frame.image.shape == (256, 512, 3)
        self.requests.append(request)
        return (Part("image", 0, bits=bytes(request.budget_bytes - 8)),)


@pytest.fixture
def encoder() -> Asked:
    return Asked()


def test_header_and_parts_together_take_what_is_allowed(encoder: Asked) -> None:
    transmitter = Transmitter("hevc", encoder, vehicle=3)
    for payload_bytes in (128, 512, 1200):
        payload, _ = transmitter.transmit(FRAME, payload_bytes, task="pedestrians")
        # The count of a short part takes a byte less than a part is reckoned with.
        assert payload_bytes - 1 <= len(pack(payload)) <= payload_bytes
        assert (payload.header.vehicle, payload.header.task) == (3, "pedestrians")
        assert encoder.requests[-1].budget_symbols == 8 * encoder.requests[-1].budget_bytes


class Stamped(SimpleNamespace):
    """A plan whose seal is nothing but as long as it says."""

    def seal(self, payload: Payload) -> Payload:
        return replace(payload, seal=bytes(self.fixed + self.rare + self.each * len(payload.parts)))


@pytest.mark.parametrize(
    ("payload_bytes", "rare", "most"),
    [(128, 0, 128), (512, 0, 512), (512, 40, 512), (1200, 200, 1200), (128, 200, 328)],
)
def test_the_seal_is_inside_what_is_allowed_but_for_rare_ones_of_small_payloads(
    encoder: Asked, payload_bytes: int, rare: int, most: int
) -> None:
    sealer = Mock(return_value=Stamped(fixed=21, each=8, rare=rare))
    transmitter = Transmitter("hevc", encoder, vehicle=3, sealer=sealer)
    encoder.encode = lambda frame, request: (
        Part("image", 0, bits=bytes(request.budget_bytes - request.part_overhead)),
    )
    payload, _ = transmitter.transmit(FRAME, payload_bytes)
    assert len(payload.seal) == 29 + rare
    assert most - 1 <= len(pack(payload)) <= most
    sealer.assert_called_once_with(payload.header)


def test_a_frame_that_cannot_be_sent_takes_no_number(encoder: Asked) -> None:
    transmitter = Transmitter("hevc", encoder)
    assert transmitter.transmit(FRAME, 512).payload.header.sequence == 1
    encoder.fails = True
    with pytest.raises(SemcomError):
        transmitter.transmit(FRAME, 512)
    encoder.fails = False
    assert transmitter.transmit(FRAME, 512).payload.header.sequence == 2


def test_numbers_begin_anew_at_one_for_zero_is_none(encoder: Asked) -> None:
    transmitter = Transmitter("hevc", encoder)
    transmitter.sequence = 2**32 - 1
    numbers = [transmitter.transmit(FRAME, 512).payload.header.sequence for _ in range(2)]
    assert numbers == [2**32 - 1, 1]


def test_intrinsics_are_told_on_refresh_and_when_they_change(encoder: Asked) -> None:
    transmitter = Transmitter("hevc", encoder)
    told = []
    for number in range(9):
        camera = CAMERA if number < 6 else replace(CAMERA, fx=501.0)
        payload, _ = transmitter.transmit(replace(FRAME, camera=camera), 512, refresh_every=4)
        header = payload.header
        assert (header.source_height, header.source_width) == (360, 480)
        if header.camera is not None:
            assert header.camera == camera
            told.append(number)
    assert told == [0, 4, 6, 8]
    assert [request.refresh for request in encoder.requests] == [n in (0, 4, 8) for n in range(9)]


@pytest.mark.parametrize(
    "camera", [None, replace(CAMERA, height=720), replace(CAMERA, fx=float("nan"))]
)
def test_intrinsics_that_are_none_of_the_image_are_not_told(encoder: Asked, camera) -> None:
    payload, _ = Transmitter("hevc", encoder).transmit(replace(FRAME, camera=camera), 512)
    assert payload.header.camera is None


def test_the_links_report_reaches_the_encoder_and_a_wish_is_granted_once(encoder: Asked) -> None:
    transmitter = Transmitter("hevc", encoder)
    transmitter.transmit(FRAME, 512)
    transmitter.report(LinkState(12.5, 0.1, 1, refresh=True))
    for _ in range(2):
        transmitter.transmit(FRAME, 512)
    heard = [request.link for request in encoder.requests]
    assert heard[0] is None and (heard[1].snr_db, heard[1].loss) == (12.5, 0.1)
    assert [request.refresh for request in encoder.requests] == [True, True, False]


def test_a_mounting_is_read_in_metres_and_degrees() -> None:
    assert mounting_of("") is None and mounting_of("1.5,0,1.25") == CAMERA.mounting
    assert mounting_of("0,0,1,0,-90,180").pitch == pytest.approx(-np.pi / 2)
    for wrong in ("1,2", "a,b,c", "1,2,nan"):
        with pytest.raises(SemcomError, match="x, y, z in metres"):
            mounting_of(wrong)


def test_a_codec_is_not_changed_under_a_frame_at_work(encoder: Asked) -> None:
    transmitter, other = Transmitter("hevc", encoder), Asked()
    began, go_on = threading.Event(), threading.Event()
    encode, sent = encoder.encode, []

    def slowly(frame: Frame, request: Request) -> tuple[Part, ...]:
        began.set()
        go_on.wait()
        return encode(frame, request)

    encoder.encode = slowly
    threads = [
        threading.Thread(target=lambda: sent.append(transmitter.transmit(FRAME, 512).payload)),
        threading.Thread(target=lambda: transmitter.use("av1", other)),
    ]
    threads[0].start()
    began.wait()
    threads[1].start()
    threads[1].join(0.05)
    go_on.set()
    for thread in threads:
        thread.join()
    sent.append(transmitter.transmit(FRAME, 512).payload)
    assert [payload.header.codec for payload in sent] == ["hevc", "av1"]
    assert (len(encoder.requests), len(other.requests)) == (1, 1)
    assert other.requests[0].refresh and sent[1].header.camera == CAMERA
