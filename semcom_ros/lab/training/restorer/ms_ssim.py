# SPDX-License-Identifier: Apache-2.0
"""MS-SSIM of images [B, 3, H, W] in 0..1 as a loss, in separable windows, which are quick."""

from __future__ import annotations

import torch
import torch.nn.functional as F

SCALE_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
WINDOW, SIGMA = 11, 1.5
C1, C2 = 0.01**2, 0.03**2


def ms_ssim_loss(image: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """1 - MS-SSIM (Wang, Simoncelli, Bovik 2003), mean over images and channels; sides >= 161."""
    x, y = (t.float().flatten(0, 1)[:, None].contiguous() for t in (image, target))
    at = torch.arange(WINDOW, device=x.device) - WINDOW // 2
    line = torch.exp(-(at**2) / (2 * SIGMA**2))
    line = (line / line.sum())[None, None]
    total = 1.0
    for scale, weight in enumerate(SCALE_WEIGHTS):
        if scale:
            x, y = F.avg_pool2d(x, 2), F.avg_pool2d(y, 2)
        stacked = torch.cat((x, y, x * x, y * y, x * y))
        blurred = F.conv2d(F.conv2d(stacked, line[..., None]), line[:, :, None])
        mx, my, xx, yy, xy = blurred.chunk(5)
        spread = xx - mx * mx + yy - my * my
        contrast = (2 * (xy - mx * my) + C2) / (spread + C2)
        if scale == len(SCALE_WEIGHTS) - 1:
            contrast = contrast * (2 * mx * my + C1) / (mx * mx + my * my + C1)
        # Where the two oppose each other the power has no slope.
        total = total * contrast.mean((1, 2, 3)).clamp(min=1e-3) ** weight
    return 1 - total.mean()
