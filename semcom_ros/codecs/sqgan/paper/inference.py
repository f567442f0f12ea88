# SPDX-License-Identifier: Apache-2.0
"""Runs the paper's networks at either end, called as the narrow ones of `sqgan.inference`."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, Self

import numpy as np
import torch

from semcom_ros import weights
from semcom_ros.codecs.sqgan import shared, token_prior
from semcom_ros.codecs.sqgan.inference import (
    ImageReceiver,
    ImageTransmitter,
    Inference,
    MapReceiver,
    MapTransmitter,
)
from semcom_ros.codecs.sqgan.paper.networks import (
    CLASS_PLANES,
    SqganPaperSizes,
    image_pipeline,
    map_pipeline,
)
from semcom_ros.codecs.sqgan.pipeline import Pipeline
from semcom_ros.coding.map_prior import load_prior
from semcom_ros.errors import SemcomError
from semcom_ros.frame import WORK_SIZE
from semcom_ros.labels import VOID
from semcom_ros.layers.class_shares import ClassShares
from semcom_ros.layers.image_input import to_input

MAKERS = {"map": map_pipeline, "image": image_pipeline}
_MEAN, _DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def file_of(stage: str) -> str:
    """The name of the weights that a stage of training makes."""
    return f"sqgan_paper_{stage}.safetensors"


def recipe_of(stage: str) -> str:
    """The command that makes them."""
    return f"semcom train sqgan-paper --data cityscapes:DIR --stage {stage}"


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


class _PaperInference(Inference):
    """One end of a pipeline at the paper's sizes; compiled on a GPU.

    It reads maps one-hot and whole, void apart. stage: of training, whose weights it has.
    """

    stage: ClassVar[str]

    @classmethod
    def from_pretrained(
        cls, models: Path, device: str = "cpu", held: shared.SqganShared | None = None
    ) -> Self:
        """That of the weights in the folder `models`. Raises SemcomError as `load_network`."""
        pipeline = load_network(models, cls.stage)
        classes = (*range(CLASS_PLANES), VOID)
        return cls(getattr(pipeline, cls.half), pipeline.quantiser.codebook, classes, device)

    def __init__(
        self,
        network: torch.nn.Module,
        codebook: torch.Tensor,
        classes: tuple[int, ...],
        device: str = "cpu",
    ):
        super().__init__(network, codebook, classes, device)
        self.class_shares = ClassShares(classes[:CLASS_PLANES], stride=1)
        if torch.device(device).type == "cuda":
            self.network.compile()

    def _read(self, labels: Sequence[np.ndarray]) -> tuple[torch.Tensor, torch.Tensor]:
        classes = self._class_shares(labels)
        return classes, classes


class PaperMapTransmitter(_PaperInference, MapTransmitter):
    """As `MapTransmitter`; it knows void."""

    stage = "map"

    def _read(self, labels: Sequence[np.ndarray]) -> tuple[torch.Tensor, torch.Tensor]:
        classes = self._class_shares(labels)
        return torch.cat([classes, 1 - classes.sum(1, keepdim=True)], 1), classes


class PaperImageTransmitter(_PaperInference, ImageTransmitter):
    """As `ImageTransmitter`."""

    stage = "tune"

    def _seen(self, images: np.ndarray) -> torch.Tensor:
        seen = normalised(to_input(images, torch.float32, self.device))
        return seen.to(torch.bfloat16, memory_format=torch.channels_last)


class PaperMapReceiver(_PaperInference, MapReceiver):
    """As `MapReceiver`; it knows void."""

    stage = "map"


class PaperImageReceiver(_PaperInference, ImageReceiver):
    """As `ImageReceiver`."""

    stage = "tune"

    def _shown(self, images: torch.Tensor) -> torch.Tensor:
        return pixels(images)


def load_network(
    folder: Path, stage: str, device: str = "cpu", size: tuple[int, int] = WORK_SIZE
) -> Pipeline:
    """The pipeline that `stage` of training left in `folder`, float32, for inference at `size`
    (H, W).

    Raises SemcomError for weights that are missing, altered, of other classes, of another network
    than their card says or trained at another size.
    """
    path, recipe = folder / file_of(stage), recipe_of(stage)
    check_present(path, stage)
    tensors, card = weights.load(path, recipe)
    sizes = SqganPaperSizes.of_card(card, size, path, recipe)
    if card.get("pipeline") not in MAKERS:
        raise SemcomError(
            f"The card of {path} names no pipeline, map or image: make it anew with `{recipe}`."
        )
    pipeline = MAKERS[card["pipeline"]](sizes)
    weights.fill(pipeline, tensors, path)
    return pipeline.to(device).eval().requires_grad_(False)


def load_shared(models: Path) -> shared.SqganShared:
    """What both ends hold beside the paper's networks in the folder `models`: the map coder's
    prior, and of tokens no statistics, since none were learned.

    `model` names both files. Raises SemcomError where one is missing.
    """
    prior, names = load_prior(models)
    for stage in ("map", "tune"):
        path = models / file_of(stage)
        check_present(path, stage)
        names += bytes.fromhex(weights.read_card(path, recipe_of(stage))["sha256"])
    digest = hashlib.sha256(names)
    tokens = {pipeline: token_prior.scratch() for pipeline in shared.PIPELINES}
    return shared.SqganShared(prior, {}, tokens, digest.digest()[:8], digest.hexdigest())


def check_present(path: Path, stage: str) -> None:
    """Raise MissingWeights unless the weights `path` are there."""
    if not path.is_file():
        raise weights.MissingWeights(
            f"The weights {path} are missing, and none ship: make them with `{recipe_of(stage)}`."
        )
