# SPDX-License-Identifier: Apache-2.0
"""Fast denoising of noisy one-hot maps: what it gains, what it costs, what it survives."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from semcom_ros.codecs.gesco.fast_denoising import denoise, estimate_variances
from semcom_ros.datasets.streams import Scenes
from semcom_ros.errors import SemcomError
from semcom_ros.lab.map_noise import MAP_NOISES, gaussian
from semcom_ros.lab.metrics.confusion import ConfusionMatrix

FRAMES = (0, 400)


@cache
def street(index: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels of the middle of a procedural frame, the classes present, its one-hot planes."""
    labels = Scenes("3")[index].labels[:, 128:384]
    present = np.unique(labels)
    return labels, present, (labels == present[:, None, None]).astype(np.float32)


def received(index: int, noise: str, psnr_db: float) -> np.ndarray:
    return MAP_NOISES[noise](street(index)[2], psnr_db, np.random.default_rng(index))


def iou(index: int, planes: np.ndarray) -> float:
    labels, present, _ = street(index)
    confusion = ConfusionMatrix()
    confusion.add(labels, present[planes.argmax(0)])
    return confusion.miou()


def score(noise: str, psnr_db: float, fds: str) -> float:
    """Mean over FRAMES; `fds` "none" is the strongest plane as it was received."""
    scores = []
    for index in FRAMES:
        planes = received(index, noise, psnr_db)
        if fds != "none":
            planes = denoise(planes, range(len(planes)), len(planes), fds)
        scores.append(iou(index, planes))
    return float(np.mean(scores))


@pytest.mark.parametrize("noise", MAP_NOISES)
@pytest.mark.parametrize("psnr_db", [100, 30, 20, 15, 10, 5, 1])
def test_auto_beats_the_paper_and_no_denoising_at_every_level(noise: str, psnr_db: int) -> None:
    auto = score(noise, psnr_db, "auto")
    assert auto > score(noise, psnr_db, "paper")
    assert auto >= score(noise, psnr_db, "none") - 0.005


def test_a_clean_map_stays_as_it_is() -> None:
    _, present, planes = street(0)
    denoised = denoise(planes, range(len(present)), len(present))
    assert (denoised.argmax(0) == planes.argmax(0)).all()
    assert np.abs(denoised - planes).max() < 1e-4


def test_paper_is_average_then_maximum_of_3x3() -> None:
    plane = np.zeros((1, 4, 5), np.float32)
    plane[0, 1, 1] = 9
    plane[0, 0, 4] = 18
    pooled = denoise(plane, [2], 3, "paper")
    by_hand = [[1, 1, 2, 2, 2], [1, 1, 2, 2, 2], [1, 1, 2, 2, 2], [1, 1, 1, 1, 0]]
    assert pooled[2] == pytest.approx(np.array(by_hand))
    assert not pooled[:2].any()


@pytest.mark.parametrize("psnr_db", [100, 10, 1])
def test_auto_gives_chances_and_absent_classes_none(psnr_db: float) -> None:
    planes = received(0, "gaussian", psnr_db)[:4]
    denoised = denoise(planes, [1, 8, 0, 5], 19)
    assert denoised.shape == (19, *planes.shape[1:]) and denoised.dtype == np.float32
    assert denoised.sum(0) == pytest.approx(1, abs=1e-5)
    assert denoised.min() >= 0
    assert set(np.flatnonzero(denoised.any((1, 2)))) <= {0, 1, 5, 8}


@pytest.mark.parametrize(
    ("noise", "of_zeros"), [("gaussian", 1.0), ("poisson", 0.0), ("poisson_gaussian", 0.5)]
)
@pytest.mark.parametrize("psnr_db", [20, 10, 1])
def test_the_noise_of_zeros_and_ones_is_read_off_the_planes(
    noise: str, of_zeros: float, psnr_db: float
) -> None:
    variance = 10 ** (-psnr_db / 10)
    zeros, ones = estimate_variances(received(0, noise, psnr_db))
    assert zeros == pytest.approx(of_zeros * variance, rel=0.03, abs=1e-6)
    assert ones == pytest.approx(variance, rel=0.1)


def test_a_given_noise_variance_is_used_at_every_value() -> None:
    planes = received(0, "gaussian", 10)
    variance = np.full(planes.shape[1:], 0.1, np.float32)
    variance[:, 200:240] = np.inf
    planes[:, :, 200:240] = 50 * np.random.default_rng(5).standard_normal(
        planes[:, :, 200:240].shape
    )
    told = denoise(planes, range(len(planes)), len(planes), noise_variance=variance)
    untold = denoise(planes, range(len(planes)), len(planes))
    assert iou(0, told) > iou(0, untold) + 0.1


def test_a_lost_stripe_is_filled_from_around() -> None:
    planes = street(0)[2].copy()
    planes[:, 100:103] = 0
    planes[:, :, 50] = np.nan
    assert iou(0, denoise(planes, range(len(planes)), len(planes))) > 0.95


@pytest.mark.parametrize("value", [0.0, np.nan, np.inf, -np.inf, 1e30])
def test_planes_that_say_nothing_leave_all_present_classes_equally_likely(value: float) -> None:
    planes = np.full((4, 32, 48), value, np.float32)
    assert denoise(planes, [0, 1, 2, 7], 8)[[0, 1, 2, 7]] == pytest.approx(0.25)
    assert np.isfinite(denoise(planes, [0, 1, 2, 7], 8, "paper")).all()


@pytest.mark.parametrize("fds", ["auto", "paper"])
def test_noise_a_hundred_times_the_map_still_leaves_a_map(fds: str) -> None:
    planes = received(0, "gaussian", -20)
    assert np.isfinite(denoise(planes, range(len(planes)), 19, fds)).all()


def test_a_class_whose_plane_was_not_sent_is_filled_from_around() -> None:
    labels, present, _ = street(0)
    planes = received(0, "gaussian", 10)
    missing = int(np.argmin([np.sum(labels == c) for c in present]))
    others = [i for i in range(len(present)) if i != missing]
    denoised = denoise(planes[others], others, len(present))
    assert not denoised[missing].any()
    assert denoised.sum(0) == pytest.approx(1, abs=1e-5)


def test_a_class_said_to_be_present_that_is_not_hardly_appears() -> None:
    empty = np.zeros((1, 256, 256), np.float32)
    planes = gaussian(np.concatenate([street(0)[2], empty]), 5, np.random.default_rng(2))
    assert denoise(planes, range(len(planes)), len(planes))[-1].mean() < 0.005


def test_a_single_class_is_everywhere() -> None:
    planes = gaussian(np.ones((1, 32, 48), np.float32), 1, np.random.default_rng(1))
    assert denoise(planes, [3], 5)[3] == pytest.approx(1)


@pytest.mark.parametrize(
    ("shape", "present"),
    [((2, 8, 8), [1]), ((0, 8, 8), []), ((8, 8), [0] * 8), ((2, 8, 8), [1, 1]), ((1, 8, 8), [19])],
)
def test_classes_that_do_not_fit_the_planes_are_refused(
    shape: tuple[int, ...], present: list[int]
) -> None:
    with pytest.raises(SemcomError, match="set of classes"):
        denoise(np.zeros(shape, np.float32), present)


@pytest.mark.parametrize("variance", [-0.1, np.nan])
def test_a_noise_variance_that_is_none_is_refused(variance: float) -> None:
    with pytest.raises(SemcomError, match="negative or NaN"):
        denoise(np.zeros((1, 8, 8), np.float32), [0], noise_variance=variance)


def test_denoising_is_deterministic_and_leaves_its_input() -> None:
    planes = received(0, "poisson_gaussian", 5)
    before = planes.copy()
    once = denoise(planes, range(len(planes)), 19)
    assert (once == denoise(planes, range(len(planes)), 19)).all()
    assert (planes == before).all()


@pytest.mark.parametrize("fds", ["auto", "paper"])
def test_planes_that_lie_behind_each_other_in_memory_are_denoised_alike(fds: str) -> None:
    planes, present = received(0, "gaussian", 5.0), street(0)[1]
    interleaved = np.moveaxis(np.ascontiguousarray(np.moveaxis(planes, 0, 2)), 2, 0)
    np.testing.assert_array_equal(
        denoise(interleaved, present, fds=fds), denoise(planes, present, fds=fds)
    )
