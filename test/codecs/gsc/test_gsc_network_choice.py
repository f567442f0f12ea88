# SPDX-License-Identifier: Apache-2.0
"""The networks of gsc's papers behind the codec, by its setting alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tiny_gsc
from codec_ends import Reading, Sending

from semcom_ros.codecs import settings_of
from semcom_ros.datasets.scenes.drive import Drive
from semcom_ros.errors import SemcomError
from semcom_ros.frame import Frame
from semcom_ros.payload import pack, unpack
from semcom_ros.weights import MissingWeights

PAPER = {"gsc_network": "paper"}

pytestmark = pytest.mark.usefixtures("gsc", "one_thread")


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The networks that ship, narrow, and those of the papers beside them."""
    folder = tiny_gsc.write(tmp_path_factory.mktemp("models"))
    return tiny_gsc.write(folder, networks="paper")


@pytest.fixture(scope="module")
def frame() -> Frame:
    return Drive(1).render(20)


def test_the_papers_networks_cross_in_planes_of_their_own(models: Path, frame: Frame) -> None:
    payload = Sending("gsc", models=models, **PAPER).encode(frame, 512)
    assert [len(part.symbols) for part in payload.parts] == [32 * 64]
    shown = Reading("gsc", models=models, **PAPER).decode(unpack(pack(payload)))
    assert shown.image.shape == (256, 512, 3) and shown.labels.shape == (256, 512)


@pytest.mark.parametrize(("end", "part"), [(Sending, "encoder"), (Reading, "decoder")])
def test_an_end_without_them_names_file_and_command_and_stays_as_it_was(
    tmp_path: Path, frame: Frame, end: type, part: str
) -> None:
    made = end("gsc", models=tiny_gsc.write(tmp_path))
    changed = made.encoder if end is Sending else made.decoder
    before = {name: id(value) for name, value in vars(changed).items()}
    with pytest.raises(MissingWeights, match=f"gsc_paper_{part}.* `semcom train gsc-paper"):
        changed.settings = settings_of("gsc", PAPER)
    assert {name: id(value) for name, value in vars(changed).items()} == before


def test_a_perceptual_decoder_that_the_papers_lack_is_refused(models: Path) -> None:
    with pytest.raises(SemcomError, match="gsc_paper_perceptual"):
        Reading("gsc", models=models, gsc_decoder="perceptual", **PAPER)


def test_an_image_keeps_its_networks_when_the_perceptual_decoder_is_missing(
    tmp_path: Path, frame: Frame
) -> None:
    folder = tiny_gsc.write(tmp_path)
    (folder / "gsc_perceptual.safetensors").unlink()
    payload = Sending("gsc", models=folder).encode(frame, 512)
    made = Reading("gsc", models=folder)
    shown = made.decode(payload).image
    with pytest.raises(SemcomError, match="gsc_perceptual"):
        made.decoder.settings = settings_of("gsc", {"gsc_decoder": "perceptual"})
    assert np.array_equal(made.decode(payload).image, shown)
