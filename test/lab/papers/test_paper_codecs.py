# SPDX-License-Identifier: Apache-2.0
"""The papers' networks behind the codecs that ship, with random weights."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np
import pytest

from semcom_ros import weights
from semcom_ros.codecs import create_decoder, create_encoder
from semcom_ros.codecs.gesco.paper.network import GescoPaperSizes, PaperNetwork
from semcom_ros.codecs.gesco.paper.sampling import FILE, PaperDiffusion
from semcom_ros.codecs.sqgan.paper.inference import (
    PaperImageReceiver,
    PaperImageTransmitter,
    PaperMapReceiver,
    PaperMapTransmitter,
    file_of,
)
from semcom_ros.codecs.sqgan.paper.networks import SqganPaperSizes, image_pipeline, map_pipeline
from semcom_ros.datasets.scenes.drive import Drive
from semcom_ros.labels import LABEL_SPACE, NAMES
from semcom_ros.pipeline.single import decode, encode

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def frame():
    return Drive(1).render(0)


def save(path, network, sizes, **more):
    card = {"label_space": LABEL_SPACE, "classes": list(NAMES), "network": asdict(sizes)}
    weights.save(path, weights.tensors_of(network), card | {"size": [256, 512]} | more)


def test_gesco_paints_with_the_papers_network(frame, tmp_path):
    sizes = GescoPaperSizes(32, (1, 2), blocks=1, attention=(), head=32, hidden=8)
    save(tmp_path / FILE, PaperNetwork(sizes), sizes)
    decoder = create_decoder("gesco", network=PaperDiffusion.from_pretrained(tmp_path, passes=2))
    for how in ("coded", "planes"):
        encoder = create_encoder("gesco", gesco_map=how)
        shown = decode("gesco", decoder, encode("gesco", encoder, frame, 512))
        assert shown.image.shape == (256, 512, 3) and shown.labels.shape == (256, 512)


def test_sqgan_runs_the_papers_networks_at_both_ends(frame, tmp_path):
    sizes = SqganPaperSizes(32, (1,) * 5, blocks=1, dims=32, depth=1, hidden=8)
    save(tmp_path / file_of("map"), map_pipeline(sizes), sizes, pipeline="map")
    save(tmp_path / file_of("tune"), image_pipeline(sizes), sizes, pipeline="image")
    maps, images = (
        end.from_pretrained(tmp_path) for end in (PaperMapTransmitter, PaperImageTransmitter)
    )
    indices, scores = maps([frame.labels] * 2)
    assert indices.shape == scores.shape == (2, 16, 32) and (indices[0] == indices[1]).all()
    encoder = create_encoder("sqgan")
    encoder.map_transmitter, encoder.image_transmitter = maps, images
    ends = (end.from_pretrained(tmp_path) for end in (PaperMapReceiver, PaperImageReceiver))
    decoder = create_decoder("sqgan", networks=tuple(ends))
    shown = decode("sqgan", decoder, encode("sqgan", encoder, frame, 1024))
    assert shown.image.shape == (256, 512, 3)
    labels, certainty = decoder.map_receiver(indices, [np.ones((16, 32), bool)] * 2)
    assert labels.shape == certainty.shape == (2, 256, 512)
