# SPDX-License-Identifier: Apache-2.0
"""Which network sees to which task: the shipped one, any checkpoint, or none."""

from __future__ import annotations

import numpy as np

from semcom_ros.errors import SemcomError
from semcom_ros.frame import Camera
from semcom_ros.labels import TRAIN_ID
from semcom_ros.perception.checkpoint_depth import CAMERA_HEIGHT_M, CheckpointDepth
from semcom_ros.perception.checkpoint_detection import CheckpointDetector
from semcom_ros.perception.checkpoint_segmentation import CheckpointSegmenter
from semcom_ros.perception.detection import THRESHOLD
from semcom_ros.perception.perceive import Perception, Percepts
from semcom_ros.runtime import check_device

SHIPPED, NONE = "shipped", "none"
BUILT_IN = (SHIPPED, NONE)


def create_perception(
    segmentation: str = SHIPPED,
    detection: str = SHIPPED,
    depth: str = SHIPPED,
    device: str = "cpu",
    threshold: float = THRESHOLD,
    camera_height_m: float = CAMERA_HEIGHT_M,
) -> ChosenPerception:
    """What sees to each task: "shipped", "none", or a `transformers` checkpoint.

    A checkpoint is a local folder or a hub id. threshold: least score of a detection.
    camera_height_m: height of the camera over the road, by which relative depth is scaled. Raises
    SemcomError when a network cannot be loaded or cannot run on `device`.
    """
    check_device(device)
    chosen = dict(zip(Percepts._fields, (segmentation, detection, depth), strict=True))
    return ChosenPerception(
        Perception(device=device, threshold=threshold) if SHIPPED in chosen.values() else None,
        {field for field, name in chosen.items() if name != SHIPPED},
        None if segmentation in BUILT_IN else CheckpointSegmenter(segmentation, device),
        None if detection in BUILT_IN else CheckpointDetector(detection, device, threshold),
        None if depth in BUILT_IN else CheckpointDepth(depth, device, camera_height_m),
    )


class ChosenPerception:
    """Image uint8 [H, W, 3] RGB -> `Percepts`, each field by the backend chosen, None for none.

    One pass of the shipped network serves all tasks that it was chosen for.
    """

    def __init__(
        self,
        shipped: Perception | None,
        not_shipped: set[str],
        segmenter: CheckpointSegmenter | None,
        detector: CheckpointDetector | None,
        depth: CheckpointDepth | None,
    ):
        self._shipped = shipped
        self._left_out = dict.fromkeys(not_shipped)
        self._segmenter, self._detector, self._depth = segmenter, detector, depth

    @property
    def names(self) -> list[str]:
        """The classes that it detects."""
        if "detections" not in self._left_out:
            return self._shipped.names
        return self._detector.names if self._detector else []

    def __call__(
        self, image: np.ndarray, camera: Camera | None = None, labels: np.ndarray | None = None
    ) -> Percepts:
        """camera: intrinsics of `image`. labels: uint8 [H, W] trainId, where already known.

        Depth takes road and sky from `labels`, such as the received map, or else from the
        segmentation. Raises SemcomError when image, camera and labels do not belong together, or
        when relative depth lacks the camera or the road.
        """
        _check(image, camera, labels)
        known = camera is not None and camera.calibrated
        seen = Percepts(None, None, None)
        if self._shipped:
            told = labels is not None and "segmentation" in self._left_out
            sky = labels == TRAIN_ID["sky"] if told else None
            seen = self._shipped(image, camera.fx if known else None, sky)
            seen = seen._replace(**self._left_out)
        if self._segmenter:
            seen = seen._replace(segmentation=self._segmenter(image))
        if self._detector:
            seen = seen._replace(detections=self._detector(image))
        if self._depth:
            ground = seen.segmentation if labels is None else labels
            seen = seen._replace(depth=self._depth(image, ground, camera))
        return seen


def _check(image: np.ndarray, camera: Camera | None, labels: np.ndarray | None) -> None:
    """Raise SemcomError unless all are of one image."""
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or not image.size:
        raise SemcomError(
            f"An image of type {image.dtype} and shape {image.shape} cannot be read: "
            "give uint8 [H, W, 3] RGB."
        )
    size = image.shape[:2]
    if camera is not None and camera.calibrated and (camera.height, camera.width) != size:
        raise SemcomError(
            f"The camera is calibrated for {camera.width}x{camera.height} pixels, the image has "
            f"{size[1]}x{size[0]}: bring the intrinsics to the image's size (frame.fit_camera)."
        )
    if labels is not None and labels.shape != size:
        raise SemcomError(
            f"The labels {labels.shape} are not of the image {size}: give both at one size."
        )
