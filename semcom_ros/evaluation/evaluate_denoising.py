# SPDX-License-Identifier: Apache-2.0
"""`semcom eval denoising`: what fast denoising leaves of one-hot maps sent through noise."""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator

import cv2
import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from semcom_ros.channel.map_noise import MAP_NOISES
from semcom_ros.codecs.gesco.fast_denoising import denoise
from semcom_ros.evaluation.labelled import labelled_frames
from semcom_ros.evaluation.metrics import ConfusionMatrix

LEVELS = (100, 30, 20, 15, 10, 5, 1)
"""PSNR in dB at which GESCO was published."""
MODES = ("none", "paper", "auto")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `semcom eval denoising`."""
    parser.add_argument("--data", default="scenes:1", help="labelled frames, as camvid:DIR")
    parser.add_argument("--split", default="val")
    parser.add_argument("--frames", type=int, default=100, help="at most so many frames")
    parser.add_argument("--seed", type=int, default=1, help="of the noise")


def run(args: argparse.Namespace) -> None:
    """Print a row for each noise and level: IoU undenoised and by mode, and milliseconds."""
    maps = [frame.labels for frame in labelled_frames(args.data, args.split, args.frames)]
    title = f"mean IoU of maps, {args.data} {args.split}, {len(maps)} frames"
    table = Table("noise", "PSNR dB", *MODES, "paper ms", "auto ms", title=title)
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        for noise in MAP_NOISES:
            for level in LEVELS:
                frames = track(maps, f"{noise} {level} dB", transient=True)
                found = np.array(
                    [list(_scored(m, noise, level, args.seed, i)) for i, m in enumerate(frames)]
                )
                scores, times = found[..., 0].mean(0), np.median(found[..., 1], axis=0)
                row = [f"{score:.3f}" for score in scores] + [f"{1e3 * t:.1f}" for t in times[1:]]
                table.add_row(noise, str(level), *row)
            table.add_section()
    finally:
        cv2.setNumThreads(threads)
    Console().print(table)


def _scored(
    labels: np.ndarray, noise: str, level: float, seed: int, index: int
) -> Iterator[tuple[float, float]]:
    """For each of MODES: IoU of one frame's map, mean of its classes, and seconds to denoise it.

    Void is sent as a class of its own, for its pixels must be something, but is not scored.
    """
    present = np.unique(labels)
    one_hot = (labels == present[:, None, None]).astype(np.float32)
    received = MAP_NOISES[noise](one_hot, level, np.random.default_rng([seed, index]))
    places = range(len(present))
    for mode in MODES:
        started = time.perf_counter()
        planes = received
        if mode != "none":
            planes = denoise(received, places, len(present), mode)
        seconds = time.perf_counter() - started
        confusion = ConfusionMatrix()
        confusion.add(labels, present[planes.argmax(0)])
        yield confusion.miou(), seconds
