# SPDX-License-Identifier: Apache-2.0
"""Runs the generator: from a received label map and thumbnail to an image of the street."""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import torch

from semcom_ros import weights
from semcom_ros.codecs.gesco.generator import EVIDENCE_STRIDE, Generator
from semcom_ros.labels import KIN, TRAIN_ID
from semcom_ros.layers.residual import for_inference

FILE = "gesco_generator.safetensors"
RECIPE = "semcom train gesco --camvid DIR"


def class_evidence(labels: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """Share of each class in every 2x2 block: labels [B, H, W] -> float32 [B, classes, H/2, W/2].

    Void and classes that `classes` lacks have no plane: their pixels carry no evidence.
    """
    s = EVIDENCE_STRIDE
    batch, height, width = labels.shape
    evidence = np.empty((batch, len(classes), height // s, width // s), np.uint8)
    for plane, c in enumerate(classes):
        hit = labels == c
        np.add.reduce(
            [hit[:, i::s, j::s] for i in range(s) for j in range(s)],
            dtype=np.uint8,
            out=evidence[:, plane],
        )
    return evidence.astype(np.float32) / s**2


class ImageGenerator:
    """labels uint8 [256, 512] and a thumbnail float32 [16, 32, 3] -> image uint8 [256, 512, 3]."""

    def __init__(self, path: Path | None = None, device: str = "cpu"):
        path = path or weights.models_dir() / FILE
        tensors, card = weights.load(path, RECIPE)
        classes = weights.classes_of(card, path)
        network = Generator(len(classes))
        weights.fill(network, tensors, path)
        self._prepare(network, classes, device)

    @classmethod
    def of(
        cls, network: Generator, classes: tuple[int, ...], device: str = "cpu"
    ) -> ImageGenerator:
        """Around a copy of `network`, whose planes stand for trainIds `classes`."""
        self = cls.__new__(cls)
        self._prepare(copy.deepcopy(network), classes, device)
        return self

    def _prepare(self, network: Generator, classes: tuple[int, ...], device: str) -> None:
        self.device = device
        self.classes = np.array(classes, np.uint8)
        # A class that the weights never saw is painted as its nearest kin that they did.
        self.painted_as = np.arange(256, dtype=np.uint8)
        for name, kin in KIN.items():
            if TRAIN_ID[name] not in classes:
                self.painted_as[TRAIN_ID[name]] = TRAIN_ID[kin]
        self.network = for_inference(network, torch.bfloat16).to(device)

    @torch.inference_mode()
    def __call__(self, labels: np.ndarray, thumbnail: np.ndarray) -> np.ndarray:
        evidence = class_evidence(self.painted_as[labels][None], self.classes)
        image = self.network(_planes(evidence, self.device), _picture(thumbnail, self.device))
        image = image[0].float().mul(255).round_().clamp_(0, 255).to(torch.uint8)
        return np.ascontiguousarray(image.permute(1, 2, 0).cpu().numpy())


def _planes(evidence: np.ndarray, device: str) -> torch.Tensor:
    tensor = torch.from_numpy(evidence).to(device)
    return tensor.to(torch.bfloat16, memory_format=torch.channels_last)


def _picture(thumbnail: np.ndarray, device: str) -> torch.Tensor:
    tensor = torch.from_numpy(thumbnail).to(device).permute(2, 0, 1)[None]
    return tensor.to(torch.bfloat16, memory_format=torch.channels_last)
