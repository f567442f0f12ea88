# SPDX-License-Identifier: Apache-2.0
"""The calibration error of a map's confidence."""

import numpy as np
import pytest
import torch

from semcom_ros.lab.metrics.calibration import BINS, MapCalibration
from semcom_ros.labels import TRAIN_ID, VOID
from semcom_ros.runtime import declare_operators

ROAD, CAR, TRUCK = (TRAIN_ID[name] for name in ("road", "car", "truck"))


def maps(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    truth, labels = rng.choice([ROAD, CAR], (2, 32, 64)).astype(np.uint8)
    return truth, labels, rng.integers(0, 256, (32, 64), np.uint8)


def test_it_is_torchmetrics_error_of_being_right_pooled_over_frames():
    declare_operators()
    from torchmetrics.classification import BinaryCalibrationError

    rng, found = np.random.default_rng(1), MapCalibration()
    frames = [maps(rng) for _ in range(3)]
    for frame in frames:
        found.add(*frame)
    reference = BinaryCalibrationError(n_bins=BINS, norm="l1")
    for truth, labels, confidence in frames:
        said, right = confidence.ravel() / 255, (labels == truth).ravel().astype(int)
        reference.update(torch.from_numpy(said), torch.from_numpy(right))
    assert found.error() == pytest.approx(float(reference.compute()), abs=1e-6)


def test_a_map_that_is_as_often_right_as_it_says_has_none():
    truth = np.full((10, 10), ROAD, np.uint8)
    labels = truth.copy()
    labels[:2] = CAR
    found = MapCalibration()
    found.add(truth, labels, np.full((10, 10), 204, np.uint8))
    assert found.error() == pytest.approx(0)


def test_void_counts_nowhere_and_folded_a_truck_is_a_car():
    truth = np.array([[VOID, CAR]], np.uint8)
    sure = np.full((1, 2), 255, np.uint8)
    for folded, error in ((False, 1.0), (True, 0.0)):
        found = MapCalibration(folded)
        assert found.error() is None
        found.add(truth, np.array([[ROAD, TRUCK]], np.uint8), sure)
        assert found.error() == error
