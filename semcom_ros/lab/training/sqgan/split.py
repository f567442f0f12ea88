# SPDX-License-Identifier: Apache-2.0
"""Measures how a payload's bytes are best split between map and image, and how the map is sent."""

from __future__ import annotations

import argparse
import itertools
import json
from collections.abc import Sequence
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
Row = dict[str, Any]
"""One way to split, and its scores."""


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
) -> tuple[Split, list[Row]]:
    """The best split at every setting, and all that were tried: those of `map_bytes` that leave
    room for the header, with both ways to send a map."""
    rows: list[Row] = []
    chosen = []
    for setting in settings:
        sent = [n for n in map_bytes if n <= setting - HEADER]
        for part, n_bytes in itertools.product((LABELS_PART, MAP_TOKENS_PART), sent):
            encoder.split = Split((setting,), (n_bytes,), (part,))
            row = {"payload_bytes": setting, "map_bytes": n_bytes, "map_part": part}
            rows.append(row | measure(encoder, decoder, judge, frames, truth, setting))
            print(json.dumps(rows[-1]), flush=True)
        chosen.append(choose([row for row in rows if row["payload_bytes"] == setting]))
    sizes, parts = (tuple(row[name] for row in chosen) for name in ("map_bytes", "map_part"))
    return Split(tuple(settings), sizes, parts), rows


def choose(tried: list[Row]) -> Row:
    """The best score of those that refuse fewest frames; where scores hardly differ, colours
    decide."""
    refused = min(row["refused"] for row in tried)
    able = [row for row in tried if row["refused"] == refused]
    best = max(row["score"] for row in able)
    return max((row for row in able if row["score"] >= best - ALIKE), key=lambda row: row["psnr"])


def write(models: Path, split: Split, rows: list[Row]) -> None:
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
) -> Row:
    """Scores of the encoder's split at `setting` bytes: `score`, mIoU of map and image alike,
    chooses. refused: frames that it cannot send, which score nothing."""
    maps, images = ConfusionMatrix(folded=True), ConfusionMatrix(folded=True)
    fidelity = []
    for frame, labels in zip(frames, truth, strict=True):
        try:
            payload = encode("sqgan", encoder, frame, setting)
        except SemcomError:
            continue
        shown = decode("sqgan", decoder, payload)
        maps.add(labels, shown.labels)
        images.add(labels, *judge([shown.image]))
        fidelity.append(psnr(frame.image, shown.image))
    of_map, of_image = maps.miou() or 0.0, images.miou() or 0.0
    return {
        "map_miou": of_map,
        "image_miou": of_image,
        "psnr": float(np.mean(fidelity)) if fidelity else 0.0,
        "refused": len(frames) - len(fidelity),
        "score": (of_map + of_image) / 2,
    }
