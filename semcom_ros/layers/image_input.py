# SPDX-License-Identifier: Apache-2.0
"""Images as networks take and give them."""

from __future__ import annotations

import numpy as np
import torch


def to_input(
    images: np.ndarray | torch.Tensor, dtype: torch.dtype, device: str | torch.device = "cpu"
) -> torch.Tensor:
    """Images uint8 [B, H, W, 3] -> a network's input [B, 3, H, W] in 0..1, channels last."""
    tensor = torch.as_tensor(images).to(device).permute(0, 3, 1, 2)
    return tensor.to(dtype=dtype, memory_format=torch.channels_last).div_(255)


def to_images(levels: torch.Tensor) -> np.ndarray:
    """Levels [B, 3, H, W] in 0..255, overwritten -> the nearest images uint8 [B, H, W, 3]."""
    rounded = levels.round_().clamp_(0, 255).to(torch.uint8)
    return np.ascontiguousarray(rounded.permute(0, 2, 3, 1).cpu().numpy())
