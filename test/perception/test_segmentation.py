# SPDX-License-Identifier: Apache-2.0
"""The shipped segmenter labels streets, on the procedural drive and on real frames."""

import json
import shutil

import numpy as np
import pytest

from semcom_ros.datasets import open_source
from semcom_ros.errors import SemcomError
from semcom_ros.frame import fit
from semcom_ros.lab.metrics.confusion import ConfusionMatrix
from semcom_ros.perception.segmentation import Segmenter
from semcom_ros.weights import models_dir


def miou(segmenter, frames):
    confusion = ConfusionMatrix(folded=True)
    for frame in frames:
        confusion.add(frame.labels, *segmenter([frame.image]))
    return confusion.miou()


@pytest.fixture(scope="module")
def segmenter():
    return Segmenter.from_pretrained()


def test_it_reads_towns_of_the_procedural_drive_that_it_never_saw(segmenter):
    towns = [open_source(f"scenes:{seed}") for seed in (1, 2, 3)]
    assert miou(segmenter, [fit(town[i]) for town in towns for i in (0, 40)]) > 0.55


def test_it_reads_real_streets(segmenter, camvid):
    source = open_source(f"camvid:{camvid}", "val")
    assert miou(segmenter, [fit(source[i]) for i in range(0, 101, 5)]) > 0.53


def test_it_labels_every_pixel_with_a_class_it_knows(segmenter):
    noise = np.random.default_rng(0).integers(0, 256, (256, 512, 3), dtype=np.uint8)
    [labels] = segmenter([noise])
    assert labels.shape == (256, 512) and labels.dtype == np.uint8
    assert set(np.unique(labels)) <= set(segmenter.classes)


def test_weights_of_another_label_space_are_refused(tmp_path):
    path = tmp_path / "segmenter.safetensors"
    shutil.copy(models_dir() / path.name, path)
    card = json.loads((models_dir() / "segmenter.json").read_text())
    path.with_suffix(".json").write_text(json.dumps(card | {"label_space": "voc21"}))
    with pytest.raises(SemcomError, match="speak the label space 'voc21'"):
        Segmenter.from_pretrained(path)
