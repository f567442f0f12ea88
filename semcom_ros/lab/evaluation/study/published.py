# SPDX-License-Identifier: Apache-2.0
"""The networks that LPIPS, DISTS, FID and KID are defined on, from the files as published.

None is fetched: the folder that the user names is looked through, and torch hub's cache.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np

from semcom_ros.errors import given
from semcom_ros.runtime import declare_operators

if TYPE_CHECKING:
    import torch

ALEXNET = "alexnet-owt-7be5be79.pth"
VGG = "vgg16-397923af.pth"
INCEPTION = "weights-inception-2015-12-05-6726825d.pth"
_FILES = {"lpips": ALEXNET, "dists": VGG, "inception": INCEPTION}
Distance = Callable[[np.ndarray, np.ndarray], float]
"""Of two images uint8 [H, W, 3], the original first."""


def lacks(what: str, folder: Path | None) -> str:
    """Why the network of `what` cannot be had, as the text of a score; "" where it can be tried."""
    if what == "inception" and find_spec("torch_fidelity") is None:
        return "not measured: needs the package torch-fidelity"
    name = _FILES.get(what)
    there = name is None or _find(name, folder)
    return "" if there else f"not measured: needs {name} (--backbones DIR)"


def to_batch(image: np.ndarray, device: str) -> torch.Tensor:
    """An image uint8 [H, W, 3] as float32 [1, 3, H, W] in 0..255 on `device`.

    Its channels lie last in memory, which halves the time of MS-SSIM.
    """
    import torch

    pixels = torch.from_numpy(np.ascontiguousarray(image)).to(device)
    return pixels.permute(2, 0, 1)[None].float()


def lpips(folder: Path | None, device: str) -> Distance:
    """LPIPS (Zhang et al., CVPR 2018) with AlexNet."""
    import torch

    declare_operators()
    from torchmetrics.image.lpip import LearnedPerceptualImagePatchSimilarity

    with _hub(given(_find(ALEXNET, folder)).parent):
        metric = LearnedPerceptualImagePatchSimilarity(net_type="alex").to(device)

    @torch.inference_mode()
    def distance(original: np.ndarray, image: np.ndarray) -> float:
        metric.reset()
        pair = (to_batch(x, device).div_(127.5).sub_(1) for x in (original, image))
        return float(metric(*pair))

    return distance


def dists(folder: Path | None, device: str) -> Distance:
    """DISTS (Ding et al., IEEE TPAMI 2022) with VGG-16, at the images' own size."""
    declare_operators()
    # torchmetrics' metric reads VGG's half a gigabyte anew at every update.
    from torchmetrics.functional.image.dists import DISTSNetwork

    with _hub(given(_find(VGG, folder)).parent):
        network = DISTSNetwork().requires_grad_(False).to(device)

    def distance(original: np.ndarray, image: np.ndarray) -> float:
        return float(network(*(to_batch(x, device).div_(255) for x in (original, image))))

    return distance


def inception(folder: Path | None, device: str) -> Any:
    """Inception v3, which FID and KID are defined on."""
    declare_operators()
    from torchmetrics.image.fid import NoTrainInceptionV3

    return NoTrainInceptionV3(
        name="inception-v3-compat",
        features_list=["2048"],
        feature_extractor_weights_path=str(_find(INCEPTION, folder)),
    ).to(device)


def _find(name: str, folder: Path | None) -> Path | None:
    import torch

    folders = [folder] if folder else []
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
