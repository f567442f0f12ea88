# SPDX-License-Identifier: Apache-2.0
"""What users rely on in the procedural drive."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from semcom_ros.datasets.scenes import Drive, structures
from semcom_ros.datasets.scenes.drive import CAMERA, CAMERA_HEIGHT
from semcom_ros.datasets.scenes.geometry import NEAR, clip_near
from semcom_ros.datasets.scenes.posts import lit
from semcom_ros.datasets.scenes.textures import front
from semcom_ros.datasets.scenes.weather import WEATHERS
from semcom_ros.errors import SemcomError
from semcom_ros.frame import Frame
from semcom_ros.label_spaces import CAMVID_NAMES
from semcom_ros.labels import TRAIN_ID

NAMES = (*CAMVID_NAMES, "truck", "bus", "traffic light", "bicycle")
ALLOWED = {TRAIN_ID[name] for name in NAMES}
PLACES = [(3, 60), (5, 40), (6, 107), (9, 495)]
"""Seeds and frames that show every class between them."""


@pytest.fixture(scope="module")
def frames() -> list[Frame]:
    return [Drive(seed).render(index) for seed, index in PLACES]


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


def test_the_town_shows_every_class(frames: list[Frame]) -> None:
    assert {c for frame in frames for c in np.unique(frame.labels).tolist()} == ALLOWED


@pytest.mark.parametrize("weather", WEATHERS)
def test_weather_changes_the_image_and_not_what_is_there(weather: str) -> None:
    plain = Drive(5, weather="overcast").render(40, truth=True)
    frame = Drive(5, weather=weather).render(40, truth=True)
    for name in ("labels", "depth", "instances"):
        assert np.array_equal(*(getattr(f, name) for f in (plain, frame)), equal_nan=True)
    assert frame.objects == plain.objects
    changed = np.abs(frame.image.astype(int) - plain.image).mean()
    assert changed == 0 if weather == "overcast" else changed > 8


def test_fog_takes_the_contrast_of_what_is_far() -> None:
    clear, fog = (Drive(5, weather=w).render(40) for w in ("clear", "fog"))
    far = np.s_[110:130, 220:300]
    assert fog.image[far].std() < 0.7 * clear.image[far].std()


def test_a_weather_that_does_not_exist_is_refused() -> None:
    with pytest.raises(SemcomError, match="no weather 'fogg': did you mean 'fog'"):
        Drive(5, weather="fogg")


def test_a_red_light_is_green_before_the_camera_car_arrives() -> None:
    states = [lit(style=1, ahead=metres) for metres in (90.0, 24.0, 5.0)]
    assert states == [(True, False, False), (True, True, False), (False, False, True)]
    assert all(lit(style, 15.0) == (False, False, True) for style in range(60))


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


def test_a_drive_keeps_what_is_in_sight_and_forgets_the_rest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    drive, built = Drive(8), []
    monkeypatch.setattr(structures, "front", lambda *which: built.append(which) or front(*which))
    tracemalloc.start()
    try:
        for place in range(12):
            drive.render(700 * place)
        held = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert held < 20 * 2**20, "a house front weighs a tenth of a MiB; each place shows about 40"
    assert len(built) > 200
    built.clear()
    drive.render(700 * 11)
    assert built == [], "what is still in sight is not built anew"
