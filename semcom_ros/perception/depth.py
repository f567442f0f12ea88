# SPDX-License-Identifier: Apache-2.0
"""How far away each pixel is: depth from one image with the shipped network."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from semcom_ros.perception.heads import Outputs


class DepthEstimator:
    """Image uint8 [256, 512, 3] RGB -> depth float32 [256, 512], metres along the optical axis.

    NaN where there is no depth to know: the sky. Raises SemcomError when the weights in `path`
    are missing, altered or stand on another segmenter.
    """

    def __init__(self, path: Path | None = None, device: str = "cpu"):
        from semcom_ros.perception.heads import HeadsPass

        self._heads = HeadsPass(path, device)

    def __call__(self, image: np.ndarray, focal: float | None = None) -> np.ndarray:
        """focal: focal length of the camera in pixels of `image`, by default that of training.

        An image tells size over distance alone, so depth is in proportion to it.
        """
        import torch

        with torch.inference_mode():
            _, outputs = self._heads(image)
            return read_depth(outputs, (focal or self._heads.focal) / self._heads.focal)


def read_depth(outputs: Outputs, scale: float = 1.0) -> np.ndarray:
    """The depth times `scale` in `heads.Outputs` of one image, as large; NaN in the sky."""
    import torch.nn.functional as F

    from semcom_ros.perception.heads import MIDDLE

    # Between cells the logarithm is interpolated: a mean of metres would favour the far side.
    depth, sky = (
        F.interpolate(x.float(), scale_factor=2, mode="bilinear")[0, 0]
        for x in (outputs.depth, outputs.sky)
    )
    return depth.exp().mul(MIDDLE * scale).masked_fill(sky > 0, float("nan")).cpu().numpy()
