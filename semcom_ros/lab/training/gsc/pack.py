# SPDX-License-Identifier: Apache-2.0
"""From trained networks to the files that both ends of gsc load."""

from __future__ import annotations

import argparse
import hashlib
from dataclasses import asdict
from pathlib import Path
from typing import Any

from torch import nn

from semcom_ros import weights
from semcom_ros.codecs.gsc import FAST
from semcom_ros.codecs.gsc.image_network import ImageHead
from semcom_ros.codecs.gsc.shared import DECODER, ENCODER, PERCEPTUAL, file_of
from semcom_ros.codecs.gsc.sizes import GscSizes
from semcom_ros.lab.training import street_pack
from semcom_ros.lab.training.data import Samples
from semcom_ros.lab.training.gsc.held_out import HeldOut
from semcom_ros.lab.training.gsc.link import GscLink
from semcom_ros.lab.training.imagenet_features import ImagenetFeatures
from semcom_ros.lab.training.street_pack import HELD_EVERY

MORE = 1.02
"""Of the distance of one pass: beyond it further passes are not offered."""


def file_of_step(step: str) -> str:
    """What a step of training leaves in its folder, for the next and for `run`."""
    return f"gsc_{step}.safetensors"


def run(args: argparse.Namespace) -> None:
    """Read the last step in `args.work`, or `args.start`, find which passes pay, write
    `args.models`.

    The perceptual head goes with them where that step was taken. Raises SemcomError for a step that
    has not been.
    """
    path = args.start or args.work / file_of_step("segmentation")
    tensors, card = weights.load(path, "semcom train gsc --step segmentation")
    sizes = GscSizes.of_card(card, path)
    network = GscLink(sizes, len(weights.classes_of(card, path)))
    weights.fill(network, tensors, path)
    perceptual, last = None, args.work / file_of_step("perceptual")
    if last.is_file():
        perceptual = ImageHead(sizes)
        tensors, _ = weights.load(last, "semcom train gsc --step perceptual")
        start = "receiver.image.head."
        own = {k.removeprefix(start): t for k, t in tensors.items() if k.startswith(start)}
        weights.fill(perceptual, own, last)
    camvid = street_pack.read_pack(args.pack)["camvid"]
    held = HeldOut(Samples(*camvid[: HELD_EVERY * args.held : HELD_EVERY]), args.device)
    network = network.to(args.device).eval()
    apart = held.passes(network, ImagenetFeatures(1, args.pack).to(args.device))
    steps = [1, *(n for n in (2, 4) if apart[n] <= MORE * apart[1])]
    scores = {**card["scores"], **{f"lite1 {n} passes": round(v, 4) for n, v in apart.items()}}
    told = {k: v for k, v in card.items() if k not in ("name", "sha256", "parameters", "commit")}
    told |= {"steps": steps, "scores": scores}
    write_files(args.models, FAST, sizes, network.sender, network.receiver, perceptual, told)
    print(scores)


def write_files(
    folder: Path,
    networks: str,
    sizes: GscSizes,
    sender: nn.Module,
    receiver: nn.Module,
    perceptual: nn.Module | None,
    card: dict[str, Any],
) -> None:
    """Write both ends of `networks`, as `GscSettings.network` names them, into `folder`, and the
    perceptual head if there is one.

    All cards name the pair: what one end was not trained with, it cannot read.
    """
    ends = {ENCODER: sender, DECODER: receiver, PERCEPTUAL: perceptual}
    tensors = {part: weights.tensors_of(end) for part, end in ends.items() if end is not None}
    told = hashlib.sha256()
    for part, values in tensors.items():
        if part != PERCEPTUAL:
            for value in values.values():
                told.update(value.tobytes())
    full = {**card, "network": asdict(sizes), "pair": told.hexdigest()[:16]}
    for part, values in tensors.items():
        weights.save(folder / file_of(part, networks), values, full)
