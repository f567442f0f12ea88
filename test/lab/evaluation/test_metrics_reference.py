# SPDX-License-Identifier: Apache-2.0
"""The scores of a study against a second computation: by hand, or written here from the paper."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.ndimage import correlate1d

from semcom_ros.frame import Frame
from semcom_ros.lab.evaluation.study.frame_metrics import View
from semcom_ros.lab.evaluation.study.metrics import METRICS
from semcom_ros.lab.evaluation.study.outcome import Outcome
from semcom_ros.lab.evaluation.study.readers import Readers
from semcom_ros.lab.ground_truth import Boxes
from semcom_ros.lab.metrics.confusion import ConfusionMatrix
from semcom_ros.lab.metrics.perception_scores import DetectionScores
from semcom_ros.perception.detection import Detection
from semcom_ros.reconstruction import Reconstruction

RANDOM = np.random.default_rng(8)
WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)


class OneFrame:
    """A data set of one frame."""

    def __init__(self, frame: Frame) -> None:
        self.frames = [frame]


def seen(original: np.ndarray, shown: np.ndarray) -> View:
    outcome = Outcome(Reconstruction(image=shown))
    return View(OneFrame(Frame(original)), 0, outcome, None, Readers())


def street(height: int = 256, width: int = 512) -> np.ndarray:
    """Blocks of colour with a gradient, uint8 [H, W, 3]."""
    rows, cols = np.indices((height, width))
    blocks = RANDOM.integers(0, 200, (height // 16, width // 16, 3)).repeat(16, 0).repeat(16, 1)
    return (blocks + (rows + cols)[..., None] * 55 / (height + width)).astype(np.uint8)


def measured(name: str, seen: View) -> float | None:
    return METRICS[name].measure(seen)


def test_psnr_of_a_square_of_eight_levels_in_a_black_picture() -> None:
    black = np.zeros((64, 64, 3), np.uint8)
    shown = black.copy()
    shown[:8, :8] = 8
    # A 64th of the values is off by 8: the mean square is 1.
    assert measured("psnr", seen(black, shown)) == pytest.approx(20 * math.log10(255), abs=1e-4)


def ssim_terms(a: np.ndarray, b: np.ndarray) -> tuple[float, float]:
    """Means of SSIM and of its contrast and structure, float64 [H, W]; Wang et al., 2004."""
    x = np.arange(-5, 6)
    window = np.exp(-(x**2) / (2 * 1.5**2))
    window /= window.sum()

    def local(image: np.ndarray) -> np.ndarray:
        # Where the window lies within the picture.
        both = correlate1d(correlate1d(image, window, axis=0), window, axis=1)
        return both[5:-5, 5:-5]

    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    mean_a, mean_b = local(a), local(b)
    var_a, var_b = local(a * a) - mean_a**2, local(b * b) - mean_b**2
    covariance = local(a * b) - mean_a * mean_b
    structure = (2 * covariance + c2) / (var_a + var_b + c2)
    luminance = (2 * mean_a * mean_b + c1) / (mean_a**2 + mean_b**2 + c1)
    return float((luminance * structure).mean()), float(structure.mean())


def reference_ms_ssim(a: np.ndarray, b: np.ndarray) -> float:
    """Eq. 7 of Wang, Simoncelli, Bovik, Asilomar 2003, over means of R, G and B together."""
    scales = []
    channels = [(a[..., i].astype(np.float64), b[..., i].astype(np.float64)) for i in range(3)]
    for _ in WEIGHTS:
        terms = [ssim_terms(*pair) for pair in channels]
        scales.append(np.mean(terms, axis=0))
        channels = [tuple(_halved(image) for image in pair) for pair in channels]
    parts = [scale[1] for scale in scales[:-1]] + [scales[-1][0]]
    return math.prod(part**weight for part, weight in zip(parts, WEIGHTS, strict=True))


def _halved(image: np.ndarray) -> np.ndarray:
    return (image[::2, ::2] + image[1::2, ::2] + image[::2, 1::2] + image[1::2, 1::2]) / 4


@pytest.mark.parametrize("change", ["noise", "blocks", "darker"])
def test_ms_ssim_agrees_with_the_papers_formula(change: str) -> None:
    original = street()
    shown = {
        "noise": lambda x: np.clip(x + RANDOM.normal(0, 20, x.shape), 0, 255),
        "blocks": lambda x: x[::8, ::8].repeat(8, 0).repeat(8, 1),
        "darker": lambda x: x * 0.7,
    }[change](original).astype(np.uint8)
    expected = reference_ms_ssim(original, shown)
    assert measured("ms_ssim", seen(original, shown)) == pytest.approx(expected, abs=1e-4)


def test_miou_agrees_with_sets_of_pixels() -> None:
    truth = RANDOM.choice(np.array([0, 2, 10, 13, 255], np.uint8), (3, 40, 60))
    estimate = np.where(RANDOM.random(truth.shape) < 0.7, truth, 2).astype(np.uint8)
    confusion = ConfusionMatrix()
    for pair in zip(truth, estimate, strict=True):
        confusion.add(*pair)
    known = np.flatnonzero(truth.ravel() != 255)
    ious = []
    for c in (0, 2, 10, 13):
        true, found = (set(known[m.ravel()[known] == c]) for m in (truth, estimate))
        ious.append(len(true & found) / len(true | found))
    assert confusion.miou() == pytest.approx(sum(ious) / 4)


def car(left: float, score: float) -> Detection:
    return Detection("car", score, left, 10.0, 20.0, 20.0)


def test_map_agrees_with_a_curve_drawn_by_hand() -> None:
    cars = [0.0, 100.0, 200.0, 300.0]
    edges = np.array([[x, 10, x + 20, 30] for x in cars], np.float32)
    truth = Boxes(edges, np.zeros(4, np.int64), np.zeros(4, bool))
    # Hit, false alarm, hit, hit, false alarm; the fourth car is missed.
    found = [car(0, 0.9), car(50, 0.8), car(100, 0.7), car(204, 0.6), car(400, 0.5)]
    scores = DetectionScores(["car"])
    scores.add(truth, found)
    # Precision at recalls 1/4, 2/4 and 3/4, each raised to the best one to its right: 1, 3/4, 3/4;
    # COCO reads it at recalls 0, 0.01 to 1, of which 26 are at most 1/4 and 50 more at most 3/4.
    ap50 = (26 * 1 + 50 * 3 / 4) / 101
    result = scores.compute()["car"]
    assert result.ap50 == pytest.approx(ap50, abs=1e-6)
    assert result.recall == pytest.approx(3 / 4)
    # The third hit overlaps by 16 / 24: beyond a threshold of 0.65 it is a false alarm, and then
    # precision at 2/4 is 2/3.
    strict = (26 * 1 + 25 * 2 / 3) / 101
    assert result.ap == pytest.approx((4 * ap50 + 6 * strict) / 10, abs=1e-6)
