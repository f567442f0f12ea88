# SPDX-License-Identifier: Apache-2.0
"""What is measured of one frame: numbers, confusion counts, boxes or features, by library."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import cv2
import numpy as np

from semcom_ros.frame import Frame
from semcom_ros.lab.evaluation.study.data import Data
from semcom_ros.lab.evaluation.study.outcome import Outcome
from semcom_ros.lab.evaluation.study.published import to_batch
from semcom_ros.lab.evaluation.study.readers import Readers
from semcom_ros.lab.ground_truth import Boxes, comparable
from semcom_ros.lab.metrics.confusion import ConfusionMatrix
from semcom_ros.lab.metrics.overlap import found_again
from semcom_ros.lab.metrics.pedestrians import Pedestrian, in_map, look_for_pedestrians, sure
from semcom_ros.lab.metrics.perception_scores import FARTHEST, DetectionScores
from semcom_ros.lab.papers import sqgan_rates
from semcom_ros.labels import VOID, fold
from semcom_ros.runtime import declare_operators

STILL = 8.0
"""Grey levels by which a pixel of the original may change along its motion to be followed."""
LEAST_FOLLOWED = 0.1
"""Share of the pixels that must be followed for a pair of frames to count."""


@dataclass(frozen=True)
class View:
    """Frame `index` of `data` and its `outcome`; shown_before: the image at the RSU before it."""

    data: Data
    index: int
    outcome: Outcome
    shown_before: np.ndarray | None
    readers: Readers

    @property
    def frame(self) -> Frame:
        """The camera's frame, with the truth where it is known."""
        return self.data.frames[self.index]

    @property
    def image(self) -> np.ndarray:
        """What the RSU shows, uint8 [H, W, 3] RGB."""
        return self.outcome.reconstruction.image

    def both(self, what: str, find: Callable[[np.ndarray], Any]) -> list[Any]:
        """What `find` finds in the original, once for all cells, and in the image shown."""
        original = self.data.once(what, self.index, call=lambda: find(self.frame.image))
        return [original, find(self.image)]

    def depth_in(self, image: np.ndarray) -> np.ndarray:
        """The depth estimated in `image`, float32 [H, W] m, NaN in the sky."""
        return self.readers.seen(image, self.frame.camera).depth


Measure = Callable[[View], Any]
"""A frame's number or whatever its pool takes, or None where nothing applies."""


def published_bpp(positions: bool) -> Measure:
    """By SQ-GAN's paper."""
    return lambda view: (
        view.outcome.kept and sqgan_rates.published_bpp(view.outcome.kept, positions)
    )


def ms_ssim(view: View) -> float:
    declare_operators()
    from torchmetrics.functional.image import multiscale_structural_similarity_index_measure

    pair = (to_batch(image, view.readers.device) for image in (view.image, view.frame.image))
    return float(multiscale_structural_similarity_index_measure(*pair, data_range=255.0))


def segmenter_distance(view: View) -> float:
    """Mean over three levels of |u(original) - u(image)|^2 a pixel, u of unit length: 0 to 4."""
    import torch.nn.functional as F

    original, shown = view.both("pyramid", view.readers.pyramid)
    distances = [
        float((F.normalize(a.float()) - F.normalize(b.float())).square().sum(1).mean())
        for a, b in zip(original[:3], shown[:3], strict=True)
    ]
    return sum(distances) / len(distances)


_MAPS: dict[str, Callable[[View], np.ndarray | None]] = {
    "truth": lambda view: view.frame.labels,
    "sent": lambda view: view.outcome.sent_labels,
    "received": lambda view: view.outcome.reconstruction.labels,
    "regenerated": lambda view: view.readers.judged(view.image),
    "panel": lambda view: view.readers.read_by_panel(view.image),
}


@cache
def confusion(pair: str) -> Measure:
    """Counts of two of `_MAPS`, as in `sent_vs_truth`; None where one of the maps does not exist.

    What no network reads, the map received against the one sent, does not need to be folded.
    """
    estimate_of, truth_of = (_MAPS[name] for name in pair.split("_vs_"))

    def count(view: View) -> np.ndarray | None:
        truth = truth_of(view)
        estimate = None if truth is None else estimate_of(view)
        return None if estimate is None else counts(truth, estimate, pair != "received_vs_sent")

    return count


def counts(truth: np.ndarray, estimate: np.ndarray, folded: bool = True) -> np.ndarray:
    """Confusion counts of one frame, int64 [19, 20]."""
    matrix = ConfusionMatrix(folded)
    matrix.add(truth, estimate)
    return matrix.counts


@cache
def kept(classes: tuple[int, ...]) -> Measure:
    """Pixels of `classes` and of all that rest on what was received, and all there are, as
    `pools.over_area` takes them; None where the truth or the support is not known."""

    def count(view: View) -> tuple[int, ...] | None:
        truth, support = view.frame.labels, view.outcome.reconstruction.support
        if truth is None or support is None:
            return None
        known, own = truth != VOID, np.isin(fold(truth), classes)
        sets = (own & support, known & support, own, known)
        return tuple(int(np.count_nonzero(pixels)) for pixels in sets)

    return count


Found = tuple[list[str], Boxes, list]
"""Classes, true boxes and detections of one frame."""


def boxes(view: View) -> Found | None:
    """Detections in the image shown, and the true boxes; None where nothing is known of them."""
    if view.frame.objects is None and view.frame.labels is None:
        return None
    names = view.readers.perception.names
    detections = view.readers.seen(view.image, view.frame.camera).detections
    return names, *comparable(view.frame, detections, names)


def precision(
    which: str, overlaps: Sequence[float] | None = None
) -> Callable[[list[Found]], float | None]:
    """`ap` or `ap50` of `ClassScores`, mean over the classes; None where there is no object.

    overlaps: at which an object is found, by default COCO's.
    """

    def score(items: list[Found]) -> float | None:
        scores = DetectionScores(items[0][0], overlaps)
        for _, truth, found in items:
            scores.add(truth, found)
        means = scores.compute().get("mean")
        return None if means is None else getattr(means, which)

    return score


def missed_in_image(view: View) -> list[Pedestrian] | None:
    """The frame's pedestrians, held against the detections that the RSU would publish."""
    if view.frame.objects is None:
        return None
    detections = view.readers.seen(view.image, view.frame.camera).detections
    return look_for_pedestrians(view.frame, sure(detections))


def missed_in_map(view: View) -> list[Pedestrian] | None:
    """The frame's pedestrians, held against the map received; nobody where a system has no map."""
    if view.frame.objects is None:
        return None
    received = view.outcome.reconstruction.labels
    if received is None:
        return []
    return look_for_pedestrians(view.frame, in_map(received), covering=True)


def inception_pair(view: View) -> list[np.ndarray]:
    """Inception's features of the original and of the image shown, float64 [2048] each."""
    return view.both("inception", view.readers.inception_features)


@cache
def found(name: str) -> Measure:
    """Of each `name` that COCO's detector finds in the original, whether it does in the image."""

    def compare(view: View) -> list[bool]:
        both = view.both("detected", view.readers.detected)
        return found_again(*([d.box for d in seen if d.name == name] for seen in both))

    return compare


def depth_error(
    error: Callable[[np.ndarray, np.ndarray], float], of_original: bool = False
) -> Measure:
    """`error` of the true depths and those found in the image shown, m [n], where any are known.

    of_original: against what is found in the original. Scored is where the truth is known and at
    most `FARTHEST`. What is taken for the sky there, NaN, or for farther away, is as far as that.
    None where a checkpoint can tell no depth, as of an image without a road.
    """

    def compare(view: View) -> float | None:
        if of_original:
            truth, found = view.both("depth", view.depth_in)
        elif view.frame.depth is None:
            return None
        else:
            truth, found = view.frame.depth, view.depth_in(view.image)
        if truth is None or found is None:
            return None
        scored = (truth > 0) & (truth <= FARTHEST)
        near = np.minimum(np.nan_to_num(found[scored], nan=FARTHEST), FARTHEST)
        return float(error(truth[scored], near)) if scored.any() else None

    return compare


def flicker(view: View) -> float | None:
    """What the image changes along the motion of the original, less what the original does.

    The warping error of Lai et al., "Learning blind video temporal consistency", ECCV 2018: mean
    of |I_t - warp(I_t-1)| over pixels and colours. Motion is the dense optical flow of the
    originals (DIS: Kroeger et al., ECCV 2016). Pixels count whose flow can be believed: they stay
    within the frame, keep their true class, and the original changes there by at most `STILL`.
    None for the first frame and where fewer than `LEAST_FOLLOWED` of the pixels can be followed.
    """
    if view.shown_before is None:
        return None
    before, now = view.data.frames[view.index - 1], view.frame
    motion = view.data.flow(view.index)

    def change(now: np.ndarray, before: np.ndarray) -> np.ndarray:
        moved = cv2.remap(before.astype(np.float32), motion, None, cv2.INTER_LINEAR)
        return np.abs(now.astype(np.float32) - moved).mean(2)

    own = change(now.image, before.image)
    height, width = own.shape
    inside = (motion >= 0).all(2) & (motion[..., 0] < width - 1) & (motion[..., 1] < height - 1)
    followed = inside & (own <= STILL)
    if now.labels is not None and before.labels is not None:
        moved = cv2.remap(before.labels, motion, None, cv2.INTER_NEAREST)
        followed &= moved == now.labels
    if followed.mean() < LEAST_FOLLOWED:
        return None
    shown = change(view.image, view.shown_before)
    return float(shown[followed].mean() - own[followed].mean())
