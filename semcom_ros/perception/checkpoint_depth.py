# SPDX-License-Identifier: Apache-2.0
"""Depth from one image with a `transformers` checkpoint, in metres."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from semcom_ros.errors import SemcomError
from semcom_ros.frame import Camera
from semcom_ros.labels import TRAIN_ID
from semcom_ros.perception.checkpoints import Checkpoint
from semcom_ros.perception.road_scale import metric_depth

if TYPE_CHECKING:
    from transformers import PretrainedConfig

CAMERA_HEIGHT_M = 1.4
"""A dash camera's height over the road."""


class CheckpointDepth:
    """Image uint8 [H, W, 3] RGB -> depth float32 [H, W], metres along the optical axis.

    NaN where there is no depth to know: the sky. name: folder or hub id of a depth network.
    Metric ones (ZoeDepth, GLPN, Depth Pro, metric Depth Anything) are taken at their word;
    relative ones (DPT, Depth Anything) are scaled by the road (`road_scale.metric_depth`) below a
    camera `camera_height_m` metres over it. Raises SemcomError when it cannot be loaded.
    """

    def __init__(self, name: str, device: str = "cpu", camera_height_m: float = CAMERA_HEIGHT_M):
        if not camera_height_m > 0:
            raise SemcomError(
                f"The camera's height over the road is {camera_height_m} m: give more than 0."
            )
        self.camera_height_m = camera_height_m
        self._checkpoint = Checkpoint(name, "depth", device)
        self.metric = is_metric(self._checkpoint.config, name)

    def __call__(
        self, image: np.ndarray, labels: np.ndarray | None = None, camera: Camera | None = None
    ) -> np.ndarray:
        """labels: uint8 [H, W] trainId of `image`. camera: its intrinsics.

        A relative network needs both and raises SemcomError without; a metric one needs neither.
        """
        said = self._checkpoint(image)
        depth = said["predicted_depth"].cpu().numpy().reshape(image.shape[:2])
        if not self.metric:
            return metric_depth(depth, labels, camera, self.camera_height_m)
        guessed = said.get("focal_length")
        if guessed is not None and camera is not None and camera.calibrated:
            # Depth Pro (Bochkovskii et al. 2024, section 3) guesses the focal length that its
            # depth is in proportion to, where it is not known.
            depth = depth * (camera.fx / float(guessed))
        unknown = depth <= 0 if labels is None else (depth <= 0) | (labels == TRAIN_ID["sky"])
        return np.where(unknown, np.float32("nan"), depth).astype(np.float32)


def is_metric(config: PretrainedConfig, name: str) -> bool:
    """Whether a network of `config` predicts metres, not inverse depth of unknown scale and shift.

    Raises SemcomError when that is not known of its family; `name` is the checkpoint's.
    """
    family = config.model_type
    if family in ("zoedepth", "glpn", "depth_pro"):
        return True
    if family == "depth_anything":
        return config.depth_estimation_type == "metric"
    if family == "dpt":
        # DPT on DINOv2 was trained on metres (Oquab et al. 2023), DPT on ViT as MiDaS was.
        return getattr(config.backbone_config, "model_type", None) == "dinov2"
    raise SemcomError(
        f"The checkpoint {name} is of the family {family}, whose unit of depth is not known here: "
        "give one of dpt, depth_anything, zoedepth, glpn or depth_pro."
    )
