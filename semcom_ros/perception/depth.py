# SPDX-License-Identifier: Apache-2.0
"""How far away each pixel is, read from the perception network's outputs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from semcom_ros.perception.network import Outputs


def read_depth(outputs: Outputs, sky: np.ndarray, scale: float = 1.0) -> np.ndarray:
    """The depth times `scale` in `outputs` of one image: float32 [H, W] metres, NaN in the sky.

    sky: bool [H, W].
    """
    import torch.nn.functional as F

    from semcom_ros.perception.network import MIDDLE

    # Between cells the logarithm is interpolated: a mean of metres would favour the far side.
    depth = F.interpolate(outputs.depth.float(), scale_factor=2, mode="bilinear")[0, 0]
    metres = depth.exp().mul(MIDDLE * scale).cpu().numpy()
    metres[sky] = np.nan
    return metres
