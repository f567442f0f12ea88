# SPDX-License-Identifier: Apache-2.0
"""`semcom eval sqgan`: what SAMM keeps by class, beside ablations, and quality over (m_x, m_s) and
as parts are lost."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from semcom_ros import weights
from semcom_ros.codecs.sqgan.inference import (
    ImageReceiver,
    ImageTransmitter,
    MapReceiver,
    MapTransmitter,
)
from semcom_ros.codecs.sqgan.loading import make
from semcom_ros.codecs.sqgan.masking import SCORES
from semcom_ros.codecs.sqgan.pipeline import MASKS, Pipeline
from semcom_ros.codecs.sqgan.shared import IMAGE_LAYERS, LATENT_GRID, STRIDE
from semcom_ros.errors import SemcomError
from semcom_ros.frame import Frame
from semcom_ros.lab.evaluation.labelled import labelled_frames
from semcom_ros.lab.evaluation.lost_parts import lost_parts
from semcom_ros.lab.evaluation.plot_sqgan import plot_lost_parts, plot_surfaces
from semcom_ros.lab.metrics.confusion import ConfusionMatrix, psnr
from semcom_ros.lab.training.gesco.judge import FILE as JUDGE
from semcom_ros.lab.training.gesco.judge import RECIPE
from semcom_ros.lab.training.sqgan.judge import kept_of
from semcom_ros.lab.training.sqgan.steps import MAP, TUNED
from semcom_ros.labels import NAMES, TRAIN_ID, VOID, fold, tint
from semcom_ros.perception.segmentation import Segmenter

RELEVANT = tuple(TRAIN_ID[name] for name in ("pole", "traffic sign", "person", "rider"))
FIRST_PART = IMAGE_LAYERS[0] / (LATENT_GRID[0] * LATENT_GRID[1])
"""Fraction of the image's vectors that a payload's first image part holds."""
FRACTIONS = (0.05, 0.15, 0.35, 0.55, 0.75, 0.95)
PICTURES = 4


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `semcom eval sqgan`."""
    parser.add_argument("--data", required=True, help="labelled frames, as camvid:DIR or scenes:1")
    parser.add_argument("--split", default="val")
    parser.add_argument("--frames", type=int, default=26)
    parser.add_argument(
        "--work", type=Path, default=Path("out/train/sqgan"), help="trained pipelines"
    )
    parser.add_argument(
        "--ablations",
        nargs="*",
        default=[],
        metavar="NAME=FILE",
        help="image pipelines to compare with, as random=FILE",
    )
    parser.add_argument("--models", type=Path, default=Path("models"), help="segmenters, codec")
    parser.add_argument(
        "--kept", type=float, default=FIRST_PART, help="fraction of the vectors in table, pictures"
    )
    parser.add_argument("--surfaces", action="store_true", help="quality over (m_x, m_s) as well")
    parser.add_argument(
        "--lost-parts", action="store_true", help="quality as parts of payloads are lost as well"
    )
    parser.add_argument("--out", type=Path, default=Path("out/eval/sqgan"))


def run(args: argparse.Namespace) -> None:
    """Write tables (JSON) and pictures into `args.out` and print the table of what is kept."""
    torch.set_num_threads(os.cpu_count() or 1)
    frames = labelled_frames(args.data, args.split, args.frames)
    segmenter = Segmenter.from_pretrained(args.models)
    judge = Segmenter.from_pretrained(args.models / JUDGE, recipe=RECIPE)
    # The networks read maps without void; what is void in truth is not scored.
    truth = [f.labels for f in frames]
    sent = segmenter([f.image for f in frames])
    frames = [
        Frame(f.image, np.where(f.labels == VOID, labels, f.labels))
        for f, labels in zip(frames, sent, strict=True)
    ]
    args.out.mkdir(parents=True, exist_ok=True)
    named = {"sqgan": args.work / TUNED}
    for pair in args.ablations:
        name, equals, path = pair.partition("=")
        if not equals:
            raise SemcomError(f"An ablation is NAME=FILE, not '{pair}'.")
        named[name] = Path(path)
    systems = {name: Ends(path, "image") for name, path in named.items()}
    systems |= {
        "same, at random": Ends(args.work / TUNED, "image", mask=MASKS[1]),
        "same, unconditioned": Ends(args.work / TUNED, "image", score=SCORES[1]),
    }
    rows = {"area": area(truth)}
    scores = {}
    for name, ends in systems.items():
        rows[name], scores[name] = kept_by_class(ends, args.kept, frames, truth, judge)
    record = {"data": args.data, "kept": args.kept, "by_class": rows, "scores": scores}
    _write(args.out / "kept.json", record)
    show(rows, scores, args.kept)
    for i, frame in enumerate(frames[:PICTURES]):
        picture = np.concatenate([chosen(ends, args.kept, frame, i) for ends in systems.values()])
        cv2.imwrite(str(args.out / f"kept_{i}.png"), picture[..., ::-1])
    if args.surfaces:
        maps = Ends(args.work / MAP, "map")
        surface = surfaces(maps, systems["sqgan"], frames, truth, judge)
        _write(args.out / "surfaces.json", surface)
        plot_surfaces(args.out / "surfaces.png", surface)
    if args.lost_parts:
        lost = lost_parts(args.models, sent, truth, judge)
        _write(args.out / "lost_parts.json", lost)
        plot_lost_parts(args.out / "lost_parts.png", lost)


class Ends:
    """Both ends of the pipeline `kind` in `path`. Raises SemcomError.

    mask, score: other choices than it was trained with.
    """

    def __init__(self, path: Path, kind: str, mask: str = "", score: str = ""):
        tensors, card = weights.load(path, "semcom train sqgan --camvid DIR")
        classes = weights.classes_of(card, path)
        self.pipeline: Pipeline = make(kind, classes, card, path)
        weights.fill(self.pipeline, tensors, path)
        self.pipeline.mask = mask or card["mask"]
        self.pipeline.transmitter.samm.conditioned = (score or card["score"]) == SCORES[0]
        codebook = self.pipeline.quantiser.codebook
        transmitter, receiver = {
            "map": (MapTransmitter, MapReceiver),
            "image": (ImageTransmitter, ImageReceiver),
        }[kind]
        self._transmitter = transmitter(self.pipeline.transmitter, codebook, classes)
        self._receiver = receiver(self.pipeline.receiver, codebook, classes)

    def send(self, *frame: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Indices int64 and scores float32 [h, w] of an image and its labels, or of labels."""
        (indices,), (scores,) = self._transmitter(*(one[np.newaxis] for one in frame))
        return indices, scores

    def receive(self, *sent: np.ndarray) -> np.ndarray:
        """The image of indices, kept and labels, or the labels of indices and kept."""
        found = self._receiver(*(one[np.newaxis] for one in sent))
        return found[0][0] if isinstance(found, tuple) else found[0]

    def kept(self, scores: np.ndarray, fraction: float, seed: int) -> np.ndarray:
        """The mask bool [h, w] of scores [h, w]."""
        return kept_of(self.pipeline, scores, fraction, seed)


def area(truth: list[np.ndarray]) -> dict[str, float]:
    """Share of the pixels by class."""
    counts = sum(np.bincount(fold(labels).ravel(), minlength=256) for labels in truth)
    return _shares(counts)


def kept_by_class(
    ends: Ends, fraction: float, frames: list[Frame], truth: list[np.ndarray], judge: Segmenter
) -> tuple[dict[str, float], dict[str, float]]:
    """Share of the kept cells' pixels by class, and mIoU and PSNR of what they regenerate.

    fraction: of the vectors that are kept.
    """
    counts, confusion, fidelity = np.zeros(256, np.int64), ConfusionMatrix(folded=True), []
    for i, (frame, labels) in enumerate(zip(frames, truth, strict=True)):
        indices, scores = ends.send(frame.image, frame.labels)
        kept = ends.kept(scores, fraction, i)
        covered = np.kron(kept, np.ones((STRIDE, STRIDE), bool))
        counts += np.bincount(fold(labels)[covered], minlength=256)
        shown = ends.receive(indices, kept, frame.labels)
        confusion.add(labels, *judge([shown]))
        fidelity.append(psnr(frame.image, shown))
    return _shares(counts), {"miou": confusion.miou(), "psnr": float(np.mean(fidelity))}


def show(
    rows: dict[str, dict[str, float]], scores: dict[str, dict[str, float]], fraction: float
) -> None:
    """Print shares by class, and how often a relevant class is kept for its area."""
    table = Table("class", *rows, title=f"share of what is kept, {fraction:.0%} of the cells")
    for name in rows["area"]:
        table.add_row(name, *(f"{100 * row.get(name, 0):.2f} %" for row in rows.values()))
    relevant = [NAMES[c] for c in RELEVANT]
    of_area = sum(rows["area"].get(name, 0) for name in relevant)
    gains = [
        sum(row.get(name, 0) for name in relevant) / max(of_area, 1e-9) for row in rows.values()
    ]
    for name in relevant:
        least = max(rows["area"].get(name, 0), 1e-9)
        table.add_row(f"{name}, to area", *(f"{r.get(name, 0) / least:.2f}" for r in rows.values()))
    table.add_row("relevant, to area", *(f"{gain:.2f}" for gain in gains))
    for what in ("miou", "psnr"):
        table.add_row(what, "", *(f"{score[what]:.3f}" for score in scores.values()))
    Console().print(table)


def chosen(ends: Ends, fraction: float, frame: Frame, seed: int) -> np.ndarray:
    """Frame with its classes' colours where cells are kept, and what is regenerated, side by
    side."""
    indices, scores = ends.send(frame.image, frame.labels)
    kept = ends.kept(scores, fraction, seed)
    covered = np.kron(kept, np.ones((STRIDE, STRIDE), bool))[..., None]
    seen = np.where(covered, tint(frame.image, frame.labels), frame.image // 3)
    return np.concatenate([seen, ends.receive(indices, kept, frame.labels)], axis=1)


def surfaces(
    maps: Ends, images: Ends, frames: list[Frame], truth: list[np.ndarray], judge: Segmenter
) -> dict[str, list]:
    """PSNR and mIoU of the image, and mIoU of the map, at all pairs of fractions (m_s, m_x)."""
    found: dict[str, list] = {"fractions": list(FRACTIONS), "map": [], "image": [], "psnr": []}
    latents = [(maps.send(f.labels), images.send(f.image, f.labels)) for f in frames]
    for m_s in FRACTIONS:
        received = [
            maps.receive(indices, maps.kept(scores, m_s, i))
            for i, ((indices, scores), _) in enumerate(latents)
        ]
        found["map"].append(_miou(truth, received))
        mious, psnrs = [], []
        for m_x in FRACTIONS:
            shown = [
                images.receive(indices, images.kept(scores, m_x, i), received[i])
                for i, (_, (indices, scores)) in enumerate(latents)
            ]
            mious.append(_miou(truth, judge(shown)))
            pairs = zip(frames, shown, strict=True)
            psnrs.append(float(np.mean([psnr(f.image, image) for f, image in pairs])))
        found["image"].append(mious)
        found["psnr"].append(psnrs)
    return found


def _miou(truth: list[np.ndarray], found: Sequence[np.ndarray]) -> float:
    confusion = ConfusionMatrix(folded=True)
    for labels, estimate in zip(truth, found, strict=True):
        confusion.add(labels, estimate)
    return confusion.miou()


def _write(path: Path, found: Any) -> None:
    path.write_text(json.dumps(found, indent=2) + "\n")


def _shares(counts: np.ndarray) -> dict[str, float]:
    known = counts[: len(NAMES)]
    return {NAMES[c]: float(known[c] / known.sum()) for c in np.flatnonzero(known)}
