# SPDX-License-Identifier: Apache-2.0
"""Runs the paper's networks at either end, called as the narrow ones of `sqgan.inference`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, Self

import numpy as np
import torch

from semcom_ros import weights
from semcom_ros.codecs.sqgan.paper.networks import (
    CLASS_PLANES,
    SqganPaperSizes,
    image_pipeline,
    map_pipeline,
)
from semcom_ros.codecs.sqgan.pipeline import Pipeline
from semcom_ros.errors import SemcomError
from semcom_ros.frame import WORK_SIZE
from semcom_ros.labels import VOID
from semcom_ros.layers.class_shares import ClassShares
from semcom_ros.layers.image_input import to_images, to_input
from semcom_ros.layers.vector_quantiser import nearest

RECIPE = "semcom train sqgan-paper --data cityscapes:DIR"
MAKERS = {"map": map_pipeline, "image": image_pipeline}
_MEAN, _DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def file_of(stage: str) -> str:
    """The name of the weights that a stage of training makes."""
    return f"sqgan_paper_{stage}.safetensors"


def normalised(image: torch.Tensor) -> torch.Tensor:
    """An image [B, 3, H, W] in 0..1, with ImageNet's mean and deviation taken out."""
    mean, deviation = _statistics(image)
    return (image - mean) / deviation


def pixels(image: torch.Tensor) -> torch.Tensor:
    """A normalised image [B, 3, H, W] in 0..1."""
    mean, deviation = _statistics(image)
    return image * deviation + mean


def _statistics(image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    mean, deviation = (
        torch.tensor(v, device=image.device).reshape(1, 3, 1, 1) for v in (_MEAN, _DEVIATION)
    )
    return mean, deviation


class _PaperInference:
    """One end of a pipeline on `device`, where it computes in bfloat16.

    stage: of training, whose weights it has.
    """

    stage: ClassVar[str]

    @classmethod
    def from_pretrained(cls, folder: Path, device: str = "cpu") -> Self:
        """That of the weights in `folder`. Raises SemcomError as `load_network`."""
        return cls(load_network(folder / file_of(cls.stage), device), device)

    def __init__(self, pipeline: Pipeline, device: str = "cpu"):
        self.device = torch.device(device)
        self.pipeline = pipeline.to(self.device).eval()
        self.class_shares = ClassShares(range(CLASS_PLANES), stride=1)

    def _planes(self, labels: Sequence[np.ndarray]) -> torch.Tensor:
        """One-hot [B, MAP_PLANES, H, W], void last."""
        known = torch.from_numpy(np.stack([self.class_shares.of_labels(one) for one in labels]))
        return torch.cat([known, 1 - known.sum(1, keepdim=True)], 1).to(self.device)

    def _transmit(
        self, inputs: tuple[torch.Tensor, ...], classes: torch.Tensor
    ) -> tuple[np.ndarray, np.ndarray]:
        with torch.inference_mode(), torch.autocast(self.device.type, torch.bfloat16):
            vectors, scores = self.pipeline.transmitter(inputs, classes)
        indices = nearest(vectors.movedim(1, -1).float(), self.pipeline.quantiser.codebook)
        return indices.cpu().numpy(), scores[:, 0].float().cpu().numpy()

    def _receive(
        self, indices: Sequence[np.ndarray], kept: Sequence[np.ndarray], *conditions: torch.Tensor
    ) -> torch.Tensor:
        codes = self.pipeline.quantiser.look_up(torch.from_numpy(np.stack(indices)).to(self.device))
        known = torch.from_numpy(np.stack(kept)).to(self.device)[:, None].float()
        with torch.inference_mode(), torch.autocast(self.device.type, torch.bfloat16):
            return self.pipeline.receiver(codes, known, conditions).float()


class PaperMapTransmitter(_PaperInference):
    """As `MapTransmitter`."""

    stage = "map"

    def __call__(self, labels: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        planes = self._planes(labels)
        return self._transmit((planes,), planes[:, :CLASS_PLANES])


class PaperImageTransmitter(_PaperInference):
    """As `ImageTransmitter`."""

    stage = "tune"

    def __call__(
        self, images: np.ndarray, labels: Sequence[np.ndarray]
    ) -> tuple[np.ndarray, np.ndarray]:
        classes = self._planes(labels)[:, :CLASS_PLANES]
        seen = normalised(to_input(images, torch.float32, self.device))
        return self._transmit((seen, classes), classes)


class PaperMapReceiver(_PaperInference):
    """As `MapReceiver`; it knows void."""

    stage = "map"

    def __call__(
        self, indices: Sequence[np.ndarray], kept: Sequence[np.ndarray]
    ) -> tuple[np.ndarray, np.ndarray]:
        posterior, place = self._receive(indices, kept).softmax(1).max(1)
        labels = torch.where(place == CLASS_PLANES, VOID, place).to(torch.uint8).cpu().numpy()
        return labels, (255 * posterior).to(torch.uint8).cpu().numpy()


class PaperImageReceiver(_PaperInference):
    """As `ImageReceiver`."""

    stage = "tune"

    def __call__(
        self,
        indices: Sequence[np.ndarray],
        kept: Sequence[np.ndarray],
        labels: Sequence[np.ndarray],
    ) -> np.ndarray:
        image = pixels(self._receive(indices, kept, self._planes(labels)[:, :CLASS_PLANES]))
        return to_images(image.mul(255))


def load_network(path: Path, device: str = "cpu", size: tuple[int, int] = WORK_SIZE) -> Pipeline:
    """The pipeline in `path`, of map or image, float32, for inference at `size` (H, W).

    Raises SemcomError for weights that are missing, altered, of other classes, of another network
    than their card says or trained at another size.
    """
    tensors, card = weights.load(path, RECIPE)
    sizes = SqganPaperSizes.of_card(card, size, path, RECIPE)
    if card.get("pipeline") not in MAKERS:
        raise SemcomError(
            f"The card of {path} names no pipeline, map or image: make it anew with `{RECIPE}`."
        )
    pipeline = MAKERS[card["pipeline"]](sizes)
    weights.fill(pipeline, tensors, path)
    return pipeline.to(device).eval().requires_grad_(False)
