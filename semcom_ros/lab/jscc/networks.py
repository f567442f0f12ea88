# SPDX-License-Identifier: Apache-2.0
"""The learned links by name, in the sizes that were published and in narrow ones for two cores."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from torch import nn

from semcom_ros import weights
from semcom_ros.lab.jscc.convolutional import ConvolutionalJscc
from semcom_ros.lab.jscc.deeplab import DeeplabJscc
from semcom_ros.lab.jscc.transformer import SwinJscc, Witt
from semcom_ros.lab.reader_networks import RESNET_18, Fcn
from semcom_ros.labels import CLASSES

FOLDER = Path("out/jscc")
"""Where weights are written and looked for: they do not ship."""
READER = "fcn"
"""No link, but what reads the pictures that a classical one brings."""
_CLASSES = len(CLASSES)
_FIVE, _NINE = (5, 5, 5, 5, 5), (9, 5, 5, 5, 5)
_PUBLISHED, _COARSE = (2, 2, 1, 1, 1), (2, 2, 2, 2, 1)
_SWIN: Mapping[str, Any] = {
    "dims": (128, 192, 256, 320), "depths": (2, 2, 6, 2), "heads": (4, 6, 8, 10),
}  # fmt: skip
_NARROW: Mapping[str, Any] = {
    "depths": (2, 2, 2, 2), "heads": (3, 3, 6, 6),
}  # fmt: skip
_RESNET = (44, 64, 104, 144)
adjscc = partial(ConvolutionalJscc, kernels=_NINE, attends=True)

FULL: dict[str, Callable[..., nn.Module]] = {
    "deepjscc": partial(
        ConvolutionalJscc, planes=6, widths=(16, 32, 32, 32), kernels=_FIVE, strides=_PUBLISHED
    ),
    "adjscc": partial(adjscc, planes=6, widths=(256,) * 4, strides=_PUBLISHED),
    "witt": partial(Witt, planes=96, **_SWIN),
    "swinjscc": partial(SwinJscc, **_SWIN),
    "deeplab_jscc": partial(
        DeeplabJscc, planes=4, channels=RESNET_18, pyramid=256, step=1, classes=_CLASSES
    ),
    READER: partial(Fcn, RESNET_18, _CLASSES),
}
"""As published. The planes of deepjscc, adjscc and deeplab_jscc are large: one takes 8192 and 2048
channel uses at 256x512."""
TWINS: dict[str, Callable[..., nn.Module]] = {
    "deepjscc": partial(
        ConvolutionalJscc, planes=96, widths=(44, 104, 152, 184), kernels=_FIVE, strides=_COARSE
    ),
    "adjscc": partial(adjscc, planes=96, widths=(28, 112, 144, 192), strides=_COARSE),
    "witt": partial(Witt, planes=96, dims=(24, 48, 96, 168), **_NARROW),
    "swinjscc": partial(SwinJscc, dims=(24, 48, 84, 168), **_NARROW),
    "deeplab_jscc": partial(
        DeeplabJscc, planes=16, channels=_RESNET, pyramid=96, step=2, classes=_CLASSES
    ),
    READER: partial(Fcn, _RESNET, _CLASSES),
}
"""Each as dear as gsc, by multiply-accumulates, for a picture or for a map. All planes are at 1/16
of the resolution, so that 1024 channel uses and more are whole planes of every one of them."""


def create(name: str, full: bool = False, **sizes: Any) -> nn.Module:
    """The network `name`; sizes: other than its own."""
    return (FULL if full else TWINS)[name](**sizes)


def recipe(name: str, full: bool = False) -> str:
    """The command that makes its weights."""
    return f"semcom train jscc --system {name}" + (" --full" if full else "")


def load(name: str, path: Path, device: str = "cpu") -> nn.Module:
    """The network in `path`, ready to use. Raises SemcomError: missing, or not `name`'s."""
    tensors, card = weights.load(path, recipe(name))
    weights.classes_of(card, path)
    network = create(name, bool(card.get("full")))
    weights.fill(network, tensors, path)
    return network.eval().requires_grad_(False).to(device)
