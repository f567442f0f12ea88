# SPDX-License-Identifier: Apache-2.0
"""All that there is to see of one frame of a cell, for the metrics."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from semcom_ros.frame import Frame
from semcom_ros.lab.evaluation.study.backbones import Backbones
from semcom_ros.lab.evaluation.study.data import Data
from semcom_ros.lab.evaluation.study.readers import Readers
from semcom_ros.lab.evaluation.study.systems import Outcome


@dataclass(frozen=True)
class View:
    """Frame `index` of `data` and its `outcome`; shown_before: the image at the RSU before it."""

    data: Data
    index: int
    outcome: Outcome
    shown_before: np.ndarray | None
    readers: Readers
    backbones: Backbones

    @property
    def frame(self) -> Frame:
        """The camera's frame, with the truth where it is known."""
        return self.data.frames[self.index]

    @property
    def image(self) -> np.ndarray:
        """What the RSU shows, uint8 [H, W, 3] RGB."""
        return self.outcome.reconstruction.image
