# SPDX-License-Identifier: Apache-2.0
"""Makes a street of a received picture and the map, in one pass: the picture is its base."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import torch

from semcom_ros import weights
from semcom_ros.codecs.gesco import shared
from semcom_ros.codecs.gesco.diffusion_network import DiffusionNetwork
from semcom_ros.codecs.gesco.picture import Picture
from semcom_ros.frame import WORK_SIZE
from semcom_ros.layers.class_shares import ClassShares
from semcom_ros.layers.image_input import to_images
from semcom_ros.layers.residual import for_inference


def restore(
    network: DiffusionNetwork,
    class_shares: torch.Tensor,
    pictures: torch.Tensor,
    sharpness: torch.Tensor,
) -> torch.Tensor:
    """Images float32 [B, 3, H, W], about 0..1, of class shares [B, classes, H/2, W/2].

    pictures: float32 [B, 3, H, W] in 0..1; they stay in full precision where they are corrected.
    sharpness: [B], as `picture.sharpness` has it.
    """
    kind = network.embed.weight.dtype
    seen = pictures.to(kind)
    conditions = network.condition(class_shares.to(kind), seen)._replace(picture=pictures)
    return network.denoise(2 * seen - 1, sharpness, conditions).float()


class Restorer:
    """class shares float32 [classes, 128, 256] and a picture -> image.

    Runs a copy of `network`, whose planes stand for trainIds `classes`, on `device`.
    """

    def __init__(self, network: DiffusionNetwork, classes: Sequence[int], device: str = "cpu"):
        self.device = device
        self.class_shares = ClassShares(classes)
        self.network = for_inference(copy.deepcopy(network), torch.bfloat16).to(device)

    @classmethod
    def from_pretrained(cls, path: Path | None = None, device: str = "cpu") -> Restorer:
        """That of a weights file, or of a folder that holds one. Raises SemcomError."""
        path = weights.file_at(path, shared.RESTORER_FILE)
        tensors, card = weights.load(path, shared.RESTORER_RECIPE)
        classes = weights.classes_of(card, path)
        network = DiffusionNetwork(len(classes), fine=int(card.get("fine", 0)))
        weights.fill(network, tensors, path)
        return cls(network, classes, device)

    @torch.inference_mode()
    def __call__(
        self, class_shares: Sequence[np.ndarray], pictures: Sequence[Picture]
    ) -> list[np.ndarray]:
        """Images uint8 [256, 512, 3], all in one pass."""
        planes = torch.from_numpy(np.stack(class_shares)).to(self.device)
        base = torch.from_numpy(np.stack([_full_size(one.pixels) for one in pictures]))
        base = base.to(self.device).permute(0, 3, 1, 2)
        sharp = torch.tensor([one.sharpness for one in pictures], device=self.device)
        planes = planes.contiguous(memory_format=torch.channels_last)
        return list(to_images(restore(self.network, planes, base, sharp).mul_(255)))


def _full_size(pixels: np.ndarray) -> np.ndarray:
    """float32 [256, 512, 3] in 0..1."""
    size = WORK_SIZE[::-1]
    if pixels.dtype == np.uint8:
        larger = cv2.resize(pixels, size, interpolation=cv2.INTER_CUBIC)
        return larger.astype(np.float32) / 255
    return cv2.resize(pixels, size, interpolation=cv2.INTER_LINEAR)
