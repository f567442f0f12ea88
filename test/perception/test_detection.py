# SPDX-License-Identifier: Apache-2.0
"""What users rely on in the detector: its boxes, what it is taught and how it is scored."""

import numpy as np
import pytest
import torch

from semcom_ros import weights
from semcom_ros.errors import SemcomError
from semcom_ros.frame import Frame
from semcom_ros.lab.ground_truth import Boxes, boxes_of, frames_with_truth
from semcom_ros.lab.metrics.perception_scores import DetectionScores
from semcom_ros.lab.training.perception.data import Sample, augment, draw
from semcom_ros.lab.training.perception.losses import box_loss, heat_loss
from semcom_ros.labels import TRAIN_ID
from semcom_ros.perception.detection import Detection, peaks, read_boxes
from semcom_ros.perception.networks import FINE, Outputs, PerceptionNetwork
from semcom_ros.perception.perceive import FILE, Perception

NAMES = ["traffic sign", "person", "rider", "car"]


def boxes(*edges, classes=None, ignored=None):
    n = len(edges)
    return Boxes(
        np.array(edges, np.float32).reshape(-1, 4),
        np.array(classes or [3] * n, np.int64),
        np.array(ignored or [False] * n, bool),
    )


def outputs_of(targets, rows=64, cols=128):
    """What heads would say that had learnt `targets` by heart."""
    heat = torch.logit(torch.from_numpy(targets.heat)[None], eps=1e-4)
    x, y = np.arange(cols) + 0.5, (np.arange(rows) + 0.5)[:, None]
    left, top, right, bottom = targets.box
    sides = np.stack([x - left, y - top, right - x, bottom - y]).clip(1e-3)
    none = torch.zeros(1, 1, 2 * rows, 2 * cols)
    return Outputs(none, heat, torch.from_numpy(sides)[None].float().log(), none)


def edges_of(detection):
    d = detection
    return [d.left, d.top, d.left + d.width, d.top + d.height]


def test_boxes_come_back_from_what_the_detector_is_taught():
    truth = boxes([10, 20, 90, 60], [200, 100, 212, 140], [400, 5, 409, 14], classes=[3, 1, 0])
    [found] = read_boxes(outputs_of(draw(truth, 4, (256, 512))), NAMES)
    assert {d.name for d in found} == {"car", "person", "traffic sign"} and len(found) == 3
    for detection in found:
        i = list(truth.classes).index(NAMES.index(detection.name))
        np.testing.assert_allclose(edges_of(detection), truth.edges[i], atol=0.01)


def test_losses_vanish_where_all_is_said_right():
    targets = draw(boxes([10, 20, 90, 60], [200, 100, 230, 140]), 4, (256, 512))
    said = outputs_of(targets)
    batch = type(targets)(*(torch.from_numpy(t)[None] for t in targets))
    assert box_loss(said.sides, batch) < 1e-3 < box_loss(said.sides + 1, batch)
    assert heat_loss(said.heat, batch) < 0.1 < heat_loss(-said.heat, batch)


def test_an_ignored_object_is_neither_taught_nor_forbidden():
    targets = draw(boxes([40, 40, 60, 60], ignored=[True]), 4, (256, 512))
    assert not targets.heat.any() and not targets.weight.any()
    assert not targets.counted[3, 10:15, 10:15].any() and targets.counted[:3].all()


def test_of_two_detections_of_one_thing_the_better_stays_and_other_classes_are_left_alone():
    targets = draw(boxes([40, 40, 120, 100]), 4, (256, 512))
    said = outputs_of(targets)
    said.heat[0, 3, 18, 23] = 2.0
    said.heat[0, 2, 18, 23] = 2.0
    assert [d.name for d in read_boxes(said, NAMES)[0]] == ["car", "rider"]


def test_only_local_maxima_are_centres_best_first():
    heat = np.zeros((8, 8, 2), np.float32)
    heat[2, 2, 0], heat[2, 3, 0], heat[6, 6, 1] = 0.6, 0.5, 0.9
    row, col, kind, score = peaks(heat, 0.3)
    assert list(zip(row, col, kind, strict=True)) == [(6, 6, 1), (2, 2, 0)]
    assert score.tolist() == pytest.approx([0.9, 0.6])


def test_boxes_stay_on_their_objects_under_augmentation():
    rng = np.random.default_rng(0)
    image = np.zeros((256, 512, 3), np.uint8)
    image[100:180, 150:260] = 255
    labels = np.zeros((256, 512), np.uint8)
    depth = np.full((256, 512), 20, np.float16)
    sample = Sample(image, labels, depth, boxes([150, 100, 260, 180]))
    for _ in range(20):
        moved = augment(sample, rng)
        ys, xs = np.nonzero(moved.image.mean(2) > np.ptp(moved.image) / 2 + moved.image.min())
        seen = [xs.min(), ys.min(), xs.max() + 1, ys.max() + 1]
        np.testing.assert_allclose(moved.boxes.edges[0], seen, atol=1.6)
        scale = 20 / moved.depth[0, 0]
        assert 1 <= scale <= 1.36


def test_regions_of_labels_are_the_boxes_of_frames_without_objects():
    labels = np.zeros((256, 512), np.uint8)
    labels[100:120, 50:80] = TRAIN_ID["car"]
    labels[10:13, 300:306] = TRAIN_ID["traffic sign"]
    found = boxes_of(Frame(np.zeros((256, 512, 3), np.uint8), labels), NAMES)
    assert found.edges.tolist() == [[50, 100, 80, 120], [300, 10, 306, 13]]
    assert found.classes.tolist() == [3, 0] and found.ignored.tolist() == [False, True]


def test_scores_tell_found_from_missed_and_leave_ignored_objects_out():
    scores = DetectionScores(NAMES)
    truth = boxes([10, 10, 50, 40], [100, 10, 150, 40], [300, 9, 320, 40], ignored=[0, 0, 1])
    right = Detection("car", 0.9, 10, 10, 40, 30)
    on_ignored = Detection("car", 0.95, 300, 9, 20, 31)
    scores.add(truth, [right, on_ignored])
    car = scores.compute()["car"]
    assert car.objects == 2 and car.recall == 0.5
    assert car.ap50 == pytest.approx(0.5, abs=0.01)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """A file of a small network never trained, for what does not hang on its answers."""
    torch.manual_seed(0)
    widths, branches = (8, 8, 8, 8), (4, 4, 4)
    path = tmp_path_factory.mktemp("tiny") / FILE
    card = {
        "label_space": "cityscapes19",
        "classes": ["road", "sky", "car"],
        "detected": NAMES,
        "widths": widths,
        "branches": branches,
        "fine": FINE,
        "focal": 430.0,
    }
    weights.save(path, weights.tensors_of(PerceptionNetwork(3, 4, widths, branches)), card)
    return path


def test_it_says_labels_boxes_and_depth_of_the_size_of_the_image(tiny):
    image = np.random.default_rng(0).integers(0, 256, (128, 256, 3), dtype=np.uint8)
    perception = Perception.from_pretrained(tiny, threshold=0.005)
    [seen] = perception([image])
    assert seen.segmentation.shape == (128, 256) and seen.segmentation.dtype == np.uint8
    assert set(np.unique(seen.segmentation)) <= {TRAIN_ID[n] for n in ("road", "sky", "car")}
    assert seen.depth.shape == (128, 256) and seen.depth.dtype == np.float32
    np.testing.assert_array_equal(np.isnan(seen.depth), seen.segmentation == TRAIN_ID["sky"])
    assert seen.detections and all(d.name in NAMES for d in seen.detections)
    sky = np.zeros((128, 256), bool)
    sky[:9] = True
    [again] = perception([image], skies=[sky])
    assert again.segmentation is None and again.detections == seen.detections
    np.testing.assert_array_equal(np.isnan(again.depth), sky)


def test_weights_of_another_network_are_refused(tiny, tmp_path):
    path = tmp_path / FILE
    tensors, card = weights.load(tiny, "")
    weights.save(path, tensors, card | {"detected": NAMES[:2]})
    with pytest.raises(SemcomError, match="made for another network"):
        Perception.from_pretrained(path)


def test_a_missing_file_is_a_sentence_that_names_the_recipe(tmp_path):
    with pytest.raises(SemcomError, match=r"are missing.*semcom train perception"):
        Perception.from_pretrained(tmp_path / FILE)


@pytest.mark.parametrize(
    ("shape", "text"),
    [((250, 512, 3), "multiples of 32"), ((256, 512), "give uint8"), ((0, 0, 3), "give uint8")],
)
def test_an_image_of_another_form_is_a_sentence(tiny, shape, text):
    with pytest.raises(SemcomError, match=text):
        Perception.from_pretrained(tiny)(np.zeros((1, *shape), np.uint8))


@pytest.fixture(scope="module")
def perception():
    return Perception.from_pretrained()


def test_it_finds_the_big_cars_of_a_town_that_it_never_saw(perception):
    frames = frames_with_truth("scenes:1", "", range(0, 100, 20))
    wanted = found = 0
    for frame in frames:
        truth = boxes_of(frame, NAMES)
        big = (truth.classes == 3) & ~truth.ignored & (truth.edges[:, 2] - truth.edges[:, 0] > 24)
        seen = [edges_of(d) for d in perception([frame.image])[0].detections if d.name == "car"]
        wanted += big.sum()
        found += sum(any(overlap(box, s) > 0.5 for s in seen) for box in truth.edges[big])
    assert wanted >= 5 and found >= 0.7 * wanted


def test_it_finds_nothing_where_nothing_is(perception):
    [seen] = perception(np.full((1, 256, 512, 3), 128, np.uint8))
    assert seen.detections == []


def test_detections_fall_by_score_and_lie_in_the_image(perception):
    (frame,) = frames_with_truth("scenes:2", "", [40])
    found = perception([frame.image])[0].detections
    scores = [d.score for d in found]
    assert found and scores == sorted(scores, reverse=True) and scores[-1] >= perception.threshold
    assert all(d.left >= 0 and d.left + d.width <= 512 and d.height > 0 for d in found)


def overlap(a, b):
    """Intersection over union of two boxes given by their edges."""
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    both = max(width, 0) * max(height, 0)
    return both / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - both)
