# SPDX-License-Identifier: Apache-2.0
"""WITT and SwinJSCC: Swin transformers at both ends, modulated by the SNR and by the rate.

Yang, Wang, Dai, Pan, Niu, Zhang, "WITT: a wireless image transmission transformer for semantic
communications", ICASSP 2023; Yang et al., "SwinJSCC: taming Swin transformer for deep joint
source-channel coding", IEEE TCCN 2025. As in their code, which is cited by what it does.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import nn

from semcom_ros.lab.jscc.analog_link import AnalogLink
from semcom_ros.layers.swin import PatchEmbedding, PatchMerging, SwinStage

LAYERS = 7
"""Modulated layers of a `Modulation`."""
SCALE_DB = 20.0


class Modulation(nn.Module):
    """A gate in 0..1 of every feature, by linear layers each scaled by a perceptron of one number.

    What is gated learns nothing by the gate: the layers see the features detached.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        inner = channels * 3 // 2
        inputs = (channels, *[inner] * (LAYERS - 1))
        self.layers = nn.ModuleList(nn.Linear(cin, inner) for cin in inputs)
        self.scales = nn.ModuleList(
            nn.Sequential(
                nn.Linear(1, inner), nn.ReLU(), nn.Linear(inner, inner), nn.ReLU(),
                nn.Linear(inner, inner), nn.Sigmoid(),
            )
            for _ in inputs
        )  # fmt: skip
        self.out = nn.Linear(inner, channels)

    def forward(self, x: torch.Tensor, number: torch.Tensor) -> torch.Tensor:
        """Features [B, h, w, channels] and a number [B] of about 0..1 -> the gate of each."""
        gate, told = x.detach(), number[:, None].to(x.dtype)
        for layer, scale in zip(self.layers, self.scales, strict=True):
            gate = layer(gate) * scale(told)[:, None, None]
        return torch.sigmoid(self.out(gate))


class PatchDivision(nn.Module):
    """[B, H, W, cin] -> [B, 2 H, 2 W, cout]: the reverse of a merging."""

    def __init__(self, cin: int, cout: int) -> None:
        super().__init__()
        self.norm, self.increase = nn.LayerNorm(cin), nn.Linear(cin, 4 * cout, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        wide = self.increase(self.norm(x)).permute(0, 3, 1, 2)
        return F.pixel_shuffle(wide, 2).permute(0, 2, 3, 1)


class Witt(AnalogLink):
    """Four stages of Swin blocks at each end, a linear head to `planes`, gates by the SNR.

    dims, depths, heads: of the stages, the first at half the resolution.
    """

    def __init__(
        self, planes: int, dims: Sequence[int], depths: Sequence[int], heads: Sequence[int],
        window: int = 8,
    ) -> None:  # fmt: skip
        super().__init__(planes, 2 ** len(dims))
        shapes = list(zip(dims, heads, depths, strict=True))
        stages = [SwinStage(dim, head, window, depth) for dim, head, depth in shapes]
        mergings = [PatchMerging(a, b) for a, b in pairwise(dims)]
        self.embed = PatchEmbedding(dims[0], 2)
        self.down = nn.Sequential(stages[0], *_alternate(mergings, stages[1:]))
        self.norm, self.gate = nn.LayerNorm(dims[-1]), Modulation(dims[-1])
        self.head, self.tail = self.ends(dims[-1])
        back = [SwinStage(dim, head, window, depth) for dim, head, depth in reversed(shapes)]
        divisions = [PatchDivision(b, a) for a, b in reversed(list(pairwise((3, *dims))))]
        self.gate_back = Modulation(dims[-1])
        self.up = nn.Sequential(*_alternate(back, divisions))

    def ends(self, dim: int) -> tuple[nn.Module, nn.Module]:
        """From the last features to the planes, and back."""
        return nn.Linear(dim, self.planes), nn.Linear(self.planes, dim)

    def features(self, images: torch.Tensor, snr_db: torch.Tensor) -> torch.Tensor:
        """[B, H/16, W/16, dims[-1]], gated by the SNR."""
        x = self.norm(self.down(self.embed(images)))
        return x * self.gate(x, snr_db / SCALE_DB)

    def values(self, images: torch.Tensor, snr_db: torch.Tensor) -> torch.Tensor:
        return self.head(self.features(images, snr_db)).permute(0, 3, 1, 2)

    def decode(self, planes: torch.Tensor, snr_db: torch.Tensor) -> torch.Tensor:
        x = self.tail(planes.permute(0, 2, 3, 1))
        x = self.up(x * self.gate_back(x, snr_db / SCALE_DB))
        return x.permute(0, 3, 1, 2)


class SwinJscc(Witt):
    """WITT without heads: its last features are the planes, gated by the rate as well.

    The planes whose gates sum up highest are sent.
    """

    chooses = True

    def __init__(self, dims: Sequence[int], **sizes: Sequence[int]) -> None:
        super().__init__(dims[-1], dims, **sizes)
        self.gate_rate = Modulation(dims[-1])

    def ends(self, dim: int) -> tuple[nn.Module, nn.Module]:
        return nn.Identity(), nn.Identity()

    def encode(
        self, images: torch.Tensor, snr_db: torch.Tensor, kept: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        x = self.features(images, snr_db)
        gate = self.gate_rate(x, 2 * kept / self.planes)
        rank = gate.float().sum((1, 2)).argsort(1, descending=True).argsort(1)
        return (x * gate).permute(0, 3, 1, 2), rank < 2 * kept[:, None]


def _alternate(one: Sequence[nn.Module], other: Sequence[nn.Module]) -> list[nn.Module]:
    return [module for pair in zip(one, other, strict=True) for module in pair]
