# SPDX-License-Identifier: Apache-2.0
"""Label map files: the values that a data set writes, and the trainIds that they stand for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from semcom_ros.errors import SemcomError
from semcom_ros.labels import NAMES, TRAIN_ID, VOID


class LabelMaps(NamedTuple):
    """One kind of label map: its values are 0 to `last`, and 255 where `void`.

    names: the Cityscapes classes of values; the rest are void. alike: kinds it is mistaken for.
    """

    what: str
    last: int
    names: Mapping[int, str] = {}
    alike: tuple[LabelMaps, ...] = ()
    void: bool = True

    def __str__(self) -> str:
        return f"{self.what} (0 to {self.last}{' and 255' * self.void})"

    def odd(self, values: Iterable[int]) -> list[int]:
        """Those of `values` that no map of this kind holds."""
        return [v for v in values if v > self.last and not (self.void and v == VOID)]

    def read(self, path: Path, size: tuple[int, int]) -> np.ndarray:
        """The trainIds uint8 [H, W] of a file of `size` (H, W).

        Raises SemcomError where it is no such map, and for a value that no such map holds.
        """
        pixels = read_map(path, size)
        found = np.bincount(pixels.ravel()).nonzero()[0].tolist()
        if odd := self.odd(found):
            alike = next((kind for kind in self.alike if not kind.odd(found)), "none known here")
            raise SemcomError(
                f"The label map '{path}' holds {', '.join(map(str, odd[:5]))}, none of {self}: "
                f"it looks like {alike}. Convert it, or give it the name of what it is."
            )
        train_ids = np.full(256, VOID, np.uint8)
        train_ids[list(self.names)] = [TRAIN_ID[name] for name in self.names.values()]
        return train_ids[pixels]


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
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise SemcomError(f"The map '{path}' cannot be read: {error}.") from error
    raise SemcomError(
        f"'{path}' is no 8-bit map of one channel in the size of its image, {size[1]}x{size[0]}, "
        f"but {image.mode} of {image.width}x{image.height}: give one index a pixel, not colours."
    )


_OF_ID = (7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33)
_IDS = LabelMaps("Cityscapes' labelIds", 33, dict(zip(_OF_ID, NAMES, strict=True)), void=False)
_CAMVID_32 = LabelMaps("the ids of CamVid's 32 classes", 31, void=False)
TRAIN_IDS = LabelMaps("Cityscapes' trainIds", 18, dict(enumerate(NAMES)), (_IDS,))
LABEL_IDS = _IDS._replace(alike=(TRAIN_IDS,))
CAMVID_NAMES = (
    "sky", "building", "pole", "road", "sidewalk", "vegetation", "traffic sign", "fence", "car",
    "person", "rider",
)  # fmt: skip
"""Cityscapes names of CamVid's classes 0 to 10; 11 is unlabelled."""
CAMVID = LabelMaps(
    "CamVid's 11 classes", 11, dict(enumerate(CAMVID_NAMES)), (_CAMVID_32, TRAIN_IDS, _IDS)
)
COCO_CLASSES = {
    1: "person", 2: "bicycle", 3: "car", 4: "motorcycle", 6: "bus", 7: "train", 8: "truck",
    10: "traffic light", 13: "traffic sign",  # stop sign
    96: "building", 128: "building", 151: "building", 158: "building",  # other, house, roof, tower
    97: "vegetation", 169: "vegetation", 124: "terrain", 113: "fence",  # bush, tree; grass
    106: "sky", 157: "sky", 140: "sidewalk", 149: "road",  # clouds, sky-other; pavement
}  # fmt: skip
"""Ids of COCO-Stuff's published list, which counts from 1; a map's pixel holds the id less one."""
COCO = LabelMaps("COCO-Stuff's classes", 181, {i - 1: n for i, n in COCO_CLASSES.items()})
_VOC_CLASSES = {2: "bicycle", 6: "bus", 7: "car", 14: "motorcycle", 15: "person", 19: "train"}
VOC = LabelMaps("VOC's classes", 20, _VOC_CLASSES)
