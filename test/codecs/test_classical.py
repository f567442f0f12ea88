# SPDX-License-Identifier: Apache-2.0
"""The classical codec: it fits the rate, looks like the frame, and survives anything received."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from codec_ends import Reading, Sending
from hypothesis import given, settings
from hypothesis import strategies as st

from semcom_ros.channel import Channel
from semcom_ros.codecs import create_encoder
from semcom_ros.datasets import open_source
from semcom_ros.errors import SemcomError
from semcom_ros.frame import Frame, fit
from semcom_ros.payload import Part, Payload, PayloadError, pack, unpack


def street(seed: int = 0, noise: float = 6.0) -> Frame:
    """Sky over a road with a red box on it, and noise that JPEG must pay for."""
    image = np.full((256, 512, 3), (120, 160, 200), np.float32)
    image[120:] = (90, 90, 95)
    image[140:190, 300:380] = (180, 30, 30)
    image += np.random.default_rng(seed).normal(0, noise, image.shape)
    return Frame(image.clip(0, 255).astype(np.uint8), stamp=123)


def psnr(payload: Payload, frame: Frame) -> float:
    reconstruction = Reading("classical").decode(payload)
    assert reconstruction.image.shape == (256, 512, 3) and reconstruction.image.dtype == np.uint8
    return cv2.PSNR(reconstruction.image, frame.image)


def with_bits(payload: Payload, bits: bytes) -> Payload:
    return replace(payload, parts=(Part("image", 0, bits=bits),))


SENT = Sending("classical").encode(street(), 512, 0)


@pytest.mark.parametrize("payload_bytes", [128, 256, 512, 1024, 1200])
@pytest.mark.parametrize("noise", [0.0, 6.0, 80.0])
def test_a_payload_fits_the_rate_and_shows_the_street(payload_bytes: int, noise: float) -> None:
    payload = Sending("classical").encode(street(noise=noise), payload_bytes, 5)
    assert len(pack(payload)) <= payload_bytes
    assert (payload.header.sequence, payload.header.stamp) == (5, 123)
    assert psnr(unpack(pack(payload)), street(noise=0.0)) > 21


def test_more_bytes_give_a_better_picture() -> None:
    encoder = Sending("classical")
    scores = [psnr(encoder.encode(street(), n, 0), street()) for n in (128, 256, 512, 1024)]
    assert scores == sorted(scores) and scores[-1] > scores[0] + 3


def test_colours_are_not_swapped() -> None:
    reconstruction = Reading("classical").decode(SENT)
    red, _, blue = reconstruction.image[165, 340]
    assert red > blue + 80


def test_a_rate_too_small_gets_a_sentence_with_the_least_that_works() -> None:
    encoder = Sending("classical")
    with pytest.raises(SemcomError, match=r"needs (\d+) bytes") as caught:
        encoder.encode(street(), 40, 0)
    least = int(str(caught.value).split()[3])
    assert len(pack(encoder.encode(street(), least, 0))) == least


def test_a_loss_is_a_loss() -> None:
    received = Channel(loss=1.0).transmit(SENT)
    with pytest.raises(PayloadError) as caught:
        Reading("classical").decode(received)
    assert caught.value.reason == "lost"


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.binary(max_size=300), st.booleans())
def test_whatever_bits_arrive_the_decoder_gives_a_picture_or_malformed(
    data: bytes, plausible: bool
) -> None:
    bits = bytes((6, 30)) + data if plausible else data
    try:
        psnr(with_bits(SENT, bits), street())
    except PayloadError as error:
        assert error.reason == "malformed"


def test_a_coded_picture_that_is_cut_is_malformed() -> None:
    bits = SENT.bits("image")
    for length in range(0, len(bits), 7):
        with pytest.raises(PayloadError) as caught:
            Reading("classical").decode(with_bits(SENT, bits[:length]))
        assert caught.value.reason == "malformed"


def test_a_marker_inside_of_the_picture_is_malformed() -> None:
    huge = b"\xff\xc0\x00\x11\x08\xff\xff\xff\xff\x03\x01\x22\x00\x02\x11\x01\x03\x11\x01"
    with pytest.raises(PayloadError, match="marker"):
        Reading("classical").decode(with_bits(SENT, b"\x06\x1e" + huge))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"codec": "gesco"}, "codec"),
        ({"codec_version": 9}, "version"),
        ({"model": b"12345678"}, "model"),
        ({"height": 8192, "width": 8192}, "malformed"),
    ],
)
def test_a_foreign_payload_is_rejected_with_its_reason(change: dict, reason: str) -> None:
    payload = replace(SENT, header=replace(SENT.header, **change))
    with pytest.raises(PayloadError) as caught:
        Reading("classical").decode(payload)
    assert caught.value.reason == reason


def test_512_bytes_show_real_streets_at_22_db(camvid: Path) -> None:
    source = open_source(f"camvid:{camvid}", "val")
    frames = [fit(source[i]) for i in range(0, 100, 25)]
    encoder = Sending("classical")
    assert np.mean([psnr(encoder.encode(frame, 512, 0), frame) for frame in frames]) > 22.0


def test_an_unknown_codec_or_option_gets_a_sentence() -> None:
    with pytest.raises(SemcomError, match="did you mean 'classical'"):
        create_encoder("clasical")
    with pytest.raises(SemcomError, match="has no option 'quality'"):
        create_encoder("classical", quality=3)


def test_naming_the_codecs_loads_no_torch() -> None:
    code = (
        "import sys, semcom_ros.codecs as c; c.create_encoder('classical'); "
        "sys.exit('torch' in sys.modules or 'numba' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
