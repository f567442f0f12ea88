# SPDX-License-Identifier: Apache-2.0
"""What is measured of one frame: numbers, confusion counts, boxes or features, by library."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import cv2
import numpy as np

from semcom_ros.lab.evaluation.study.backbones import to_batch
from semcom_ros.lab.evaluation.study.view import View
from semcom_ros.lab.ground_truth import Boxes, comparable
from semcom_ros.lab.metrics.confusion import ConfusionMatrix
from semcom_ros.lab.metrics.pedestrians import Pedestrian, in_map, look_for_pedestrians, sure
from semcom_ros.lab.metrics.perception_scores import FARTHEST, DetectionScores
from semcom_ros.runtime import declare_operators

if TYPE_CHECKING:
    from semcom_ros.perception.detection import Detection

STILL = 8.0
"""Grey levels by which a pixel of the original may change along its motion to be followed."""
LEAST_FOLLOWED = 0.1
"""Share of the pixels that must be followed for a pair of frames to count."""


class Found(NamedTuple):
    """What a detector of the classes `names` found in one frame, and what there is to find."""

    names: tuple[str, ...]
    detections: list[Detection]
    truth: Boxes


def n_bytes(view: View) -> float | None:
    return view.outcome.bytes


def container_bytes(view: View) -> float | None:
    return view.outcome.container_bytes


def budget_used(view: View) -> float | None:
    """Percent."""
    outcome = view.outcome
    if outcome.bytes is None or outcome.budget is None:
        return None
    return 100 * outcome.bytes / outcome.budget


def not_sent(view: View) -> float:
    return float(bool(view.outcome.refusal))


def bpp(view: View) -> float | None:
    return view.outcome.bits_per_pixel


def kbps(view: View) -> float | None:
    n = view.outcome.bytes
    return None if n is None else 8 * n * view.data.rate_hz / 1e3


def channel_uses(view: View) -> float | None:
    return view.outcome.channel_uses


def lost(view: View) -> float:
    return float(view.outcome.lost)


def encode_ms(view: View) -> float | None:
    return view.outcome.encode_ms


def decode_ms(view: View) -> float | None:
    return view.outcome.decode_ms


def psnr(view: View) -> float:
    declare_operators()
    from torchmetrics.functional.image import peak_signal_noise_ratio

    pair = to_batch(view.image), to_batch(view.frame.image)
    return float(peak_signal_noise_ratio(*pair, data_range=255.0))


def ms_ssim(view: View) -> float:
    declare_operators()
    from torchmetrics.functional.image import multiscale_structural_similarity_index_measure

    pair = to_batch(view.image), to_batch(view.frame.image)
    return float(multiscale_structural_similarity_index_measure(*pair, data_range=255.0))


def lpips(view: View) -> float:
    return view.backbones.lpips(view.frame.image, view.image)


def inception_pair(view: View) -> tuple[np.ndarray, np.ndarray]:
    features = view.backbones.inception
    return tuple(
        view.readers.once("inception", image, lambda image=image: features(image))
        for image in (view.frame.image, view.image)
    )


def judge_pair(view: View) -> tuple[np.ndarray, np.ndarray]:
    return tuple(_of_both(view, "features", view.readers.mean_features))


def segmenter_distance(view: View) -> float:
    """Mean over three levels of |u(original) - u(image)|^2 a pixel, u of unit length: 0 to 4."""
    import torch.nn.functional as F

    original, shown = _of_both(view, "pyramid", view.readers.pyramid)
    distances = [
        float((F.normalize(a.float()) - F.normalize(b.float())).square().sum(1).mean())
        for a, b in zip(original[:3], shown[:3], strict=True)
    ]
    return sum(distances) / len(distances)


def sent_vs_truth(view: View) -> np.ndarray | None:
    return _counts(view.frame.labels, view.outcome.sent_labels)


def received_vs_sent(view: View) -> np.ndarray | None:
    # No network reads either of them, so that nothing needs to be folded.
    return _counts(
        view.outcome.sent_labels, view.outcome.reconstruction.labels, by_superclass=False
    )


def regenerated_vs_truth(view: View) -> np.ndarray | None:
    if view.frame.labels is None:
        return None
    return _counts(view.frame.labels, view.readers.judged(view.image))


def regenerated_vs_sent(view: View) -> np.ndarray | None:
    if view.outcome.sent_labels is None:
        return None
    return _counts(view.outcome.sent_labels, view.readers.judged(view.image))


def _counts(
    truth: np.ndarray | None, estimate: np.ndarray | None, by_superclass: bool = True
) -> np.ndarray | None:
    """Confusion counts of one frame, or None where one of the maps does not exist."""
    if truth is None or estimate is None:
        return None
    confusion = ConfusionMatrix(by_superclass)
    confusion.add(truth, estimate)
    return confusion.counts


def boxes(view: View) -> Found | None:
    """Detections in the image shown, and the true boxes; None where nothing is known of them."""
    if view.frame.objects is None and view.frame.labels is None:
        return None
    names = view.readers.perception.names
    detections = view.readers.seen(view.image, view.frame.camera).detections
    truth, found = comparable(view.frame, detections, names)
    return Found(tuple(names), found, truth)


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


def precision(which: str) -> Callable[[list[Found]], float | None]:
    """`ap` or `ap50` of `ClassScores`, mean over the classes; None where there is no object."""

    def score(items: list[Found]) -> float | None:
        declare_operators()
        scores = DetectionScores(items[0].names)
        for found in items:
            scores.add(found.truth, found.detections)
        means = scores.compute().get("mean")
        return None if means is None else getattr(means, which)

    return score


def depth_rmse(view: View) -> float | None:
    truth = view.frame.depth
    return None if truth is None else _rmse(truth, _depth_in(view, view.image))


def depth_absrel(view: View) -> float | None:
    truth = view.frame.depth
    return None if truth is None else _absrel(truth, _depth_in(view, view.image))


def depth_rmse_vs_original(view: View) -> float | None:
    return _rmse(*_of_both(view, "depth", lambda image: _depth_in(view, image)))


def depth_absrel_vs_original(view: View) -> float | None:
    return _absrel(*_of_both(view, "depth", lambda image: _depth_in(view, image)))


def _rmse(truth: np.ndarray, found: np.ndarray) -> float | None:
    d, e = _scored(truth, found)
    return float(np.sqrt(np.mean(np.square(e - d)))) if d.size else None


def _absrel(truth: np.ndarray, found: np.ndarray) -> float | None:
    d, e = _scored(truth, found)
    return float(np.mean(np.abs(e - d) / d)) if d.size else None


def _scored(truth: np.ndarray, found: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both depths in m [n] where the truth is known and at most `FARTHEST`.

    What is taken for the sky there, NaN, or for farther away, is as far as is scored.
    """
    scored = (truth > 0) & (truth <= FARTHEST)
    return truth[scored], np.minimum(np.nan_to_num(found[scored], nan=FARTHEST), FARTHEST)


def _depth_in(view: View, image: np.ndarray) -> np.ndarray:
    """The depth estimated in `image`, float32 [H, W] m, NaN in the sky."""
    return view.readers.seen(image, view.frame.camera).depth


def _of_both(view: View, what: str, find: Callable[[np.ndarray], Any]) -> list[Any]:
    """What `find` finds in the original, once for all cells, and in the image shown."""
    original = view.data.once(what, view.index, call=lambda: find(view.frame.image))
    return [original, find(view.image)]


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
    own = np.abs(now.image.astype(np.float32) - _warp(before.image, motion)).mean(2)
    height, width = own.shape
    inside = (motion >= 0).all(2) & (motion[..., 0] < width - 1) & (motion[..., 1] < height - 1)
    followed = inside & (own <= STILL)
    if now.labels is not None and before.labels is not None:
        moved = cv2.remap(before.labels, motion, None, cv2.INTER_NEAREST)
        followed &= moved == now.labels
    if followed.mean() < LEAST_FOLLOWED:
        return None
    shown = np.abs(view.image.astype(np.float32) - _warp(view.shown_before, motion)).mean(2)
    return float(shown[followed].mean() - own[followed].mean())


def _warp(image: np.ndarray, motion: np.ndarray) -> np.ndarray:
    return cv2.remap(image.astype(np.float32), motion, None, cv2.INTER_LINEAR)
