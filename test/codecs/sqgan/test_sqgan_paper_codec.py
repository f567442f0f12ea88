# SPDX-License-Identifier: Apache-2.0
"""The networks of SQ-GAN's paper behind the codec, by its setting alone."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from codec_ends import Reading, Sending
from tiny_sqgan import write_paper, write_tiny

from semcom_ros.codecs import settings_of
from semcom_ros.codecs.sqgan.paper.inference import PaperImageReceiver, PaperMapTransmitter
from semcom_ros.codecs.sqgan.shared import IMAGE_PARTS, MAP_TOKENS_PART
from semcom_ros.datasets.scenes.drive import Drive
from semcom_ros.errors import SemcomError
from semcom_ros.labels import VOID
from semcom_ros.payload import PayloadError, pack, unpack
from semcom_ros.weights import MissingWeights

PAPER = {"sqgan_network": "paper"}

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """The networks that ship, narrow, and those of the paper beside them."""
    return write_paper(write_tiny(tmp_path_factory.mktemp("models")))


@pytest.fixture(scope="module")
def frame():
    return Drive(1).render(20)


def test_map_and_image_cross_as_tokens_half_the_bytes_each(models, frame):
    encoder = Sending("sqgan", models=models, **PAPER)
    payload = encoder.encode(frame, 512)
    assert len(pack(payload)) <= 512
    names = [part.name for part in payload.parts]
    assert names[0] == MAP_TOKENS_PART and set(names[1:]) <= set(IMAGE_PARTS)
    assert 200 < len(payload.parts[0].bits) <= (512 - 36) / 2
    known, shown = Reading("sqgan", models=models, **PAPER).steps(unpack(pack(payload)))
    assert known.image is None and known.labels.shape == (256, 512)
    assert set(np.unique(known.labels)) <= {*range(19), VOID}
    assert shown.image.shape == (256, 512, 3) and shown.image.std() > 0


def test_networks_of_another_training_refuse_the_payload(models, frame, tmp_path):
    payload = Sending("sqgan", models=models, **PAPER).encode(frame, 512)
    with pytest.raises(PayloadError) as refusal:
        Reading("sqgan", models=write_paper(tmp_path, seed=1), **PAPER).labels(payload)
    assert refusal.value.reason == "model"


@pytest.mark.parametrize("end", [Sending, Reading])
def test_missing_weights_name_their_file_and_the_command(tmp_path, end):
    with pytest.raises(MissingWeights, match="sqgan_paper_map.* none ship.*--stage map"):
        end("sqgan", models=write_tiny(tmp_path), **PAPER)


@pytest.mark.parametrize("end", [Sending, Reading])
def test_an_end_that_lacks_other_networks_stays_as_it_was(tmp_path, end):
    folder = write_paper(write_tiny(tmp_path))
    made = end("sqgan", models=folder)
    changed = made.encoder if end is Sending else made.decoder
    before = {name: id(value) for name, value in vars(changed).items()}
    (folder / "sqgan_paper_tune.safetensors").write_bytes(b"damaged")
    with pytest.raises(SemcomError, match="sqgan_paper_tune"):
        changed.settings = settings_of("sqgan", PAPER)
    assert {name: id(value) for name, value in vars(changed).items()} == before


@pytest.mark.cuda
def test_on_a_gpu_the_compiled_networks_find_what_those_of_the_cpu_do(models, frame):
    kept, codes = [np.ones((16, 32), bool)], [np.arange(512).reshape(16, 32)]
    found = []
    for device in ("cpu", "cuda"):
        indices, scores = PaperMapTransmitter.from_pretrained(models, device)([frame.labels])
        receiver = PaperImageReceiver.from_pretrained(models, device)
        found.append((indices, scores, receiver(codes, kept, [frame.labels]).astype(int)))
    (here, scores, image), (there, other, shown) = found
    assert (here == there).mean() > 0.9
    torch.testing.assert_close(torch.from_numpy(scores), torch.from_numpy(other), atol=0.02, rtol=0)
    assert np.abs(image - shown).mean() < 4
