# SPDX-License-Identifier: Apache-2.0
"""What every learned link has: networks at both ends of planes of analog values."""

from __future__ import annotations

import torch
from torch import nn


class AnalogLink(nn.Module):
    """Images to planes of real values, of which two are the parts of one of symbols, and back.

    planes: real ones at most, an even number. stride: pixels a side of a cell of theirs. A subclass
    has `values`, from images [B, 3, H, W] in 0..1 and the SNR [B] in dB to all planes
    [B, planes, H/stride, W/stride], and `decode`, from planes as received, those not sent 0, and
    the SNR to images of about 0..1, or to logits [B, classes, H, W] where it `reads` maps. chooses:
    what is sent is no prefix, and the receiver must be told.
    """

    reads = chooses = False

    def __init__(self, planes: int, stride: int) -> None:
        super().__init__()
        self.planes, self.stride = planes, stride

    def encode(
        self, images: torch.Tensor, snr_db: torch.Tensor, kept: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """All planes, and which are sent, bool [B, planes]: those of the first `kept` of symbols,
        int64 [B]. So a shorter payload is a prefix of a longer one."""
        first = torch.arange(self.planes, device=images.device) < 2 * kept[:, None]
        return self.values(images, snr_db), first
