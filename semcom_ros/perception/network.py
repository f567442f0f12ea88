# SPDX-License-Identifier: Apache-2.0
"""The heads for boxes and depth that stand on the segmenter's encoder, and their pass."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from semcom_ros import weights
from semcom_ros.errors import SemcomError
from semcom_ros.labels import NAMES
from semcom_ros.layers.residual import ConvNorm, Residual, for_inference
from semcom_ros.perception import segmentation
from semcom_ros.perception.segmentation import Segmenter, to_input
from semcom_ros.perception.segmentation_network import WIDTHS as PYRAMID

FILE = "perception.safetensors"
RECIPE = "semcom train perception --camvid DIR"
STRIDE = 4
"""Pixels a side of a cell of the detection grid."""
WIDTHS = (48, 64, 96, 128)
"""Channels of the neck at 1/4, 1/8, 1/16 and 1/32 of the resolution."""
BRANCHES = (48, 32, 32)
"""Channels of the branches for heat, sides and depth."""
RARE = -4.6
"""Heat before training: the logit of 1 %, so that the many empty cells do not drown the rest."""
MIDDLE = 15.0
"""Metres that a depth output of 0 stands for."""


class Outputs(NamedTuple):
    """What the heads say of images [B, 3, H, W]; cells of `STRIDE` pixels, halves of 2.

    heat: logits [B, classes, H/4, W/4] that an object's centre lies in a cell. sides: the natural
    logarithm [B, 4, H/4, W/4] of the distances in cells from a cell's centre to the left, top,
    right and bottom side of its object. depth: natural logarithm of metres over `MIDDLE`,
    [B, 1, H/2, W/2]. sky: logits of "no depth here", [B, 1, H/2, W/2].
    """

    heat: torch.Tensor
    sides: torch.Tensor
    depth: torch.Tensor
    sky: torch.Tensor


class Heads(nn.Module):
    """The segmenter's pyramid (1/4 to 1/32) -> `Outputs`; a light top-down neck, two heads.

    The boxes follow TTFNet (Liu et al., "Training-Time-Friendly Network for Real-Time Object
    Detection", AAAI 2020): centres as in CenterNet, and every cell about a centre learns the box.
    The frame's rows and columns are inputs (CoordConv): the ground's depth hangs on the row.
    0.9 GMAC at 256x512 with the default widths.
    """

    def __init__(
        self,
        classes: int,
        widths: tuple[int, ...] = WIDTHS,
        branches: tuple[int, ...] = BRANCHES,
        pyramid: tuple[int, ...] = PYRAMID,
    ):
        super().__init__()
        self.branches = branches
        self.lateral = nn.ModuleList(
            ConvNorm(a, b, kernel=1) for a, b in zip(pyramid, widths, strict=True)
        )
        self.place = nn.ModuleList(nn.Conv2d(2, w, 1, bias=False) for w in widths)
        self.context = nn.Conv2d(widths[-1], widths[-1], 1)
        self.top = Residual(widths[-1])
        self.up = nn.ModuleList(
            ConvNorm(b, a, kernel=1) for a, b in zip(widths[:-1], widths[1:], strict=True)
        )
        self.merge = nn.ModuleList(ConvNorm(w, w) for w in widths[:-1])
        # One wide convolution keeps a CPU busier than three narrow ones.
        self.branch = ConvNorm(widths[0], sum(branches))
        self.heat = nn.Conv2d(branches[0], classes, 1)
        self.sides = nn.Conv2d(branches[1], 4, 1)
        # Four sub-pixels of depth and of sky a cell.
        self.depth = nn.Conv2d(branches[2], 8, 1)
        nn.init.constant_(self.heat.bias, RARE)

    def forward(self, pyramid: list[torch.Tensor]) -> Outputs:
        x = torch.relu(self._level(pyramid, 3))
        x = self.top(x + torch.relu(self.context(x.mean((2, 3), keepdim=True))))
        for i in (2, 1, 0):
            x = F.interpolate(self.up[i](x), scale_factor=2, mode="nearest")
            x = torch.relu(self.merge[i](torch.relu(x + self._level(pyramid, i))))
        heat, sides, depth = torch.relu(self.branch(x)).split(self.branches, 1)
        halves = F.pixel_shuffle(self.depth(depth), 2)
        return Outputs(self.heat(heat), self.sides(sides), halves[:, :1], halves[:, 1:])

    def _level(self, pyramid: list[torch.Tensor], i: int) -> torch.Tensor:
        x = pyramid[i]
        rows, cols = (torch.linspace(-1, 1, n, device=x.device) for n in x.shape[2:])
        grid = torch.stack(torch.meshgrid(rows, cols, indexing="ij"))[None].to(x.dtype)
        return self.lateral[i](x) + self.place[i](grid)


class HeadsPass:
    """One pass of the segmenter's encoder and the heads: image -> pyramid and `Outputs`.

    segmenter: whose encoder runs. names: the classes of the heat. focal: the focal length in
    pixels that the depths hold for.
    """

    def __init__(self, path: Path | None = None, device: str = "cpu"):
        """Raises SemcomError when `path` is missing, altered or stands on another segmenter."""
        path = path or weights.models_dir() / FILE
        tensors, card = weights.load(path, RECIPE)
        if card.get("encoder") != encoder_hash():
            raise SemcomError(
                f"The weights {path} stand on another segmenter than the one in "
                f"{weights.models_dir()}: restore both from the repository or make them anew "
                f"with `{RECIPE}`."
            )
        names = [NAMES[c] for c in weights.classes_of(card, path)]
        heads = Heads(len(names), tuple(card["widths"]), tuple(card["branches"]))
        weights.fill(heads, tensors, path)
        self._prepare(Segmenter(device=device), heads, names, card["focal"])

    @classmethod
    def of(cls, segmenter: Segmenter, heads: Heads, names: list[str], focal: float) -> HeadsPass:
        """A pass around `segmenter` and a copy of `heads`."""
        self = cls.__new__(cls)
        self._prepare(segmenter, copy.deepcopy(heads), names, focal)
        return self

    def _prepare(self, segmenter: Segmenter, heads: Heads, names: list[str], focal: float) -> None:
        self.segmenter, self.names, self.focal = segmenter, names, focal
        self.heads = for_inference(heads, torch.bfloat16).to(segmenter.device)

    def __call__(self, image: np.ndarray) -> tuple[list[torch.Tensor], Outputs]:
        """image: uint8 [H, W, 3] RGB. Raises SemcomError for another, or sides not of 32s."""
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
        pixels = to_input(image[None], torch.bfloat16, self.segmenter.device)
        pyramid = self.segmenter.network.features(pixels)
        return pyramid, self.heads(pyramid)


def encoder_hash() -> str:
    """What names the shipped segmenter, on whose encoder heads stand."""
    path = weights.models_dir() / segmentation.FILE
    return weights.read_card(path, segmentation.RECIPE)["sha256"]
