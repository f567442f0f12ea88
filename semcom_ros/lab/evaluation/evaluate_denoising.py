# SPDX-License-Identifier: Apache-2.0
"""`semcom eval denoising`: what denoising leaves of one-hot maps sent through noise, and its cost.

Fast denoising as published and ours, beside a small learned denoiser and, where it was trained, a
Swin U-Net.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from functools import partial

import cv2
import numpy as np
import torch
from rich.progress import track

from semcom_ros.codecs.gesco.fast_denoising import PASSES, WINDOW, denoise
from semcom_ros.frame import WORK_SIZE
from semcom_ros.lab.evaluation.shared import frames_options, labelled_frames, number, show
from semcom_ros.lab.evaluation.timing import operations, timed
from semcom_ros.lab.learned_denoiser import SUNET_FILE, LearnedDenoiser, fill_void
from semcom_ros.lab.map_noise import MAP_NOISES, receive_map
from semcom_ros.lab.metrics.confusion import ConfusionMatrix
from semcom_ros.labels import CLASSES, fold

LEVELS = (100, 30, 20, 15, 10, 5, 1)
"""PSNR in dB at which GESCO was published."""
PAPER_OPERATIONS = 4 + 1 + 4
"""On each value: sums along rows and columns, the mean, maxima along rows and columns."""
AUTO_OPERATIONS = 6 + 4 + 6 + PASSES * (2 * sum(WINDOW) - 2 + 6)
"""On each value: moments of the noise, log-likelihood, its exponential and chance, and passes of a
separable filter, its share cubed and a chance again."""

Denoiser = Callable[[np.ndarray, Sequence[int]], np.ndarray]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `semcom eval denoising`."""
    frames_options(parser)
    parser.add_argument("--seed", type=int, default=1, help="of the noise")


def run(args: argparse.Namespace) -> None:
    """Print a row for each noise and level: IoU undenoised and by mode, and milliseconds.

    Pixels of all frames are pooled; void in the truth is not scored.
    """
    learned = {"learned": LearnedDenoiser.from_pretrained(device=args.device)}
    if SUNET_FILE.is_file():
        learned["sunet"] = LearnedDenoiser.from_pretrained(SUNET_FILE, args.device)
    modes: dict[str, Denoiser] = {
        "none": undenoised,
        "paper": partial(denoise, fds="paper"),
        "auto": partial(denoise, fds="auto"),
        **learned,
    }
    truth = [f.labels for f in labelled_frames(args)]
    title = f"mean IoU of maps, {args.data} {args.split}, {len(truth)} frames"
    columns = ("noise", "PSNR dB", *modes, *(f"{mode} ms" for mode in modes if mode != "none"))
    threads = cv2.getNumThreads(), torch.get_num_threads()
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    try:
        rows = list(scores(modes, truth, args.seed, args.device))
    finally:
        cv2.setNumThreads(threads[0])
        torch.set_num_threads(threads[1])
    show(title, columns, rows, _costs(learned))


def scores(
    modes: dict[str, Denoiser], truth: list[np.ndarray], seed: int, device: str
) -> Iterator[list[str] | None]:
    """Rows of the table, None between two noises."""
    # The learned denoiser knows CamVid's classes.
    sent = [fill_void(fold(labels)) for labels in truth]
    for noise in MAP_NOISES:
        for level in LEVELS:
            pooled = {mode: ConfusionMatrix(folded=True) for mode in modes}
            times: dict[str, list[float]] = {mode: [] for mode in modes}
            for i, m in enumerate(track(sent, f"{noise} {level} dB", transient=True)):
                received, present = receive_map(m, level, (seed, i), noise)
                for mode, denoiser in modes.items():
                    planes, took_ms = timed(partial(denoiser, received, present), device)
                    times[mode].append(took_ms)
                    pooled[mode].add(truth[i], planes.argmax(0).astype(np.uint8))
            row = [noise, str(level), *(number(found.miou()) for found in pooled.values())]
            yield row + [number(np.median(t), ".1f") for m, t in times.items() if m != "none"]
        yield None


def undenoised(planes: np.ndarray, present: Sequence[int]) -> np.ndarray:
    """The received planes by trainId, absent classes below all others."""
    by_class = np.full((len(CLASSES), *planes.shape[1:]), -np.inf, np.float32)
    by_class[list(present)] = planes
    return by_class


def _costs(learned: dict[str, LearnedDenoiser]) -> str:
    """Parameters and operations a frame of every class that the networks know."""
    classes = next(iter(learned.values())).classes
    planes = np.zeros((len(classes), *WORK_SIZE), np.float32)
    networks = (
        f"{name} {operations(partial(network, planes, classes)) / 1e6:.0f} M, with "
        f"{network.parameters} parameters"
        for name, network in learned.items()
    )
    return (
        f"A frame of {planes.shape[2]}x{planes.shape[1]} with {len(planes)} classes: "
        f"paper {PAPER_OPERATIONS * planes.size / 1e6:.0f} M operations, "
        f"auto {AUTO_OPERATIONS * planes.size / 1e6:.0f} M, without parameters; "
        f"{'; '.join(networks)}. "
        "Counted are additions, multiplications and comparisons, an exponential as one; of "
        "networks those of convolutions and matrix products alone. All on one thread."
    )
