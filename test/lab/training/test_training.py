# SPDX-License-Identifier: Apache-2.0
"""What the recipes stand on: aligned samples, one result for one seed, the best is kept."""

from functools import partial

import numpy as np
import pytest
import torch

from semcom_ros.datasets.scenes.drive import Drive
from semcom_ros.errors import SemcomError
from semcom_ros.lab.training import data
from semcom_ros.lab.training.data import Batches, Samples, augment, class_weights, render_drive
from semcom_ros.lab.training.mixed_precision import SKIPPED, MixedPrecision, cosine
from semcom_ros.labels import VOID, colorize
from semcom_ros.layers.residual import ConvNorm, for_inference


def drive_samples():
    frames = [Drive(3).render(i) for i in range(4)]
    return Samples.of((f.image, f.labels) for f in frames)


def test_image_and_labels_stay_aligned_under_augmentation():
    rng = np.random.default_rng(0)
    labels = np.kron(rng.integers(0, 19, (8, 16), np.uint8), np.ones((32, 32), np.uint8))
    for _ in range(5):
        image, moved = augment((colorize(labels), labels), rng, (192, 384), (0.7, 1.5))
        inside = moved != VOID
        same = (image == colorize(moved)).all(-1)[inside]
        # Only pixels interpolated across an edge may differ.
        assert same.mean() > 0.93


def test_a_batch_depends_on_seed_and_place_alone():
    sets = [(drive_samples(), 1.0)]

    def batch(seed, at):
        return Batches(sets, 2, seed, partial(augment, size=(64, 128)))[at][0]

    np.testing.assert_array_equal(batch(1, 5), batch(1, 5))
    assert not np.array_equal(batch(1, 5), batch(2, 5))
    assert not np.array_equal(batch(1, 5), batch(1, 6))


def test_the_drive_is_taken_from_each_town_in_turn_whoever_renders(monkeypatch):
    first, second = (Drive(seed) for seed in (31, 32))
    truth = [first.render(0), second.render(0), first.render(20)]
    for many in (9, 2):
        monkeypatch.setattr(data, "MANY", many)
        found = render_drive(3, range(31, 33), 20)
        for (image, labels), frame in zip(found, truth, strict=True):
            np.testing.assert_array_equal(image, frame.image)
            np.testing.assert_array_equal(labels, frame.labels)


def test_a_step_is_the_same_by_the_optimiser_that_a_gpu_takes():
    # It goes through memory as it lies: gradients must lie as the weights do.
    trained = []
    for fused in (False, True):
        torch.manual_seed(0)
        network = torch.nn.Sequential(torch.nn.Conv2d(8, 4, 3), torch.nn.Conv2d(4, 2, 1))
        trainer = MixedPrecision(network, torch.device("cpu"), 0.9, 0.01)
        for group in trainer.optimizer.param_groups:
            group["fused"], group["foreach"] = fused, not fused
        for _ in range(2):
            network(torch.randn(2, 8, 9, 9, dtype=torch.bfloat16)).square().mean().backward()
            trainer.step(1e-2)
        trained.append(trainer.masters)
    for plain, fused in zip(*trained, strict=True):
        torch.testing.assert_close(plain, fused)


def test_what_does_not_learn_keeps_its_statistics_to_the_last_bit():
    network = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4))
    statistics = torch.full((4,), 1 + 2**-20)
    network[1].running_var.copy_(statistics)
    network[1].eval()
    trainer = MixedPrecision(network, torch.device("cpu"), 0.9, 0.01)
    assert torch.equal(trainer.network[1].running_var, statistics)


def test_updates_that_learn_nothing_end_with_a_sentence():
    network = torch.nn.Linear(2, 1, bias=False)
    trainer = MixedPrecision(network, torch.device("cpu"), 0.9, 0.01)
    before = trainer.masters[0].detach().clone()

    def update(values):
        network(torch.full((1, 2), values, dtype=torch.bfloat16)).sum().backward()
        trainer.step(1e-2)
        trainer.check()

    for _ in range(SKIPPED - 1):
        update(float("nan"))
    assert torch.equal(trainer.masters[0], before)
    update(1.0)
    assert not torch.equal(trainer.masters[0], before)
    for _ in range(SKIPPED - 1):
        update(float("nan"))
    with pytest.raises(SemcomError, match=f"gradients of {SKIPPED} updates in a row"):
        update(float("nan"))


def test_rare_classes_weigh_more_and_the_mean_weight_of_a_pixel_is_one():
    labels = np.repeat([0, 13], [90, 10]).astype(np.uint8)
    weights = class_weights(labels, (0, 13), power=0.5)
    np.testing.assert_allclose(weights[1] / weights[0], 3, rtol=1e-5)
    np.testing.assert_allclose(0.9 * weights[0] + 0.1 * weights[1], 1, rtol=1e-5)


def test_the_rate_warms_up_and_falls_to_zero():
    rates = [cosine(step, 1000, 1.0, warm_up=100) for step in range(1000)]
    assert np.argmax(rates) == 99 and rates[0] == 0.01 and rates[-1] < 1e-4


def test_folding_normalisations_for_inference_changes_nothing():
    torch.manual_seed(0)
    network = torch.nn.Sequential(ConvNorm(3, 8), torch.nn.ReLU(), ConvNorm(8, 4))
    x = torch.randn(2, 3, 16, 16)
    for _ in range(5):
        network(x)
    network.eval()
    with torch.no_grad():
        expected = network(x)
        folded = for_inference(network, torch.float32)(x)
    torch.testing.assert_close(folded, expected, rtol=1e-4, atol=1e-5)
