# SPDX-License-Identifier: Apache-2.0
"""`semcom train sqgan`: the narrow networks in three steps, then the files that both ends load."""

from __future__ import annotations

import argparse
from pathlib import Path

from semcom_ros.codecs.sqgan.masking import SCORES
from semcom_ros.codecs.sqgan.pipeline import MASKS
from semcom_ros.errors import SemcomError
from semcom_ros.lab.training.gesco.judge import FILE as JUDGE
from semcom_ros.lab.training.sqgan import perceptual

UPDATES = {"map": 1200, "image": 2700, "tune": 750}
"""By step; about 5, 25 and 10 minutes on two CPU cores."""
RATES = {"map": 2e-3, "image": 1e-3, "tune": 4e-4}
STEPS = (*UPDATES, "pack", "split")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `semcom train sqgan`."""
    parser.add_argument("--camvid", type=Path, required=True, help="folder of the CamVid data")
    parser.add_argument(
        "--step",
        choices=STEPS,
        required=True,
        help="the map; the image with true maps; the image tuned to decoded maps; then the files "
        "in models/, and which part of a payload is the map's",
    )
    parser.add_argument(
        "--work", type=Path, default=Path("out/train/sqgan"), help="what steps hand on"
    )
    parser.add_argument(
        "--models", type=Path, default=Path("models"), help="segmenter in, codec out"
    )
    perceptual.add_argument(parser)
    parser.add_argument("--judge", type=Path, default=Path("models") / JUDGE)
    parser.add_argument(
        "--from", dest="start", type=Path, help="weights to begin with; tune: image.safetensors"
    )
    parser.add_argument("--resume", action="store_true", help="go on from the state saved last")
    parser.add_argument("--updates", type=int, help=f"by default {_told(UPDATES)}")
    parser.add_argument("--rate", type=float, help=f"peak learning rate, by default {_told(RATES)}")
    parser.add_argument("--batch", type=int, default=6, help="samples an update")
    parser.add_argument(
        "--crop", type=int, nargs=2, default=[192, 384], help="height and width of samples"
    )
    parser.add_argument(
        "--adversarial", type=float, default=0.1, help="weight of the discriminator's loss"
    )
    parser.add_argument(
        "--adversarial-from",
        type=float,
        default=0.6,
        help="share of the updates before it; tune: 0",
    )
    parser.add_argument(
        "--map-tokens", type=float, default=0.15, help="tune: share of maps decoded from tokens"
    )
    parser.add_argument("--mask", choices=MASKS, default=MASKS[0], help="which vectors are kept")
    parser.add_argument("--score", choices=SCORES, default=SCORES[0], help="what SAMM reads")
    parser.add_argument(
        "--discriminator", choices=("aware", "plain"), default="aware", help="semantic-aware or not"
    )
    parser.add_argument(
        "--enhancement", choices=("on", "off"), default="on", help="rare objects pasted or not"
    )
    parser.add_argument("--scenes", type=int, default=500, help="frames of the procedural drive")
    parser.add_argument("--seed", type=int, default=0)


def run(args: argparse.Namespace) -> None:
    """Do one step. Raises SemcomError for options that do not fit and inputs that are missing."""
    if args.step == "pack":
        from semcom_ros.lab.training.sqgan import pack

        pack.run(args)
        return
    if args.step == "split":
        from semcom_ros.lab.training.sqgan import split

        split.run(args)
        return
    from semcom_ros.lab.training.sqgan import steps
    from semcom_ros.lab.training.sqgan.batches import CELL

    args.updates = args.updates or UPDATES[args.step]
    args.rate = args.rate or RATES[args.step]
    if min(args.updates, args.batch) < 1 or args.scenes < 1:
        raise SemcomError("Updates, samples and scenes start at 1: give more.")
    if any(side < CELL or side % CELL for side in args.crop):
        raise SemcomError(f"Samples have sides that are multiples of {CELL}: give such a --crop.")
    steps.run(args)


def _told(values: dict[str, float]) -> str:
    return ", ".join(f"{value:g} ({step})" for step, value in values.items())
