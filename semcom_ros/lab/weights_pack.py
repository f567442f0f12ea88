# SPDX-License-Identifier: Apache-2.0
"""`semcom weights pack`: weights that take half as much, to ship."""

from __future__ import annotations

import argparse
from pathlib import Path

from semcom_ros import weights
from semcom_ros.errors import SemcomError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `semcom weights pack`."""
    parser.add_argument("file", type=Path, help="weights that a recipe wrote (.safetensors)")
    parser.add_argument("--out", type=Path, required=True, help="file to write")


def run(args: argparse.Namespace) -> None:
    """Write weights and card. Raises SemcomError for a file that is missing or altered, or that
    would be written over."""
    if args.out.resolve() == args.file.resolve():
        raise SemcomError(f"{args.file} would lose its precision: give another file to --out.")
    tensors, card = weights.load(args.file, "semcom train")
    own = {"name": args.out.stem, "kernels": "a byte a weight, with a scale an output"}
    own["of"] = {name: card.pop(name) for name in ("sha256", "commit")}
    weights.save(args.out, weights.in_bytes(tensors), card | own)
    before, after = (path.stat().st_size for path in (args.file, args.out))
    print(f"{args.out}: {after:,} bytes in the place of {before:,}")
