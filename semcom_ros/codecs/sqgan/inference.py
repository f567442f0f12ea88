# SPDX-License-Identifier: Apache-2.0
"""Runs the networks of either end on one frame: arrays in, arrays out."""

from __future__ import annotations

import copy

import numpy as np
import torch
import torch.nn.functional as F

from semcom_ros.codecs.sqgan.pipeline import Receiver, Sender, shares_of
from semcom_ros.frame import WORK_SIZE
from semcom_ros.layers.class_shares import ClassShares
from semcom_ros.layers.image_input import to_input
from semcom_ros.layers.residual import for_inference
from semcom_ros.layers.vector_quantiser import nearest


class _End:
    """A copy of `network`, folded for inference on `device`, with the codebook float32 [J, dims].

    classes: the trainIds of its planes.
    """

    def __init__(
        self,
        network: torch.nn.Module,
        codebook: torch.Tensor,
        classes: tuple[int, ...],
        device: str = "cpu",
    ):
        self.network = for_inference(copy.deepcopy(network), torch.bfloat16).to(device)
        self.codebook = codebook.detach().float().to(device)
        self.classes = np.array(classes, np.uint8)
        self.class_shares = ClassShares(classes)
        self.device = device

    def _class_shares(self, labels: np.ndarray) -> torch.Tensor:
        shares = torch.from_numpy(self.class_shares.of_labels(labels))[None]
        return shares.to(self.device, torch.bfloat16, memory_format=torch.channels_last)


class _Sending(_End):
    network: Sender

    def _latents(
        self, inputs: tuple[torch.Tensor, ...], class_shares: torch.Tensor
    ) -> tuple[np.ndarray, np.ndarray]:
        vectors, scores = self.network(inputs, shares_of(class_shares))
        indices = nearest(vectors[0].movedim(0, -1).float(), self.codebook)
        return indices.cpu().numpy(), scores[0, 0].float().cpu().numpy()


class ImageTransmitter(_Sending):
    """Image uint8 [H, W, 3] and labels uint8 [H, W] to indices int64 and scores float32 [h, w]."""

    @torch.inference_mode()
    def __call__(self, image: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        class_shares = self._class_shares(labels)
        seen = to_input(image[None], torch.bfloat16, self.device)
        return self._latents((seen, class_shares), class_shares)


class MapTransmitter(_Sending):
    """Labels uint8 [H, W] to indices int64 and scores float32 [h, w]."""

    @torch.inference_mode()
    def __call__(self, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        class_shares = self._class_shares(labels)
        return self._latents((class_shares,), class_shares)


class _Receiving(_End):
    network: Receiver

    def _received(self, indices: np.ndarray, kept: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
        at = torch.from_numpy(indices).to(self.device)[None]
        codes = F.embedding(at, self.codebook).permute(0, 3, 1, 2)
        known = torch.from_numpy(kept).to(self.device)[None, None]
        return codes.to(torch.bfloat16), known.to(torch.bfloat16)


class ImageReceiver(_Receiving):
    """Indices int64 and kept bool [h, w], where kept, and labels uint8 [H, W] received to an image
    uint8 [H, W, 3]."""

    @torch.inference_mode()
    def __call__(self, indices: np.ndarray, kept: np.ndarray, labels: np.ndarray) -> np.ndarray:
        image = self.network(*self._received(indices, kept), (self._class_shares(labels),))
        levels = image[0].float().mul_(255).round_().clamp_(0, 255).to(torch.uint8)
        return np.ascontiguousarray(levels.permute(1, 2, 0).cpu().numpy())


class MapReceiver(_Receiving):
    """Indices int64 and kept bool [h, w] to labels uint8 [H, W] and their certainty uint8 [H, W],
    255 times the posterior that the decoder gives them."""

    @torch.inference_mode()
    def __call__(self, indices: np.ndarray, kept: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        logits = self.network(*self._received(indices, kept)).float()
        logits = F.interpolate(logits, size=WORK_SIZE, mode="bilinear")
        posterior, place = logits.softmax(1)[0].max(0)
        certainty = (255 * posterior).to(torch.uint8).cpu().numpy()
        return self.classes[place.to(torch.uint8).cpu().numpy()], certainty
