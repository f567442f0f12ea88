# SPDX-License-Identifier: Apache-2.0
"""The papers' networks behind the codecs that ship, with random weights."""

from __future__ import annotations

from dataclasses import asdict

import pytest

from semcom_ros import weights
from semcom_ros.codecs import create_decoder, create_encoder
from semcom_ros.codecs.gesco.paper.network import GescoPaperSizes, PaperNetwork
from semcom_ros.codecs.gesco.paper.sampling import FILE, PaperDiffusion
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
