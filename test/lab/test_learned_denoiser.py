# SPDX-License-Identifier: Apache-2.0
"""The learned denoiser of maps: what it gains, what it refuses, what it was trained on."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from semcom_ros.codecs.gesco.fast_denoising import denoise
from semcom_ros.datasets.streams import Scenes
from semcom_ros.errors import SemcomError
from semcom_ros.lab.evaluation.evaluate_denoising import fill_void
from semcom_ros.lab.evaluation.timing import operations
from semcom_ros.lab.learned_denoiser import LearnedDenoiser
from semcom_ros.lab.map_noise import gaussian
from semcom_ros.lab.metrics.confusion import ConfusionMatrix
from semcom_ros.lab.sunet import MapSunet
from semcom_ros.lab.training.data import CAMVID_CLASSES, Batches
from semcom_ros.lab.training.gesco.denoiser import CROP, noisy_window
from semcom_ros.labels import LABEL_SPACE, NAMES, VOID, fold
from semcom_ros.weights import save, tensors_of


@cache
def learned() -> LearnedDenoiser:
    return LearnedDenoiser.from_pretrained()


@cache
def street() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels of the middle of a procedural frame, the classes present, its one-hot planes."""
    labels = fold(Scenes("3")[400].labels[:, 128:384])
    present = np.unique(labels)
    return labels, present, (labels == present[:, None, None]).astype(np.float32)


def received(psnr_db: float) -> np.ndarray:
    return gaussian(street()[2], psnr_db, np.random.default_rng(0))


def iou(planes: np.ndarray) -> float:
    labels, _, _ = street()
    confusion = ConfusionMatrix()
    confusion.add(labels, planes.argmax(0).astype(np.uint8))
    return confusion.miou()


@pytest.mark.parametrize("psnr_db", [10, 5, 1])
def test_it_beats_the_published_fast_denoising(psnr_db: float) -> None:
    planes, present = received(psnr_db), street()[1]
    assert iou(learned()(planes, present)) > iou(denoise(planes, present, fds="paper"))


@pytest.mark.parametrize("psnr_db", [100, 30])
def test_a_clean_map_hardly_changes(psnr_db: float) -> None:
    assert iou(learned()(received(psnr_db), street()[1])) > 0.98


def test_it_gives_chances_by_class_and_absent_classes_none() -> None:
    chances = learned()(received(5)[[1, 0, 2]], street()[1][[1, 0, 2]])
    assert chances.shape == (19, 256, 256) and chances.dtype == np.float32
    assert chances.sum(0) == pytest.approx(1, abs=1e-4)
    assert set(np.flatnonzero(chances.any((1, 2)))) <= set(street()[1][:3].tolist())


def test_the_order_of_the_planes_makes_no_difference() -> None:
    planes, present = received(5), street()[1]
    np.testing.assert_array_equal(
        learned()(planes[::-1], present[::-1]), learned()(planes, present)
    )


@pytest.mark.parametrize("value", [0.0, np.nan, np.inf, -np.inf, 1e30])
def test_something_comes_out_of_planes_that_say_nothing(value: float) -> None:
    chances = learned()(np.full((4, 32, 48), value, np.float32), [0, 1, 2, 7])
    assert chances.sum(0) == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize(
    ("shape", "present", "reason"),
    [
        ((2, 8, 8), [1], "set of classes"),
        ((8, 8), [0] * 8, "set of classes"),
        ((2, 8, 8), [1, 1], "set of classes"),
        ((1, 8, 8), [18], "not trained on bicycle"),
        ((1, 8, 12), [1], "multiples of 8, not 8x12"),
    ],
)
def test_what_it_cannot_denoise_is_refused_with_a_sentence(
    shape: tuple[int, ...], present: list[int], reason: str
) -> None:
    with pytest.raises(SemcomError, match=reason):
        learned()(np.zeros(shape, np.float32), present)


def test_it_is_small() -> None:
    assert learned().parameters < 150_000


def test_training_maps_are_the_same_for_one_seed_and_carry_their_truth() -> None:
    sets = [(street()[0][None], 1.0)]
    planes, present, places = Batches(sets, 2, 1, noisy_window)[0]
    again, _, _ = Batches(sets, 2, 1, noisy_window)[0]
    np.testing.assert_array_equal(planes, again)
    assert planes.shape == (2, len(CAMVID_CLASSES), *CROP)
    assert not planes[~present].any()
    # Noise has mean 0, so that on average the plane of the truth is 1.
    assert planes.gather(1, places.long()[:, None]).mean() == pytest.approx(1, abs=0.02)


def test_void_is_sent_as_the_class_beside_it() -> None:
    labels = np.array([[3, VOID, VOID, VOID, 5], [3, 3, VOID, 5, 5]], np.uint8)
    filled = fill_void(labels)
    assert filled[:, [0, 1, 3, 4]].tolist() == [[3, 3, 5, 5], [3, 3, 5, 5]]
    assert VOID not in filled


def test_operations_are_counted_as_additions_and_multiplications() -> None:
    import torch

    convolution = torch.nn.Conv2d(4, 6, 3, padding=1, bias=False)
    assert operations(lambda: convolution(torch.zeros(1, 4, 8, 16))) == 2 * 4 * 6 * 9 * 8 * 16


def test_the_swin_u_net_is_found_by_its_card_and_trained_by_the_same_recipe(tmp_path) -> None:
    path, names = tmp_path / "sunet.safetensors", [NAMES[c] for c in CAMVID_CLASSES]
    torch.manual_seed(0)
    network = MapSunet(len(CAMVID_CLASSES))
    card = {"label_space": LABEL_SPACE, "classes": names, "network": "sunet"}
    save(path, tensors_of(network), card)
    planes, present = received(100)[:, :64, :64], street()[1]
    before = LearnedDenoiser.from_pretrained(path)
    assert before(planes, present).shape == (len(NAMES), 64, 64)
    with pytest.raises(SemcomError, match="multiples of 32"):
        before(planes[:, :48], present)

    window = noisy_window(street()[0], np.random.default_rng(0))
    batch = [torch.from_numpy(np.asarray(part))[None] for part in window]

    def loss() -> torch.Tensor:
        return F.cross_entropy(network(batch[0], batch[1]), batch[2].long())

    first = loss()
    first.backward()
    torch.optim.AdamW(network.parameters(), 1e-3).step()
    assert loss() < first
