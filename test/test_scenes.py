# SPDX-License-Identifier: Apache-2.0
"""What users rely on in the procedural drive."""

from __future__ import annotations

import numpy as np
import pytest

from semcom_ros.datasets.camvid import CLASS_NAMES
from semcom_ros.labels import TRAIN_ID
from semcom_ros.scenes import Drive
from semcom_ros.scenes.drive import CAMERA, CAMERA_HEIGHT
from semcom_ros.scenes.geometry import NEAR, clip_near

ALLOWED = {TRAIN_ID[name] for name in CLASS_NAMES}


def test_a_frame_depends_on_seed_and_index_alone() -> None:
    played, jumped = Drive(3), Drive(3)
    for i in range(4):
        frame = played.render(i)
    alone = jumped.render(3)
    assert np.array_equal(frame.image, alone.image) and np.array_equal(frame.labels, alone.labels)
    assert not np.array_equal(frame.labels, Drive(4).render(3).labels)


@pytest.mark.parametrize(("seed", "index"), [(0, 0), (1, 500), (2, 123_456)])
def test_frames_have_the_promised_form(seed: int, index: int) -> None:
    frame = Drive(seed).render(index)
    assert frame.image.shape == (256, 512, 3) and frame.image.dtype == np.uint8
    assert frame.labels.shape == (256, 512) and frame.labels.dtype == np.uint8
    assert set(np.unique(frame.labels).tolist()) <= ALLOWED
    assert frame.stamp == index * 100_000_000 and frame.camera == CAMERA
    assert frame.image.flags.c_contiguous and frame.labels.flags.c_contiguous


def test_neighbouring_frames_are_a_video() -> None:
    drive = Drive(5)
    first, second, later = (drive.render(i) for i in (40, 41, 240))
    near, far = (np.mean(first.labels == f.labels) for f in (second, later))
    assert not np.array_equal(first.image, second.image)
    assert 0.85 < near < 1.0 and near > far + 0.05


def test_the_town_shows_every_class() -> None:
    seen: set[int] = set()
    for seed in range(6):
        drive = Drive(seed)
        for index in (0, 150, 300):
            seen |= set(np.unique(drive.render(index).labels).tolist())
    assert seen == ALLOWED


def test_road_is_below_and_sky_above() -> None:
    labels = np.stack([Drive(seed).render(20).labels for seed in range(4)])
    assert np.mean(labels[:, 220:, 200:300] == TRAIN_ID["road"]) > 0.8
    assert not np.any(labels[:, :100] == TRAIN_ID["road"])
    assert not np.any(labels[:, 200:] == TRAIN_ID["sky"])


def test_the_ground_seen_by_a_pixel_projects_back_to_that_pixel() -> None:
    view = Drive(2).view(12.3)
    top, x, z = view.ground()
    points = np.stack([x.ravel(), np.zeros(x.size), z.ravel()], 1)
    pixels = view.to_pixels(view.to_camera(points)).reshape(*x.shape, 2)
    rows, cols = np.mgrid[top : CAMERA.height, : CAMERA.width]
    assert np.abs(pixels[..., 0] - cols).max() < 1e-6
    assert np.abs(pixels[..., 1] - rows).max() < 1e-6
    assert view.position[1] == CAMERA_HEIGHT


def test_what_reaches_behind_the_camera_is_cut_at_the_near_plane() -> None:
    square = np.array([[-1.0, 0, -5], [1, 0, -5], [1, 0, 5], [-1, 0, 5]])
    cut = clip_near(square)
    assert len(cut) == 4 and cut[:, 2].min() == pytest.approx(NEAR) and cut[:, 2].max() == 5
    assert len(clip_near(square - (0, 0, 9))) == 0
