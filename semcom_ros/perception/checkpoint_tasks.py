# SPDX-License-Identifier: Apache-2.0
"""Segmentation, detection and depth with a `transformers` checkpoint, in the label space's words.

Each takes images uint8 [B, H, W, 3] RGB of one size. name: a local folder or a hub id. Raises
SemcomError where that cannot be loaded or cannot be used for the task.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from semcom_ros.errors import SemcomError
from semcom_ros.frame import Camera
from semcom_ros.labels import CLASSES, NAMES, TRAIN_ID, VOID
from semcom_ros.perception.checkpoints import Checkpoint
from semcom_ros.perception.detection import MOST, THRESHOLD, Detection
from semcom_ros.perception.road_scale import metric_depth

if TYPE_CHECKING:
    from transformers import PretrainedConfig

CAMERA_HEIGHT_M = 1.4
"""A dash camera's height over the road."""
ALIASES = {
    "road": ("street", "crosswalk plain", "lane marking crosswalk", "lane marking general"),
    "sidewalk": ("pavement", "curb", "pedestrian area"),
    "building": ("house", "skyscraper", "edifice"),
    "wall": ("wall brick", "wall stone", "wall concrete"),
    "fence": ("fencing", "railing"),
    "pole": ("column pole", "utility pole", "street light", "streetlight", "street lights"),
    "traffic light": ("traffic signal", "stoplight"),
    "traffic sign": ("stop sign", "street sign", "sign symbol", "traffic sign front"),
    "vegetation": ("tree", "bush", "plant", "palm"),
    "terrain": ("grass", "earth", "dirt", "field"),
    "sky": ("clouds",),
    "person": ("pedestrian", "individual"),
    "rider": ("bicyclist", "motorcyclist", "other rider", "cyclist"),
    "car": ("van", "suv", "automobile"),
    "truck": ("pickup truck", "heavy truck", "fire truck", "motortruck"),
    "bus": ("autobus", "motorbus"),
    "train": ("on rails", "tram"),
    "motorcycle": ("motorbike", "minibike"),
    "bicycle": ("bike",),
}
"""Names of ADE20K, COCO (things, stuff and panoptic), Mapillary Vistas, CamVid and Objects365.

Classes that hold more than one of ours are left out, such as ADE20K's signboard, which is traffic
sign and advertisement (MSeg, Lambert et al. 2020, splits it).
"""
_TRAIN_ID = {a: TRAIN_ID[name] for name, others in ALIASES.items() for a in (name, *others)}
_SUFFIX = re.compile(r"( (other|merged|stuff))+$")


class CheckpointSegmenter:
    """Images -> labels uint8 [B, H, W] trainId, 255 where it is no class of ours.

    name: a semantic or universal segmentation network (SegFormer, UperNet, BEiT, Mask2Former,
    MaskFormer), one class of which at least is of the label space.
    """

    def __init__(self, name: str, device: str = "cpu"):
        self._checkpoint = Checkpoint(name, "segmentation", device)
        self._table = train_ids(self._checkpoint.names, name)

    def __call__(self, images: np.ndarray) -> np.ndarray:
        return np.stack([self._table[said.cpu().numpy()] for said in self._checkpoint(images)])


class CheckpointDetector:
    """Images -> the detections in each by falling score, at most `detection.MOST`.

    name: a network of the DETR family (DETR, Conditional and Deformable DETR, RT-DETR, YOLOS).
    threshold: least score, 0 to 1. What is no thing of the label space is left out.
    """

    def __init__(self, name: str, device: str = "cpu", threshold: float = THRESHOLD):
        self.threshold = threshold
        self._checkpoint = Checkpoint(name, "detection", device)
        table = train_ids(self._checkpoint.names, name, things=True)
        self._names = {i: NAMES[t] for i, t in enumerate(table) if t != VOID}

    @property
    def names(self) -> list[str]:
        """The classes that it detects."""
        return [name for name in NAMES if name in self._names.values()]

    def __call__(self, images: np.ndarray) -> list[list[Detection]]:
        height, width = images.shape[1:3]
        found = []
        for said in self._checkpoint(images, threshold=self.threshold):
            edges = said["boxes"].cpu().numpy().astype(np.float64)
            edges = edges.clip(0, [width, height, width, height])
            detections = [
                Detection(self._names[kind], score, left, top, right - left, bottom - top)
                for kind, score, (left, top, right, bottom) in zip(
                    said["labels"].tolist(), said["scores"].tolist(), edges.tolist(), strict=True
                )
                if kind in self._names and right > left and bottom > top
            ]
            found.append(sorted(detections, key=lambda d: -d.score)[:MOST])
        return found


class CheckpointDepth:
    """Images -> depth float32 [H, W] of each, metres along the optical axis, NaN in the sky.

    name: a depth network. Metric ones (ZoeDepth, GLPN, Depth Pro, metric Depth Anything) are taken
    at their word; relative ones (DPT, Depth Anything) are scaled by the road
    (`road_scale.metric_depth`) below a camera `camera_height_m` metres over it.
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
        self,
        images: np.ndarray,
        labels: Sequence[np.ndarray | None],
        cameras: Sequence[Camera | None],
    ) -> list[np.ndarray | SemcomError]:
        """labels: uint8 [H, W] trainId of each image. cameras: their intrinsics.

        A relative network needs both; a metric one needs neither. In place of a depth that cannot
        be told stands the error that says why: the others go on.
        """
        depths: list[np.ndarray | SemcomError] = []
        for said, known, camera in zip(self._checkpoint(images), labels, cameras, strict=True):
            depth = said["predicted_depth"].cpu().numpy().reshape(images.shape[1:3])
            try:
                depths.append(self._in_metres(depth, said.get("focal_length"), known, camera))
            except SemcomError as error:
                depths.append(error)
        return depths

    def _in_metres(
        self,
        depth: np.ndarray,
        guessed: float | None,
        labels: np.ndarray | None,
        camera: Camera | None,
    ) -> np.ndarray:
        if not self.metric:
            return metric_depth(depth, labels, camera, self.camera_height_m)
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


def train_id(name: str) -> int:
    """The trainId of the class that a data set calls `name`, VOID where the label space has none.

    `name` may list synonyms between commas or semicolons; the first known one counts.
    """
    for synonym in re.split("[,;]", name):
        words = " ".join(re.sub(r"(?<=[a-z])(?=[A-Z])", " ", synonym).lower().split())
        plain = " ".join(re.sub("[^a-z0-9]+", " ", words).split())
        found = _TRAIN_ID.get(_SUFFIX.sub("", plain))
        if found is not None:
            return found
    return VOID


def train_ids(names: Mapping[int, str], checkpoint: str, things: bool = False) -> np.ndarray:
    """Lookup table uint8 from class number of a network to trainId, VOID where there is none.

    things: whether classes that are no things, such as road, are void too. Raises SemcomError,
    which names `checkpoint`, when no class is known.
    """
    table = np.full(max(names, default=0) + 1, VOID, np.uint8)
    for i, name in names.items():
        known = train_id(name)
        if known != VOID and (CLASSES[known].thing or not things):
            table[i] = known
    if (table == VOID).all():
        some = ", ".join(list(names.values())[:3])
        wanted = ", ".join([c.name for c in CLASSES if c.thing or not things][:3])
        raise SemcomError(
            f"The checkpoint {checkpoint} knows no class of the label space (its classes: {some} "
            f"…): give one whose id2label holds names such as {wanted}."
        )
    return table
