# SPDX-License-Identifier: Apache-2.0
"""Scores checked against cases counted by hand."""

from __future__ import annotations

import numpy as np
import pytest

from semcom_ros.errors import SemcomError
from semcom_ros.lab.metrics.confusion import ConfusionMatrix, psnr
from semcom_ros.labels import TRAIN_ID, VOID

ROAD, SKY, CAR = (TRAIN_ID[name] for name in ("road", "sky", "car"))


def score(*pairs: tuple[list[int], list[int]]) -> ConfusionMatrix:
    matrix = ConfusionMatrix()
    for truth, estimate in pairs:
        matrix.add(np.array([truth], np.uint8), np.array([estimate], np.uint8))
    return matrix


def test_iou_counts_hits_over_hits_misses_and_false_alarms() -> None:
    matrix = score(([ROAD, ROAD, ROAD, SKY], [ROAD, ROAD, SKY, SKY]))
    assert matrix.iou() == pytest.approx({"road": 2 / 3, "sky": 1 / 2})
    assert matrix.miou() == pytest.approx(7 / 12)


def test_pixels_void_in_the_truth_count_nowhere() -> None:
    assert score(([ROAD, VOID, VOID], [ROAD, ROAD, SKY])).miou() == 1.0


def test_a_pixel_that_only_the_estimate_leaves_void_is_an_error() -> None:
    assert score(([ROAD, ROAD], [ROAD, VOID])).iou() == {"road": 0.5}


def test_a_class_absent_in_the_truth_is_no_class_of_the_mean_but_spoils_the_one_it_hides() -> None:
    assert score(([ROAD, ROAD], [ROAD, CAR])).iou() == {"road": 0.5}


def test_counts_are_pooled_over_frames_and_not_averaged_frame_by_frame() -> None:
    matrix = score(([CAR], [ROAD]), ([CAR, CAR, CAR], [CAR, CAR, CAR]))
    assert matrix.iou() == {"car": 0.75}


def test_a_truth_of_void_alone_has_no_score() -> None:
    assert score(([VOID], [ROAD])).miou() is None


def test_folded_scores_count_what_differs_only_in_kin_as_equal() -> None:
    truck, light, sign = (TRAIN_ID[name] for name in ("truck", "traffic light", "traffic sign"))
    truth = np.array([[truck, light, CAR, ROAD, VOID]], np.uint8)
    estimate = np.array([[CAR, sign, CAR, CAR, CAR]], np.uint8)
    exact, folded = ConfusionMatrix(), ConfusionMatrix(folded=True)
    for matrix in (exact, folded):
        matrix.add(truth, estimate)
    assert exact.iou() == {"road": 0.0, "traffic light": 0.0, "car": 1 / 3, "truck": 0.0}
    assert folded.iou() == {"road": 0.0, "traffic sign": 1.0, "car": 2 / 3}


def test_maps_of_two_sizes_are_refused_with_a_sentence() -> None:
    with pytest.raises(SemcomError, match="cannot be compared"):
        score(([ROAD, ROAD], [ROAD]))


def test_psnr_of_one_grey_level_everywhere_is_48_decibels() -> None:
    picture = np.full((4, 4, 3), 100, np.uint8)
    assert psnr(picture, picture + 1) == pytest.approx(20 * np.log10(255))
    assert psnr(picture, picture) == float("inf")
