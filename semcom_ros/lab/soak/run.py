# SPDX-License-Identifier: Apache-2.0
"""`semcom soak NAME`: one fault, for as long as it takes to show, and whether its limits hold."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from semcom_ros.errors import choose
from semcom_ros.lab.evaluation.shared import show, write_json
from semcom_ros.runtime import check_ros


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `semcom soak`."""
    parser.add_argument("name", metavar="NAME", help="a soak, or list")
    parser.add_argument("--seconds", type=float, help="how long; each has its own default")
    parser.add_argument("--seed", type=int, default=1, help="of what is drawn by lot")
    parser.add_argument("--codec", default="classical", help="of the drive")
    parser.add_argument("--rate-hz", type=float, default=5.0, help="of the drive's camera")
    parser.add_argument("--log", type=Path, default=Path("out/soak/nodes.log"), help="of the nodes")
    parser.add_argument("--json", type=Path, help="write the figures to this file as well")


def run(args: argparse.Namespace) -> int:
    """0 where every limit holds, 1 else. Raises SemcomError."""
    check_ros()
    from semcom_ros.lab.soak.soaks import SOAKS

    if args.name == "list":
        rows = [(name, f"{soak.seconds:.0f}", soak.help) for name, soak in SOAKS.items()]
        show(None, ("soak", "seconds", "what it does"), rows)
        return 0
    soak = SOAKS[choose(args.name, SOAKS, "soak")]
    args.seconds = args.seconds or soak.seconds
    args.log.parent.mkdir(parents=True, exist_ok=True)
    figures = list(soak.run(args))
    rows = [(f.what, f"{f.measured:.3g}", f.limit, "yes" if f.holds else "NO") for f in figures]
    show(f"{args.name}, {args.seconds:.0f} s", ("figure", "measured", "limit", "holds"), rows)
    if args.json:
        write_json(args.json, {f.what: (float(f.measured), f.limit, f.holds) for f in figures})
    failed = [f.what for f in figures if not f.holds]
    if failed:
        print(f"semcom: {args.name} does not hold: {', '.join(failed)}.", file=sys.stderr)
    return int(bool(failed))
