# SPDX-License-Identifier: Apache-2.0
"""What is measured of one frame: numbers, confusion counts, boxes or features, by library."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import cv2
import numpy as np

from semcom_ros.evaluation.metrics import ConfusionMatrix
from semcom_ros.evaluation.study.backbones import to_batch, torch_beside_torchvision
from semcom_ros.evaluation.study.view import View
from semcom_ros.labels import TRAIN_ID

if TYPE_CHECKING:
    from semcom_ros.perception.detection import Detection

FAR_M = 80.0
"""Depth beyond this is not scored, as on KITTI (Eigen, Puhrsch, Fergus, 2014)."""
STILL = 8.0
"""Grey levels by which a pixel of the original may change along its motion to be followed."""
LEAST_FOLLOWED = 0.1
"""Share of the pixels that must be followed for a pair of frames to count."""
SURE = 0.3
"""Least score of a detection in the original that stands for the truth where none is known."""


LEAST_VISIBLE, LEAST_HIGH = 0.25, 10.0


class Boxed(NamedTuple):
    """One object: class name, score, and left, top, width and height in pixels."""

    name: str
    score: float
    box: tuple[float, float, float, float]


def n_bytes(view: View) -> float | None:
    return view.outcome.bytes


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
    torch_beside_torchvision()
    from torchmetrics.functional.image import peak_signal_noise_ratio

    pair = to_batch(view.image), to_batch(view.frame.image)
    return float(peak_signal_noise_ratio(*pair, data_range=255.0))


def ms_ssim(view: View) -> float:
    torch_beside_torchvision()
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
    return tuple(view.readers.mean_features(image) for image in (view.frame.image, view.image))


def segmenter_distance(view: View) -> float:
    """Mean over three levels of |u(original) - u(image)|^2 a pixel, u of unit length: 0 to 4."""
    import torch.nn.functional as F

    pyramids = [view.readers.pyramid(image) for image in (view.frame.image, view.image)]
    distances = [
        float((F.normalize(a) - F.normalize(b)).square().sum(1).mean())
        for a, b in zip(*pyramids, strict=True)
    ]
    return sum(distances) / len(distances)


def sent_vs_truth(view: View) -> np.ndarray | None:
    return _counts(view.frame.labels, view.outcome.sent_labels)


def received_vs_sent(view: View) -> np.ndarray | None:
    return _counts(view.outcome.sent_labels, view.outcome.reconstruction.labels)


def regenerated_vs_truth(view: View) -> np.ndarray | None:
    if view.frame.labels is None:
        return None
    return _counts(view.frame.labels, view.readers.judged(view.image))


def regenerated_vs_sent(view: View) -> np.ndarray | None:
    if view.outcome.sent_labels is None:
        return None
    return _counts(view.outcome.sent_labels, view.readers.judged(view.image))


def _counts(truth: np.ndarray | None, estimate: np.ndarray | None) -> np.ndarray | None:
    """Confusion counts of one frame, or None where one of the maps does not exist."""
    if truth is None or estimate is None:
        return None
    confusion = ConfusionMatrix()
    confusion.add(truth, estimate)
    return confusion.counts


def boxes(view: View) -> tuple[list[Boxed], list[Boxed]]:
    """Detections in the image shown, and the true objects or else the sure ones in the original.

    True objects count as the detector could see them: of its classes, `LEAST_VISIBLE` of them in
    sight and `LEAST_HIGH` pixels high.
    """
    detected = view.readers.detected
    found = [_boxed(d) for d in detected(view.image)]
    if view.frame.objects is None:
        return found, [_boxed(d) for d in detected(view.frame.image) if d.score >= SURE]
    return found, [
        Boxed(o.name, 1.0, o.box)
        for o in view.frame.objects
        if o.name in view.readers.detector.names
        and o.visible >= LEAST_VISIBLE
        and o.box[3] >= LEAST_HIGH
    ]


def _boxed(detection: Detection) -> Boxed:
    d = detection
    return Boxed(d.name, d.score, (d.left, d.top, d.width, d.height))


def coco(which: str) -> Callable[[list[tuple[list[Boxed], list[Boxed]]]], float | None]:
    """Value `which` of torchmetrics' mean average precision; None where there is no object."""

    def score(items: list[tuple[list[Boxed], list[Boxed]]]) -> float | None:
        torch = torch_beside_torchvision()
        from torchmetrics.detection import MeanAveragePrecision

        def tensors(boxed: list[Boxed]) -> dict[str, Any]:
            return {
                "boxes": torch.tensor([b.box for b in boxed], dtype=torch.float32).reshape(-1, 4),
                "labels": torch.tensor([TRAIN_ID[b.name] for b in boxed], dtype=torch.int64),
                "scores": torch.tensor([b.score for b in boxed], dtype=torch.float32),
            }

        metric = MeanAveragePrecision(box_format="xywh", backend="pycocotools")
        for found, objects in items:
            metric.update([tensors(found)], [tensors(objects)])
        value = float(metric.compute()[which])
        return value if value >= 0 else None

    return score


def depth_rmse(view: View) -> float | None:
    pair = _depths(view)
    return None if pair is None else float(np.sqrt(np.mean(np.square(pair[0] - pair[1]))))


def depth_absrel(view: View) -> float | None:
    pair = _depths(view)
    return None if pair is None else float(np.mean(np.abs(pair[0] - pair[1]) / pair[0]))


def _depths(view: View) -> tuple[np.ndarray, np.ndarray] | None:
    """True depth, or else the original's as estimated, and that of the image: m [n] each."""
    camera = view.frame.camera
    focal = camera.fx if camera is not None and camera.calibrated else None

    def estimate(image: np.ndarray) -> np.ndarray:
        return view.readers.once("depth", image, lambda: view.readers.depth(image, focal))

    truth = view.frame.depth
    if truth is None:
        truth = estimate(view.frame.image)
    found = estimate(view.image)
    scored = (truth > 0) & (truth <= FAR_M) & np.isfinite(found)
    return (truth[scored], found[scored]) if scored.any() else None


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
