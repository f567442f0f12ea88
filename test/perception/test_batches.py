# SPDX-License-Identifier: Apache-2.0
"""A batch gives what its images give one by one, on the device that was asked for."""

from __future__ import annotations

import numpy as np
import pytest
from tiny_checkpoints import (
    STREET,
    depth_anything,
    detr,
    mask2former,
    metric_depth_anything,
    rt_detr,
    segformer,
)

from semcom_ros.datasets import open_source
from semcom_ros.errors import SemcomError
from semcom_ros.frame import Camera
from semcom_ros.labels import TRAIN_ID
from semcom_ros.perception.backends import create_perception
from semcom_ros.perception.networks import PerceptionNetwork, SegmentationNetwork
from semcom_ros.perception.perceive import Perception, Predictions
from semcom_ros.perception.segmentation import AT_ONCE, Segmenter

CAMERAS = [Camera(256, 512, f, f, 255.5, 127.5) for f in (300.0, 430.0)] + [None] * 6
SKY = TRAIN_ID["sky"]


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    return np.stack([open_source(f"scenes:{seed}")[40].image for seed in range(1, 9)])


def same(found: list[Predictions], singles: list[Predictions]) -> None:
    """Maps are equal, boxes and depths alike within rounding."""
    assert len(found) == len(singles)
    for a, b in zip(found, singles, strict=True):
        np.testing.assert_array_equal(a.segmentation, b.segmentation)
        assert [d.name for d in a.detections] == [d.name for d in b.detections]
        for one, other in zip(a.detections, b.detections, strict=True):
            edges = [(d.score, d.left, d.top, d.width, d.height) for d in (one, other)]
            np.testing.assert_allclose(*edges, rtol=1e-4, atol=1e-3)
        np.testing.assert_allclose(a.depth, b.depth, rtol=1e-3)


def test_eight_images_get_the_maps_that_each_gets_alone(images):
    segmenter = Segmenter.from_pretrained()
    together = segmenter(images)
    assert together.shape == images.shape[:3] and together.dtype == np.uint8
    np.testing.assert_array_equal(together, [*(segmenter([image])[0] for image in images)])


def test_more_images_than_share_a_pass_keep_their_order(images):
    network = SegmentationNetwork(3, (8, 8, 8, 8)).eval()
    segmenter = Segmenter(network, (0, 1, 2))
    many = [images[i % 8, :64, :64] for i in range(AT_ONCE + 3)]
    together = segmenter(many)
    assert len(together) == AT_ONCE + 3
    np.testing.assert_array_equal(together[-1:], segmenter(many[-1:]))


def test_eight_images_are_seen_as_each_is_alone_with_its_own_camera(images):
    see = create_perception()
    singles = [see([image], [camera]) for image, camera in zip(images, CAMERAS, strict=True)]
    same(see(images, CAMERAS), [seen for [seen] in singles])


def test_only_images_whose_map_is_known_go_without_a_segmentation(images):
    see = create_perception("none")
    known = np.full((256, 512), SKY, np.uint8)
    one, other = see(images[:2], labels=[known, None])
    assert one.segmentation is other.segmentation is None
    assert np.isnan(one.depth).all() and np.isfinite(other.depth).any()
    perception = Perception.from_pretrained()
    one, other = perception(images[:2], skies=[known == SKY, None])
    assert one.segmentation is None and other.segmentation is not None


@pytest.mark.parametrize(("segmentation", "detection"), [(segformer, detr), (mask2former, rt_detr)])
def test_checkpoints_take_batches_too(checkpoint, images, segmentation, detection):
    names = (checkpoint(segmentation, STREET), checkpoint(detection))
    see = create_perception(*map(str, names), str(checkpoint(metric_depth_anything)), threshold=0.0)
    small = images[:3, ::4, ::4]
    same(see(small), [seen for image in small for seen in see([image])])


def test_a_depth_that_cannot_be_told_is_a_problem_of_its_image_alone(checkpoint, images):
    see = create_perception("none", "none", str(checkpoint(depth_anything)))
    road = np.full((256, 512), TRAIN_ID["road"], np.uint8)
    found = see(images[:2], [None, CAMERAS[0]], [road, None])
    assert [seen.depth for seen in found] == [None, None]
    assert "needs the camera's intrinsics" in found[0].problem
    assert "needs the road's pixels" in found[1].problem


def test_images_of_several_sizes_are_a_sentence(images):
    with pytest.raises(SemcomError, match="fit them to one size"):
        create_perception("none", "none", "none")([images[0], images[0, :128]])


@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_all_tensors_of_a_network_are_on_its_device(device):
    segmenter = Segmenter(SegmentationNetwork(3), (0, 1, 2), device)
    perception = Perception(PerceptionNetwork(3, 1), (0, 1, 2), ["car"], 430.0, device)
    for each in (segmenter, perception):
        assert each.device == device
        tensors = (*each.network.parameters(), *each.network.buffers())
        assert {tensor.device.type for tensor in tensors} == {device}
    assert segmenter.smoothing.device.type == device
    image = np.zeros((1, 64, 64, 3), np.uint8)
    assert {tensor.device.type for tensor in segmenter.features(image)} == {device}


@pytest.mark.cuda
def test_a_gpu_sees_what_the_cpu_sees(images):
    maps, on_gpu = (Segmenter.from_pretrained(device=d)(images) for d in ("cpu", "cuda"))
    assert np.mean(maps == on_gpu) > 0.99
    seen, on_gpu = (create_perception(device=d)(images, CAMERAS) for d in ("cpu", "cuda"))
    for a, b in zip(seen, on_gpu, strict=True):
        assert np.mean(a.segmentation == b.segmentation) > 0.99
        assert np.nanmedian(np.abs(a.depth / b.depth - 1)) < 0.02
