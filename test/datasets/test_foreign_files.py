# SPDX-License-Identifier: Apache-2.0
"""Files as other people's cameras, computers and tools leave them are read rightly, or named."""

from __future__ import annotations

import logging
import re
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image
from tiny_images import SIZE, picture, write

from semcom_ros.datasets import open_source
from semcom_ros.errors import SemcomError
from semcom_ros.labels import TRAIN_ID

HEIGHT, WIDTH = SIZE
ORIENTATION = 0x0112


def exif_picture(path: Path, orientation: int) -> Path:
    """A JPEG that is bright above and dark below as stored, to be turned when it is shown."""
    pixels = np.zeros((*SIZE, 3), np.uint8)
    pixels[: HEIGHT // 2] = 230
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, quality=95, exif=exif)
    return path


def labels(path: Path, *values: int) -> Path:
    """A label map with a stripe of each of `values`."""
    return write(path, np.resize(np.array(values, np.uint8), (WIDTH, HEIGHT)).T.copy())


def values_of(spec: str, split: str = "val") -> list[int]:
    """The grey of every picture of a source, in order."""
    return [int(frame.image.mean()) for frame in open_source(spec, split)]


@pytest.mark.parametrize("orientation", [3, 4, 5, 8])
def test_pictures_with_labels_are_read_as_stored(tmp_path: Path, orientation: int) -> None:
    """Labels lie in the stored grid, whatever EXIF says of how to show the picture."""
    sky_above = np.zeros(SIZE, np.uint8)
    sky_above[HEIGHT // 2 :] = 3
    exif_picture(tmp_path / "cv/images/val/a.jpg", orientation)
    write(tmp_path / "cv/labels/val/a.png", sky_above)
    exif_picture(tmp_path / "coco/images/train2017/1.jpg", orientation)
    write(tmp_path / "coco/stuffthingmaps/train2017/1.png", np.where(sky_above, 148, 156))
    exif_picture(tmp_path / "voc/JPEGImages/1.jpg", orientation)
    write(tmp_path / "voc/SegmentationClass/1.png", np.where(sky_above, 7, 0).astype(np.uint8))
    (tmp_path / "voc/ImageSets/Segmentation").mkdir(parents=True)
    (tmp_path / "voc/ImageSets/Segmentation/train.txt").write_text("1\n")
    exif_picture(tmp_path / "kitti/images/train/000000_10.jpg", orientation)
    write(tmp_path / "kitti/labels/train/000000_10.png", np.where(sky_above, 0, 10))
    for kind, split in (
        ("camvid:cv", "val"),
        ("coco", "train"),
        ("voc", "train"),
        ("kitti", "train"),
    ):
        name, _, folder = kind.partition(":")
        frame = open_source(f"{name}:{tmp_path / (folder or name)}", split)[0]
        assert frame.image.shape == (*SIZE, 3) and frame.labels.shape == SIZE
        bright = frame.image[..., 0] > 128
        assert len(np.unique(frame.labels[bright])) == 1
        assert frame.labels[bright][0] != frame.labels[~bright][0]


def test_a_folder_turns_its_pictures_as_they_are_to_be_seen(tmp_path: Path) -> None:
    exif_picture(tmp_path / "a.jpg", 8)
    image = open_source(f"folder:{tmp_path}")[0].image
    assert image.shape == (WIDTH, HEIGHT, 3)
    assert image[:, 2].mean() > 200 and image[:, -3].mean() < 30


def test_numbers_in_names_are_numbers_for_every_reader(tmp_path: Path) -> None:
    numbers = (9, 10, 1, 100, 2)
    for n in numbers:
        picture(tmp_path / f"folder/cam0_{n}.png", n)
        picture(tmp_path / f"cv/images/val/Seq05_f{n}.png", n)
        picture(tmp_path / f"div/DIV2K_valid_HR/{n}.png", n)
        picture(tmp_path / f"coco/images/test2017/{n}.png", n)
        city = tmp_path / f"cs/leftImg8bit/test/ulm{n}"
        picture(city / f"ulm{n}_9_000019_leftImg8bit.png", n)
        picture(city / f"ulm{n}_10_000019_leftImg8bit.png", n + 100)
    specs = {"folder": "folder", "camvid": "cv", "div2k": "div"}
    ordered = sorted(numbers)
    assert [values_of(f"{kind}:{tmp_path / at}") for kind, at in specs.items()] == [ordered] * 3
    assert values_of(f"coco:{tmp_path}/coco", "test") == ordered
    paired = [value for n in ordered for value in (n, n + 100)]
    assert values_of(f"cityscapes:{tmp_path}/cs", "test") == paired


def test_hidden_files_and_folders_named_like_images_are_no_frames(tmp_path: Path) -> None:
    trees = {
        "folder:folder": "b.jpg",
        "camvid:cv": "images/val/b.jpg",
        "coco:coco": "images/test2017/b.jpg",
        "div2k:div": "DIV2K_valid_HR/7.png",
        "cityscapes:cs": "leftImg8bit/test/ulm/ulm_000000_000019_leftImg8bit.png",
        "kitti:kitti": "images/train/000013_10.png",
    }
    (tmp_path / "kitti/labels/train").mkdir(parents=True)
    for spec, name in trees.items():
        kind, _, root = spec.partition(":")
        path = picture(tmp_path / root / name)
        path.with_name(f"._{path.name}").write_bytes(b"\x00\x05\x16\x07 a resource fork")
        path.with_name(".hidden.png").write_bytes(b"")
        path.with_name(f"0{path.name}").mkdir()
        (path.parent.parent / ".Trashes").mkdir(exist_ok=True)
        split = "test" if kind in ("coco", "cityscapes") else "val"
        assert len(open_source(f"{kind}:{tmp_path / root}", split)) == 1, kind


def test_kinds_of_file_that_are_not_read_are_named_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    picture(tmp_path / "1.png")
    for name in ("2.HEIC", "3.heic", "4.cr2", ".DS_Store"):
        (tmp_path / name).write_bytes(b"a picture, but not of a kind that is read")
    source = open_source(f"folder:{tmp_path}")
    assert [frame.image.shape for frame in source] == [(*SIZE, 3)]
    (said,) = caplog.messages
    assert f"Left out 3 of the 4 files in '{tmp_path}' (.cr2, .heic)" in said
    assert caplog.records[0].levelno == logging.WARNING
    caplog.clear()
    for name in ("2.HEIC", "3.heic", "4.cr2"):
        (tmp_path / name).unlink()
    open_source(f"folder:{tmp_path}")
    assert not caplog.messages


@pytest.mark.parametrize("name", ["deep.png", "deep.tif", "deep.pgm"])
def test_sixteen_bits_are_scaled_to_eight(tmp_path: Path, name: str) -> None:
    steps = np.linspace(0, 65535, WIDTH).astype(np.uint16)
    write(tmp_path / name, np.tile(steps, (HEIGHT, 1)))
    image = open_source(f"folder:{tmp_path}")[0].image
    assert image.dtype == np.uint8
    assert np.abs(image[3, :, 1] - steps / 257.0).max() <= 1


def test_voc_lists_of_one_class_and_with_a_mark_of_their_encoding_are_read(tmp_path: Path) -> None:
    lists = tmp_path / "ImageSets"
    for name in ("2008_000009", "2008_000002", "2008_000007"):
        picture(tmp_path / "JPEGImages" / f"{name}.jpg", int(name[-1]))
        labels(tmp_path / "SegmentationClass" / f"{name}.png", 0, 7)
    for folder in ("Segmentation", "Main"):
        (lists / folder).mkdir(parents=True)
    text = "\ufeff2008_000009 -1\r\n2008_000002  1\r\n\r\n2008_000007  0\r\n"
    (lists / "Segmentation" / "train.txt").write_bytes(text.encode())
    (lists / "Main" / "bus_train.txt").write_bytes(text.encode())
    for split in ("train", "bus_train"):
        assert values_of(f"voc:{tmp_path}", split) == [9, 2, 7]
        assert TRAIN_ID["car"] in open_source(f"voc:{tmp_path}", split)[1].labels
    # Most images of the lists in Main were never drawn.
    (tmp_path / "SegmentationClass" / "2008_000002.png").unlink()
    assert open_source(f"voc:{tmp_path}", "bus_train")[1].labels is None
    with pytest.raises(SemcomError, match=r"There is no '.*SegmentationClass/2008_000002\.png'"):
        open_source(f"voc:{tmp_path}", "train")[1]


def test_values_that_no_label_map_holds_are_refused_with_what_they_look_like(
    tmp_path: Path,
) -> None:
    city = "gtFine/val/ulm/ulm_000000_000019_gtFine_label"
    picture(tmp_path / "cs/leftImg8bit/val/ulm/ulm_000000_000019_leftImg8bit.png")
    ids = labels(tmp_path / f"cs/{city}Ids.png", 0, 33, 255)
    picture(tmp_path / "cv/images/val/a.png")
    classes = labels(tmp_path / "cv/labels/val/a.png", 4, 30, 17)
    picture(tmp_path / "kitti/images/train/000013_10.png")
    kitti = labels(tmp_path / "kitti/labels/train/000013_10.png", 7, 33)
    picture(tmp_path / "coco/images/val2017/1.png")
    coco = labels(tmp_path / "coco/stuffthingmaps/val2017/1.png", 12, 200)

    def refused(kind: str, path: Path, sentence: str) -> None:
        root = tmp_path / path.relative_to(tmp_path).parts[0]
        with pytest.raises(SemcomError, match=re.escape(f"map '{path}' holds {sentence}")):
            open_source(f"{kind}:{root}")[0]

    one_of = "none of Cityscapes'"
    refused("cityscapes", ids, f"255, {one_of} labelIds (0 to 33): it looks like none known here")
    labels(ids, 5, 18, 255)
    refused("cityscapes", ids, f"255, {one_of} labelIds (0 to 33): it looks like Cityscapes' train")
    train_ids = labels(tmp_path / f"cs/{city}TrainIds.png", 4, 19, 20)
    sentence = f"19, 20, {one_of} trainIds (0 to 18 and 255): it looks like Cityscapes' labelIds"
    refused("cityscapes", train_ids, sentence)
    refused("kitti", kitti, f"33, {one_of} trainIds (0 to 18 and 255): it looks like Cityscapes' l")
    sentence = "CamVid's 11 classes (0 to 11 and 255): it looks like"
    refused("camvid", classes, f"17, 30, none of {sentence} the ids of CamVid's 32 classes")
    labels(classes, 3, 13, 255)
    refused("camvid", classes, f"13, none of {sentence} Cityscapes' trainIds")
    refused("coco", coco, "200, none of COCO-Stuff's classes (0 to 181 and 255)")
    labels(classes, 3, 11, 255)
    frame = open_source(f"camvid:{tmp_path}/cv")[0]
    assert np.unique(frame.labels).tolist() == [TRAIN_ID["road"], 255]


def test_labels_painted_in_colours_are_refused(tmp_path: Path) -> None:
    picture(tmp_path / "images/val/0001TP_006690.png")
    picture(tmp_path / "labels/val/0001TP_006690.png", 64)
    with pytest.raises(SemcomError, match=r"006690\.png' is no .*but RGB .*not colours"):
        open_source(f"camvid:{tmp_path}")[0]


def test_labels_that_fit_no_image_are_an_error_that_names_the_nearest(tmp_path: Path) -> None:
    for number in (6690, 6720, 30):
        picture(tmp_path / f"images/val/0001TP_{number:06d}.png")
        labels(tmp_path / f"labels/val/0001TP_{number:06d}_L.png", 3)
    nearest = r"labels/val/0001TP_000030\.png'.*nearest that exists is '.*/0001TP_000030_L\.png'"
    with pytest.raises(SemcomError, match=nearest):
        open_source(f"camvid:{tmp_path}")
    # The hidden half of a file that macOS wrote is not what anybody meant.
    (tmp_path / "labels/val/._0001TP_000030.png").write_bytes(b"a resource fork")
    with pytest.raises(SemcomError, match=nearest):
        open_source(f"camvid:{tmp_path}")
    # One that fits shows that the names are right, and that the others are missing.
    labels(tmp_path / "labels/val/0001TP_006690.png", 3)
    source = open_source(f"camvid:{tmp_path}")
    assert [frame.labels is not None for frame in source] == [False, True, False]
    (tmp_path / "labels/val").rename(tmp_path / "labels/valid")
    with pytest.raises(SemcomError, match=r"no '.*labels/val'.*nearest .* is '.*/labels/valid'"):
        open_source(f"camvid:{tmp_path}")


def test_camvid_as_segnet_lays_it_out_is_read(tmp_path: Path) -> None:
    for split, value in (("train", 1), ("val", 2), ("test", 3)):
        for number in (2, 10):
            picture(tmp_path / split / f"f{number}.png", value)
            labels(tmp_path / f"{split}annot" / f"f{number}.png", 8, value)
    classes = ["building", "pole", "road"]
    for split, name in zip(("train", "val", "test"), classes, strict=True):
        for spec in (f"camvid:{tmp_path}", str(tmp_path)):
            frames = list(open_source(spec, split))
            assert [int(frame.image.mean()) for frame in frames] == [classes.index(name) + 1] * 2
            assert {TRAIN_ID["car"], TRAIN_ID[name]} == set(np.unique(frames[1].labels))
    with pytest.raises(SemcomError, match="no split 'valid': there are test, train, val"):
        open_source(f"camvid:{tmp_path}", "valid")


@pytest.mark.parametrize("split", ["train", "train_extra", "val"])
def test_coarse_labels_of_cityscapes_are_read_where_there_are_no_fine_ones(
    tmp_path: Path, split: str
) -> None:
    name = f"{split}/bonn/bonn_000003_000019"
    picture(tmp_path / f"leftImg8bit/{name}_leftImg8bit.png")
    coarse = tmp_path / f"gtCoarse/{name}_gtCoarse_labelIds.png"
    labels(coarse, 26, 0)
    source = open_source(f"cityscapes:{tmp_path}", split)
    assert set(np.unique(source[0].labels)) == {TRAIN_ID["car"], 255}
    labels(tmp_path / f"gtFine/{name}_gtFine_labelIds.png", 24)
    frame = open_source(f"cityscapes:{tmp_path}", split)[0]
    assert set(np.unique(frame.labels)) == {TRAIN_ID["person"]}
    coarse.rename(coarse.with_name("bonn_000003_000020_gtCoarse_labelIds.png"))
    (tmp_path / "gtFine").rename(tmp_path / "elsewhere")
    with pytest.raises(SemcomError, match=r"nearest .*/bonn_000003_000020_gtCoarse_labelIds\.png'"):
        open_source(f"cityscapes:{tmp_path}", split)[0]


def test_a_picture_of_another_kind_than_its_name_says_is_read(tmp_path: Path) -> None:
    ok, data = cv2.imencode(".jpg", np.full((*SIZE, 3), 77, np.uint8))
    assert ok
    (tmp_path / "a.png").write_bytes(data)
    assert values_of(f"folder:{tmp_path}") == [77]
