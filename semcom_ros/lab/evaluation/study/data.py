# SPDX-License-Identifier: Apache-2.0
"""The frames of a study, and what is found of them once and used by every cell."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from itertools import islice
from typing import Any

import cv2
import numpy as np

from semcom_ros.datasets import open_source
from semcom_ros.errors import SemcomError, choose
from semcom_ros.frame import Frame, fit
from semcom_ros.labels import VOID

LABELS = ("segmenter", "truth")
"""The vehicle's map: its segmenter's estimate, or the true one with void filled by the estimate."""


class Data:
    """The first `most` frames of one split, fitted to the size of work.

    name: as a study writes it, without the place of the files. hash: of all that is known of them.
    """

    def __init__(
        self, name: str, spec: str, split: str, most: int, segment: Callable[..., np.ndarray]
    ) -> None:
        source = open_source(spec, split, truth=True)
        self.name, self.split, self.rate_hz = name, split, source.rate_hz
        self.frames: list[Frame] = [fit(frame) for frame in islice(iter(source), most)]
        self.memo: dict[tuple, Any] = {}
        self._segment = segment
        content = hashlib.sha256()
        for frame in self.frames:
            for pixels in (frame.image, frame.labels, frame.depth):
                content.update(b"none" if pixels is None else np.ascontiguousarray(pixels))
            content.update(repr((frame.objects, frame.camera)).encode())
        self.hash = content.hexdigest()

    def __len__(self) -> int:
        return len(self.frames)

    def once(self, *key: Any, call: Callable[[], Any]) -> Any:
        """What `call` returns, called once for each `key`."""
        if key not in self.memo:
            self.memo[key] = call()
        return self.memo[key]

    def labels(self, which: str, index: int) -> np.ndarray:
        """The map at the vehicle, uint8 [H, W] trainId; `which` is one of `LABELS`.

        Raises SemcomError where the truth is asked for and not known.
        """
        choose(which, LABELS, "choice of labels")
        truth = self.frames[index].labels
        if which == "truth" and truth is None:
            raise SemcomError(
                f"{self.name} has frames without labels: send the segmenter's (labels: segmenter)."
            )
        if which == "truth" and (truth != VOID).all():
            return truth
        image = self.frames[index].image
        estimate = self.once("segmented", index, call=lambda: self._segment(image))
        return estimate if which == "segmenter" else np.where(truth == VOID, estimate, truth)

    def flow(self, index: int) -> np.ndarray:
        """Where each pixel of frame `index` lay in the frame before: float32 [H, W, 2], x and y."""

        def find() -> np.ndarray:
            now, before = (
                cv2.cvtColor(self.frames[i].image, cv2.COLOR_RGB2GRAY) for i in (index, index - 1)
            )
            flow = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
            moved = flow.calc(now, before, None)
            rows, cols = np.indices(now.shape, np.float32)
            return moved + np.stack([cols, rows], axis=-1)

        return self.once("flow", index, call=find)
