# SPDX-License-Identifier: Apache-2.0
"""The classes that data sets and the papers' networks speak in, by name of the label space.

The road's own is the first, Cityscapes' nineteen (`labels.py`); a payload or the weights of another
are refused by its name.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from semcom_ros.labels import CLASSES, LABEL_SPACE, NAMES, TRAIN_ID, VOID

Color = tuple[int, int, int]


@dataclass(frozen=True)
class LabelSpace:
    """The classes of a data set, by place: `names`, `palette` of RGB colours, and which are
    `things`, that is countable.

    nineteen: the Cityscapes evaluation class that a class lies within, where there is one. void:
    the class of pixels that belong to none, or `VOID` where the space has no such class. edges:
    whether a network's input has a plane of the edges between instances beside the classes.
    """

    name: str
    names: tuple[str, ...]
    palette: tuple[Color, ...] = field(repr=False)
    things: frozenset[int] = field(repr=False)
    nineteen: dict[int, str] = field(repr=False, hash=False)
    void: int = VOID
    edges: bool = False

    @property
    def class_planes(self) -> int:
        """Planes of a one-hot map: the classes, and one more for void where it is no class."""
        return len(self.names) + (self.void == VOID)

    @property
    def planes(self) -> int:
        """Planes of what a network reads: those of the classes, and the instances' edges."""
        return self.class_planes + self.edges

    @cached_property
    def train_ids(self) -> np.ndarray:
        """Lookup table uint8 [256] from class to trainId, `VOID` where it lies within none."""
        table = np.full(256, VOID, np.uint8)
        table[list(self.nineteen)] = [TRAIN_ID[name] for name in self.nineteen.values()]
        return table

    @cached_property
    def of_train_ids(self) -> np.ndarray:
        """Lookup table uint8 [256] from trainId to the first class within it, else `void`."""
        table = np.full(256, self.void, np.uint8)
        for place, name in reversed(self.nineteen.items()):
            table[TRAIN_ID[name]] = place
        return table

    def one_hot(self, labels: np.ndarray, instances: np.ndarray | None = None) -> np.ndarray:
        """A map uint8 [H, W] of classes as float32 [planes, H, W] of 0 and 1.

        instances: integers [H, W]; without them the edges are those between classes.
        """
        last = len(self.names)
        places = np.where(labels < last, labels, min(self.void, last))
        planes = places == np.arange(self.class_planes)[:, None, None]
        if self.edges:
            ids = labels if instances is None else instances
            planes = np.concatenate([planes, instance_edges(ids)[None]])
        return planes.astype(np.float32)

    def colorize(self, labels: np.ndarray) -> np.ndarray:
        """A map uint8 [H, W] in the space's colours: [H, W, 3] uint8 RGB, void black."""
        table = np.zeros((256, 3), np.uint8)
        table[: len(self.palette)] = self.palette
        return table[labels]


def instance_edges(ids: np.ndarray) -> np.ndarray:
    """Where one of the four neighbours is of another instance: bool [H, W] of integers [H, W].

    On both sides of a border, as in pix2pixHD (Wang et al., CVPR 2018, section 3.3). `ids` must be
    the files' own 16 bits: Cityscapes' things begin at 24000, and in 8 bits all of them are one.
    """
    edges = np.zeros(ids.shape, bool)
    across, down = ids[:, 1:] != ids[:, :-1], ids[1:] != ids[:-1]
    edges[:, 1:] |= across
    edges[:, :-1] |= across
    edges[1:] |= down
    edges[:-1] |= down
    return edges


def voc_color(place: int) -> Color:
    """The colour at `place` in VOC's palettes: every third of its bits a channel, reversed."""
    r, g, b = (
        sum((place >> (3 * bit + channel) & 1) << (7 - bit) for bit in range(3))
        for channel in range(3)
    )
    return r, g, b


_EVALUATED = (7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33)
"""The labelIds of the nineteen."""
_NOT_EVALUATED: dict[int, tuple[str, Color]] = {
    **{i: (name, (0, 0, 0)) for i, name in enumerate(
        ("unlabeled", "ego vehicle", "rectification border", "out of roi", "static"))},
    5: ("dynamic", (111, 74, 0)), 6: ("ground", (81, 0, 81)), 9: ("parking", (250, 170, 160)),
    10: ("rail track", (230, 150, 140)), 14: ("guard rail", (180, 165, 180)),
    15: ("bridge", (150, 100, 100)), 16: ("tunnel", (150, 120, 90)),
    18: ("polegroup", (153, 153, 153)), 29: ("caravan", (0, 0, 90)), 30: ("trailer", (0, 0, 110)),
    34: ("license plate", (0, 0, 142)),
}  # fmt: skip
_LABEL_IDS = dict(
    sorted((_NOT_EVALUATED | {i: c[:2] for i, c in zip(_EVALUATED, CLASSES, strict=True)}).items())
)
CAMVID_NAMES = (
    "sky", "building", "pole", "road", "sidewalk", "vegetation", "traffic sign", "fence", "car",
    "person", "rider",
)  # fmt: skip
"""Cityscapes names of CamVid's classes 0 to 10; 11 is unlabelled."""
_VOC = """background, aeroplane, bicycle, bird, boat, bottle, bus, car, cat, chair, cow,
 diningtable, dog, horse, motorbike, person, pottedplant, sheep, sofa, train, tvmonitor"""
_COCO = """person, bicycle, car, motorcycle, airplane, bus, train, truck, boat, traffic light,
 fire hydrant, street sign, stop sign, parking meter, bench, bird, cat, dog, horse, sheep, cow,
 elephant, bear, zebra, giraffe, hat, backpack, umbrella, shoe, eye glasses, handbag, tie, suitcase,
 frisbee, skis, snowboard, sports ball, kite, baseball bat, baseball glove, skateboard, surfboard,
 tennis racket, bottle, plate, wine glass, cup, fork, knife, spoon, bowl, banana, apple, sandwich,
 orange, broccoli, carrot, hot dog, pizza, donut, cake, chair, couch, potted plant, bed, mirror,
 dining table, window, desk, toilet, door, tv, laptop, mouse, remote, keyboard, cell phone,
 microwave, oven, toaster, sink, refrigerator, blender, book, clock, vase, scissors, teddy bear,
 hair drier, toothbrush, hair brush, banner, blanket, branch, bridge, building-other, bush, cabinet,
 cage, cardboard, carpet, ceiling-other, ceiling-tile, cloth, clothes, clouds, counter, cupboard,
 curtain, desk-stuff, dirt, door-stuff, fence, floor-marble, floor-other, floor-stone, floor-tile,
 floor-wood, flower, fog, food-other, fruit, furniture-other, grass, gravel, ground-other, hill,
 house, leaves, light, mat, metal, mirror-stuff, moss, mountain, mud, napkin, net, paper, pavement,
 pillow, plant-other, plastic, platform, playingfield, railing, railroad, river, road, rock, roof,
 rug, salad, sand, sea, shelf, sky-other, skyscraper, snow, solid-other, stairs, stone, straw,
 structural-other, table, tent, textile-other, towel, tree, vegetable, wall-brick, wall-concrete,
 wall-other, wall-panel, wall-stone, wall-tile, wall-wood, water-other, waterdrops, window-blind,
 window-other, wood"""
"""COCO-Stuff's published list from 1 on, things up to 91; a map's pixel holds the id less one."""
_OF_COCO = {
    1: "person", 2: "bicycle", 3: "car", 4: "motorcycle", 6: "bus", 7: "train", 8: "truck",
    10: "traffic light", 13: "traffic sign",  # stop sign
    96: "building", 128: "building", 151: "building", 158: "building",  # other, house, roof, tower
    97: "vegetation", 169: "vegetation", 124: "terrain", 113: "fence",  # bush, tree; grass
    106: "sky", 157: "sky", 140: "sidewalk", 149: "road",  # clouds, sky-other; pavement
}  # fmt: skip
_THINGS = frozenset(i for i, one in enumerate(CLASSES) if one.thing)

CITYSCAPES19 = LabelSpace(
    LABEL_SPACE, NAMES, tuple(c.color for c in CLASSES), _THINGS, dict(enumerate(NAMES))
)
CITYSCAPES35 = LabelSpace(
    "cityscapes35", tuple(name for name, _ in _LABEL_IDS.values()),
    tuple(color for _, color in _LABEL_IDS.values()), frozenset(range(24, 34)),
    dict(zip(_EVALUATED, NAMES, strict=True)), void=0, edges=True,
)  # fmt: skip
"""Every labelId of Cityscapes, as GESCO reads it; no published map holds 34, the license plate,
whose id in the set's own list is -1."""
COCO183 = LabelSpace(
    "coco183", (*" ".join(_COCO.split()).split(", "), "unlabeled"),
    (*map(voc_color, range(1, 183)), (0, 0, 0)), frozenset(range(91)),
    {i - 1: name for i, name in _OF_COCO.items()}, void=182, edges=True,
)  # fmt: skip
"""COCO-Stuff as GESCO reads it: 182 classes and unlabelled; colours by VOC's rule."""
VOC21 = LabelSpace(
    "voc21", tuple(" ".join(_VOC.split()).split(", ")), tuple(map(voc_color, range(21))),
    frozenset(range(1, 21)),
    {2: "bicycle", 6: "bus", 7: "car", 14: "motorcycle", 15: "person", 19: "train"},
)  # fmt: skip
CAMVID11 = LabelSpace(
    "camvid11", CAMVID_NAMES, tuple(CLASSES[TRAIN_ID[name]].color for name in CAMVID_NAMES),
    frozenset(i for i, name in enumerate(CAMVID_NAMES) if TRAIN_ID[name] in _THINGS),
    dict(enumerate(CAMVID_NAMES)),
)  # fmt: skip
SPACES = {space.name: space for space in (
    CITYSCAPES19, CITYSCAPES35, COCO183, VOC21, CAMVID11)}  # fmt: skip
