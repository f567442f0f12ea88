# SPDX-License-Identifier: Apache-2.0
"""A small network that denoises one-hot planes: the yardstick of fast denoising, which has none.

It sees all planes at once and knows from training how streets are laid out; it is blind to the
kind and the strength of the noise.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from scipy.ndimage import distance_transform_edt
from torch import nn

from semcom_ros import weights
from semcom_ros.errors import SemcomError
from semcom_ros.lab.sunet import MapSunet, decision
from semcom_ros.labels import CLASSES, NAMES, VOID
from semcom_ros.layers.residual import ConvNorm, Residual, for_inference

FILE = "gesco_denoiser.safetensors"
SUNET_FILE = Path("out/rivals/sunet.safetensors")
"""The Swin U-Net, `semcom train denoiser --network sunet`; it does not ship."""
RECIPE = "semcom train denoiser --camvid DIR"
LARGEST = 8.0
"""Received values are clipped to this: beyond it nothing was seen in training."""


class DenoisingNetwork(nn.Module):
    """Noisy planes to logits, by residual convolutions at 1/2, 1/4 and 1/8 of the resolution.

    widths: channels there. stride: sides of a map are multiples of it.
    """

    stride = 8

    def __init__(self, classes: int, widths: tuple[int, int, int] = (32, 48, 48)):
        super().__init__()
        half, quarter, eighth = widths
        self.look = ConvNorm(4 * classes, half)
        self.expect = nn.Conv2d(classes, half, 1, bias=False)
        self.to_quarter = ConvNorm(half, quarter, stride=2)
        self.at_quarter = Residual(quarter)
        self.to_eighth = ConvNorm(quarter, eighth, stride=2)
        self.at_eighth = ConvNorm(eighth, eighth)
        self.from_eighth = nn.Conv2d(eighth, quarter, 1)
        self.from_quarter = nn.Conv2d(quarter, half, 1)
        self.at_half = ConvNorm(half, half)
        self.decide = nn.Conv2d(half, 4 * (classes + 1), 3, padding=1)

    def forward(self, planes: torch.Tensor, present: torch.Tensor) -> torch.Tensor:
        """Logits float32 [B, classes, H, W], -inf for classes that are absent.

        planes: [B, classes, H, W], H and W multiples of `stride`. present: bool [B, classes].
        """
        expected = self.expect(present[..., None, None].to(planes.dtype))
        half = torch.relu(self.look(F.pixel_unshuffle(planes, 2)) + expected)
        quarter = self.at_quarter(torch.relu(self.to_quarter(half)))
        eighth = torch.relu(self.at_eighth(torch.relu(self.to_eighth(quarter))))
        quarter = quarter + _double(self.from_eighth(eighth))
        half = torch.relu(self.at_half(half + _double(self.from_quarter(quarter))))
        decided = F.pixel_shuffle(self.decide(half), 2).float()
        return decision(decided, planes, present)


NETWORKS: dict[str, Callable[[int], nn.Module]] = {"small": DenoisingNetwork, "sunet": MapSunet}
"""Denoisers by name, for so many classes."""


def _double(x: torch.Tensor) -> torch.Tensor:
    return F.interpolate(x, scale_factor=2, mode="bilinear")


class LearnedDenoiser:
    """Called like `fast_denoising.denoise`, for the classes that its network was trained on.

    It takes a copy of `network`, whose planes stand for trainIds `classes`.
    """

    def __init__(self, network: nn.Module, classes: Sequence[int], device: str = "cpu"):
        self.classes, self.device = tuple(classes), device
        self.network = for_inference(copy.deepcopy(network), torch.bfloat16).to(device)

    @classmethod
    def from_pretrained(cls, path: Path | None = None, device: str = "cpu") -> LearnedDenoiser:
        """That of a weights file, or of a folder that holds `FILE`; by default the shipped one.

        Raises SemcomError when the weights are missing, altered or made for another label space.
        """
        path = weights.file_at(path, FILE)
        recipe = RECIPE + (f" --network {path.stem}" if path == SUNET_FILE else "")
        tensors, card = weights.load(path, recipe)
        classes = weights.classes_of(card, path)
        network = NETWORKS[card.get("network", "small")](len(classes))
        weights.fill(network, tensors, path)
        return cls(network, classes, device)

    @property
    def parameters(self) -> int:
        """Numbers that the network has learned, normalisations folded in."""
        return sum(p.numel() for p in self.network.parameters())

    @torch.inference_mode()
    def __call__(self, planes: np.ndarray, present: Sequence[int]) -> np.ndarray:
        """Posteriors float32 [19, H, W] by trainId from received planes float32 [n, H, W].

        present: the trainId of each received plane; the other classes come out 0. NaN counts as 0.
        Raises SemcomError for planes and classes that do not belong together, for a class that the
        network does not know and for sides that are no multiples of its stride.
        """
        self._check(planes, present)
        places = [self.classes.index(c) for c in present]
        size = planes.shape[1:]
        received = torch.zeros((1, len(self.classes), *size))
        received[0, places] = (
            torch.from_numpy(np.ascontiguousarray(planes, np.float32))
            .nan_to_num(0.0, LARGEST, -LARGEST)
            .clamp_(-LARGEST, LARGEST)
        )
        known = torch.zeros((1, len(self.classes)), dtype=torch.bool)
        known[0, places] = True
        logits = self.network(
            received.to(self.device, torch.bfloat16, memory_format=torch.channels_last),
            known.to(self.device),
        )
        posteriors = np.zeros((len(CLASSES), *size), np.float32)
        posteriors[list(self.classes)] = logits[0].softmax(0).cpu().numpy()
        return posteriors

    def _check(self, planes: np.ndarray, present: Sequence[int]) -> None:
        count = len(set(present))
        if planes.ndim != 3 or not planes.size or not len(planes) == count == len(present):
            raise SemcomError(
                f"Received planes of shape {planes.shape} are no maps of {len(present)} classes: "
                "the set of classes must name one class for each plane, and at least one."
            )
        unknown = sorted(set(present) - set(self.classes))
        if unknown:
            names = [NAMES[c] if 0 <= c < len(NAMES) else str(c) for c in unknown]
            raise SemcomError(
                f"The learned denoiser was not trained on {', '.join(names)}: "
                "use fast denoising for such maps."
            )
        stride = self.network.stride
        if planes.shape[1] % stride or planes.shape[2] % stride:
            raise SemcomError(
                f"The learned denoiser takes maps whose sides are multiples of {stride}, not "
                f"{planes.shape[1]}x{planes.shape[2]}."
            )


def fill_void(labels: np.ndarray) -> np.ndarray:
    """Labels uint8 [H, W] with the nearest class where they are void: what is sent has no void."""
    nearest = distance_transform_edt(labels == VOID, return_distances=False, return_indices=True)
    return labels[tuple(nearest)]
