# SPDX-License-Identifier: Apache-2.0
"""What users rely on when frames of any size are brought to the size of work."""

from __future__ import annotations

import numpy as np
import pytest

from semcom_ros.errors import SemcomError
from semcom_ros.frame import WORK_SIZE, Camera, Frame, fit, fit_camera, fit_window


@pytest.mark.parametrize("size", [(360, 480), (1024, 2048), (33, 77), (501, 333), (256, 512)])
def test_any_size_is_fitted_without_new_classes(size: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (*size, 3), np.uint8)
    labels = rng.choice(np.array([0, 10, 255], np.uint8), size)
    fitted = fit(Frame(image, labels, stamp=7))
    assert fitted.image.shape == (*WORK_SIZE, 3) and fitted.image.dtype == np.uint8
    assert fitted.labels.shape == WORK_SIZE and set(np.unique(fitted.labels)) <= {0, 10, 255}
    assert fitted.stamp == 7


def test_a_frame_of_the_work_size_is_left_as_it_is() -> None:
    image = np.random.default_rng(0).integers(0, 256, (*WORK_SIZE, 3), np.uint8)
    assert np.array_equal(fit(Frame(image)).image, image)


@pytest.mark.parametrize("camera", [Camera(0, 0), Camera(480, 640), Camera(0, 0, 500.0, 500.0)])
def test_a_camera_that_is_not_calibrated_stays_so(camera: Camera) -> None:
    assert fit_camera(camera) == Camera(*WORK_SIZE)


def test_camvid_keeps_its_middle_band() -> None:
    window = fit_window(360, 480)
    assert (window.top, window.left, window.height, window.width) == (60, 0, 240, 480)


def test_a_frame_too_small_for_a_street_is_refused() -> None:
    with pytest.raises(SemcomError, match="500x31 pixels is too small"):
        fit(Frame(np.zeros((31, 500, 3), np.uint8)))


@pytest.mark.parametrize("size", [(360, 480), (1024, 2048), (900, 400)])
def test_a_point_projects_to_the_same_spot_before_and_after_the_fit(size: tuple[int, int]) -> None:
    height, width = size
    lens = ((-0.2, 0.05, 0.001, 0.0), "fisheye")
    camera = Camera(height, width, 500.0, 510.0, width / 2 - 7.0, height / 2 + 5.0, *lens)
    # A bright square of the scene, small but larger than a pixel, near the optical axis.
    row, col, half = height // 2 - 11, width // 2 + 19, 4
    image = np.zeros((height, width, 3), np.uint8)
    image[row - half : row + half + 1, col - half : col + half + 1] = 255
    ray = (col - camera.cx) / camera.fx, (row - camera.cy) / camera.fy
    fitted = fit(Frame(image, camera=camera))
    weight = fitted.image[..., 0].astype(float)
    rows, cols = np.mgrid[: WORK_SIZE[0], : WORK_SIZE[1]]
    centre = (cols * weight).sum() / weight.sum(), (rows * weight).sum() / weight.sum()
    k = fit_camera(camera)
    assert fitted.camera == k and (k.height, k.width) == WORK_SIZE
    assert (k.distortion, k.distortion_model) == lens
    assert centre == pytest.approx((k.cx + k.fx * ray[0], k.cy + k.fy * ray[1]), abs=0.1)
