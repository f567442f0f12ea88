# SPDX-License-Identifier: Apache-2.0
"""The weights that ship, on a town that chose nothing: what noise and rate do to them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import pytest

from semcom_ros.channel import Channel
from semcom_ros.codecs import create_decoder, create_encoder
from semcom_ros.codecs.base import LinkState, Received, Request
from semcom_ros.codecs.gsc import FAST
from semcom_ros.codecs.gsc.shared import DECODER, ENCODER, PERCEPTUAL, file_of
from semcom_ros.codecs.gsc.task import IMAGE, MAP
from semcom_ros.datasets import open_source
from semcom_ros.frame import Frame, fit
from semcom_ros.lab.metrics.confusion import ConfusionMatrix
from semcom_ros.payload import Header, Payload
from semcom_ros.reconstruction import Reconstruction
from semcom_ros.weights import models_dir

FRAMES = 8
USUAL_BYTES = 512
Send = Callable[..., list[tuple[Frame, Reconstruction, np.ndarray | None]]]


@pytest.fixture(scope="module")
def send() -> Send:
    """Sends the frames, asking for `task`, over noise at `snr_db`: frame, what came, its image."""
    source = open_source("scenes:3")
    frames = [fit(source[at]) for at in np.linspace(0, len(source) - 1, FRAMES, dtype=int)]
    encoder, decoder = create_encoder("gsc"), create_decoder("gsc")

    def over(task: str, snr_db: float, n_bytes: int = USUAL_BYTES):
        request = Request.of_bytes(n_bytes, task=task, link=LinkState(snr_db))
        radio = Channel(0, channel="awgn", snr_db=snr_db)
        batch = [
            Received(
                radio.transmit(
                    Payload(
                        Header("gsc", 1, encoder.model, 256, 512, "", at, 1, task),
                        encoder.encode(frame, request),
                    )
                )
            )
            for at, frame in enumerate(frames)
        ]
        known = decoder.decode_labels(batch)
        return list(zip(frames, known, decoder.decode_images(batch, known), strict=True))

    return over


def psnr(seen: list[tuple[Frame, Reconstruction, np.ndarray | None]]) -> float:
    """Mean over frames, in dB."""
    errors = [np.mean((frame.image.astype(float) - image) ** 2) for frame, _, image in seen]
    return float(np.mean(10 * np.log10(255**2 / np.array(errors))))


def miou(seen: list[tuple[Frame, Reconstruction, np.ndarray | None]]) -> float:
    matrix = ConfusionMatrix()
    for frame, known, _ in seen:
        matrix.add(frame.labels, known.labels)
    return matrix.miou()


def test_pictures_get_better_with_snr_and_with_rate_and_fall_off_no_cliff(send: Send) -> None:
    by_snr = [psnr(send(IMAGE, snr_db)) for snr_db in (-5, 0, 5, 10, 15, 20)]
    assert np.diff(by_snr).min() > -0.1 and by_snr[-1] - by_snr[0] > 1.5
    assert np.diff(by_snr).max() / 5 <= 1.5, "dB of PSNR a dB of SNR"
    by_rate = [psnr(send(IMAGE, 10.0, n_bytes)) for n_bytes in (128, 512, 1536)]
    assert np.diff(by_rate).min() > -0.1 and by_rate[-1] > by_rate[0]


def test_noise_costs_the_map_little_above_0_db(send: Send) -> None:
    over = partial(send, MAP)
    good, usual = miou(over(20.0)), miou(over(0.0))
    assert good > 0.2 and usual >= 0.9 * good


def test_both_ends_take_no_more_than_a_codec_may() -> None:
    files = [file_of(part, FAST) for part in (ENCODER, DECODER, PERCEPTUAL)]
    assert sum((models_dir() / name).stat().st_size for name in files) <= 14 * 2**20
