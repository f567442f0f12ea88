# SPDX-License-Identifier: Apache-2.0
"""Narrow untrained networks of gsc in files, for tests of all but what they show."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch

from semcom_ros.codecs.gsc import FAST
from semcom_ros.codecs.gsc.networks import GscReceiver, GscSender
from semcom_ros.codecs.gsc.sizes import GscSizes
from semcom_ros.lab.training.gsc.pack import write_files

TINY = GscSizes(
    channels=(8, 8, 8, 8), depths=(1, 1, 1), heads=(0, 1, 1), window=8, common=8, hidden=16,
    stride=16, width=24, layers=1, repeats=2, transformer_heads=2, shared=True, head=(8, 8, 8, 8),
    linear=True,
)  # fmt: skip
# A symbol for 8x8 pixels, as the papers' networks have it.
FINE = replace(TINY, stride=8, head=(8,), shared=False, linear=False)
CLASSES = ("road", "sidewalk", "person", "car")


def write(folder: Path, steps: tuple[int, ...] = (1, 2, 4), networks: str = FAST) -> Path:
    """Both ends' files in `folder`, and a perceptual decoder beside those that ship."""
    sizes = TINY if networks == FAST else FINE
    torch.manual_seed(0)
    card = {"classes": list(CLASSES), "label_space": "cityscapes19", "steps": list(steps)}
    receiver = GscReceiver(sizes, len(CLASSES))
    for parameter in receiver.parameters():
        if not parameter.any():
            torch.nn.init.normal_(parameter, std=0.1)
    perceptual = receiver.image.head if networks == FAST else None
    write_files(folder, networks, sizes, GscSender(sizes), receiver, perceptual, card)
    return folder
