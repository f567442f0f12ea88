# SPDX-License-Identifier: Apache-2.0
"""What users rely on when they name a source of frames."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from semcom_ros.datasets import open_source
from semcom_ros.errors import SemcomError


def picture(path: Path, value: int = 90, size: tuple[int, int] = (40, 60)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), np.full((*size, 3), value, np.uint8))


def small_camvid(root: Path) -> Path:
    picture(root / "images" / "val" / "a.png")
    picture(root / "images" / "val" / "b.png")
    (root / "labels" / "val").mkdir(parents=True)
    classes = np.tile(np.arange(12, dtype=np.uint8), (40, 5))
    for name in "ab":
        assert cv2.imwrite(str(root / "labels" / "val" / f"{name}.png"), classes)
    return root


def test_camvid_classes_become_train_ids(tmp_path: Path) -> None:
    source = open_source(f"camvid:{small_camvid(tmp_path)}")
    labels = source[0].labels
    assert labels[0, :12].tolist() == [10, 2, 5, 0, 1, 8, 7, 4, 13, 11, 12, 255]
    assert len(source) == 2 and source[1].stamp == 100_000_000
    assert (source.camera.height, source.camera.width) == (40, 60)


def test_the_real_camvid_opens_by_its_bare_path(camvid: Path) -> None:
    source = open_source(str(camvid))
    frame = source[-1]
    assert len(source) == 101 and len(open_source(f"camvid:{camvid}", "train")) == 367
    assert frame.image.shape == (360, 480, 3) and frame.labels.shape == (360, 480)
    # Sky is bright and above the road: colours and labels belong to one another.
    sky, road = frame.labels == 10, frame.labels == 0
    assert frame.image[sky].mean() > frame.image[road].mean()
    assert np.nonzero(sky)[0].mean() < np.nonzero(road)[0].mean()


def test_a_folder_plays_in_the_order_of_names_and_in_rgb(tmp_path: Path) -> None:
    blue = np.zeros((40, 60, 3), np.uint8)
    blue[..., 0] = 255
    picture(tmp_path / "2.bmp", 20)
    cv2.imwrite(str(tmp_path / "1.png"), blue)
    (tmp_path / "notes.txt").write_text("not an image")
    for spec in (f"folder:{tmp_path}", str(tmp_path)):
        source = open_source(spec)
        assert len(source) == 2 and source[0].labels is None
        assert source[0].image[0, 0].tolist() == [0, 0, 255]
        assert [f.image.shape for f in source] == [(40, 60, 3)] * 2


def test_one_bad_frame_is_named_and_the_rest_still_play(tmp_path: Path) -> None:
    for name in ("1.png", "2.png", "3.png"):
        picture(tmp_path / name)
    whole = (tmp_path / "2.png").read_bytes()
    (tmp_path / "2.png").write_bytes(whole[:20])
    source = open_source(f"folder:{tmp_path}")
    with pytest.raises(SemcomError, match=r"2\.png' is cut short, damaged or no image"):
        source[1]
    assert source[0].image.shape == source[2].image.shape
    (tmp_path / "3.png").unlink()
    with pytest.raises(SemcomError, match=r"3\.png' cannot be read"):
        source[2]


def test_the_procedural_drive_is_a_source_without_end() -> None:
    source = open_source("scenes:7")
    frame = source[9_999_999]
    assert len(source) == 10_000_000 and frame.labels is not None and source.camera == frame.camera
    with pytest.raises(IndexError):
        source[10_000_000]


def test_every_wrong_name_gets_its_sentence(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "film.mp4").write_bytes(b"no film")
    small_camvid(tmp_path / "cv")
    cases = {
        f"camvid:{tmp_path}/no/deep": rf"There is no .*nearest folder that exists is '{tmp_path}'",
        f"{tmp_path}/nowhere": rf"nearest folder that exists is '{tmp_path}'",
        f"folder:{tmp_path}/empty": r"empty' holds no images",
        f"folder:{tmp_path}/film.mp4": r"is not a folder",
        f"video:{tmp_path}/film.mp4": r"film\.mp4' cannot be played",
        f"camvid:{tmp_path}/empty": r"not in CamVid's layout",
        "scene:7": r"no kind of source 'scene': did you mean 'scenes'",
        "scenes:seven": r"seed 'seven' is no whole number",
        "scenes:": r"names nothing after the colon",
        "scenes": r"is a kind, not a place: give 'scenes:\.\.\.'",
    }
    for spec, sentence in cases.items():
        with pytest.raises(SemcomError, match=sentence):
            open_source(spec)
    with pytest.raises(SemcomError, match="no split 'test': there are val"):
        open_source(f"camvid:{tmp_path}/cv", "test")


def test_an_image_without_labels_plays_and_odd_labels_are_named(tmp_path: Path) -> None:
    root = small_camvid(tmp_path)
    (root / "labels" / "val" / "a.png").unlink()
    cv2.imwrite(str(root / "labels" / "val" / "b.png"), np.zeros((10, 10), np.uint8))
    source = open_source(f"camvid:{root}")
    assert source[0].labels is None and source[0].image.shape == (40, 60, 3)
    with pytest.raises(SemcomError, match=r"b\.png' is no 8-bit map"):
        source[1]
