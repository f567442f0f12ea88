# SPDX-License-Identifier: Apache-2.0
"""What is said of pedestrians by distance and of depth without truth, on cases made by hand."""

from __future__ import annotations

import argparse
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from semcom_ros.errors import SemcomError
from semcom_ros.frame import Camera, Frame
from semcom_ros.lab.evaluation import evaluate_perception
from semcom_ros.lab.evaluation.placement import Placement, PlacementScores
from semcom_ros.lab.evaluation.study.pools import missed
from semcom_ros.lab.metrics.pedestrians import (
    Pedestrian,
    in_map,
    look_for_pedestrians,
    miss_rate,
    sure,
)
from semcom_ros.lab.metrics.perception_scores import DepthPlausibility
from semcom_ros.labels import TRAIN_ID
from semcom_ros.objects import Box3D, Object
from semcom_ros.perception.detection import Detection
from semcom_ros.perception.perceive import Predictions
from semcom_ros.reconstruction import Reconstruction

PERSON, ROAD, SKY = (TRAIN_ID[name] for name in ("person", "road", "sky"))


def person(left: float, distance: float, visible: float = 1.0, name: str = "person") -> Object:
    body = Box3D((0.0, 0.0, distance), (0.5, 0.5, 1.7), 0.0)
    return Object(name, int(left) + 1, (left, 100.0, 10.0, 30.0), body, visible)


def street(*objects: Object) -> Frame:
    labels = np.zeros((256, 512), np.uint8)
    for o in objects:
        left, top, width, height = map(int, o.box)
        labels[top : top + height, left : left + width] = TRAIN_ID[o.name]
    depth = np.full(labels.shape, 20, np.float32)
    image = np.full((256, 512, 3), 90, np.uint8)
    camera = Camera(256, 512, 500.0, 500.0, 255.5, 127.5)
    return Frame(image, labels, camera=camera, depth=depth, objects=objects)


def found(frame: Frame, *boxes: tuple[float, float, float, float], **more) -> list[bool]:
    return [p.found for p in look_for_pedestrians(frame, boxes, **more)]


def test_a_pedestrian_is_found_by_a_box_that_overlaps_by_half() -> None:
    frame = street(person(50, 12.0))
    assert found(frame, (50, 100, 10, 15)) == [True]
    assert found(frame, (50, 100, 10, 14)) == [False]
    assert found(frame) == [False]


def test_one_box_finds_one_pedestrian_and_takes_the_nearest_fit() -> None:
    frame = street(person(50, 12.0), person(52, 14.0))
    assert found(frame, (52, 100, 10, 30)) == [False, True]
    assert found(frame, (52, 100, 10, 30), (52, 100, 10, 30)) == [True, True]


def test_hidden_people_count_neither_way_but_keep_their_box() -> None:
    frame = street(person(50, 12.0, visible=0.1), person(53, 14.0))
    assert found(frame, (50, 100, 10, 30)) == [False]


def test_a_region_of_the_map_finds_all_whom_it_covers() -> None:
    frame = street(person(50, 12.0), person(60, 12.0), person(200, 40.0))
    boxes = in_map(frame.labels)
    assert sorted(boxes) == [(50, 100, 20, 30), (200, 100, 10, 30)]
    assert found(frame, *boxes, covering=True) == [True, True, True]
    gone = np.where(np.arange(512) > 100, 0, frame.labels).astype(np.uint8)
    assert found(frame, *in_map(gone), covering=True) == [True, True, False]
    assert found(frame, *in_map(np.zeros_like(gone)), covering=True) == [False] * 3


def test_only_persons_detected_with_the_score_that_is_published_count() -> None:
    boxes = [("person", 0.2), ("person", 0.4), ("car", 0.9), ("person", 0.8)]
    seen = [Detection(name, score, 100 * score, 0.0, 4.0, 8.0) for name, score in boxes]
    assert [left for left, *_ in sure(seen)] == pytest.approx([80, 40])


def test_the_miss_rate_of_a_band_takes_its_near_end_and_leaves_its_far_one() -> None:
    people = [
        Pedestrian(d, f) for d, f in ((19.9, True), (20.0, False), (39.0, True), (40.0, True))
    ]
    assert [miss_rate(people, *band) for band in ((0, 20), (20, 40), (40, 60), (60, 100))] == [
        0.0, 0.5, 0.0, None
    ]  # fmt: skip


def test_a_study_pools_the_pedestrians_of_all_frames_with_an_interval_over_frames() -> None:
    frames = [[Pedestrian(5.0, True)] * 3, [Pedestrian(5.0, False)], [], None]
    score = missed(0, 20)(frames, 1)
    assert score.value == pytest.approx(1 / 4)
    assert score.ci95[0] == 0.0 and score.ci95[1] == 1.0
    assert missed(20, 40)(frames, 1).value is None
    assert missed(0, 20)([None, None], 1).value == "not measured: no distances known"


def test_depth_that_recedes_up_the_road_to_a_far_sky_is_plausible() -> None:
    labels = np.full((64, 8), ROAD, np.uint8)
    labels[:20] = SKY
    depth = np.tile(np.linspace(60, 2, 64, dtype=np.float32)[:, None], (1, 8))
    depth[:20] = np.nan
    scores = DepthPlausibility()
    scores.add(labels, depth)
    assert scores.compute() == (1.0, 1.0)
    wrong = depth.copy()
    wrong[40, :2] = 1.0  # a fall
    wrong[50, 2] = np.nan  # nothing known
    wrong[:5] = 30.0  # the sky is near
    scores = DepthPlausibility()
    scores.add(labels, wrong)
    assert scores.compute() == (5 / 8, 15 / 20)


def test_a_car_on_the_road_breaks_no_column() -> None:
    labels = np.full((64, 1), ROAD, np.uint8)
    labels[30:40] = TRAIN_ID["car"]
    depth = np.linspace(60, 2, 64, dtype=np.float32)[:, None].copy()
    depth[30:40] = 3.0
    scores = DepthPlausibility()
    scores.add(labels, depth)
    assert scores.compute() == (1.0, None)


def placed(frame: Frame, depth: float, *detections: Detection) -> Placement:
    scores = PlacementScores()
    scores.add(frame, detections, np.full_like(frame.depth, depth), frame.labels)
    return scores.compute()


def test_positions_are_held_against_the_covariance_that_is_published_with_them() -> None:
    # In the middle of the picture, where the body's centre is said to be.
    ahead = replace(person(251, 10.0), box=(251.0, 113.0, 10.0, 30.0))
    frame = street(ahead)
    right = placed(frame, 10.0, Detection("person", 0.9, *ahead.box))
    assert right == (1, 0.0, 0.0, 1.0)
    far = placed(frame, 12.5, Detection("person", 0.9, *ahead.box))
    assert far == (1, 0.25, 0.25, 1.0)
    # 15 m are three deviations of a fifth of 25 m, and sqrt(7.8) = 2.8 hold 95 %.
    assert placed(frame, 25.0, Detection("person", 0.9, *ahead.box)) == (1, 1.5, 1.5, 0.0)


def test_only_what_shows_an_object_of_its_class_is_placed() -> None:
    frame = street(person(251, 10.0), person(400, 10.0, visible=0.1))
    for name, left in (("car", 251), ("person", 262), ("person", 400)):
        assert placed(frame, 10.0, Detection(name, 0.9, left, 100, 10, 30)).objects == 0
    assert placed(frame, np.nan, Detection("person", 0.9, 251, 100, 10, 30)).objects == 0


def test_sizes_of_regenerated_images_are_a_list_or_none() -> None:
    assert evaluate_perception.read_sizes("128, 512,128") == [128, 512]
    assert evaluate_perception.read_sizes("none") == []
    with pytest.raises(SemcomError, match="no list of bytes"):
        evaluate_perception.read_sizes("128,big")


class Looking:
    """Finds every person in an image that is not dark, once more without being sure, and nobody in
    one that is."""

    names = ("person", "car")

    def __init__(self, frame: Frame) -> None:
        self.frame = frame

    def __call__(self, images: list[np.ndarray], focals: list[float | None]) -> list[Predictions]:
        assert focals == [500.0]
        boxes = [Detection(o.name, s, *o.box) for s in (0.9, 0.1) for o in self.frame.objects]
        return [
            Predictions(self.frame.labels, boxes if image.mean() > 50 else [], self.frame.depth)
            for image in images
        ]


def printed(
    capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch, frame: Frame, words: str
) -> str:
    class Dark:
        """The map comes as it was sent, the image dark."""

        def send(self, frame: Frame, size: int) -> Frame:
            return frame

        def receive(self, sent: list[Frame]) -> list[Reconstruction]:
            sure = np.full(frame.labels.shape, 204, np.uint8)
            return [Reconstruction(np.zeros_like(one.image), one.labels, sure) for one in sent]

    def replaced(name: str, value: object) -> None:
        monkeypatch.setattr(evaluate_perception, name, value)

    monkeypatch.setenv("COLUMNS", "160")
    looking = SimpleNamespace(from_pretrained=lambda *_, **__: Looking(frame))
    replaced("Perception", looking)
    replaced("frames_with_truth", lambda *_: [frame])
    replaced("Loopback", lambda *_: Dark())
    labels = SimpleNamespace(from_pretrained=lambda device: lambda images: [frame.labels])
    replaced("Segmenter", labels)
    parser = argparse.ArgumentParser()
    evaluate_perception.add_arguments(parser)
    evaluate_perception.run(parser.parse_args(words.split()))
    return capsys.readouterr().out


def row(text: str, name: str) -> list[str]:
    line = next(one for one in text.splitlines() if one.startswith(f"│ {name} "))
    return [cell.strip() for cell in line.strip("│").split("│")]


def test_originals_and_regenerated_images_stand_beside_each_other(capsys, monkeypatch) -> None:
    frame = street(person(50, 12.0), person(200, 35.0))
    text = printed(capsys, monkeypatch, frame, "--regenerated 128,512")
    assert row(text, "original")[1:] == [
        "1.000", "1.000", "1.000", "1.000", "0.00 m", "0.000", "100.0%", "0.0%", "–"
    ]  # fmt: skip
    assert row(text, "128 bytes")[1:5] == ["1.000", "0.000", "0.000", "0.000"]
    assert row(text, "128 bytes")[-1] == "0.200"
    assert "0–20 m (1)" in text and "60–100 m (0)" in text
    in_space = text[text.index("errors in space") :]
    assert row(in_space, "original")[1] == "2"
    # The map holds whom nobody sees in the image.
    assert row(in_space, "128 bytes")[1] == "2"
    assert row(text, "original, image")[1:] == ["0.0%", "0.0%", "–", "–"]
    assert row(text, "512 bytes, image")[1:] == ["100.0%", "100.0%", "–", "–"]
    assert row(text, "512 bytes, map")[1:] == ["0.0%", "0.0%", "–", "–"]


def test_where_no_distances_are_known_that_is_said(capsys, monkeypatch) -> None:
    frame = street(person(50, 12.0))
    looking = Looking(frame)
    bare = Frame(frame.image, frame.labels, camera=frame.camera)
    monkeypatch.setattr(Looking, "__call__", lambda self, *_: [looking_at(looking)])
    text = printed(capsys, monkeypatch, bare, "--regenerated none")
    assert "no distances known" in text and "road recedes" in text
    assert "128 bytes" not in text


def looking_at(looking: Looking) -> Predictions:
    frame = looking.frame
    return Predictions(frame.labels, [Detection("person", 0.9, *frame.objects[0].box)], frame.depth)
