# SPDX-License-Identifier: Apache-2.0
"""Who looks at pictures for a study: the judge and the perception, loaded when first asked for.

A picture that comes again, such as the one that stays when frames are lost, is not read again.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from semcom_ros.errors import SemcomError
from semcom_ros.lab.metrics.perception_scores import LOWEST
from semcom_ros.weights import models_dir

if TYPE_CHECKING:
    from semcom_ros.frame import Camera
    from semcom_ros.perception.perceive import Predictions

REMEMBERED = 512
JUDGE = "judge.safetensors"
_SHIPPED = ("segmenter.safetensors", "perception.safetensors")


def digest(pixels: np.ndarray) -> bytes:
    """Tells one picture from another."""
    return hashlib.blake2b(np.ascontiguousarray(pixels), digest_size=16).digest()


class Readers:
    """judge: weights of the segmenter that reads regenerated images, by default the shipped judge.

    It is never the vehicle's segmenter: that would find again what it put there itself.
    """

    def __init__(self, judge: Path | None = None) -> None:
        self.judge_path = judge or models_dir() / JUDGE
        self._known: OrderedDict[tuple[str, bytes], Any] = OrderedDict()
        self._latest: tuple[bytes, list[Any]] = (b"", [])

    @property
    def models(self) -> tuple[Path, ...]:
        """Weights that what they find hangs on, there or not."""
        return self.judge_path, *(models_dir() / name for name in _SHIPPED)

    @cached_property
    def vehicle(self) -> Any:
        """The vehicle's own segmenter. Raises SemcomError, as the others do, without weights."""
        from semcom_ros.perception.segmentation import Segmenter

        return Segmenter.from_pretrained()

    @cached_property
    def judge(self) -> Any:
        """The segmenter that no loss saw."""
        from semcom_ros.perception.segmentation import FILE, Segmenter

        judge = Segmenter.from_pretrained(self.judge_path)
        vehicles = models_dir() / FILE
        if vehicles.is_file() and vehicles.read_bytes() == self.judge_path.read_bytes():
            raise SemcomError(
                f"The judge {self.judge_path} is the vehicle's own segmenter, which would find "
                "again what it put there: give another with --judge."
            )
        return judge

    @cached_property
    def perception(self) -> Any:
        """The shipped detection and depth, with boxes down to `LOWEST`."""
        from semcom_ros.perception.perceive import Perception

        return Perception.from_pretrained(threshold=LOWEST)

    def judged(self, image: np.ndarray) -> np.ndarray:
        """The judge's map of `image`, uint8 [H, W, 3]: uint8 [H, W] trainId."""

        def find() -> np.ndarray:
            [labels] = self.judge.read(self.pyramid(image), image.shape[:2])
            return labels

        return self.once("judged", image, find)

    def mean_features(self, image: np.ndarray) -> np.ndarray:
        """The mean of the judge's features at 1/16 of the resolution: float64 [channels]."""

        def find() -> np.ndarray:
            return self.pyramid(image)[2].float().mean((2, 3))[0].double().cpu().numpy()

        return self.once("features", image, find)

    def pyramid(self, image: np.ndarray) -> list[Any]:
        """What the judge's encoder makes of `image` at 1/4, 1/8, 1/16, 1/32: bfloat16 [1, C, h, w].

        The latest one is kept: all that looks at one image needs one pass.
        """
        which = digest(image)
        if which != self._latest[0]:
            self._latest = which, self.judge.features([image])
        return self._latest[1]

    def seen(self, image: np.ndarray, camera: Camera | None) -> Predictions:
        """What the shipped perception sees in `image`, taken by `camera` if that is known."""
        focal = camera.fx if camera is not None and camera.calibrated else None

        def find() -> Predictions:
            [seen] = self.perception([image], [focal])
            return seen

        return self.once(f"seen {focal}", image, find)

    def once(self, what: str, image: np.ndarray, read: Callable[[], Any]) -> Any:
        """What `read` finds in `image`; `what` names the finding."""
        key = (what, digest(image))
        if key not in self._known:
            self._known[key] = read()
            if len(self._known) > REMEMBERED:
                self._known.popitem(last=False)
        self._known.move_to_end(key)
        return self._known[key]
