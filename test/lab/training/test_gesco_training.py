# SPDX-License-Identifier: Apache-2.0
"""What GESCO's training promises: one seed, maps as they arrive, what counts more."""

import numpy as np
import pytest
import torch

from semcom_ros.codecs.gesco.diffusion_network import DiffusionNetwork
from semcom_ros.codecs.gesco.shared import GescoShared
from semcom_ros.datasets.scenes.drive import Drive
from semcom_ros.lab.training.adversarial import Discriminator
from semcom_ros.lab.training.data import CAMVID_CLASSES
from semcom_ros.lab.training.gesco.received import MAPS, Reception
from semcom_ros.lab.training.gesco.training import DiffusionLearning, emphasis
from semcom_ros.lab.training.perceptual import FeatureLoss
from semcom_ros.labels import TRAIN_ID
from semcom_ros.perception import segmentation
from semcom_ros.weights import models_dir

SMALL = {"half": 8, "conditions": (8, 8, 8, 8), "widths": (8, 8, 8, 8), "blocks": (1, 1, 1, 1)}

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def streets():
    """Two of them: image and labels."""
    return [(f.image, f.labels) for f in (Drive(seed).render(0) for seed in (100, 101))]


def received(streets, maps="received", seed=0):
    reception = Reception(GescoShared.load(models_dir()), CAMVID_CLASSES, maps)
    return reception(streets, np.random.default_rng(seed))


def learn(streets):
    torch.manual_seed(3)
    n = len(CAMVID_CLASSES)
    learning = DiffusionLearning(
        DiffusionNetwork(n, **SMALL),
        Discriminator(n, 8),
        FeatureLoss(models_dir() / segmentation.FILE),
    )
    arrived = received(streets)
    losses = [
        learning.update(arrived, 1e-2, adversarial)["l1"].item() for adversarial in (0, 0.1, 0.1)
    ]
    return losses, learning.trainers["network"].masters[0].detach().numpy().copy()


def test_training_is_the_same_twice_by_its_seed_and_learns(streets):
    (losses, weight), (again, same) = learn(streets), learn(streets)
    assert losses == again
    np.testing.assert_array_equal(weight, same)
    assert losses[-1] < losses[0]


def test_training_meets_maps_as_they_arrive(streets):
    for maps in MAPS:
        seen = [received(streets, maps, seed).class_shares.float() for seed in range(6)]
        noisy = any(float(e.min()) < -0.5 for e in seen)
        assert noisy == (maps == "planes"), "only the paper's recipe trains on undenoised planes"
        hard = all(bool(((e * 4).round() / 4 - e).abs().max() < 1e-2) for e in seen)
        assert hard == (maps == "clean")


def test_pixels_of_what_planners_look_for_count_more():
    assert emphasis()[TRAIN_ID["person"]] == 2 and emphasis()[TRAIN_ID["road"]] == 1
