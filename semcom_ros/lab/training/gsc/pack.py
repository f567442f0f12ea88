# SPDX-License-Identifier: Apache-2.0
"""From trained networks to the files that both ends of gsc load."""

from __future__ import annotations

import hashlib
from dataclasses import asdict
from pathlib import Path
from typing import Any

from torch import nn

from semcom_ros import weights
from semcom_ros.codecs.gsc.shared import DECODER_FILE, ENCODER_FILE, PERCEPTUAL_FILE
from semcom_ros.codecs.gsc.sizes import GscSizes


def write_files(
    folder: Path,
    sizes: GscSizes,
    sender: nn.Module,
    receiver: nn.Module,
    perceptual: nn.Module | None,
    card: dict[str, Any],
) -> None:
    """Write the networks of both ends into `folder`, and the perceptual head if there is one.

    All cards name the pair: what one end was not trained with, it cannot read.
    """
    ends = {ENCODER_FILE: sender, DECODER_FILE: receiver, PERCEPTUAL_FILE: perceptual}
    tensors = {name: weights.tensors_of(end) for name, end in ends.items() if end is not None}
    told = hashlib.sha256()
    for name, values in tensors.items():
        if name != PERCEPTUAL_FILE:
            for value in values.values():
                told.update(value.tobytes())
    full = {**card, "network": asdict(sizes), "pair": told.hexdigest()[:16]}
    for name, values in tensors.items():
        weights.save(folder / name, values, full)
