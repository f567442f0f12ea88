# SPDX-License-Identifier: Apache-2.0
"""COCO-Stuff, PASCAL VOC and DIV2K open in the layout that their archives unpack to."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tiny_images import SIZE, picture, write

from semcom_ros.datasets import open_source
from semcom_ros.errors import SemcomError
from semcom_ros.labels import NAMES, TRAIN_ID


def indexed(path: Path, indices: np.ndarray) -> Path:
    """A PNG whose palette is as misleading as VOC's: no colour is its own index."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.frombytes("P", indices.shape[::-1], indices.tobytes())
    image.putpalette([(37 * i + 11) % 256 for i in range(768)])
    image.save(path)
    return path


@pytest.fixture
def voc(tmp_path: Path) -> Path:
    root = tmp_path / "VOCdevkit" / "VOC2012"
    indices = np.tile(np.arange(SIZE[1], dtype=np.uint8) % 21, (SIZE[0], 1))
    indices[0] = 255
    for name in ("2007_000033", "2007_000032"):
        picture(root / "JPEGImages" / f"{name}.jpg", int(name[-2:]))
        indexed(root / "SegmentationClass" / f"{name}.png", indices)
    picture(root / "JPEGImages" / "2008_000006.jpg")
    lists = root / "ImageSets" / "Segmentation"
    lists.mkdir(parents=True)
    (lists / "val.txt").write_text("2007_000033\n2007_000032\n")
    (lists / "test.txt").write_text("2008_000006\n")
    return root


def test_voc_plays_its_list_and_reads_the_indices_behind_the_palette(voc: Path) -> None:
    source = open_source(f"voc:{voc}")
    assert [int(frame.image.mean()) for frame in source] == [33, 32]
    labels = source[0].labels[1]
    known = {2: "bicycle", 6: "bus", 7: "car", 14: "motorcycle", 15: "person", 19: "train"}
    assert {i: NAMES[labels[i]] for i in range(21) if labels[i] != 255} == known
    assert (source[0].labels[0] == 255).all()
    assert open_source(str(voc)).name == f"voc:{voc}"


def test_voc_test_plays_without_labels_where_none_are_published(voc: Path) -> None:
    (frame,) = open_source(f"voc:{voc}", "test")
    assert frame.labels is None and frame.image.shape == (*SIZE, 3)


@pytest.fixture
def coco(tmp_path: Path) -> Path:
    picture(tmp_path / "images" / "val2017" / "000000000139.jpg")
    picture(tmp_path / "images" / "test2017" / "000000000001.jpg")
    # The published list of classes counts from 1, a map's pixels from 0.
    pixels = np.full(SIZE, 255, np.uint8)
    pixels[0, :6] = 0, 2, 9, 148, 156, 168
    pixels[1, :4] = np.array([171, 111, 182, 13]) - 1
    write(tmp_path / "stuffthingmaps" / "val2017" / "000000000139.png", pixels)
    return tmp_path


def test_coco_classes_that_cityscapes_has_become_its_own(coco: Path) -> None:
    labels = open_source(f"coco:{coco}")[0].labels
    names = ["person", "car", "traffic light", "road", "sky", "vegetation"]
    assert labels[0, :6].tolist() == [TRAIN_ID[name] for name in names]
    assert NAMES[labels[1, 3]] == "traffic sign"
    assert (labels[2:] == 255).all() and (labels[1, :3] == 255).all()


def test_coco_opens_by_its_bare_path_and_as_its_instructions_unpack_it(coco: Path) -> None:
    assert open_source(str(coco)).name == f"coco:{coco}"
    (coco / "stuffthingmaps").rename(coco / "annotations")
    assert open_source(f"coco:{coco}")[0].labels is not None
    assert open_source(f"coco:{coco}", "test")[0].labels is None


def test_div2k_plays_the_high_resolution_images_alone(tmp_path: Path) -> None:
    for name in ("0802", "0801", "0801x4"):
        picture(tmp_path / "DIV2K_valid_HR" / f"{name}.png", int(name[3:4]))
    picture(tmp_path / "DIV2K_valid_LR_bicubic" / "X4" / "0801x4.png")
    for spec in (f"div2k:{tmp_path}", str(tmp_path)):
        source = open_source(spec)
        assert [int(frame.image.mean()) for frame in source] == [1, 2]
    assert source.camera is None and source[0].labels is None


def test_a_missing_folder_is_told_with_the_layout_and_the_nearest_there_is(tmp_path: Path) -> None:
    picture(tmp_path / "VOCdevkit" / "VOC2012" / "JPEGImages" / "1.jpg")
    picture(tmp_path / "Images" / "val2017" / "1.jpg")
    picture(tmp_path / "DIV2K_valid_LR_bicubic" / "0801x4.png")
    devkit = f"{tmp_path}/VOCdevkit"
    cases = {
        f"voc:{devkit}": f"is '{devkit}/VOC2012/JPEGImages'",
        f"voc:{devkit}/VOC2012": f"is '{devkit}/VOC2012', which holds JPEGImages",
        f"coco:{tmp_path}": f"nearest that exists is '{tmp_path}/Images'",
        f"coco:{devkit}": "images/<split>2017/*.jpg and stuffthingmaps/<split>2017/*.png",
        f"div2k:{tmp_path}": f"nearest that exists is '{tmp_path}/DIV2K_valid_LR_bicubic'",
    }
    for spec, sentence in cases.items():
        with pytest.raises(SemcomError, match=re.escape(sentence)):
            open_source(spec)
    with pytest.raises(SemcomError, match="no split of DIV2K 'test'"):
        open_source(f"div2k:{tmp_path}", "test")


def test_names_without_files_are_told_for_voc_and_coco(voc: Path, tmp_path: Path) -> None:
    (voc / "JPEGImages" / "2007_000033.jpg").unlink()
    (voc / "SegmentationClass" / "2007_000032.png").unlink()
    source = open_source(f"voc:{voc}")
    with pytest.raises(SemcomError, match=r"no '.*JPEGImages/2007_000033\.jpg': the layout"):
        source[0]
    with pytest.raises(SemcomError, match=r"no '.*SegmentationClass/2007_000032\.png': the layout"):
        source[1]
    (voc / "ImageSets" / "Segmentation" / "val.txt").write_text("\n")
    with pytest.raises(SemcomError, match=r"val\.txt' is empty"):
        open_source(f"voc:{voc}")
    picture(tmp_path / "images" / "val2017" / "7.jpg")
    (tmp_path / "stuffthingmaps" / "val2017").mkdir(parents=True)
    with pytest.raises(SemcomError, match=r"no '.*stuffthingmaps/val2017/7\.png'"):
        open_source(f"coco:{tmp_path}")[0]


def test_kitti_holds_whole_runs_out(tmp_path: Path) -> None:
    for number in (12, 13, 17, 18):
        name = f"{number:06d}_10.png"
        picture(tmp_path / "images" / "train" / name, number)
        indexed(tmp_path / "labels" / "train" / name, np.full(SIZE, TRAIN_ID["bus"], np.uint8))
    train, val = (open_source(f"kitti:{tmp_path}", split) for split in ("train", "val"))
    assert [int(frame.image.mean()) for frame in train] == [12, 18]
    assert [int(frame.image.mean()) for frame in val] == [13, 17]
    assert (val[0].labels == TRAIN_ID["bus"]).all()
    with pytest.raises(SemcomError, match="no split 'test'"):
        open_source(f"kitti:{tmp_path}", "test")
