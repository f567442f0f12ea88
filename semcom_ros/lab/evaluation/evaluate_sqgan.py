# SPDX-License-Identifier: Apache-2.0
"""`semcom eval sqgan`: what SAMM keeps by class, beside ablations, and quality over (m_x, m_s) and
as parts are lost."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from semcom_ros import weights
from semcom_ros.codecs.sqgan.inference import (
    ImageReceiver,
    ImageTransmitter,
    MapReceiver,
    MapTransmitter,
)
from semcom_ros.codecs.sqgan.masking import SCORES
from semcom_ros.codecs.sqgan.pipeline import MASKS, Pipeline, make
from semcom_ros.codecs.sqgan.shared import IMAGE_LAYERS, IMAGE_PARTS, LATENT_GRID, STRIDE
from semcom_ros.errors import SemcomError
from semcom_ros.frame import Frame
from semcom_ros.lab.evaluation.loopback import Loopback
from semcom_ros.lab.evaluation.plot_sqgan import plot_lost_parts, plot_surfaces
from semcom_ros.lab.evaluation.shared import frames_options, labelled_frames, show, write_json
from semcom_ros.lab.picture import save_picture
from semcom_ros.lab.training.data import Samples
from semcom_ros.lab.training.judge import FILE as JUDGE
from semcom_ros.lab.training.judge import Judge, kept_of
from semcom_ros.lab.training.sqgan.batches import FILES
from semcom_ros.labels import NAMES, TRAIN_ID, fold, tint
from semcom_ros.payload import Part, Payload, pack, unpack
from semcom_ros.perception.segmentation import Segmenter

RELEVANT = tuple(TRAIN_ID[name] for name in ("pole", "traffic sign", "person", "rider"))
FIRST_PART = IMAGE_LAYERS[0] / (LATENT_GRID[0] * LATENT_GRID[1])
"""Fraction of the image's vectors that a payload's first image part holds."""
FRACTIONS = (0.05, 0.15, 0.35, 0.55, 0.75, 0.95)
SETTINGS = (256, 512, 1200)
"""Bytes of the payloads that lose parts."""
PICTURES = 4


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `semcom eval sqgan`."""
    frames_options(parser, data=None, frames=26)
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
    frames = Samples.of((frame.image, frame.labels) for frame in labelled_frames(args))
    segmenter = Segmenter.from_pretrained(args.models, args.device)
    judge = Judge(args.models / JUDGE, frames, segmenter, args.device)
    tuned = args.work / FILES["tune"]
    named = {"sqgan": tuned}
    for pair in args.ablations:
        name, equals, path = pair.partition("=")
        if not equals:
            raise SemcomError(f"An ablation is NAME=FILE, not '{pair}'.")
        named[name] = Path(path)
    systems = {name: Ends(path, "image", args.device) for name, path in named.items()}
    systems["same, at random"] = Ends(tuned, "image", args.device, mask=MASKS[1])
    systems["same, unconditioned"] = Ends(tuned, "image", args.device, score=SCORES[1])
    rows, scores = {"area": area(judge.truth)}, {}
    for name, ends in systems.items():
        rows[name], scores[name] = kept_by_class(ends, args.kept, judge)
    record = {"data": args.data, "kept": args.kept, "by_class": rows, "scores": scores}
    write_json(args.out / "kept.json", record)
    show_kept(rows, scores, args.kept)
    for i in range(min(PICTURES, len(frames))):
        picture = np.concatenate([chosen(ends, args.kept, judge, i) for ends in systems.values()])
        save_picture(args.out / f"kept_{i}.png", picture)
    if args.surfaces:
        maps = Ends(args.work / FILES["map"], "map", args.device)
        surface = surfaces(maps, systems["sqgan"], judge)
        write_json(args.out / "surfaces.json", surface)
        plot_surfaces(args.out / "surfaces.png", surface)
    if args.lost_parts:
        lost = lost_parts(Loopback("sqgan", args.device, args.models), judge)
        write_json(args.out / "lost_parts.json", lost)
        plot_lost_parts(args.out / "lost_parts.png", lost)


class Ends:
    """Both ends of the pipeline `kind` in `path`. Raises SemcomError.

    mask, score: other choices than it was trained with.
    """

    def __init__(
        self, path: Path, kind: str, device: str = "cpu", mask: str = "", score: str = ""
    ) -> None:
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
        self._transmitter = transmitter(self.pipeline.transmitter, codebook, classes, device)
        self._receiver = receiver(self.pipeline.receiver, codebook, classes, device)

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

    def pass_image(self, judge: Judge, fraction: float, i: int) -> tuple[np.ndarray, np.ndarray]:
        """Of frame `i` which pixels, bool [H, W], lie in cells that are kept, and the image
        received. The networks read maps without void."""
        labels = judge.filled[i]
        indices, scores = self.send(judge.images[i], labels)
        kept = self.kept(scores, fraction, i)
        covered = np.kron(kept, np.ones((STRIDE, STRIDE), bool))
        return covered, self.receive(indices, kept, labels)


def area(truth: Sequence[np.ndarray]) -> dict[str, float]:
    """Share of the pixels by class."""
    return _shares(truth, [np.ones(labels.shape, bool) for labels in truth])


def kept_by_class(
    ends: Ends, fraction: float, judge: Judge
) -> tuple[dict[str, float], dict[str, float]]:
    """Share of the kept cells' pixels by class, and mIoU and PSNR of what they regenerate.

    fraction: of the vectors that are kept. What is void in truth is neither counted nor scored.
    """
    passed = [ends.pass_image(judge, fraction, i) for i in range(len(judge.images))]
    covered, shown = zip(*passed, strict=True)
    miou, fidelity = judge.scored(shown)
    return _shares(judge.truth, covered), {"miou": miou, "psnr": fidelity}


def show_kept(
    rows: dict[str, dict[str, float]], scores: dict[str, dict[str, float]], fraction: float
) -> None:
    """Print shares by class, and how often a relevant class is kept for its area."""

    def to_area(*names: str) -> list[str]:
        of = [sum(row.get(name, 0) for name in names) for row in rows.values()]
        return [f"{share / max(of[0], 1e-9):.2f}" for share in of]

    relevant = [NAMES[c] for c in RELEVANT]
    lines = [
        *(
            (name, *(f"{100 * row.get(name, 0):.2f} %" for row in rows.values()))
            for name in rows["area"]
        ),
        *((f"{name}, to area", *to_area(name)) for name in relevant),
        ("relevant, to area", *to_area(*relevant)),
        *((q, "", *(f"{score[q]:.3f}" for score in scores.values())) for q in ("miou", "psnr")),
    ]
    show(f"share of what is kept, {fraction:.0%} of the cells", ("class", *rows), lines)


def chosen(ends: Ends, fraction: float, judge: Judge, i: int) -> np.ndarray:
    """Frame `i` with its classes' colours where cells are kept, and what is regenerated, side by
    side."""
    covered, shown = ends.pass_image(judge, fraction, i)
    image = judge.images[i]
    seen = np.where(covered[..., None], tint(image, judge.filled[i]), image // 3)
    return np.concatenate([seen, shown], axis=1)


def surfaces(maps: Ends, images: Ends, judge: Judge) -> dict[str, list]:
    """PSNR and mIoU of the image, and mIoU of the map, at all pairs of fractions (m_s, m_x)."""
    found: dict[str, list] = {"fractions": list(FRACTIONS), "map": [], "image": [], "psnr": []}
    sent = list(map(maps.send, judge.filled))
    latents = list(map(images.send, judge.images, judge.filled))
    for m_s in FRACTIONS:
        received = [
            maps.receive(indices, maps.kept(scores, m_s, i))
            for i, (indices, scores) in enumerate(sent)
        ]
        found["map"].append(judge.miou(received))
        row = [
            judge.scored(
                [
                    images.receive(indices, images.kept(scores, m_x, i), received[i])
                    for i, (indices, scores) in enumerate(latents)
                ]
            )
            for m_x in FRACTIONS
        ]
        for name, values in zip(("image", "psnr"), zip(*row, strict=True), strict=True):
            found[name].append(list(values))
    return found


def lost_parts(loop: Loopback, judge: Judge) -> list[dict[str, Any]]:
    """mIoU and PSNR of the codec's image, by payload bytes and by the image's parts that arrive.

    The map always arrives: without it the frame is refused.
    """
    rows = []
    for n_bytes in SETTINGS:
        frames = map(Frame, judge.images, judge.sent)
        payloads = [unpack(loop.send(frame, n_bytes)) for frame in frames]
        sent = max(len(payload.parts) for payload in payloads) - 1
        for arrived in range(sent, -1, -1):
            data = [pack(without(payload, IMAGE_PARTS[arrived:])) for payload in payloads]
            miou, fidelity = judge.scored([one.image for one in loop.receive(data)])
            row = {"payload_bytes": n_bytes, "image_parts": arrived, "miou": miou, "psnr": fidelity}
            rows.append(row)
    return rows


def without(payload: Payload, lost: tuple[str, ...]) -> Payload:
    """`payload` as it arrives when the parts named are lost."""
    parts = (
        Part(p.name, p.importance, erased=True) if p.name in lost else p for p in payload.parts
    )
    return replace(payload, parts=tuple(parts))


def _shares(truth: Sequence[np.ndarray], chosen: Sequence[np.ndarray]) -> dict[str, float]:
    """Share by class of the known pixels that are chosen, bool [H, W] each."""
    pairs = zip(truth, chosen, strict=True)
    counts = sum(np.bincount(fold(labels)[of], minlength=256) for labels, of in pairs)
    known = counts[: len(NAMES)]
    return {NAMES[c]: float(known[c] / known.sum()) for c in np.flatnonzero(known)}
