# SPDX-License-Identifier: Apache-2.0
"""All that the shipped perception network sees in images, in one pass."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from semcom_ros import weights
from semcom_ros.errors import SemcomError
from semcom_ros.frame import Images
from semcom_ros.labels import CLASSES, TRAIN_ID
from semcom_ros.perception.detection import THRESHOLD, Detection, read_boxes

if TYPE_CHECKING:
    from semcom_ros.perception.networks import Outputs, PerceptionNetwork

FILE = "perception.safetensors"
RECIPE = "semcom train perception --camvid DIR"


class Predictions(NamedTuple):
    """What is seen in one image; a part that was not looked for is None.

    segmentation: uint8 [H, W] trainId. detections: by falling score. depth: float32 [H, W] metres
    along the optical axis, NaN in the sky. problem: why depth is None although it was looked for.
    """

    segmentation: np.ndarray | None = None
    detections: list[Detection] | None = None
    depth: np.ndarray | None = None
    problem: str = ""


class Perception:
    """Images uint8 [B, H, W, 3] RGB, sides multiples of 32 -> their `Predictions`.

    It takes a copy of `network`, whose label outputs stand for trainIds `classes`. names: the
    classes that it detects. focal: the focal length in pixels that its depths hold for. threshold:
    least score of a detection, 0 to 1.
    """

    def __init__(
        self,
        network: PerceptionNetwork,
        classes: Sequence[int],
        names: Sequence[str],
        focal: float,
        device: str = "cpu",
        threshold: float = THRESHOLD,
    ):
        import torch

        from semcom_ros.layers.residual import for_inference

        self.network = for_inference(copy.deepcopy(network), torch.bfloat16).to(device)
        self.classes = np.array(classes, np.uint8)
        self.names, self.focal, self.device, self.threshold = list(names), focal, device, threshold

    @classmethod
    def from_pretrained(
        cls, path: Path | None = None, device: str = "cpu", threshold: float = THRESHOLD
    ) -> Perception:
        """That of a weights file, or of a folder that holds `FILE`; by default the shipped one.

        Raises SemcomError when the weights are missing, altered or made for another label space.
        """
        from semcom_ros.perception.networks import PerceptionNetwork

        path = weights.file_at(path, FILE)
        tensors, card = weights.load(path, RECIPE)
        classes = weights.classes_of(card, path)
        names = _detected(card, path)
        sizes = (card[name] for name in ("widths", "branches", "fine"))
        network = PerceptionNetwork(len(classes), len(names), *sizes)
        weights.fill(network, tensors, path)
        return cls(network, classes, names, card["focal"], device, threshold)

    def __call__(
        self,
        images: Images,
        focals: Sequence[float | None] | None = None,
        skies: Sequence[np.ndarray | None] | None = None,
    ) -> list[Predictions]:
        """focals: focal length of each camera in pixels of its image, by default that of training.

        An image tells size over distance alone, so depth is in proportion to it. skies: bool [H, W]
        of each image, where already known: it gets no segmentation, which saves a third where none
        does. Raises SemcomError for images of another type, or of sides that are no multiples of
        32.
        """
        import torch

        from semcom_ros.layers.image_input import to_input

        batch = stacked(images)
        height, width = batch.shape[1:3]
        if height % 32 or width % 32:
            raise SemcomError(
                f"An image of {width}x{height} pixels cannot be looked at: fit it to 512x256 "
                "or other multiples of 32."
            )
        unknown = [None] * len(batch)
        skies = unknown if skies is None else skies
        focals = unknown if focals is None else focals
        scales = [(focal or self.focal) / self.focal for focal in focals]
        with torch.inference_mode():
            pixels = to_input(batch, torch.bfloat16, self.device)
            outputs = self.network(pixels, label=any(sky is None for sky in skies))
            labels = unknown
            if outputs.labels is not None:
                found = self.classes[outputs.labels.argmax(1).to(torch.uint8).cpu().numpy()]
                labels = [m if sky is None else None for m, sky in zip(found, skies, strict=True)]
            detections = read_boxes(outputs, self.names, self.threshold)
            depths = read_depth(outputs, scales)
        for depth, found, sky in zip(depths, labels, skies, strict=True):
            depth[found == TRAIN_ID["sky"] if sky is None else sky] = np.nan
        return [Predictions(*each) for each in zip(labels, detections, depths, strict=True)]


def read_depth(outputs: Outputs, scales: Sequence[float]) -> np.ndarray:
    """The depths in `outputs`, each times its scale: float32 [B, H, W] metres."""
    import torch
    import torch.nn.functional as F

    from semcom_ros.perception.networks import MIDDLE

    # Between cells the logarithm is interpolated: a mean of metres would favour the far side.
    depth = F.interpolate(outputs.depth.float(), scale_factor=2, mode="bilinear")[:, 0]
    metres = torch.tensor([MIDDLE * scale for scale in scales], device=depth.device)
    return (depth.exp() * metres[:, None, None]).cpu().numpy()


def stacked(images: Images) -> np.ndarray:
    """A batch uint8 [B, H, W, 3] of `images`; raises SemcomError where they make none."""
    shapes = {(image.shape, image.dtype) for image in images}
    if len(shapes) > 1:
        sizes = " and ".join(sorted(str(shape) for shape, _ in shapes))
        raise SemcomError(f"Images of {sizes} make no batch: fit them to one size.")
    for shape, dtype in shapes:
        if dtype != np.uint8 or len(shape) != 3 or shape[2] != 3 or not min(shape):
            raise SemcomError(
                f"An image of shape {shape} and type {dtype} cannot be looked at: "
                "give uint8 [H, W, 3] RGB."
            )
    return np.array(images)


def _detected(card: dict[str, Any], path: Path) -> list[str]:
    """The classes that the network in `path` detects; raises SemcomError for what is no thing."""
    names = card.get("detected", [])
    odd = [name for name in names if name not in {c.name for c in CLASSES if c.thing}]
    if odd or not names:
        raise SemcomError(
            f"The card of {path} is damaged, it detects {odd[0] if odd else 'nothing'!r}: restore "
            "models/ from the repository."
        )
    return names
