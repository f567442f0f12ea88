# SPDX-License-Identifier: Apache-2.0
"""Cityscapes opens in the layout that its archives unpack to."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from tiny_cityscapes import BASELINE, FX, FY, U0, V0, calibration, cityscapes_frame
from tiny_images import SIZE, picture, write

from semcom_ros.datasets import open_source
from semcom_ros.errors import SemcomError
from semcom_ros.frame import WORK_SIZE, fit
from semcom_ros.labels import NAMES


@pytest.fixture
def cityscapes(tmp_path: Path) -> Path:
    cityscapes_frame(tmp_path, "munster_000001_000019", value=50)
    cityscapes_frame(tmp_path, "frankfurt_000001_000294", value=30)
    cityscapes_frame(tmp_path, "frankfurt_000000_000294", value=10)
    cityscapes_frame(tmp_path, "berlin_000000_000019", "test")
    return tmp_path


def test_cityscapes_plays_city_by_city_and_frame_by_frame(cityscapes: Path) -> None:
    for spec in (f"cityscapes:{cityscapes}", str(cityscapes)):
        source = open_source(spec)
        assert [int(frame.image.mean()) for frame in source] == [10, 30, 50]
    assert source.name == f"cityscapes:{cityscapes}" and source[2].stamp == 200_000_000


def test_cityscapes_ids_become_train_ids_and_the_rest_void(cityscapes: Path) -> None:
    labels = open_source(f"cityscapes:{cityscapes}")[0].labels
    known = {7: "road", 8: "sidewalk", 17: "pole", 19: "traffic light", 24: "person", 25: "rider"}
    known |= {26: "car", 28: "bus", 31: "train"}
    assert all(NAMES[labels[0, i]] == name for i, name in known.items())
    assert [NAMES[i] for i in labels[1, 30:]] == ["motorcycle", "bicycle"]
    void = [*range(7), 9, 10, 14, 15, 16, 18, 29, 30]
    assert (labels[0, void] == 255).all() and labels.dtype == np.uint8


def test_cityscapes_train_id_files_are_taken_as_they_are(cityscapes: Path) -> None:
    folder = cityscapes / "gtFine" / "val" / "munster"
    ids = np.full(SIZE, 18, np.uint8)
    ids[0] = 255
    write(folder / "munster_000001_000019_gtFine_labelTrainIds.png", ids)
    assert np.array_equal(open_source(f"cityscapes:{cityscapes}")[2].labels, ids)


def test_cityscapes_test_has_no_labels(cityscapes: Path) -> None:
    (frame,) = open_source(f"cityscapes:{cityscapes}", "test")
    assert frame.labels is None and frame.depth is not None


def test_cityscapes_depth_is_fx_times_baseline_over_disparity(cityscapes: Path) -> None:
    depth = open_source(f"cityscapes:{cityscapes}")[0].depth
    assert depth.dtype == np.float32 and depth.shape == SIZE
    assert depth[5, 5] == pytest.approx(FX * BASELINE / 20)
    assert depth[0, 2] == pytest.approx(FX * BASELINE / ((2 - 1) / 256))
    # 0 is a pixel that stereo did not match, 1 a disparity of nothing.
    assert np.isnan(depth).sum() == 2 and np.isnan(depth[0, :2]).all()


def test_cityscapes_intrinsics_scale_with_the_images(cityscapes: Path) -> None:
    source = open_source(f"cityscapes:{cityscapes}")
    scale = SIZE[1] / 2048
    camera = source[0].camera
    assert (camera.height, camera.width) == SIZE and source.camera == camera
    assert (camera.fx, camera.fy) == pytest.approx((FX * scale, FY * scale))
    # The corner of the image, half a pixel before the first centre, stays where it is.
    assert (camera.cx + 0.5, camera.cy + 0.5) == pytest.approx(
        ((U0 + 0.5) * scale, (V0 + 0.5) * scale)
    )
    name = "munster/munster_000001_000019"
    picture(cityscapes / f"leftImg8bit/val/{name}_leftImg8bit.png", size=(8, 8))
    write(cityscapes / f"gtFine/val/{name}_gtFine_labelIds.png", np.zeros((8, 8), np.uint8))
    with pytest.raises(SemcomError, match="Images of 8x8 do not fit Cityscapes' cameras"):
        source[2]


def test_every_city_has_its_own_camera(cityscapes: Path) -> None:
    calibration(cityscapes / "camera/val/munster/munster_000001_000019_camera.json", fx=2300.0)
    cameras = [frame.camera for frame in open_source(f"cityscapes:{cityscapes}")]
    assert cameras[0] == cameras[1] and cameras[2].fx == pytest.approx(2300 * SIZE[1] / 2048)


def test_cityscapes_plays_without_disparity_and_camera(cityscapes: Path) -> None:
    (cityscapes / "disparity").rename(cityscapes / "not_unpacked")
    source = open_source(f"cityscapes:{cityscapes}")
    assert source[0].depth is None and source[0].camera is not None
    (cityscapes / "camera").rename(cityscapes / "nor_this")
    source = open_source(f"cityscapes:{cityscapes}")
    assert source.camera is None and source[0].camera is None and source[0].labels is not None


def test_a_sequence_plays_in_order_and_its_labelled_frame_has_labels(cityscapes: Path) -> None:
    folder = cityscapes / "leftImg8bit_sequence" / "val" / "munster"
    for frame in (20, 19, 18):
        picture(folder / f"munster_000001_{frame:06d}_leftImg8bit.png", frame)
    source = open_source(f"cityscapes_sequence:{cityscapes}")
    frames = list(source)
    assert [int(frame.image.mean()) for frame in frames] == [18, 19, 20]
    assert [frame.labels is not None for frame in frames] == [False, True, False]
    assert [frame.depth is not None for frame in frames] == [False, True, False]
    assert frames[0].camera is not None and frames[0].camera == frames[1].camera
    assert source.rate_hz == 17.0 and frames[1].stamp == round(1e9 / 17)
    every = cityscapes / "disparity_sequence" / "val" / "munster"
    write(every / "munster_000001_000018_disparity.png", np.full(SIZE, 1 + 256, np.uint16))
    source = open_source(f"cityscapes_sequence:{cityscapes}")
    assert source[0].depth[0, 0] == pytest.approx(FX * BASELINE)


def test_depth_is_fitted_by_the_nearest_pixel(cityscapes: Path) -> None:
    name = "lindau_000000_000019"
    cityscapes_frame(cityscapes, name)
    height, width = 512, 1024
    picture(cityscapes / f"leftImg8bit/val/lindau/{name}_leftImg8bit.png", 90, (height, width))
    write(
        cityscapes / f"gtFine/val/lindau/{name}_gtFine_labelIds.png",
        np.full((height, width), 7, np.uint8),
    )
    disparity = np.full((height, width), 1 + 256 * 10, np.uint16)
    disparity[:, width // 2 :] = 1 + 256 * 100
    disparity[: height // 2] = 0
    write(cityscapes / f"disparity/val/lindau/{name}_disparity.png", disparity)
    frame = open_source(f"cityscapes:{cityscapes}")[2]
    depth = fit(frame).depth
    assert depth.shape == WORK_SIZE and depth.dtype == np.float32
    assert np.isnan(depth[:128]).all()
    assert set(np.unique(depth[128:])) == set(np.unique(frame.depth[256:]))
    assert (depth[128:, :256] > 40).all() and (depth[128:, 256:] < 5).all()


def test_a_missing_folder_is_told_with_the_layout_and_the_nearest_there_is(
    cityscapes: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    other = tmp_path_factory.mktemp("other")
    picture(other / "gtFine_trainvaltest" / "gtFine" / "val" / "x.png")
    picture(other / "leftImg8bit" / "val" / "munster" / "munster_000001_000019_leftImg8bit.png")
    cases = {
        f"cityscapes:{cityscapes}/nowhere": f"nearest folder that exists is '{cityscapes}'",
        f"cityscapes:{cityscapes}/gtFine": "leftImg8bit/<split>/<city>/*_leftImg8bit.png",
        f"cityscapes:{other}": f"nearest that exists is '{other}/gtFine_trainvaltest/gtFine'",
        f"cityscapes_sequence:{cityscapes}": f"nearest that exists is '{cityscapes}/leftImg8bit'",
    }
    for spec, sentence in cases.items():
        with pytest.raises(SemcomError, match=re.escape(sentence)):
            open_source(spec)
    with pytest.raises(SemcomError, match=re.escape("leftImg8bit/val'.")):
        open_source(f"cityscapes:{cityscapes}", "valid")
    (cityscapes / "camera").rename(cityscapes / "calibration")
    with pytest.raises(SemcomError, match=r"no '.*/camera/val': the layout expected is camera/<sp"):
        open_source(f"cityscapes:{cityscapes}")


def test_a_missing_or_odd_file_is_named_and_the_rest_still_play(cityscapes: Path) -> None:
    source = open_source(f"cityscapes:{cityscapes}")
    munster = "munster/munster_000001_000019"
    labels = cityscapes / f"gtFine/val/{munster}_gtFine_labelIds.png"
    disparity = cityscapes / f"disparity/val/{munster}_disparity.png"
    camera = cityscapes / f"camera/val/{munster}_camera.json"

    def fails(sentence: str) -> None:
        with pytest.raises(SemcomError, match=sentence):
            source[2]
        assert source[0].labels is not None

    camera.write_text('{"intrinsic": {"fx": 1}}')
    fails(r"munster_000001_000019_camera\.json' cannot be used .*intrinsic fx, fy, u0, v0")
    calibration(camera, fx=0.0)
    fails("needs fx, fy and baseline above 0")
    camera.unlink()
    fails(r"There is no '.*_camera\.json': the layout expected")
    write(disparity, np.zeros(SIZE, np.uint8))
    calibration(camera)
    fails(r"_disparity\.png' is no 16-bit map of one channel in the size of its image, 32x16")
    disparity.unlink()
    fails(r"There is no '.*_disparity\.png'")
    write(disparity, np.zeros(SIZE, np.uint16))
    labels.write_bytes(labels.read_bytes()[:60])
    fails(r"_labelIds\.png' cannot be read")
    write(labels, np.zeros((4, 8), np.uint8))
    fails(r"_labelIds\.png' is no 8-bit map of one channel in the size of its image, 32x16")
    labels.unlink()
    fails(r"There is no '.*_labelIds\.png'")
