# SPDX-License-Identifier: Apache-2.0
"""From boxes and depth to metres: the pinhole camera, its errors, and what cannot be projected."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from semcom_ros.errors import SemcomError
from semcom_ros.frame import Camera
from semcom_ros.labels import TRAIN_ID
from semcom_ros.perception.detection import Detection
from semcom_ros.perception.projection import check_camera, project_detections, project_points, rays

CAMERA = Camera(100, 200, 150.0, 160.0, 99.5, 49.5)
PERSON = Detection("person", 0.7, 120.0, 40.0, 12.0, 32.0)


def wall(metres):
    return np.full((100, 200), metres, np.float32)


def test_every_point_lies_on_the_ray_of_its_pixel():
    depth = np.random.default_rng(1).uniform(2, 60, (100, 200)).astype(np.float32)
    depth[3, 5] = np.nan
    points = project_points(depth, CAMERA)
    assert points.shape == (100, 200, 3) and points.dtype == np.float32
    assert np.isnan(points[3, 5]).all() and np.isnan(points).sum() == 3
    rows, cols = np.mgrid[:100, :200]
    known = np.isfinite(depth)
    np.testing.assert_array_equal(points[known, 2], depth[known])
    seen = points[known, :2] / points[known, 2:] * (150, 160) + (99.5, 49.5)
    np.testing.assert_allclose(seen, np.stack([cols, rows], -1)[known], atol=1e-3)


def test_a_lens_bends_the_rays_back():
    bent = replace(CAMERA, distortion=(-0.3, 0.1, 0.0, 0.0, 0.0))
    # Barrel distortion pulled the corner in: its ray looks farther out than its pixel says.
    assert rays(bent)[0, 0, 0] < rays(CAMERA)[0, 0, 0]
    np.testing.assert_allclose(rays(bent)[50, 100], rays(CAMERA)[50, 100], atol=1e-4)
    fish = replace(CAMERA, distortion=(0.01, 0.0, 0.0, 0.0), distortion_model="equidistant")
    assert np.isfinite(rays(fish)).all()
    with pytest.raises(SemcomError, match="'fov' in camera_info is not known"):
        rays(replace(CAMERA, distortion=(0.5,), distortion_model="fov"))


@pytest.mark.parametrize(("model", "count"), [("plumb_bob", 3), ("equidistant", 5)])
def test_coefficients_that_a_lens_model_does_not_take_get_a_sentence(model, count):
    with pytest.raises(SemcomError, match=f"has {count} distortion coefficients.*'{model}'"):
        rays(replace(CAMERA, distortion=(0.1,) * count, distortion_model=model))


def test_position_and_size_follow_from_box_and_depth():
    (found,) = project_detections([PERSON], wall(12.0), CAMERA)
    x, y, z = found.position
    assert (found.name, found.score, z) == ("person", 0.7, 12.0)
    assert x == pytest.approx((125.5 - 99.5) / 150 * 12, abs=1e-4)
    assert y == pytest.approx((55.5 - 49.5) / 160 * 12, abs=1e-4)
    assert found.size[:2] == pytest.approx((12 / 150 * 12, 32 / 160 * 12))


def test_the_distance_is_that_of_the_objects_own_pixels():
    depth, labels = wall(40.0), np.zeros((100, 200), np.uint8)
    depth[45:70, 121:125] = 10.0
    labels[45:70, 121:125] = TRAIN_ID["person"]
    (found,) = project_detections([PERSON], depth, CAMERA, labels)
    assert found.position[2] == 10.0
    # Without labels the middle of the box speaks, not what is behind it at its rim.
    depth = wall(40.0)
    depth[44:68, 123:129] = 11.0
    (found,) = project_detections([PERSON], depth, CAMERA)
    assert found.position[2] == 11.0


def test_a_car_lies_behind_the_surface_that_is_seen_and_one_across_less_far():
    behind = Detection("car", 0.9, 90.0, 50.0, 20.0, 16.0)
    across = Detection("car", 0.9, 70.0, 50.0, 60.0, 16.0)
    back, side = project_detections([behind, across], wall(12.0), CAMERA)
    assert 13.5 < back.position[2] < 14.6 and 12.5 < side.position[2] < 13.2
    assert back.size[2] > 4 and side.size[2] < 2.5


def test_covariance_grows_with_distance_and_lies_along_the_ray():
    spread = []
    for metres in (5.0, 20.0, 60.0):
        (found,) = project_detections([PERSON], wall(metres), CAMERA)
        values, axes = np.linalg.eigh(found.covariance)
        assert (values > 0).all() or values[0] >= 0
        ray = np.array(found.position) / np.linalg.norm(found.position)
        assert abs(axes[:, -1] @ ray) > 0.98
        x, y, z = found.position
        across = np.hypot(0.06 * np.array([PERSON.width, PERSON.height]), 0.6)
        planner = (0.2 * z) ** 2 * np.outer((x / z, y / z, 1), (x / z, y / z, 1))
        planner += np.diag((*(z * across / (CAMERA.fx, CAMERA.fy)) ** 2, 0))
        planner += found.size[2] ** 2 * np.diag((0.06**2, 0, 0.33**2))
        assert np.allclose(found.covariance, planner, rtol=1e-6)
        spread.append(values)
    assert (np.diff(spread, axis=0) > -1e-9).all()


def test_what_has_no_depth_has_no_place_and_the_others_keep_theirs():
    depth = wall(12.0)
    depth[:, 110:140] = np.nan
    other = replace(PERSON, left=20.0)
    (found,) = project_detections([PERSON, other], depth, CAMERA)
    assert found.position[0] < 0
    assert project_detections([], depth, CAMERA) == []


@pytest.mark.parametrize("wrong", [np.nan, 0.0, -3.0, np.inf])
def test_a_depth_that_knows_nothing_gets_a_sentence(wrong):
    with pytest.raises(SemcomError, match="No pixel of the depth is known"):
        project_points(wall(wrong), CAMERA)
    with pytest.raises(SemcomError, match="No pixel"):
        project_detections([PERSON], wall(wrong), CAMERA)
    with pytest.raises(SemcomError, match="does not belong to a camera of 200x100"):
        project_points(np.zeros((0, 0), np.float32), CAMERA)


@pytest.mark.parametrize(
    ("camera", "sentence"),
    [
        (None, "has told no intrinsics"),
        (Camera(100, 200), "all zero"),
        (replace(CAMERA, fx=-150.0), "-150 and 160 pixels.*mirrored"),
        (replace(CAMERA, fy=-160.0), "mirrored"),
        (replace(CAMERA, fy=0.0), "150 and 0 pixels"),
        (replace(CAMERA, cx=math.nan), "not finite"),
        (replace(CAMERA, distortion=(math.inf,)), "not finite"),
        (replace(CAMERA, height=0, width=0), "0x0 pixels"),
        (replace(CAMERA, height=16, width=16), "16x16 pixels"),
    ],
)
def test_a_camera_without_metres_gets_a_sentence(camera, sentence):
    with pytest.raises(SemcomError, match=sentence):
        check_camera(camera)
    assert check_camera(CAMERA) is CAMERA


def test_objects_of_the_procedural_drive_come_out_where_they_are():
    from semcom_ros.datasets.scenes.drive import Drive

    frame = Drive(3).render(40, truth=True)
    near = [o for o in frame.objects if o.visible > 0.9 and o.box_3d.centre[2] < 40]
    near = [o for o in near if o.box[0] > 1 and o.box[0] + o.box[2] < 511]
    assert near
    detections = [Detection(o.name, 1.0, *o.box) for o in near]
    placed = project_detections(detections, frame.depth, frame.camera, frame.labels)
    for found, true in zip(placed, near, strict=True):
        gap = np.array(found.position) - true.box_3d.centre
        assert gap @ np.linalg.pinv(found.covariance) @ gap < 9, (true, found)
