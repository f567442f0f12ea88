# SPDX-License-Identifier: Apache-2.0
"""What is published as observed: detections against the map that was received."""

from __future__ import annotations

import numpy as np
import pytest

from semcom_ros.labels import TRAIN_ID, VOID
from semcom_ros.perception.detection import Detection
from semcom_ros.perception.fusion import fuse, objects_in
from semcom_ros.reconstruction import Reconstruction

ROAD = TRAIN_ID["road"]


def received(*things, confidence=255, support=None):
    """A map of road with things: (name, left, top, width, height)."""
    labels = np.full((100, 200), ROAD, np.uint8)
    for name, left, top, width, height in things:
        labels[top : top + height, left : left + width] = TRAIN_ID[name]
    certain = np.full(labels.shape, confidence, np.uint8)
    return Reconstruction(labels=labels, confidence=certain, support=support)


def detection(name, score, left, top, width, height):
    return Detection(name, score, *map(float, (left, top, width, height)))


def test_an_empty_road_gives_no_object_whatever_the_detector_says():
    said = [
        detection(name, 1.0, x, 10, 30, 60)
        for name in ("person", "car", "rider", "traffic sign")
        for x in (0, 50, 160)
    ]
    assert fuse(said, received(), 1) == []


def test_a_removed_pedestrian_stays_removed_though_another_stands_beside():
    said = [detection("person", 0.9, 50, 20, 12, 40), detection("person", 0.8, 64, 20, 12, 40)]
    both = received(("person", 50, 20, 12, 40), ("person", 64, 20, 12, 40))
    assert len(fuse(said, both, 40)) == 2
    one = fuse(said, received(("person", 50, 20, 12, 40)), 40)
    assert [d.left for d in one] == [50]


def test_two_detections_cannot_stand_on_the_same_pixels():
    said = [detection("person", 0.9, 50, 20, 12, 40), detection("person", 0.8, 52, 21, 12, 40)]
    (only,) = fuse(said, received(("person", 50, 20, 12, 40)), 40)
    assert only.left == 50


def test_what_rests_on_nothing_received_supports_nothing():
    unsupported = received(("car", 20, 20, 40, 30), support=np.zeros((100, 200), bool))
    said = [detection("car", 1.0, 20, 20, 40, 30)]
    assert fuse(said, unsupported, 1) == objects_in(unsupported, 1) == []


def test_what_the_map_holds_and_the_detector_missed_comes_from_the_map():
    two = received(("car", 20, 20, 40, 30), ("person", 150, 20, 10, 40), confidence=204)
    found = fuse([detection("car", 0.5, 21, 19, 40, 30)], two, 40)
    assert [d.name for d in found] == ["car", "person"]
    assert (found[1].left, found[1].top, found[1].width, found[1].height) == (150, 20, 10, 40)
    assert found[1].score == pytest.approx(0.8 / 2)


def test_of_two_cars_that_touch_in_the_map_the_missed_one_is_published_too():
    row = received(("car", 20, 20, 80, 30))
    found = fuse([detection("car", 0.9, 20, 20, 40, 30)], row, 40)
    assert len(found) == 2 and found[1].left > 60 and found[1].left + found[1].width == 100


def test_the_rim_of_a_detected_object_is_no_object():
    found = fuse([detection("car", 0.9, 22, 21, 36, 28)], received(("car", 20, 20, 40, 30)), 1)
    assert len(found) == 1


@pytest.mark.parametrize("confidence", [0, 51, 255])
@pytest.mark.parametrize("score", [0.3, 1.0])
def test_no_object_is_surer_than_the_map_was_received(confidence, score):
    car = received(("car", 20, 20, 40, 30), confidence=confidence)
    (found,) = fuse([detection("car", score, 20, 20, 40, 30)], car, 1)
    assert found.score == pytest.approx(confidence / 255 * (1 + score) / 2)
    (missed,) = fuse([], car, 1)
    assert missed.score <= found.score <= confidence / 255


@pytest.mark.parametrize("confidence", [20, 200])
def test_a_map_that_is_all_person_is_as_sure_as_it_was_received(confidence):
    everywhere = received(("person", 0, 0, 200, 100), confidence=confidence)
    said = [detection("person", 1.0, x, 0, 20, 100) for x in range(0, 200, 20)]
    found = fuse(said, everywhere, 1)
    assert found and all(d.score <= confidence / 255 + 1e-9 for d in found)
    # A decoder that gives noise for people says that nothing supports them.
    noise = received(("person", 0, 0, 200, 100), support=np.zeros((100, 200), bool))
    assert fuse(said, noise, 1) == []


def test_kin_supports_and_the_name_is_what_was_received():
    (truck,) = fuse([detection("car", 0.9, 20, 20, 40, 30)], received(("truck", 20, 20, 40, 30)), 1)
    assert truck.name == "truck"
    astride = received(("rider", 20, 20, 10, 20), ("bicycle", 18, 36, 14, 14))
    (rider,) = fuse([detection("rider", 0.9, 18, 20, 14, 30)], astride, 1)
    assert rider.name == "rider"
    wrong = fuse([detection("person", 0.9, 20, 20, 40, 30)], received(("car", 20, 20, 40, 30)), 1)
    assert [d.name for d in wrong] == ["car"]


def test_boxes_outside_the_frame_and_void_maps_are_borne():
    void = Reconstruction(
        labels=np.full((100, 200), VOID, np.uint8), confidence=np.zeros((100, 200), np.uint8)
    )
    said = [detection("car", 0.9, 300, 20, 40, 30), detection("car", 0.9, -5, 95, 10, 50)]
    assert fuse(said, void, 1) == []
    corner = received(("car", 0, 90, 20, 10))
    assert len(fuse([detection("car", 0.9, -10, 88, 30, 30)], corner, 1)) == 1
