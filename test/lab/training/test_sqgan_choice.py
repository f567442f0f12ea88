# SPDX-License-Identifier: Apache-2.0
"""What SQ-GAN's networks are chosen by: frames that they never learn from, and the best score."""

from __future__ import annotations

import argparse
import json

import cv2
import numpy as np
import pytest
import torch
from tiny_sqgan import tiny

from semcom_ros.datasets.scenes.drive import Drive
from semcom_ros.lab.training import segmenter as segmentation_training
from semcom_ros.lab.training.adversarial import Discriminator
from semcom_ros.lab.training.data import CAMVID_CLASSES, Samples
from semcom_ros.lab.training.sqgan import batches, training
from semcom_ros.lab.training.sqgan.learning import MapLearning
from semcom_ros.lab.training.sqgan.training import SqganTraining
from semcom_ros.weights import models_dir

pytestmark = pytest.mark.usefixtures("one_thread")


def test_networks_are_chosen_on_frames_that_they_never_learn_from(tmp_path):
    for i in range(14):
        for kind, pixels in (
            ("images", np.full((64, 128, 3), 10 * i)),
            ("labels", np.zeros((64, 128))),
        ):
            path = tmp_path / kind / "train" / f"{i:02}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(path), pixels.astype(np.uint8))
    chosen_on = batches.held_out(tmp_path)
    learned = batches.street_sets(tmp_path, 1, lambda images: np.zeros(images.shape[:3], np.uint8))
    assert chosen_on.images[:2, 0, 0, 0].tolist() == [0, 120]
    assert len(chosen_on.images) == len(chosen_on.labels) == 2 + batches.UNSEEN_SCENES
    for samples, _ in learned[:2]:
        seen = samples.images[:, 0, 0, 0].tolist()
        assert seen == [10 * i for i in range(14) if i not in (0, 12)]
    for towns in (batches.TOWNS, segmentation_training.TOWNS):
        assert not set(batches.UNSEEN_TOWNS) & set(towns)


class Stopped(Exception):
    pass


class ScriptedJudge:
    """Gives the `scores` in turn, and stops the run where one is missing."""

    ceiling = 0.9

    def __init__(self, scores):
        self.scores = iter(scores)

    def of_maps(self, pipeline):
        score = next(self.scores)
        if score is None:
            raise Stopped
        return {"judge": score}


@pytest.mark.parametrize(
    ("competes_from", "resumed", "best"), [(0.0, 0.5, 0.6), (0.0, 0.7, 0.7), (0.5, 0.5, 0.5)]
)
def test_a_stage_that_resumes_replaces_weights_only_by_better_ones_or_of_a_later_stage(
    competes_from, resumed, best, monkeypatch, tmp_path
):
    street = Drive(100).render(0)
    samples = Samples(street.image[None], street.labels[None])

    def begun(self):
        torch.manual_seed(3)
        n = len(CAMVID_CLASSES)
        return MapLearning(tiny(3)["map"], Discriminator(n, 8), torch.ones(n))

    monkeypatch.setattr(SqganTraining, "learning_begun", begun)
    monkeypatch.setattr(training, "street_sets", lambda *_: [(samples, 1.0)])
    monkeypatch.setattr(training, "held_out", lambda *_: samples)

    def run(scores, *words):
        monkeypatch.setattr(training, "PipelineJudge", lambda *_: ScriptedJudge(scores))
        parser = argparse.ArgumentParser()
        SqganTraining.add_arguments(parser)
        given = "--camvid none --stage map --steps 3 --batch 1 --crop 64 128 --workers 0".split()
        args = parser.parse_args([*given, "--adversarial-from", str(competes_from), *words])
        args.work, args.models = tmp_path, models_dir()
        SqganTraining.run(args)

    with pytest.raises(Stopped):
        run([0.6, None])
    run([resumed, resumed], "--resume")
    card = json.loads((tmp_path / "map.json").read_text())
    assert card["scores"]["judge"] == best
    assert card["updates"] == (1 if best == 0.6 else 2)
    assert batches.HELD_OUT in card["scores"]["on"]
