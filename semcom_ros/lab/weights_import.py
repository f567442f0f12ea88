# SPDX-License-Identifier: Apache-2.0
"""`semcom weights import`: other people's weights of a paper's network, as the codecs load them."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path
from pickle import UnpicklingError
from pkgutil import resolve_name
from typing import Any, NamedTuple

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from semcom_ros import weights
from semcom_ros.codecs.sqgan.paper.inference import file_of
from semcom_ros.errors import SemcomError
from semcom_ros.frame import WORK_SIZE

State = Mapping[str, torch.Tensor]
"""Tensors by name, as somebody else's network has them."""
Convert = Callable[[State], tuple[dict[str, np.ndarray], dict[str, Any]]]
"""To tensors and card of ours. A name that it looks for and does not find is a KeyError."""


class Layout(NamedTuple):
    """Whose names of tensors: what they are, `convert` as `module:function`, and the file that a
    codec looks for."""

    text: str
    convert: str
    out: str


LAYOUTS = {
    "gesco": Layout(
        "GESCO's public code, and SDM's, of which it is made",
        "semcom_ros.lab.papers.gesco_layout:convert",
        "gesco_paper.safetensors",
    ),
    "sqgan-map": Layout(
        "the map's pipeline in SQ-GAN's public code",
        "semcom_ros.lab.papers.sqgan_layout:convert_map",
        file_of("map"),
    ),
    "sqgan-image": Layout(
        "the image's pipeline in SQ-GAN's public code",
        "semcom_ros.lab.papers.sqgan_layout:convert_image",
        file_of("tune"),
    ),
}
"""A new layout is a function and a line here."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `semcom weights import`."""
    parser.add_argument("file", type=Path, help="weights: a state dict by torch, or safetensors")
    parser.add_argument("--from", dest="layout", choices=LAYOUTS, required=True, help="whose names")
    parser.add_argument("--out", type=Path, help="file to write; models/ and its name unless given")
    size = "height and width of the images that it was trained on"
    parser.add_argument("--size", type=int, nargs=2, default=list(WORK_SIZE), help=size)
    parser.epilog = "\n".join(f"  {name:13}{layout.text}" for name, layout in LAYOUTS.items())


def run(args: argparse.Namespace) -> None:
    """Write weights and card. Raises SemcomError for a file that is not of the layout."""
    layout = LAYOUTS[args.layout]
    convert: Convert = resolve_name(layout.convert)
    try:
        tensors, card = convert(read(args.file))
    except KeyError as missing:
        raise SemcomError(
            f"'{args.file}' is not laid out as {layout.text}: it lacks the tensor {missing}. Name "
            f"another file, or another layout by --from: {', '.join(LAYOUTS)}."
        ) from None
    out = args.out or weights.models_dir() / layout.out
    own = {"data": f"not known here: {args.file.name}", "size": list(args.size)}
    own["recipe"] = f"semcom weights import --from {args.layout} {args.file.name}"
    weights.save(out, tensors, card | own)
    print(f"{out}: {sum(t.size for t in tensors.values()):,} parameters")


def read(path: Path) -> dict[str, torch.Tensor]:
    """The tensors in `path`, on the CPU; of torch's files nothing but tensors is read.

    Raises SemcomError for any other file.
    """
    if not path.is_file():
        raise SemcomError(f"There is no file '{path}' to import.")
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        found = torch.load(path, map_location="cpu", weights_only=True)
    except (SafetensorError, UnpicklingError, RuntimeError, OSError, EOFError, ValueError):
        found = None
    found = found.get("state_dict", found) if isinstance(found, dict) else found
    if not isinstance(found, dict) or not all(isinstance(t, torch.Tensor) for t in found.values()):
        raise SemcomError(
            f"'{path}' holds no state dict of tensors alone, and nothing else is opened: write one "
            "by torch.save or as safetensors."
        )
    return found
