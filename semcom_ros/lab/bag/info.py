# SPDX-License-Identifier: Apache-2.0
"""Prints what a bag holds: topics with types, messages, rates, first and last stamps, QoS."""

from __future__ import annotations

import argparse
from pathlib import Path

from semcom_ros.datasets.bags import BagReader, table_text


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("path", type=Path, help="a bag's folder, or one .mcap or .db3 file")


def run(args: argparse.Namespace) -> None:
    with BagReader(args.path) as bag:
        print(table_text(bag.table()))
