# SPDX-License-Identifier: Apache-2.0
"""Images as networks take them."""

from __future__ import annotations

import numpy as np
import torch


def to_input(
    images: np.ndarray | torch.Tensor, dtype: torch.dtype, device: str | torch.device = "cpu"
) -> torch.Tensor:
    """Images uint8 [B, H, W, 3] -> a network's input [B, 3, H, W] in 0..1, channels last."""
    tensor = torch.as_tensor(images).to(device).permute(0, 3, 1, 2)
    return tensor.to(dtype=dtype, memory_format=torch.channels_last).div_(255)
