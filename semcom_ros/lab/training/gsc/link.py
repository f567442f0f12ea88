# SPDX-License-Identifier: Apache-2.0
"""Both ends of gsc and the radio between them as one network, and its losses."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple, Self

import torch
import torch.nn.functional as F
from torch import nn

from semcom_ros.codecs.gsc.networks import Contexts, GscReceiver, GscSender, Heard
from semcom_ros.codecs.gsc.sizes import GscSizes
from semcom_ros.codecs.gsc.symbols import keep_planes, to_symbols, unit_power
from semcom_ros.lab.training import air
from semcom_ros.labels import VOID

RATES = (1, 2, 4, 6, 8, 12, 16, 18, 24, 32, 48)
"""Planes that a sample keeps."""
USUAL, USUAL_SHARE = {True: 8, False: 4}, 0.25
"""Planes kept more often than others, where a picture is asked for and where not."""
TAIL_LOST = 0.1
"""Part of the samples whose last planes are lost on the air, after they took their power."""
TOLD_WRONG_DB = 1.5
"""Deviation of the SNR that the encoder is told."""


class Draw(NamedTuple):
    """What a batch meets. wanted: float32 [B, 2]. kept, arrived: planes sent and come, int64 [B].
    snr_db: of the link, float32 [B]. fading: whether gains are drawn, or all are 1."""

    wanted: torch.Tensor
    kept: torch.Tensor
    arrived: torch.Tensor
    snr_db: torch.Tensor
    fading: bool = True

    @classmethod
    def of(
        cls, wanted: torch.Tensor, planes: int, snr_range: tuple[float, float], fading: bool = True
    ) -> Self:
        """Random rates up to `planes`, SNRs and losses for what is wanted."""
        count, device = len(wanted), wanted.device
        rates = _rates(planes, device)
        kept = rates[torch.randint(len(rates), (count,), device=device)]
        usual = torch.where(wanted[:, 0] > 0, USUAL[True], USUAL[False]).clamp(max=planes)
        kept = torch.where(torch.rand(count, device=device) < USUAL_SHARE, usual, kept)
        left = (torch.rand(count, device=device) * kept).long() + 1
        arrived = torch.where(torch.rand(count, device=device) < TAIL_LOST, left, kept)
        return cls(wanted, kept, arrived, air.draw_snr(count, device, *snr_range), fading)

    @classmethod
    def fixed(cls, count: int, kept: int, snr_db: float, device: torch.device) -> Self:
        """The same for all of `count`: both wanted, over plain noise."""
        planes = torch.full((count,), kept, device=device)
        snr = torch.full((count,), float(snr_db), device=device)
        return cls(torch.ones(count, 2, device=device), planes, planes, snr, fading=False)

    def over_air(self, symbols: torch.Tensor, area: int) -> tuple[air.Arrived, torch.Tensor]:
        """Send symbols complex64 [B, n] of planes of `area`, 0 but for those kept, at unit power:
        what arrives, and the gains complex64 [B, n] that they met."""
        sent = unit_power(symbols, self.kept * area)
        gains = torch.ones_like(sent)
        if self.fading:
            gains = air.draw_gains(*sent.shape, device=sent.device)
        return air.transmit(sent, gains, self.snr_db), gains


@lru_cache(32)
def _rates(planes: int, device: torch.device) -> torch.Tensor:
    return torch.tensor([rate for rate in RATES if rate <= planes], device=device)


class GscLink(nn.Module):
    """Sender and receiver, whose logits stand for `classes` kinds."""

    def __init__(self, sizes: GscSizes, classes: int):
        super().__init__()
        self.sender, self.receiver = GscSender(sizes), GscReceiver(sizes, classes)

    def send(self, images: torch.Tensor, draw: Draw) -> Heard:
        """Images float32 [B, 3, H, W] in 0..1 through the radio, as they are heard."""
        told = draw.snr_db
        if draw.fading:
            told = told + TOLD_WRONG_DB * torch.randn_like(told)
        planes = self.planes(images, draw.wanted, told)
        grid = planes.shape[-2:]
        sent = to_symbols(keep_planes(planes, draw.kept))
        (symbols, variance), _ = draw.over_air(sent, grid[0] * grid[1])
        return Heard.of(symbols, variance, draw.arrived, draw.wanted, (grid[0], grid[1]))

    def planes(
        self, images: torch.Tensor, wanted: torch.Tensor, snr_db: torch.Tensor
    ) -> torch.Tensor:
        return self.sender(images, wanted, snr_db)

    def forward(self, images: torch.Tensor, draw: Draw, picture: bool) -> torch.Tensor:
        """Pictures of images through the radio, or the logits of their maps."""
        heard = self.send(images, draw)
        contexts, whole = self.understand(heard), slice(None)
        return self.paint(contexts, heard, whole) if picture else self.label(contexts, whole)

    def understand(self, heard: Heard) -> Contexts:
        return self.receiver.understand(heard)

    def paint(self, contexts: Contexts, heard: Heard, which: slice) -> torch.Tensor:
        """Pictures float32 [b, 3, H, W] of the samples `which`, in one pass."""
        return self.receiver.image(contexts.context[which], heard.told[which])

    def label(self, contexts: Contexts, which: slice) -> torch.Tensor:
        """Logits float32 [b, classes, h, w] of the samples `which`."""
        return self.receiver.map(contexts.shapes[which]).float()


def picture_loss(pictures: torch.Tensor, images: torch.Tensor) -> torch.Tensor:
    """Mean squared error of pixels in 0..1 (the papers' equation 5)."""
    return F.mse_loss(pictures, images)


def psnr_of(pictures: torch.Tensor, images: torch.Tensor) -> torch.Tensor:
    """PSNR in dB of each of [B, 3, H, W], pictures cut to 0..1; 60 at most."""
    error = (pictures.clamp(0, 1) - images).square().mean((1, 2, 3))
    return -10 * error.clamp(min=1e-6).log10()


def map_loss(
    logits: torch.Tensor, labels: torch.Tensor, weight: torch.Tensor | None = None
) -> torch.Tensor:
    """Cross-entropy of a pixel that is not void (the papers' equation 6, of logits).

    logits: [B, classes, h, w], brought to the size of labels int64 [B, H, W]. weight: of classes.
    """
    full = F.interpolate(logits, size=labels.shape[1:], mode="bilinear")
    total = F.cross_entropy(full, labels, weight, ignore_index=VOID, reduction="sum")
    known = labels != VOID
    if weight is not None:
        known = known * weight[labels.clamp(max=len(weight) - 1)]
    # No look whether there is one: a GPU would be waited for.
    return total / known.sum().clamp(min=1e-6)
