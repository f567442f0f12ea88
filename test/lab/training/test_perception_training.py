# SPDX-License-Identifier: Apache-2.0
"""What users rely on in the perception network's training: what it learns and goes on from."""

import argparse
from pathlib import Path

import numpy as np
import pytest
import torch

from semcom_ros import weights
from semcom_ros.errors import SemcomError
from semcom_ros.frame import Frame
from semcom_ros.lab.training.perception.data import (
    COARSE,
    DETECTED,
    SEGMENTED,
    collate,
    sample_of,
)
from semcom_ros.lab.training.perception.losses import label_losses
from semcom_ros.lab.training.perception.training import go_on_from
from semcom_ros.lab.training.recipe import command_line, origin
from semcom_ros.labels import TRAIN_ID
from semcom_ros.perception.networks import FINE, PerceptionNetwork
from semcom_ros.perception.perceive import FILE


def test_what_real_labels_do_not_tell_apart_is_taught_as_one_of_them():
    labels = np.full((32, 32), TRAIN_ID["car"], np.uint8)
    real = sample_of(Frame(np.zeros((32, 32, 3), np.uint8), labels))
    taught = torch.from_numpy(real.labels)[None]
    balance = torch.ones(len(SEGMENTED) + len(COARSE))
    for name, small in (("car", True), ("truck", True), ("bus", True), ("rider", False)):
        logits = torch.full((1, len(SEGMENTED), 32, 32), -9.0)
        logits[:, SEGMENTED.index(name)] = 9.0
        assert (label_losses(logits, taught, balance)[0] < 0.01) == small
    batch = collate([real], None)
    counted = batch.boxes.counted[0]
    assert not counted[DETECTED.index("truck")].any()
    assert counted[DETECTED.index("car")].all() and counted[DETECTED.index("person")].all()


def test_overlap_asks_for_the_thin_as_much_as_for_the_wide():
    labels = torch.full((1, 64, 64), SEGMENTED.index("sky"), dtype=torch.uint8)
    labels[:, :, 20:22] = SEGMENTED.index("pole")
    labels[:, :5, :5] = SEGMENTED.index("car")  # too few pixels to count
    balance = torch.ones(len(SEGMENTED) + len(COARSE))

    def overlap(labels, shown):
        shown = torch.nn.functional.one_hot(shown.long(), len(SEGMENTED)).permute(0, 3, 1, 2)
        return float(label_losses(40.0 * shown - 20, labels, balance)[1])

    assert overlap(labels, labels) == pytest.approx(0, abs=0.01)
    missed = torch.full_like(labels, SEGMENTED.index("sky"))
    assert overlap(labels, missed) == pytest.approx((1 + 1 - (64 * 62 - 25) / 64**2) / 2, abs=0.01)
    # A car of a coarse label may be a truck: nothing to hold against it.
    assert overlap(torch.full_like(labels, len(SEGMENTED)), labels) == 0


def perception_file(path, fine: int = 4, **card):
    """Weights as `semcom train perception` writes them, never trained; returns their network."""
    torch.manual_seed(0)
    network = PerceptionNetwork(len(SEGMENTED), len(DETECTED), fine=fine)
    torch.nn.init.normal_(network.refine.weight)
    made = {"classes": list(SEGMENTED), "detected": list(DETECTED), "fine": fine, **card}
    weights.save(path, weights.tensors_of(network.half()), made | {"recipe": "semcom train"})
    return network.float().eval()


def test_training_goes_on_where_a_network_with_fewer_fine_channels_stood(tmp_path):
    before = perception_file(tmp_path / FILE)
    grown = PerceptionNetwork(len(SEGMENTED), len(DETECTED)).eval()
    go_on_from(tmp_path / FILE, grown)
    image = torch.rand(1, 3, 64, 64)
    for then, now in zip(before(image), grown(image), strict=True):
        torch.testing.assert_close(now, then)
    (told,) = origin(tmp_path / FILE, "perception").values()
    assert told["recipe"] == "semcom train" and len(told["sha256"]) == 64


@pytest.mark.parametrize(
    "card", [{"classes": ["road", "sky"]}, {"detected": ["car"]}, {"fine": FINE + 1}]
)
def test_training_goes_on_from_weights_of_its_own_outputs_alone(tmp_path, card):
    perception_file(tmp_path / FILE, **card)
    with pytest.raises(SemcomError, match=f"cannot go on from .*{FILE}"):
        go_on_from(tmp_path / FILE, PerceptionNetwork(len(SEGMENTED), len(DETECTED)))


def test_a_card_tells_a_recipe_that_can_be_typed():
    args = argparse.Namespace(camvid=Path("x"), out=Path("y"), start=None, steps=5, share=0.5)
    told = "semcom train perception --camvid DIR --steps 5 --share 0.5"
    assert command_line("perception", args) == told
    args.start = Path("z")
    assert command_line("perception", args) == told + " --start FILE"
