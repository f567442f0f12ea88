# SPDX-License-Identifier: Apache-2.0
"""A linear path beside the networks of both ends: blocks of pixels to symbols and back.

Training begins it with the blocks' principal components, so that the networks learn what a linear
code cannot do and not, slowly, what it can. Analog transmission of uncorrelated values with power
as the square root of their variance is the best linear code over Gaussian noise (Lee, Petersen,
"Optimal linear coding for vector channels", 1976).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from semcom_ros.codecs.gsc.sizes import GscSizes

PILOT, PILOT_PLANE = 0.7, 1
"""The mean of one of the real planes over every picture: by it the receiver knows the scale that
unit power took."""
QUIETEST = 0.02
"""Least scale that is made up for."""
SNR_SCALE = 20.0
"""What networks hear of an SNR in dB is divided by it."""


class LinearPlanes(nn.Module):
    """Adds blocks of images [B, 3, H, W] to planes float32 [B, 2 planes, H/stride, W/stride], and
    the pilot, where a picture is asked for.

    The SNR [B] in dB and whether a map crosses too set how loud each is.
    """

    def __init__(self, sizes: GscSizes):
        super().__init__()
        self.blocks = nn.Conv2d(3, 2 * sizes.planes, sizes.stride, sizes.stride)
        self.loudness = Loudness(2 * sizes.planes)

    def forward(
        self,
        planes: torch.Tensor,
        images: torch.Tensor,
        wanted: torch.Tensor,
        snr_db: torch.Tensor,
    ) -> torch.Tensor:
        blocks = self.blocks(images).float() * self.loudness(snr_db, wanted[:, 1])
        added = blocks + pilot(PILOT - (planes + blocks)[:, PILOT_PLANE].mean((1, 2)), blocks)
        return planes + added * wanted[:, :1, None, None].float()


class LinearPicture(nn.Module):
    """Planes [B, 2 planes, h, w] as they arrived and log10 of their noise's variance [B, 1, h, w]
    -> pictures float32 [B, 3, H, W]: the MMSE estimate of each value, then the blocks."""

    def __init__(self, sizes: GscSizes):
        super().__init__()
        self.stride = sizes.stride
        self.blocks = nn.Conv2d(2 * sizes.planes, 3 * sizes.stride**2, 1)
        self.loudness = Loudness(2 * sizes.planes)
        self.log_power = nn.Parameter(torch.zeros(2 * sizes.planes))

    def forward(
        self, planes: torch.Tensor, log_noise: torch.Tensor, told: torch.Tensor
    ) -> torch.Tensor:
        """told: as `Heard` has it."""
        planes, log_noise = planes.float(), log_noise.float()
        scale = planes[:, PILOT_PLANE].mean((1, 2)).div(PILOT).clamp(min=QUIETEST)
        scale = scale[:, None, None, None]
        loudness = self.loudness(told[:, 0], told[:, 3])
        # Half of a symbol's noise is in either of its parts.
        noise = 10**log_noise / 2 / scale.square()
        power = self.log_power.float().exp()[:, None, None] * loudness.square()
        values = planes / scale - pilot(scale.new_full((1,), PILOT), planes)
        # Of planes that did not come nothing is known but their mean.
        values = torch.where(planes == 0, 0.0, values / loudness * power / (power + noise))
        blocks = self.blocks(values.to(self.blocks.weight.dtype))
        return F.pixel_shuffle(blocks, self.stride).float()


class Loudness(nn.Module):
    """SNR [B] in dB and whether a map crosses too [B] -> factors float32 [B, planes, 1, 1]; 1
    before it learns."""

    def __init__(self, planes: int):
        super().__init__()
        self.by = nn.Linear(2, planes)
        nn.init.zeros_(self.by.weight)
        nn.init.zeros_(self.by.bias)

    def forward(self, snr_db: torch.Tensor, with_map: torch.Tensor) -> torch.Tensor:
        told = torch.stack([snr_db / SNR_SCALE, with_map], 1).to(self.by.weight.dtype)
        return self.by(told).float().clamp(-3, 3).exp()[:, :, None, None]


def pilot(mean: torch.Tensor, planes: torch.Tensor) -> torch.Tensor:
    """[B, 2 planes, 1, 1], 0 but for `mean` [B] at the place of the pilot."""
    place = torch.arange(planes.shape[1], device=mean.device) == PILOT_PLANE
    return (mean[:, None] * place)[:, :, None, None]
