# SPDX-License-Identifier: Apache-2.0
"""The teacher at work: what it says of images that it sees enlarged."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from semcom_ros.frame import Frame
from semcom_ros.labels import NAMES, VOID, fold
from semcom_ros.layers.residual import for_inference
from semcom_ros.perception.segmentation import load_network

LOOK = 1.5
"""The teacher sees images enlarged so much."""
AT_ONCE = 16
_KIN = np.zeros((256, len(NAMES)), np.float32)
_KIN[: len(NAMES)] = np.equal.outer(*[fold(np.arange(len(NAMES), dtype=np.uint8))] * 2)


class Teacher:
    """That of the weights in `path`. Raises SemcomError where they are missing."""

    def __init__(self, path: Path, device: str):
        network, _ = load_network(path, "semcom train sight --stage teacher")
        self.network = for_inference(network, torch.bfloat16).to(device)
        self.device = device

    @torch.no_grad()
    def __call__(self, images: torch.Tensor) -> torch.Tensor:
        """Images [B, 3, H, W] in 0..1 -> posteriors float32 [B, 19, H/2, W/2]."""
        larger = F.interpolate(images, scale_factor=LOOK, mode="bilinear")
        logits = self.network(larger.to(torch.bfloat16, memory_format=torch.channels_last)).float()
        half = [side // 2 for side in images.shape[2:]]
        return F.interpolate(logits, size=half, mode="bilinear", antialias=True).softmax(1)

    def tell_apart(self, frames: list[Frame]) -> list[np.ndarray]:
        """Labels uint8 [H, W] of fitted frames whose own are CamVid's: what these lump told apart.

        Void stays void.
        """
        kin = torch.from_numpy(_KIN).to(self.device)
        told = []
        for first in range(0, len(frames), AT_ONCE):
            some = frames[first : first + AT_ONCE]
            labels = torch.from_numpy(np.stack([f.labels for f in some])).to(self.device)
            images = torch.from_numpy(np.stack([f.image for f in some])).to(self.device)
            said = self(images.permute(0, 3, 1, 2).float() / 255)
            full = F.interpolate(said, size=labels.shape[1:], mode="bilinear")
            best = (full * kin[labels.long()].permute(0, 3, 1, 2)).argmax(1).to(torch.uint8)
            told += list(torch.where(labels == VOID, VOID, best).to(torch.uint8).cpu().numpy())
        return told
