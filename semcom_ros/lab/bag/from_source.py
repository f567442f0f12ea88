# SPDX-License-Identifier: Apache-2.0
"""Writes the frames of any source to a bag."""

from __future__ import annotations

import argparse
from dataclasses import replace
from itertools import count, islice

from semcom_ros.datasets import is_bag, open_source
from semcom_ros.datasets.files import Files
from semcom_ros.datasets.streams import Scenes
from semcom_ros.errors import SemcomError
from semcom_ros.lab.bag import camera_bag
from semcom_ros.lab.bag.camera_bag import START_NS, new_bag

ENDLESS_FRAMES = 100
"""Frames written of the procedural drive, which has no end."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("source", help="of frames, as camvid:DIR, scenes:1 or any other")
    camera_bag.add_arguments(parser)
    about = f"at most so many; by default all, {ENDLESS_FRAMES} of scenes:SEED"
    parser.add_argument("--frames", type=int, help=about)
    about = "frames a second, in place of the stamps that the source has"
    parser.add_argument("--rate-hz", type=float, help=about)


def run(args: argparse.Namespace) -> None:
    if args.rate_hz is not None and not 0 < args.rate_hz <= 1000:
        raise SemcomError(f"The rate is {args.rate_hz} Hz: give one above 0, up to 1000.")
    if args.frames is not None and args.frames < 1:
        raise SemcomError(f"A bag of at most {args.frames} frames has none: ask for one or more.")
    source = open_source(args.source, args.split, truth=True)
    most = args.frames or (ENDLESS_FRAMES if isinstance(source, Scenes) else None)
    files = isinstance(source, Files) and not source.turned
    with new_bag(args, source.name) as bag:
        for index in islice(count(), most):
            try:
                frame = source[index]
            except IndexError:
                break
            stamp = frame.stamp if is_bag(args.source) else START_NS + frame.stamp
            if args.rate_hz:
                stamp = START_NS + round(index * 1e9 / args.rate_hz)
            camera = frame.camera or source.camera
            frame = replace(frame, stamp=stamp, camera=camera)
            bag.write(frame, source.file(index) if files else None)
