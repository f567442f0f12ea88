# SPDX-License-Identifier: Apache-2.0
"""The true boxes of a frame: its exact objects, or the components of its labels."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from semcom_ros.datasets import open_source
from semcom_ros.errors import SemcomError
from semcom_ros.frame import Frame, fit
from semcom_ros.perception.detection import Detection, find_regions, folded

MIN_SIDES = (4, 8)
"""Least shorter and longer side in pixels of an object that a detector shall find."""
MIN_VISIBLE = 0.3
"""Least visible part of one."""
MIN_REGION = 12
"""Least pixels of a region of labels that is one."""


@dataclass(frozen=True)
class Boxes:
    """The objects of a frame.

    edges: float32 [N, 4] left, top, right, bottom in pixels. classes: int64 [N], places in the
    detector's names. ignored: bool [N], objects that it may find or miss.
    """

    edges: np.ndarray
    classes: np.ndarray
    ignored: np.ndarray

    def moved(self, scale: float, dx: float, dy: float, flip: bool, size: tuple[int, int]) -> Boxes:
        """Scaled, shifted by -dx and -dy, cut at the frame of `size` (H, W), mirrored on `flip`.

        Objects that leave it are gone; of which less than 40 % stay, they are ignored.
        """
        moved = self.edges * scale - np.array([dx, dy, dx, dy])
        if flip:
            # The frame is mirrored before its window is taken.
            moved[:, [0, 2]] = size[1] * scale - 2 * dx - moved[:, [2, 0]]
        cut = moved.clip(0, [size[1], size[0]] * 2).astype(np.float32)
        rest = (cut[:, 2:] - cut[:, :2]).prod(1) / (moved[:, 2:] - moved[:, :2]).prod(1)
        inside = rest > 0
        ignored = self.ignored | (rest < 0.4)
        return Boxes(cut[inside], self.classes[inside], ignored[inside])


def frames_with_truth(
    data: str, split: str, indices: Iterable[int], exact: bool = True
) -> list[Frame]:
    """Frames `indices` of `data` that it has, fitted; exact: those of `scenes:SEED` with all that
    is known of them, or, which is quicker, with labels alone.

    Raises SemcomError if one of them has no labels.
    """
    source = open_source(data, split, truth=exact)
    frames = [fit(source[i]) for i in indices if i < len(source)]
    if any(frame.labels is None for frame in frames):
        raise SemcomError(
            f"{data} has frames without labels: give scenes:SEED, camvid:DIR or another "
            "labelled set."
        )
    return frames


def boxes_of(frame: Frame, names: Sequence[str]) -> Boxes:
    """The objects of `frame`, which has labels, of the classes `names`.

    Where the frame knows no objects they are the regions of its labels; things that touch are one
    then. Those too small or too hidden to be asked for (`MIN_SIDES`, `MIN_VISIBLE`) are ignored.
    """
    if frame.objects is not None:
        things = [(o.name, o.box, o.visible) for o in frame.objects]
    else:
        regions = find_regions(frame.labels, min_area=MIN_REGION)
        things = [(region.name, region.box, 1.0) for region in regions]
    things = [t for t in things if t[0] in names]
    classes = np.array([names.index(name) for name, _, _ in things], np.int64)
    boxes = np.array([box for _, box, _ in things], np.float32).reshape(-1, 4)
    hidden = np.array([visible < MIN_VISIBLE for _, _, visible in things], bool)
    small = (np.sort(boxes[:, 2:], 1) < MIN_SIDES).any(1)
    boxes[:, 2:] += boxes[:, :2]
    return Boxes(boxes, classes, hidden | small)


def comparable(
    frame: Frame, detections: list[Detection], names: Sequence[str]
) -> tuple[Boxes, list[Detection]]:
    """The objects of `frame` (`boxes_of`), and `detections` in the classes that they are known in.

    These are CamVid's where the frame knows labels alone.
    """
    found = folded(detections) if frame.objects is None else detections
    return boxes_of(frame, names), found
