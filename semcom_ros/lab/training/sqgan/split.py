# SPDX-License-Identifier: Apache-2.0
"""Measures how a payload's bytes are best split between map and image, and how the map is sent."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from semcom_ros.codecs.sqgan.decoder import Decoder
from semcom_ros.codecs.sqgan.encoder import Encoder
from semcom_ros.codecs.sqgan.shared import ENCODER_FILE, LABELS_PART, MAP_TOKENS_PART
from semcom_ros.codecs.sqgan.split import Split
from semcom_ros.errors import SemcomError
from semcom_ros.frame import Frame
from semcom_ros.lab.metrics.confusion import ConfusionMatrix, psnr
from semcom_ros.lab.training.judge import RECIPE
from semcom_ros.lab.training.recipe import command_line
from semcom_ros.lab.training.sqgan.batches import HELD_OUT, held_out
from semcom_ros.perception.segmentation import Segmenter
from semcom_ros.pipeline.single import decode, encode

SETTINGS = (128, 256, 512, 1024, 1200)
MAP_BYTES = (40, 56, 72, 96, 128, 176, 240, 320, 440, 600, 800)
"""Tried where they leave room for the header."""
HEADER = 55
EVERY = 3
"""Of the frames held out one in so many is tried."""
ALIKE = 0.0075
"""Scores so near to each other are not told apart by so few frames."""


@dataclass(frozen=True)
class Measured:
    """One way to split: its scores on the frames. refused: frames that it cannot send."""

    map_bytes: int
    map_part: str
    map_miou: float
    image_miou: float
    psnr: float
    refused: int

    @property
    def score(self) -> float:
        """What chooses: mIoU of the map and of the image count alike."""
        return (self.map_miou + self.image_miou) / 2


def run(args: argparse.Namespace) -> None:
    """Try every split on frames held out; write the table into the encoder's card."""
    segmenter = Segmenter.from_pretrained(args.models)
    judge = Segmenter.from_pretrained(args.judge, recipe=RECIPE)
    samples = held_out(args.camvid)
    images = samples.images[::EVERY]
    frames = [Frame(*each) for each in zip(images, segmenter(images), strict=True)]
    truth = list(samples.labels[::EVERY])
    encoder, decoder = Encoder(models=args.models), Decoder(models=args.models)
    split, rows = table(encoder, decoder, judge, frames, truth, SETTINGS, MAP_BYTES)
    write(args.models, split, rows)


def table(
    encoder: Encoder,
    decoder: Decoder,
    judge: Segmenter,
    frames: list[Frame],
    truth: list[np.ndarray],
    settings: Sequence[int],
    map_bytes: Sequence[int],
) -> tuple[Split, list[dict[str, Any]]]:
    """The best split at every setting, and all that were tried: those of `map_bytes` that leave
    room for the header, with both ways to send a map."""
    rows, chosen = [], []
    for setting in settings:
        tried = []
        for part in (LABELS_PART, MAP_TOKENS_PART):
            for n_bytes in (n for n in map_bytes if n <= setting - HEADER):
                encoder.split = Split((setting,), (n_bytes,), (part,))
                found = measure(encoder, decoder, judge, frames, truth, setting)
                tried.append(found)
                rows.append({"payload_bytes": setting, **vars(found), "score": found.score})
                print(json.dumps(rows[-1]), flush=True)
        chosen.append(choose(tried))
    best = Split(
        tuple(settings),
        tuple(m.map_bytes for m in chosen),
        tuple(m.map_part for m in chosen),
    )
    return best, rows


def choose(tried: list[Measured]) -> Measured:
    """The best score of those that refuse fewest frames; where scores hardly differ, colours
    decide."""
    refused = min(m.refused for m in tried)
    able = [m for m in tried if m.refused == refused]
    best = max(m.score for m in able)
    return max((m for m in able if m.score >= best - ALIKE), key=lambda m: m.psnr)


def write(models: Path, split: Split, rows: list[dict[str, Any]]) -> None:
    """Put the table and what was tried into the card of the encoder in `models`."""
    card = (models / ENCODER_FILE).with_suffix(".json")
    content = json.loads(card.read_text())
    content["split"] = split.card()
    content["split_on"] = f"one in {EVERY} of these frames: {HELD_OUT}"
    content["split_recipe"] = command_line("sqgan", argparse.Namespace(stage="split"))
    content["split_tried"] = [
        {k: round(v, 4) if isinstance(v, float) else v for k, v in row.items()} for row in rows
    ]
    card.write_text(json.dumps(content, indent=2) + "\n")


def measure(
    encoder: Encoder,
    decoder: Decoder,
    judge: Segmenter,
    frames: list[Frame],
    truth: list[np.ndarray],
    setting: int,
) -> Measured:
    """Scores of the encoder's split at `setting` bytes; a refused frame scores nothing."""
    maps, images = ConfusionMatrix(folded=True), ConfusionMatrix(folded=True)
    fidelity, refused = [], 0
    part, map_bytes = encoder.split.of(setting)
    for frame, labels in zip(frames, truth, strict=True):
        try:
            payload = encode("sqgan", encoder, frame, setting)
        except SemcomError:
            refused += 1
            continue
        shown = decode("sqgan", decoder, payload)
        maps.add(labels, shown.labels)
        images.add(labels, *judge([shown.image]))
        fidelity.append(psnr(frame.image, shown.image))
    return Measured(
        map_bytes,
        part,
        maps.miou() or 0.0,
        images.miou() or 0.0,
        float(np.mean(fidelity)) if fidelity else 0.0,
        refused,
    )
