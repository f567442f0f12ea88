# SPDX-License-Identifier: Apache-2.0
"""Label map files: the values that a data set writes, and the trainIds that they stand for."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from semcom_ros.errors import SemcomError
from semcom_ros.labels import NAMES, VOID, to_train_ids


class Values(NamedTuple):
    """The values that label maps of one kind hold: 0 to `last`, and 255 too where `void`."""

    what: str
    last: int
    void: bool = True

    def hold(self, pixels: np.ndarray) -> np.ndarray:
        """Of each of `pixels` whether it is one of these, bool of the same shape."""
        return (pixels <= self.last) | (self.void & (pixels == VOID))

    def __str__(self) -> str:
        return f"{self.what} (0 to {self.last}{' and 255' * self.void})"


class LabelMaps:
    """Reads label maps of `values`, of which `names` are Cityscapes classes and the rest void.

    alike: values that such files hold by mistake, which an error then names.
    """

    def __init__(self, values: Values, names: Mapping[int, str], *alike: Values) -> None:
        self._values, self._alike = values, alike
        self._train_ids = to_train_ids(names)
        self._possible = values.hold(np.arange(256))

    def read(self, path: Path, size: tuple[int, int]) -> np.ndarray:
        """The trainIds uint8 [H, W] of a file of `size` (H, W).

        Raises SemcomError where it is no such map, and for a value that no such map holds.
        """
        pixels = read_map(path, size)
        if not self._possible[pixels].all():
            found = np.unique(pixels)
            alike = next((str(v) for v in self._alike if v.hold(found).all()), "none known here")
            odd = ", ".join(str(value) for value in found[~self._possible[found]][:5])
            raise SemcomError(
                f"The label map '{path}' holds {odd}, none of {self._values}: "
                f"it looks like {alike}. Convert it, or give it the name of what it is."
            )
        return self._train_ids[pixels]


def read_map(path: Path, size: tuple[int, int]) -> np.ndarray:
    """A label map file of `size` (H, W) as uint8 [H, W]: the indices, also where it has a palette.

    Raises SemcomError where it is no such map.
    """
    # OpenCV would give a palette's colours, not the indices.
    from PIL import Image

    try:
        with Image.open(path) as image:
            if image.mode in ("L", "P") and (image.height, image.width) == size:
                return np.asarray(image)
            colours = image.mode in ("RGB", "RGBA")
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise SemcomError(f"The map '{path}' cannot be read: {error}.") from error
    if colours:
        raise SemcomError(f"'{path}' shows classes as colours: convert it to one index a pixel.")
    raise SemcomError(
        f"'{path}' is no 8-bit map of one channel in the size of its image, {size[1]}x{size[0]}."
    )


_TRAIN_IDS = Values("Cityscapes' trainIds", 18)
_LABEL_IDS = Values("Cityscapes' labelIds", 33, False)
_CAMVID_32 = Values("the ids of CamVid's 32 classes", 31, False)
_OF_ID = (7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33)
TRAIN_IDS = LabelMaps(_TRAIN_IDS, dict(enumerate(NAMES)), _LABEL_IDS)
LABEL_IDS = LabelMaps(_LABEL_IDS, dict(zip(_OF_ID, NAMES, strict=True)), _TRAIN_IDS)
CAMVID_NAMES = (
    "sky", "building", "pole", "road", "sidewalk", "vegetation", "traffic sign", "fence", "car",
    "person", "rider",
)  # fmt: skip
"""Cityscapes names of CamVid's classes 0 to 10; 11 is unlabelled."""
CAMVID = LabelMaps(
    Values("CamVid's 11 classes and void", 11), dict(enumerate(CAMVID_NAMES)),
    _CAMVID_32, _TRAIN_IDS, _LABEL_IDS,
)  # fmt: skip
COCO_CLASSES = {
    1: "person", 2: "bicycle", 3: "car", 4: "motorcycle", 6: "bus", 7: "train", 8: "truck",
    10: "traffic light",
    13: "traffic sign",  # stop sign
    96: "building",  # building-other
    97: "vegetation",  # bush
    106: "sky",  # clouds
    113: "fence",
    124: "terrain",  # grass
    128: "building",  # house
    140: "sidewalk",  # pavement
    149: "road",
    151: "building",  # roof
    157: "sky",  # sky-other
    158: "building",  # skyscraper
    169: "vegetation",  # tree
}  # fmt: skip
"""Ids of COCO-Stuff's published list, which counts from 1; a map's pixel holds the id less one."""
COCO = LabelMaps(
    Values("COCO-Stuff's classes", 181), {i - 1: name for i, name in COCO_CLASSES.items()}
)
VOC = LabelMaps(
    Values("VOC's classes", 20),
    {2: "bicycle", 6: "bus", 7: "car", 14: "motorcycle", 15: "person", 19: "train"},
)
