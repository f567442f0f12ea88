# SPDX-License-Identifier: Apache-2.0
"""`semcom eval sizes`: gsc and the learned links of pictures on frames of their papers' sizes.

Codecs bring every frame to the size of work; their networks take others. All planes are at 1/16 of
the resolution, so that J of them are k / (3 H W) = J / 768 channel uses a value, whatever the size.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from rich.progress import track

from semcom_ros import weights
from semcom_ros.codecs.gsc import FAST
from semcom_ros.codecs.gsc.shared import DECODER, ENCODER, file_of, load_file
from semcom_ros.datasets import open_source
from semcom_ros.errors import SemcomError
from semcom_ros.frame import Frame, fit
from semcom_ros.lab.evaluation.shared import frames_options, number, show, write_json
from semcom_ros.lab.jscc import networks
from semcom_ros.lab.jscc.analog_link import AnalogLink
from semcom_ros.lab.jscc.training import through
from semcom_ros.lab.metrics.confusion import ConfusionMatrix
from semcom_ros.lab.training.gsc.link import Draw, GscLink, psnr_of
from semcom_ros.lab.training.gsc.training import PATCHES
from semcom_ros.layers.image_input import to_input
from semcom_ros.weights import MissingWeights, models_dir

SIZES, PLANES, LEVELS_DB = ("224x224", "512x768"), (2, 8, 48), (-5, 0, 5, 10, 15, 20)
MOST_PLANES = 48
"""Of all of them."""
PICTURES = ("deepjscc", "adjscc", "witt", "swinjscc")
SEED = 1

Link = Callable[[torch.Tensor, Draw], tuple[torch.Tensor, torch.Tensor | None]]
"""An image float32 [1, 3, H, W] in 0..1 over a link: the picture alike, and the map uint8 [H, W]
trainId of a link that has one."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `semcom eval sizes`."""
    frames_options(parser)
    parser.add_argument("--sizes", nargs="+", default=SIZES, help="height x width of frames")
    parser.add_argument("--planes", type=int, nargs="+", default=PLANES, help="of symbols, J")
    parser.add_argument("--snr-db", type=float, nargs="+", default=LEVELS_DB, help="white noise")
    parser.add_argument("--json", type=Path, help="file to write the scores to")


def run(args: argparse.Namespace) -> None:
    """Print PSNR of each link, and the map's mIoU of gsc, by size, planes and SNR.

    Raises SemcomError for sizes that are no multiples of 32, and for missing frames or weights of
    gsc; learned links without weights are named and left out.
    """
    sizes = {size: _sides(size) for size in args.sizes}
    if args.frames < 1 or not all(1 <= planes <= MOST_PLANES for planes in args.planes):
        raise SemcomError(f"Give --frames from 1, and --planes from 1 to {MOST_PLANES}.")
    source, links, missing = open_source(args.data, args.split), {"gsc": _gsc(args.device)}, []
    for name in PICTURES:
        try:
            network = networks.load(name, networks.FOLDER / f"{name}.safetensors", args.device)
            links[name] = partial(_picture_alone, network)
        except MissingWeights as error:
            missing.append(str(error))
    found: dict[str, dict[str, list[float | None]]] = {}
    every = -(-len(source) // args.frames)
    for size, sides in sizes.items():
        frames = [fit(source[i], sides) for i in range(0, len(source), every)]
        rows: dict[str, list[float | None]] = {}
        cells = [(name, planes) for planes in args.planes for name in links]
        for name, planes in track(cells, size):
            scores = [
                _score(links[name], frames, Draw.fixed(1, planes, level, torch.device(args.device)))
                for level in args.snr_db
            ]
            rows[f"{name}, {planes} planes"] = [psnr for psnr, _ in scores]
            if name == "gsc":
                rows[f"gsc, map, {planes} planes"] = [miou for _, miou in scores]
        found[size] = rows
        columns = ("", *(f"{level:g} dB" for level in args.snr_db))
        shown = [(name, *map(_told, row)) for name, row in rows.items()]
        show(f"{size}: PSNR in dB, mIoU of maps", columns, shown, *missing)
        if args.json:
            write_json(args.json, found)


def _sides(size: str) -> tuple[int, int]:
    sides = [int(side) if side.isdecimal() else 0 for side in size.split("x")]
    if len(sides) != 2 or min(sides) < 1 or any(side % PATCHES for side in sides):
        raise SemcomError(f"'{size}' is no size: give HxW, multiples of {PATCHES}, as 224x224.")
    return sides[0], sides[1]


def _told(score: float | None) -> str:
    return number(score, ".3f" if score is None or score < 1 else ".1f")


def _picture_alone(
    network: AnalogLink, images: torch.Tensor, draw: Draw
) -> tuple[torch.Tensor, None]:
    return through(network, images, draw), None


def _gsc(device: str) -> Link:
    """The shipped networks between sender and receiver, asked for both."""
    ends = {end: models_dir() / file_of(end, FAST) for end in (ENCODER, DECODER)}
    (sent, _, sizes, _), (received, card, _, _) = (load_file(p, FAST) for p in ends.values())
    classes = torch.tensor(weights.classes_of(card, ends[DECODER]), dtype=torch.uint8)
    link = GscLink(sizes, len(classes))
    weights.fill(link.sender, sent, ends[ENCODER])
    weights.fill(link.receiver, received, ends[DECODER])
    link = link.eval().requires_grad_(False).to(device)

    def send(images: torch.Tensor, draw: Draw) -> tuple[torch.Tensor, torch.Tensor]:
        heard, whole = link.send(images, draw), slice(None)
        contexts = link.understand(heard)
        logits = link.label(contexts, whole)
        full = F.interpolate(logits, size=images.shape[-2:], mode="bilinear")
        return link.paint(contexts, heard, whole), classes[full.argmax(1)[0].cpu()]

    return send


@torch.inference_mode()
def _score(link: Link, frames: Sequence[Frame], draw: Draw) -> tuple[float, float | None]:
    """Mean PSNR in dB of pictures, and mIoU of maps in CamVid's classes."""
    confusion, found = ConfusionMatrix(folded=True), []
    torch.manual_seed(SEED)
    for frame in frames:
        image = to_input(frame.image[np.newaxis], torch.float32, draw.kept.device)
        picture, labels = link(image, draw)
        found.append(float(psnr_of(picture, image)))
        if labels is not None and frame.labels is not None:
            confusion.add(frame.labels, labels.numpy())
    return float(np.mean(found)), confusion.miou()
