# SPDX-License-Identifier: Apache-2.0
"""The label spaces of data sets and of the papers' networks, and data sets read in them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tiny_cityscapes import cityscapes_frame
from tiny_images import SIZE, picture, write

from semcom_ros import weights
from semcom_ros.datasets import open_source
from semcom_ros.errors import SemcomError
from semcom_ros.label_spaces import (
    CAMVID11,
    CITYSCAPES19,
    CITYSCAPES35,
    COCO183,
    SPACES,
    VOC21,
    instance_edges,
)
from semcom_ros.labels import TRAIN_ID, VOID


@pytest.mark.parametrize(
    ("space", "classes", "planes"),
    [("cityscapes19", 19, 20), ("cityscapes35", 35, 36), ("coco183", 183, 184), ("voc21", 21, 22),
     ("camvid11", 11, 12)],
)  # fmt: skip
def test_a_network_reads_the_classes_a_plane_for_void_and_the_edges(
    space: str, classes: int, planes: int
) -> None:
    """GESCO's Cityscapes networks read 36 planes, its COCO ones 184 (README and code of the paper:
    one plane a class, and the instances' edges)."""
    one = SPACES[space]
    assert len(one.names) == len(set(one.names)) == len(one.palette) == classes
    assert one.planes == planes
    labels = np.array([[*range(classes), VOID]], np.uint8)
    hot = one.one_hot(labels)
    assert hot.shape == (planes, *labels.shape) and hot.dtype == np.float32
    assert (hot[: one.class_planes].sum(0) == 1).all()
    void = len(one.names) if one.void == VOID else one.void
    assert hot[void, 0, -1] == 1


def test_published_lists_of_classes_are_in_their_places() -> None:
    ids = {0: "unlabeled", 6: "ground", 7: "road", 18: "polegroup", 26: "car", 33: "bicycle"}
    assert {i: CITYSCAPES35.names[i] for i in ids} == ids
    # COCO-Stuff's ids count from 1; 92 is its first stuff.
    ids = {1: "person", 91: "hair brush", 92: "banner", 149: "road", 182: "wood"}
    assert {i: COCO183.names[i - 1] for i in ids} == ids
    assert 90 in COCO183.things and 91 not in COCO183.things and COCO183.names[-1] == "unlabeled"
    assert VOC21.names[15] == "person" and VOC21.palette[15] == (192, 128, 128)
    assert VOC21.palette[20] == (0, 64, 128)


@pytest.mark.parametrize("space", SPACES.values(), ids=SPACES)
def test_of_the_nineteen_and_back_a_class_stays_where_the_space_has_it(space) -> None:
    has = {TRAIN_ID[name] for name in space.nineteen.values()}
    for i in range(19):
        back = space.train_ids[space.of_train_ids[i]]
        assert back == (i if i in has else VOID)
    assert space.of_train_ids[VOID] == space.void


def test_edges_are_on_both_sides_of_every_border_between_instances_and_nowhere_else() -> None:
    """Checked pixel by pixel against the definition: a neighbour of the four is of another id."""
    ids = np.random.default_rng(0).integers(26000, 26003, (9, 12)).astype(np.uint16)
    edges = instance_edges(ids)
    for y, x in np.ndindex(ids.shape):
        near = [(y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)]
        inside = [n for n in near if 0 <= n[0] < 9 and 0 <= n[1] < 12]
        assert edges[y, x] == any(ids[n] != ids[y, x] for n in inside)
    assert not instance_edges(np.full((4, 4), 24001, np.uint16)).any()


@pytest.fixture
def cityscapes(tmp_path: Path) -> Path:
    """One frame of which the right half is two cars that touch."""
    cityscapes_frame(tmp_path, "munster_000000_000019")
    labels = np.full(SIZE, 7, np.uint8)
    labels[:, 16:] = 26
    ids = labels.astype(np.uint16)
    ids[:, 16:24], ids[:, 24:] = 26000, 26001
    folder = tmp_path / "gtFine/val/munster"
    write(folder / "munster_000000_000019_gtFine_labelIds.png", labels)
    write(folder / "munster_000000_000019_gtFine_instanceIds.png", ids)
    return tmp_path


def test_two_cars_that_touch_have_an_edge_between_them(cityscapes: Path) -> None:
    """Ids of things begin at 24000: in 8 bits, as GESCO's code reads them, both are 255."""
    frame = open_source(f"cityscapes:{cityscapes}", space=CITYSCAPES35)[0]
    assert frame.instances.dtype == np.uint16 and frame.instances.max() == 26001
    edges = CITYSCAPES35.one_hot(frame.labels, frame.instances)[-1]
    assert (edges[:, [15, 16, 23, 24]] == 1).all() and edges.sum() == 4 * SIZE[0]
    clipped = np.minimum(frame.instances, 255)
    assert not instance_edges(clipped)[:, 23].any()
    # A space without the plane needs no such file, and the nineteen are as they were.
    assert open_source(f"cityscapes:{cityscapes}")[0].instances is None


def test_cityscapes_in_all_its_classes_keeps_the_ids_that_are_not_scored(cityscapes: Path) -> None:
    path = cityscapes / "gtFine/val/munster/munster_000000_000019_gtFine_labelIds.png"
    write(path, np.tile(np.arange(SIZE[1], dtype=np.uint8), (SIZE[0], 1)))
    labels = open_source(f"cityscapes:{cityscapes}", space=CITYSCAPES35)[0].labels
    assert labels[0].tolist() == list(range(SIZE[1]))
    scored = open_source(f"cityscapes:{cityscapes}")[0].labels
    assert np.array_equal(CITYSCAPES35.train_ids[labels], scored)
    path.with_name(path.name.replace("labelIds", "instanceIds")).unlink()
    with pytest.raises(SemcomError, match="instanceIds"):
        open_source(f"cityscapes:{cityscapes}", space=CITYSCAPES35)[0]


def test_coco_in_all_its_classes_gives_the_stored_values_and_unlabelled_its_own(
    tmp_path: Path,
) -> None:
    picture(tmp_path / "images/val2017/1.jpg")
    stored = np.resize(np.array([0, 90, 91, 181, 255], np.uint8), (SIZE[1], SIZE[0])).T.copy()
    write(tmp_path / "stuffthingmaps/val2017/1.png", stored)
    spec = f"coco:{tmp_path}"
    labels = open_source(spec, space=COCO183)[0].labels
    assert np.array_equal(labels, np.where(stored == 255, 182, stored))
    assert open_source(spec, space=COCO183)[0].instances is None
    ids = np.zeros(SIZE, np.uint16)
    ids[:, 16:] = 300
    write(tmp_path / "images/val_inst/1.png", ids)
    frame = open_source(spec, space=COCO183)[0]
    assert np.array_equal(frame.instances, ids)
    assert COCO183.one_hot(frame.labels, frame.instances)[-1].sum() == 2 * SIZE[0]


def test_voc_in_its_own_classes_has_a_background_and_void_borders(tmp_path: Path) -> None:
    picture(tmp_path / "JPEGImages/1.jpg")
    stored = np.resize(np.array([0, 15, 20, 255], np.uint8), SIZE)
    image = Image.fromarray(stored)
    image.putpalette([v for color in VOC21.palette for v in color])
    (tmp_path / "SegmentationClass").mkdir()
    image.save(tmp_path / "SegmentationClass/1.png")
    (tmp_path / "ImageSets/Segmentation").mkdir(parents=True)
    (tmp_path / "ImageSets/Segmentation/val.txt").write_text("1\n")
    assert np.array_equal(open_source(f"voc:{tmp_path}", space=VOC21)[0].labels, stored)


def test_camvid_in_its_own_classes_calls_unlabelled_void(tmp_path: Path) -> None:
    picture(tmp_path / "images/val/a.png")
    stored = np.resize(np.arange(12, dtype=np.uint8), SIZE)
    write(tmp_path / "labels/val/a.png", stored)
    labels = open_source(f"camvid:{tmp_path}", space=CAMVID11)[0].labels
    assert np.array_equal(labels, np.where(stored == 11, VOID, stored))


def test_labels_of_a_space_that_a_source_does_not_speak_are_refused(cityscapes: Path) -> None:
    with pytest.raises(SemcomError, match="in cityscapes19 or cityscapes35, not in coco183"):
        open_source(f"cityscapes:{cityscapes}", space=COCO183)
    with pytest.raises(SemcomError, match="'scenes:1' are in cityscapes19 alone, not in voc21"):
        open_source("scenes:1", space=VOC21)


def test_a_card_names_its_space_and_another_than_the_networks_is_refused() -> None:
    path, card = Path("paper.safetensors"), {"label_space": "coco183"}
    assert weights.space_of(card, path, tuple(SPACES)) is COCO183
    with pytest.raises(SemcomError, match="speak the label space 'coco183', not 'cityscapes19'"):
        weights.space_of(card, path)
    assert np.array_equal(CITYSCAPES19.train_ids[:19], np.arange(19))
