# SPDX-License-Identifier: Apache-2.0
"""Label map files: the values that a data set writes, and the classes that they stand for."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from semcom_ros.errors import SemcomError
from semcom_ros.label_spaces import CITYSCAPES19, SPACES, LabelSpace
from semcom_ros.labels import VOID


class LabelMaps(NamedTuple):
    """One kind of label map: its values are 0 to `last`, and 255 where `void`.

    space: whose classes the values are; the rest are void. alike: kinds it is mistaken for.
    """

    what: str
    last: int
    space: LabelSpace = CITYSCAPES19
    alike: tuple[LabelMaps, ...] = ()
    void: bool = True

    def __str__(self) -> str:
        return f"{self.what} (0 to {self.last}{' and 255' * self.void})"

    def odd(self, values: Iterable[int]) -> list[int]:
        """Those of `values` that no map of this kind holds."""
        return [v for v in values if v > self.last and not (self.void and v == VOID)]

    def read(
        self, path: Path, size: tuple[int, int], space: LabelSpace = CITYSCAPES19
    ) -> np.ndarray:
        """The classes uint8 [H, W] of a file of `size` (H, W): trainIds, or those of `space`, which
        is the file's own then.

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
        if space is not self.space:
            return self.space.train_ids[pixels]
        return np.where(pixels < len(space.names), pixels, np.uint8(space.void))


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


_IDS = LabelMaps("Cityscapes' labelIds", 33, SPACES["cityscapes35"], void=False)
_CAMVID_32 = LabelMaps("the ids of CamVid's 32 classes", 31, void=False)
TRAIN_IDS = LabelMaps("Cityscapes' trainIds", 18, CITYSCAPES19, (_IDS,))
LABEL_IDS = _IDS._replace(alike=(TRAIN_IDS,))
CAMVID = LabelMaps("CamVid's 11 classes", 11, SPACES["camvid11"], (_CAMVID_32, TRAIN_IDS, _IDS))
COCO = LabelMaps("COCO-Stuff's classes", 181, SPACES["coco183"])
VOC = LabelMaps("VOC's classes", 20, SPACES["voc21"])
