# SPDX-License-Identifier: Apache-2.0
"""What users rely on in relative depth: metres by the road."""

from __future__ import annotations

import numpy as np
import pytest

from semcom_ros.datasets.scenes import Drive
from semcom_ros.errors import SemcomError
from semcom_ros.frame import Camera
from semcom_ros.labels import TRAIN_ID
from semcom_ros.perception.road_scale import metric_depth

CAMERA = Camera(96, 192, 160.0, 160.0, 95.5, 47.5)


@pytest.fixture(scope="module", params=[(0, 10), (5, 40)])
def frame(request):
    """A frame of the procedural drive with depth; the camera of seed 0 looks up by 3.4 degrees."""
    seed, index = request.param
    return Drive(seed).render(index, truth=True)


def test_unknown_scale_and_shift_are_recovered_from_the_road_and_the_sky(frame):
    inverse = np.nan_to_num(1 / frame.depth)
    for scale, shift in ((1.0, 0.0), (37.0, 2.5), (0.01, -4.0)):
        depth = metric_depth(scale * inverse + shift, frame.labels, frame.camera, 1.4)
        near = frame.depth < 80
        np.testing.assert_allclose(depth[near], frame.depth[near], rtol=0.02)
        assert np.isnan(depth[frame.labels == TRAIN_ID["sky"]]).all()


def test_the_scale_withstands_noise_and_wrong_labels(frame):
    rng = np.random.default_rng(0)
    inverse = 37 * np.nan_to_num(1 / frame.depth) + 2.5
    inverse += rng.normal(0, 0.01 * np.ptp(inverse), inverse.shape)
    labels = frame.labels.copy()
    labels[150:190, 100:180] = TRAIN_ID["road"]
    depth = metric_depth(inverse, labels, frame.camera, 1.4)
    near = (frame.labels == TRAIN_ID["road"]) & (frame.depth < 30)
    assert np.nanmedian(np.abs(depth / frame.depth - 1)[near]) < 0.1
    assert abs(np.nanmedian((depth / frame.depth)[near]) - 1) < 0.05


def level_road():
    """Inverse depth in 1/m and labels of an endless road below a level camera at 1.4 m."""
    rows = np.arange(96)[:, None] + np.zeros(192)
    below = rows > CAMERA.cy
    inverse = np.where(below, (rows - CAMERA.cy) / (1.4 * CAMERA.fy), 0.0)
    return inverse, np.where(below, TRAIN_ID["road"], TRAIN_ID["building"]).astype(np.uint8)


def test_with_no_sky_in_view_the_camera_is_taken_to_be_level():
    inverse, labels = level_road()
    depth = metric_depth(5 * inverse + 3, labels, CAMERA, 1.4)
    assert depth[95, 0] == pytest.approx(1 / inverse[95, 0], rel=1e-4)


def test_twice_the_camera_height_is_twice_the_depth():
    inverse, labels = level_road()
    once, twice = (metric_depth(inverse, labels, CAMERA, h) for h in (1.4, 2.8))
    np.testing.assert_allclose(twice[60:], 2 * once[60:], rtol=1e-5)


def test_a_road_that_does_not_come_nearer_is_a_sentence():
    inverse, labels = level_road()
    with pytest.raises(SemcomError, match="no plane under the camera"):
        metric_depth(-inverse, labels, CAMERA, 1.4)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"camera": None}, "needs the camera's intrinsics"),
        ({"camera": Camera(96, 192)}, "needs the camera's intrinsics"),
        ({"labels": None}, "needs the road's pixels"),
        ({"labels": np.full((96, 192), TRAIN_ID["building"])}, "only 0 pixels of road"),
        ({"labels": np.zeros((9, 9), np.uint8)}, "not of one image"),
        ({"inverse": np.full((96, 192), np.nan)}, "only 0 pixels of road"),
    ],
)
def test_what_is_missing_for_metres_is_a_sentence(change, text):
    inverse, labels = level_road()
    given = {"inverse": inverse, "labels": labels, "camera": CAMERA, "height_m": 1.4}
    with pytest.raises(SemcomError, match=text):
        metric_depth(**given | change)
