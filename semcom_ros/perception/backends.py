# SPDX-License-Identifier: Apache-2.0
"""Which network sees to which task: the shipped one, any checkpoint, or none."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache, partial
from typing import Any

import numpy as np

from semcom_ros import weights
from semcom_ros.errors import SemcomError
from semcom_ros.frame import Camera, Images
from semcom_ros.labels import TRAIN_ID
from semcom_ros.perception.checkpoint_tasks import (
    CAMERA_HEIGHT_M,
    CheckpointDepth,
    CheckpointDetector,
    CheckpointSegmenter,
)
from semcom_ros.perception.detection import THRESHOLD
from semcom_ros.perception.perceive import FILE, RECIPE, Perception, Predictions, stacked
from semcom_ros.runtime import check_device

SHIPPED, NONE = "shipped", "none"
BUILT_IN = (SHIPPED, NONE)
TASKS = ("segmentation", "detection", "depth")

Perceive = Callable[
    [Sequence[np.ndarray], Sequence[Camera | None], Sequence[np.ndarray | None]],
    list[Predictions],
]
"""Images, their intrinsics and their labels, where known -> what is seen in each."""


def load_perceivers(
    chosen: Mapping[str, str], device: str, threshold: float, camera_height_m: float
) -> dict[str, Perceive]:
    """By task, what `chosen` names for it: "shipped", "none" or a checkpoint. Raises SemcomError.

    The shipped network does all its tasks at once; a checkpoint runs when its own is asked for.
    """
    perceive: dict[str, Perceive] = {}
    for backend in set(chosen.values()) - {NONE}:
        tasks = [task for task in TASKS if chosen[task] == backend]
        for together in [tasks] if backend == SHIPPED else [[task] for task in tasks]:
            made = create_perception(
                **{task: backend if task in together else NONE for task in TASKS},
                device=device,
                threshold=threshold,
                camera_height_m=camera_height_m,
            )
            perceive |= dict.fromkeys(together, made)
    return perceive


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
    camera_height_m: height of the camera over the road, by which relative depth is scaled. The
    shipped network is made when it is first called. Raises SemcomError when a network cannot be
    loaded or cannot run on `device`.
    """
    check_device(device)
    chosen = {"segmentation": segmentation, "detections": detection, "depth": depth}
    shipped = SHIPPED in chosen.values()
    if shipped:
        weights.load(weights.file_at(None, FILE), RECIPE)
    return ChosenPerception(
        partial(Perception.from_pretrained, None, device, threshold) if shipped else None,
        {field for field, name in chosen.items() if name != SHIPPED},
        None if segmentation in BUILT_IN else CheckpointSegmenter(segmentation, device),
        None if detection in BUILT_IN else CheckpointDetector(detection, device, threshold),
        None if depth in BUILT_IN else CheckpointDepth(depth, device, camera_height_m),
    )


class ChosenPerception:
    """Images uint8 [H, W, 3] RGB of one size -> their `Predictions`, each field by what was chosen.

    One pass of the shipped network serves all tasks that it was chosen for.
    """

    def __init__(
        self,
        shipped: Callable[[], Perception] | None,
        not_shipped: set[str],
        segmenter: CheckpointSegmenter | None,
        detector: CheckpointDetector | None,
        depth: CheckpointDepth | None,
    ):
        self._shipped = shipped and cache(shipped)
        self._left_out: dict[str, Any] = dict.fromkeys(not_shipped)
        self._segmenter, self._detector, self._depth = segmenter, detector, depth

    @property
    def names(self) -> list[str]:
        """The classes that it detects."""
        if self._shipped and "detections" not in self._left_out:
            return self._shipped().names
        return self._detector.names if self._detector else []

    def __call__(
        self,
        images: Images,
        cameras: Sequence[Camera | None] | None = None,
        labels: Sequence[np.ndarray | None] | None = None,
    ) -> list[Predictions]:
        """cameras: intrinsics of each image. labels: uint8 [H, W] trainId, where already known.

        Depth takes road and sky from `labels`, such as the received map, or else from the
        segmentation; relative depth that lacks the camera or the road is a `problem` of its image
        alone. Raises SemcomError when images, cameras and labels do not belong together.
        """
        batch = stacked(images)
        unknown = [None] * len(batch)
        cameras = unknown if cameras is None else cameras
        labels = unknown if labels is None else labels
        for camera, known in zip(cameras, labels, strict=True):
            _check(batch.shape[1:3], camera, known)
        seen = [Predictions() for _ in batch]
        if self._shipped:
            told = "segmentation" in self._left_out
            skies = [m == TRAIN_ID["sky"] if told and m is not None else None for m in labels]
            focals = [c.fx if c is not None and c.calibrated else None for c in cameras]
            seen = [s._replace(**self._left_out) for s in self._shipped()(batch, focals, skies)]
        if self._segmenter:
            seen = _with("segmentation", self._segmenter(batch), seen)
        if self._detector:
            seen = _with("detections", self._detector(batch), seen)
        if self._depth:
            ground = [s.segmentation if m is None else m for s, m in zip(seen, labels, strict=True)]
            seen = _with("depth", self._depth(batch, ground, cameras), seen)
        return seen


def _with(field: str, found: Iterable[Any], seen: list[Predictions]) -> list[Predictions]:
    """`seen` with what was found of each image, an error as its problem."""
    return [
        s._replace(problem=str(v)) if isinstance(v, SemcomError) else s._replace(**{field: v})
        for s, v in zip(seen, found, strict=True)
    ]


def _check(size: tuple[int, int], camera: Camera | None, labels: np.ndarray | None) -> None:
    """Raise SemcomError unless both are of an image of `size` (H, W)."""
    if camera is not None and camera.calibrated and (camera.height, camera.width) != size:
        raise SemcomError(
            f"The camera is calibrated for {camera.width}x{camera.height} pixels, the image has "
            f"{size[1]}x{size[0]}: bring the intrinsics to the image's size (frame.fit_camera)."
        )
    if labels is not None and labels.shape != size:
        raise SemcomError(
            f"The labels {labels.shape} are not of the image {size}: give both at one size."
        )
