# SPDX-License-Identifier: Apache-2.0
"""Runs the networks of either end on a batch of frames: arrays in, arrays out."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import torch
import torch.nn.functional as F

from semcom_ros import weights
from semcom_ros.codecs.sqgan import shared
from semcom_ros.codecs.sqgan.pipeline import make, shares_of
from semcom_ros.errors import SemcomError
from semcom_ros.frame import WORK_SIZE
from semcom_ros.layers.class_shares import ClassShares
from semcom_ros.layers.image_input import to_images, to_input
from semcom_ros.layers.residual import for_inference
from semcom_ros.layers.vector_quantiser import nearest


class Inference:
    """A copy of `network`, folded for inference on `device`, with the codebook float32 [J, dims].

    classes: the trainIds of its planes. kind: its pipeline. half: its end of that. file: of the
    end's weights.
    """

    kind: ClassVar[str]
    half: ClassVar[str]
    file: ClassVar[str]

    def __init__(
        self,
        network: torch.nn.Module,
        codebook: torch.Tensor,
        classes: tuple[int, ...],
        device: str = "cpu",
    ):
        self.network: Any = for_inference(copy.deepcopy(network), torch.bfloat16).to(device)
        self.codebook = codebook.detach().float().to(device)
        self.classes = np.array(classes, np.uint8)
        self.class_shares = ClassShares(classes)
        self.device = device

    @classmethod
    def from_pretrained(
        cls, models: Path, device: str = "cpu", held: shared.SqganShared | None = None
    ) -> Self:
        """That of the weights in the folder `models`; held: what both ends hold, there as well.

        Raises SemcomError when a file is missing, altered or made with other codebooks than `held`.
        """
        held, path = held or shared.SqganShared.load(models), models / cls.file
        tensors, card = weights.load(path, shared.RECIPE)
        if card.get("shared") != held.sha256:
            raise SemcomError(
                f"The weights {path} were made with other codebooks than {shared.SHARED_FILE} "
                f"beside them: restore models/ or make all three with `{shared.RECIPE}`."
            )
        classes = weights.classes_of(card, path)
        network = getattr(make(cls.kind, classes, card, path), cls.half)
        weights.fill(network, shared.named(tensors, cls.kind), path)
        return cls(network, torch.from_numpy(held.codebooks[cls.kind]), classes, device)

    def _class_shares(self, labels: Sequence[np.ndarray]) -> torch.Tensor:
        shares = torch.from_numpy(np.stack([self.class_shares.of_labels(one) for one in labels]))
        return shares.to(self.device, torch.bfloat16, memory_format=torch.channels_last)

    def _read(self, labels: Sequence[np.ndarray]) -> tuple[torch.Tensor, torch.Tensor]:
        """Maps as the encoder reads them, and as SAMM does."""
        class_shares = self._class_shares(labels)
        return class_shares, shares_of(class_shares)


class _Transmitting(Inference):
    half, file = "transmitter", shared.ENCODER_FILE

    @torch.inference_mode()
    def _latents(
        self, labels: Sequence[np.ndarray], *seen: torch.Tensor
    ) -> tuple[np.ndarray, np.ndarray]:
        """Indices int64 and scores float32 [B, h, w] of maps, and of images where they are seen."""
        planes, shares = self._read(labels)
        vectors, scores = self.network((*seen, planes), shares)
        indices = nearest(vectors.movedim(1, -1).float(), self.codebook)
        return indices.cpu().numpy(), scores[:, 0].float().cpu().numpy()


class ImageTransmitter(_Transmitting):
    """Images uint8 [B, H, W, 3] and labels uint8 [B, H, W] to indices int64 and scores float32
    [B, h, w]."""

    kind = "image"

    def __call__(
        self, images: np.ndarray, labels: Sequence[np.ndarray]
    ) -> tuple[np.ndarray, np.ndarray]:
        return self._latents(labels, self._seen(images))

    def _seen(self, images: np.ndarray) -> torch.Tensor:
        return to_input(images, torch.bfloat16, self.device)


class MapTransmitter(_Transmitting):
    """Labels uint8 [B, H, W] to indices int64 and scores float32 [B, h, w]."""

    kind = "map"

    def __call__(self, labels: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        return self._latents(labels)


class _Receiving(Inference):
    half, file = "receiver", shared.DECODER_FILE

    def _received(
        self, indices: Sequence[np.ndarray], kept: Sequence[np.ndarray]
    ) -> tuple[torch.Tensor, torch.Tensor]:
        at = torch.from_numpy(np.stack(indices)).to(self.device)
        codes = F.embedding(at, self.codebook).permute(0, 3, 1, 2)
        known = torch.from_numpy(np.stack(kept)).to(self.device)[:, None]
        return codes.to(torch.bfloat16), known.to(torch.bfloat16)


class ImageReceiver(_Receiving):
    """Indices int64 and kept bool [B, h, w], where kept, and labels uint8 [B, H, W] received to
    images uint8 [B, H, W, 3]."""

    kind = "image"

    @torch.inference_mode()
    def __call__(
        self,
        indices: Sequence[np.ndarray],
        kept: Sequence[np.ndarray],
        labels: Sequence[np.ndarray],
    ) -> np.ndarray:
        images = self.network(*self._received(indices, kept), (self._class_shares(labels),))
        return to_images(self._shown(images.float()).mul_(255))

    def _shown(self, images: torch.Tensor) -> torch.Tensor:
        """In 0..1, what the network painted."""
        return images


class MapReceiver(_Receiving):
    """Indices int64 and kept bool [B, h, w] to labels uint8 [B, H, W] and their certainty uint8
    [B, H, W], 255 times the posterior that the decoder gives them."""

    kind = "map"

    @torch.inference_mode()
    def __call__(
        self, indices: Sequence[np.ndarray], kept: Sequence[np.ndarray]
    ) -> tuple[np.ndarray, np.ndarray]:
        logits = self.network(*self._received(indices, kept)).float()
        logits = F.interpolate(logits, size=WORK_SIZE, mode="bilinear")
        posterior, place = logits.softmax(1).max(1)
        certainty = (255 * posterior).to(torch.uint8).cpu().numpy()
        return self.classes[place.to(torch.uint8).cpu().numpy()], certainty
