# SPDX-License-Identifier: Apache-2.0
"""Semantic segmentation of images with the shipped network."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from semcom_ros import weights
from semcom_ros.frame import WORK_SIZE, Images
from semcom_ros.layers.image_input import to_input
from semcom_ros.layers.residual import for_inference
from semcom_ros.perception.lite_network import FORM, LiteSegmentationNetwork
from semcom_ros.perception.networks import WIDTHS, SegmentationNetwork

FILE = "segmenter.safetensors"
RECIPE = "semcom train segmenter --camvid DIR"
WARM_UPS = 3
AT_ONCE = 16
"""Images of a longer batch that share a pass: their logits at full size take 160 MB."""
BINOMIAL = (1 / 16, 4 / 16, 6 / 16, 4 / 16, 1 / 16)
"""Smooths the logits. Specks of single cells score nothing and cost bytes: on CamVid val a coded
map shrinks by 40 % and mIoU rises by 0.003."""


Network = SegmentationNetwork | LiteSegmentationNetwork


def load_network(path: Path, recipe: str = RECIPE) -> tuple[Network, tuple[int, ...]]:
    """The float32 network in `path` and the trainIds of its outputs; its card tells its form.

    Raises SemcomError when the file is missing, altered or made for another label space; `recipe`
    is the command that makes it.
    """
    tensors, card = weights.load(path, recipe)
    classes = weights.classes_of(card, path)
    network: Network
    if "backbone" in card:
        network = LiteSegmentationNetwork(len(classes), **{name: card[name] for name in FORM})
    else:
        network = SegmentationNetwork(len(classes), tuple(card.get("widths", WIDTHS)))
    weights.fill(network, tensors, path)
    return network, classes


class Segmenter:
    """Labels images uint8 [B, H, W, 3] RGB, sides multiples of 32: uint8 [B, H, W] trainId.

    It takes a copy of `network`, whose outputs stand for trainIds `classes`.
    """

    def __init__(self, network: Network, classes: Sequence[int], device: str = "cpu"):
        self.device = device
        self.classes = np.array(classes, np.uint8)
        self.network = for_inference(copy.deepcopy(network), torch.bfloat16).to(device)
        line = torch.tensor(BINOMIAL, device=device)
        self.smoothing = torch.outer(line, line).expand(len(classes), 1, -1, -1).contiguous()

    @classmethod
    def from_pretrained(
        cls, path: Path | None = None, device: str = "cpu", recipe: str = RECIPE
    ) -> Segmenter:
        """That of a weights file, or of a folder that holds `FILE`; by default the shipped one.

        Raises SemcomError as `load_network`.
        """
        return cls(*load_network(weights.file_at(path, FILE), recipe), device)

    def warm_up(self) -> None:
        """Label blanks until the network runs at its speed, in the thread that is going to."""
        for _ in range(WARM_UPS):
            self(np.zeros((1, *WORK_SIZE, 3), np.uint8))

    def __call__(self, images: Images) -> np.ndarray:
        parts = (images[i : i + AT_ONCE] for i in range(0, len(images), AT_ONCE))
        return np.concatenate([self.read(self.features(part), part[0].shape[:2]) for part in parts])

    @torch.inference_mode()
    def features(self, images: Images) -> list[torch.Tensor]:
        """What the encoder makes of `images` at 1/4, 1/8, 1/16, 1/32: bfloat16 [B, C, h, w]."""
        return self.network.features(to_input(np.array(images), torch.bfloat16, self.device))

    @torch.inference_mode()
    def read(self, pyramid: list[torch.Tensor], size: tuple[int, int]) -> np.ndarray:
        """Labels uint8 [B, H, W] from the `features` of images of that size (H, W)."""
        logits = self.network.decode(pyramid).float()
        logits = F.conv2d(logits, self.smoothing, padding=2, groups=len(self.classes))
        full = F.interpolate(logits, size=size, mode="bilinear")
        return self.classes[full.argmax(1).to(torch.uint8).cpu().numpy()]
