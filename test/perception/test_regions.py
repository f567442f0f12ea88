# SPDX-License-Identifier: Apache-2.0
"""Objects in a label map."""

from __future__ import annotations

import numpy as np

from semcom_ros.labels import TRAIN_ID, VOID
from semcom_ros.perception.detection import find_regions

CAR, ROAD = TRAIN_ID["car"], TRAIN_ID["road"]


def test_two_cars_on_a_road_are_two_regions_largest_first():
    labels = np.full((20, 40), ROAD, np.uint8)
    labels[2:4, 1:4] = CAR
    labels[10:15, 20:30] = CAR
    confidence = np.full(labels.shape, 255, np.uint8)
    confidence[2:4, 1:4] = 51
    big, small = find_regions(labels, confidence)
    assert (big.name, big.box, big.score) == ("car", (20, 10, 10, 5), 1.0)
    assert small.box == (1, 2, 3, 2)
    assert abs(small.score - 0.2) < 1e-9


def test_small_regions_and_void_are_no_objects():
    labels = np.full((20, 40), VOID, np.uint8)
    labels[0, :5] = CAR
    assert not find_regions(labels, min_area=6)
    assert len(find_regions(labels, min_area=5)) == 1


def test_touching_pixels_of_two_classes_stay_two_objects():
    labels = np.full((4, 4), ROAD, np.uint8)
    labels[1, 1], labels[2, 2] = CAR, TRAIN_ID["person"]
    assert {c.name for c in find_regions(labels)} == {"car", "person"}
