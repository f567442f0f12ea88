# SPDX-License-Identifier: Apache-2.0
"""`semcom eval gesco`: what is left of map and image at each payload size of the ladder."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from semcom_ros.codecs.gesco.decoder import Decoder
from semcom_ros.codecs.gesco.encoder import Encoder
from semcom_ros.evaluation.labelled import labelled_frames
from semcom_ros.evaluation.metrics import ConfusionMatrix, psnr
from semcom_ros.payload import pack, unpack
from semcom_ros.perception.segmentation import Segmenter

LADDER = (128, 256, 512, 1024, 1200)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `semcom eval gesco`."""
    parser.add_argument("--data", default="scenes:1", help="labelled frames, as camvid:DIR")
    parser.add_argument("--split", default="val")
    parser.add_argument("--frames", type=int, default=100, help="at most so many frames")
    parser.add_argument(
        "--judge", type=Path, help="segmenter that no loss saw, to read the images with"
    )


def run(args: argparse.Namespace) -> None:
    """Print a row for each payload size."""
    frames = labelled_frames(args.data, args.split, args.frames)
    segmenter = Segmenter()
    pairs = [(frame.labels, replace(frame, labels=segmenter(frame.image))) for frame in frames]
    judge = Segmenter(args.judge) if args.judge else None
    encoder, decoder = Encoder(), Decoder()

    columns = ["setting", "bytes", "map vs sent", "map vs truth", "image PSNR dB"]
    if judge:
        columns.append("image vs truth (judge)")
    table = Table(*columns, title=f"{args.data} {args.split}, {len(frames)} frames")
    for setting in LADDER:
        sizes, scores = [], []
        sent, truth, judged = ConfusionMatrix(), ConfusionMatrix(), ConfusionMatrix()
        for labels, frame in track(pairs, f"{setting} bytes"):
            data = pack(encoder.encode(frame, setting, 0))
            *_, received = decoder.decode(unpack(data))
            sizes.append(len(data))
            scores.append(psnr(frame.image, received.image))
            sent.add(frame.labels, received.labels)
            truth.add(labels, received.labels)
            if judge:
                judged.add(labels, judge(received.image))
        row = [str(setting), f"{np.median(sizes):.0f}", f"{sent.miou():.3f}"]
        row += [f"{truth.miou():.3f}", f"{np.mean(scores):.2f}"]
        table.add_row(*row, *([f"{judged.miou():.3f}"] if judge else []))
    if judge:
        ceiling = ConfusionMatrix()
        for labels, frame in pairs:
            ceiling.add(labels, judge(frame.image))
        table.add_section()
        table.add_row("real image", "", "", "", "", f"{ceiling.miou():.3f}")
    Console().print(table)
