# SPDX-License-Identifier: Apache-2.0
"""All that the shipped perception network sees in an image, in one pass."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from semcom_ros import weights
from semcom_ros.errors import SemcomError
from semcom_ros.labels import CLASSES, TRAIN_ID
from semcom_ros.perception.depth import read_depth
from semcom_ros.perception.detection import THRESHOLD, Detection, read_boxes

if TYPE_CHECKING:
    from semcom_ros.perception.network import PerceptionNetwork

FILE = "perception.safetensors"
RECIPE = "semcom train perception --camvid DIR"


class Percepts(NamedTuple):
    """What is seen in one image; a part that was not looked for is None.

    segmentation: uint8 [H, W] trainId. detections: by falling score. depth: float32 [H, W] metres
    along the optical axis, NaN in the sky.
    """

    segmentation: np.ndarray | None
    detections: list[Detection] | None
    depth: np.ndarray | None


class Perception:
    """Image uint8 [256, 512, 3] RGB -> `Percepts`, by the shipped network.

    names: the classes that it detects. focal: the focal length in pixels that its depths hold for.
    threshold: least score of a detection, 0 to 1. Raises SemcomError when the weights in `path` are
    missing, altered or made for another label space.
    """

    def __init__(self, path: Path | None = None, device: str = "cpu", threshold: float = THRESHOLD):
        from semcom_ros.perception.network import PerceptionNetwork

        path = path or weights.models_dir() / FILE
        tensors, card = weights.load(path, RECIPE)
        classes = weights.classes_of(card, path)
        detected = _detected(card, path)
        sizes = (card[name] for name in ("widths", "branches", "fine"))
        network = PerceptionNetwork(len(classes), len(detected), *sizes)
        weights.fill(network, tensors, path)
        self._prepare(network, classes, detected, card["focal"], device, threshold)

    @classmethod
    def of(
        cls,
        network: PerceptionNetwork,
        classes: Sequence[int],
        names: Sequence[str],
        focal: float,
        threshold: float = THRESHOLD,
    ) -> Perception:
        """A perception by a copy of `network`, whose label outputs stand for trainIds `classes`."""
        self = cls.__new__(cls)
        self._prepare(copy.deepcopy(network), classes, names, focal, "cpu", threshold)
        return self

    def _prepare(
        self,
        network: PerceptionNetwork,
        classes: Sequence[int],
        names: Sequence[str],
        focal: float,
        device: str,
        threshold: float,
    ) -> None:
        import torch

        from semcom_ros.layers.residual import for_inference

        self.network = for_inference(network, torch.bfloat16).to(device)
        self.classes = np.array(classes, np.uint8)
        self.names, self.focal, self.device, self.threshold = list(names), focal, device, threshold

    def __call__(
        self, image: np.ndarray, focal: float | None = None, sky: np.ndarray | None = None
    ) -> Percepts:
        """focal: focal length of the camera in pixels of `image`, by default that of training.

        An image tells size over distance alone, so depth is in proportion to it. sky: bool [H, W],
        where already known: then no segmentation is made, which saves a third. Raises SemcomError
        for an image of another type, or of sides that are no multiples of 32.
        """
        import torch

        from semcom_ros.layers.image_input import to_input

        _check(image)
        with torch.inference_mode():
            pixels = to_input(image[None], torch.bfloat16, self.device)
            outputs = self.network(pixels, label=sky is None)
            labels = None
            if sky is None:
                labels = self.classes[outputs.labels[0].argmax(0).cpu().numpy()]
                sky = labels == TRAIN_ID["sky"]
            return Percepts(
                labels,
                read_boxes(outputs, self.names, self.threshold),
                read_depth(outputs, sky, (focal or self.focal) / self.focal),
            )


def _detected(card: dict, path: Path) -> list[str]:
    """The classes that the network in `path` detects; raises SemcomError for what is no thing."""
    names = card.get("detected", [])
    odd = [name for name in names if name not in {c.name for c in CLASSES if c.thing}]
    if odd or not names:
        raise SemcomError(
            f"The card of {path} is damaged, it detects {odd[0] if odd else 'nothing'!r}: restore "
            "models/ from the repository."
        )
    return names


def _check(image: np.ndarray) -> None:
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        raise SemcomError(
            f"An image of shape {image.shape} and type {image.dtype} cannot be looked at: "
            "give uint8 [H, W, 3] RGB."
        )
    height, width = image.shape[:2]
    if not image.size or height % 32 or width % 32:
        raise SemcomError(
            f"An image of {width}x{height} pixels cannot be looked at: fit it to 512x256 "
            "or other multiples of 32."
        )
