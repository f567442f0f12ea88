# SPDX-License-Identifier: Apache-2.0
"""LPIPS and FID with their published backbones, where the files lie on this machine.

Nothing is fetched: a file that is missing is named in the score's place, and what the judge's
features tell stands beside it under its own name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from semcom_ros.runtime import declare_operators

ALEXNET = "alexnet-owt-7be5be79.pth"
INCEPTION = "weights-inception-2015-12-05-6726825d.pth"
FEATURES = 2048
"""Of the last pooling layer of Inception v3, which FID is defined on."""


class Backbones:
    """folder: where the files lie; torch hub's cache is looked through as well."""

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder

    def lacks(self, what: str) -> str:
        """Why `what`, lpips or inception, cannot be had, as the text of a score; "" if it can."""
        if what == "inception" and find_spec("torch_fidelity") is None:
            return "not measured: needs the package torch-fidelity"
        name = {"lpips": ALEXNET, "inception": INCEPTION}[what]
        return "" if self._find(name) else f"not measured: needs {name} (--backbones DIR)"

    @cached_property
    def lpips(self) -> Callable[[np.ndarray, np.ndarray], float]:
        """LPIPS (AlexNet) of two images uint8 [H, W, 3]."""
        import torch

        declare_operators()
        from torchmetrics.image.lpip import LearnedPerceptualImagePatchSimilarity

        with _hub(self._find(ALEXNET).parent):
            metric = LearnedPerceptualImagePatchSimilarity(net_type="alex")

        def distance(original: np.ndarray, image: np.ndarray) -> float:
            metric.reset()
            with torch.inference_mode():
                pair = [to_batch(x).div_(127.5).sub_(1) for x in (original, image)]
                return float(metric(*pair))

        return distance

    @cached_property
    def inception(self) -> Callable[[np.ndarray], np.ndarray]:
        """Image uint8 [H, W, 3] -> Inception's features float64 [2048]."""
        import torch

        declare_operators()
        from torchmetrics.image.fid import NoTrainInceptionV3

        network = NoTrainInceptionV3(
            name="inception-v3-compat",
            features_list=[str(FEATURES)],
            feature_extractor_weights_path=str(self._find(INCEPTION)),
        )

        def features(image: np.ndarray) -> np.ndarray:
            with torch.inference_mode():
                return network(to_batch(image).to(torch.uint8))[0].double().numpy()

        return features

    def _find(self, name: str) -> Path | None:
        folders = [self.folder] if self.folder else []
        import torch

        folders.append(Path(torch.hub.get_dir()) / "checkpoints")
        return next((f / name for f in folders if (f / name).is_file()), None)


@contextmanager
def _hub(folder: Path) -> Iterator[None]:
    """Let torch hub find its files in `folder` and nowhere else."""
    import torch

    usual = torch.hub.get_dir()
    with TemporaryDirectory() as hub:
        (Path(hub) / "checkpoints").symlink_to(folder.resolve())
        torch.hub.set_dir(hub)
        try:
            yield
        finally:
            torch.hub.set_dir(usual)


def frechet(pairs: Sequence[tuple[np.ndarray, np.ndarray]]) -> float | None:
    """Fréchet distance of two sets of features, given as (original's, image's), float64 [C] each.

    None where there are fewer than two frames.
    """
    if len(pairs) < 2:
        return None
    import torch

    declare_operators()
    from torchmetrics.image.fid import FrechetInceptionDistance

    class Given(torch.nn.Module):
        num_features = len(pairs[0][0])

        def forward(self, features: Any) -> Any:
            return features

    metric = FrechetInceptionDistance(feature=Given()).set_dtype(torch.float64)
    for real, features in zip((True, False), zip(*pairs, strict=True), strict=True):
        metric.update(torch.from_numpy(np.stack(features)), real=real)
    return max(0.0, float(metric.compute()))


def relative_frechet(pairs: Sequence[tuple[np.ndarray, np.ndarray]]) -> float | None:
    """`frechet` over the variance of the originals' features, summed over the features."""
    distance = frechet(pairs)
    if distance is None:
        return None
    spread = float(np.var([real for real, _ in pairs], axis=0, ddof=1).sum())
    return distance / spread if spread else None


def to_batch(image: np.ndarray) -> Any:
    """An image uint8 [H, W, 3] as float32 [1, 3, H, W] in 0..255.

    Its channels lie last in memory, which halves the time of MS-SSIM.
    """
    import torch

    return torch.from_numpy(np.ascontiguousarray(image)).permute(2, 0, 1)[None].float()
