# SPDX-License-Identifier: Apache-2.0
"""The three training steps: the map, the image with true maps, the image on decoded maps."""

from __future__ import annotations

import argparse
import json
import math
import os
from pathlib import Path
from typing import Any

import torch

from semcom_ros import weights
from semcom_ros.codecs.sqgan.inference import MapReceiver, MapTransmitter
from semcom_ros.codecs.sqgan.pipeline import (
    IMAGE_SIZES,
    MAP_SIZES,
    Pipeline,
    image_pipeline,
    map_pipeline,
)
from semcom_ros.frame import WORK_SIZE
from semcom_ros.lab.training import data
from semcom_ros.lab.training.gesco.discriminator import Discriminator
from semcom_ros.lab.training.loop import cosine, train
from semcom_ros.lab.training.recipe import command_line
from semcom_ros.lab.training.sqgan import emphasis, perceptual, states
from semcom_ros.lab.training.sqgan.batches import Maker, MapLink
from semcom_ros.lab.training.sqgan.judge import Judge
from semcom_ros.lab.training.sqgan.learning import ImageLearning, Learning, MapLearning
from semcom_ros.lab.training.sqgan.sets import EVERY, HELD_OUT, held_out, street_sets
from semcom_ros.labels import LABEL_SPACE, NAMES
from semcom_ros.perception import segmentation
from semcom_ros.perception.segmentation import Segmenter

MAP, IMAGE, TUNED = "map.safetensors", "image.safetensors", "tuned.safetensors"
OUTPUT = {"map": MAP, "image": IMAGE, "tune": TUNED}
ZOOM = (1.0, 1.25)
WARM_UP = 100
SCORED = 10
"""Times a step is scored."""
CLASSES = data.CAMVID_CLASSES
RECIPE = "semcom train sqgan --camvid DIR"
FREE = ("resume", "start", "vgg")
"""Options that may differ when a step goes on."""


def run(args: argparse.Namespace) -> None:
    """Train step `args.step`; keep the best by the judge in the folder `args.work`."""
    torch.manual_seed(args.seed)
    torch.set_num_threads(os.cpu_count() or 1)
    segmenter = Segmenter.from_pretrained(args.models)
    judge = Judge(args.judge, held_out(args.camvid), segmenter)
    learning = begin(args)
    state = args.work / f"{args.step}.state"
    told = {**named(args), "perceptual": perceptual.in_words(args.vgg)}
    done = states.load(state, learning, told) if args.resume else 0
    left = args.updates - done

    maker = Maker(CLASSES, tuple(args.crop), args.seed + done, args.enhancement == "on", link(args))
    frames = data.Batches(
        street_sets(args.camvid, args.scenes, segmenter),
        args.batch,
        WORK_SIZE,
        ZOOM,
        args.seed + done,
        jitter=False,
    )
    batches = data.one_ahead(maker, frames)
    # Tuning goes on with the discriminator of the step before.
    adversarial_from = 0 if args.step == "tune" else int(args.adversarial_from * args.updates)

    def update(step: int) -> dict[str, float]:
        at = step + done
        rate = cosine(at, args.updates, args.rate, WARM_UP)
        adversarial = args.adversarial if at >= adversarial_from else 0.0
        return learning.update(next(batches), rate, adversarial)

    def score() -> dict[str, float]:
        states.save(state, learning, told)
        if args.step == "map":
            return judge.of_maps(learning.average, CLASSES)
        return judge.of_images(learning.average, CLASSES)

    best = best_of(args, adversarial_from) if done else -math.inf

    def keep(scores: dict[str, float]) -> None:
        if scores["judge"] > best:
            save(args, learning.average, scores, judge.ceiling, learning.trainer.steps)

    log = args.work / (f"{args.step}.jsonl" if not done else f"{args.step}-from-{done}.jsonl")
    every = max(1, args.updates // SCORED)
    train(update, left, score, keep, "judge", log, every, max(0, adversarial_from - done))


def best_of(args: argparse.Namespace, compete_from: int) -> float:
    """The score to surpass when a step goes on: of its weights in `args.work`, where they have
    competed, after `compete_from` updates."""
    card = (args.work / OUTPUT[args.step]).with_suffix(".json")
    if not card.is_file():
        return -math.inf
    content = json.loads(card.read_text())
    competed = content.get("updates", 0) > compete_from
    return content["scores"]["judge"] if competed else -math.inf


def named(args: argparse.Namespace) -> dict[str, Any]:
    """The options that make a step what it is."""
    return {k: v for k, v in vars(args).items() if k not in FREE and not isinstance(v, Path)}


def begin(args: argparse.Namespace) -> Learning:
    """A pipeline for step `args.step`, new or from weights, and its discriminator."""
    choices = {"mask": args.mask, "score": args.score}
    discriminator = Discriminator(len(CLASSES))
    if args.step == "map":
        pipeline = map_pipeline(len(CLASSES), **MAP_SIZES, **choices)
        table = emphasis.table(emphasis.MAP, emphasis.MAP_OTHERS)
        fill(pipeline, args.start)
        return MapLearning(pipeline, discriminator, torch.from_numpy(table[list(CLASSES)]))
    pipeline = image_pipeline(len(CLASSES), **IMAGE_SIZES, **choices)
    fill(pipeline, start_of(args))
    features = perceptual.perceptual(
        args.vgg, args.models / segmentation.FILE, args.seed, torch.device("cpu")
    )
    learning = ImageLearning(pipeline, discriminator, features, args.discriminator == "aware")
    if args.step == "tune":
        states.load_discriminator(start_of(args).with_suffix(".state"), learning)
    return learning


def start_of(args: argparse.Namespace) -> Path | None:
    """The weights that a step begins with, None for new ones."""
    return args.start or (args.work / IMAGE if args.step == "tune" else None)


def fill(pipeline: Pipeline, path: Path | None) -> None:
    """Put the weights in `path`, if any, into `pipeline`. Raises SemcomError."""
    if path is not None:
        tensors, _ = weights.load(path, RECIPE)
        weights.fill(pipeline, tensors, path)


def link(args: argparse.Namespace) -> MapLink | None:
    """How maps arrive: as they are until the image is tuned, then coded or by the trained map
    pipeline, which is frozen."""
    if args.step != "tune":
        return None
    pipeline = map_pipeline(len(CLASSES), **MAP_SIZES)
    fill(pipeline, args.work / MAP)
    codebook = pipeline.quantiser.codebook
    ends = (
        MapTransmitter(pipeline.transmitter, codebook, CLASSES),
        MapReceiver(pipeline.receiver, codebook, CLASSES),
    )
    return MapLink(ends, args.map_tokens)


def save(
    args: argparse.Namespace,
    pipeline: Pipeline,
    scores: dict[str, float],
    ceiling: float,
    updates: int,
) -> None:
    """Write the weights and card, after `updates`, of the pipeline for the next step."""
    tuned = args.step == "tune"
    before = weights.read_card(start_of(args), RECIPE)["recipe"] if tuned else []
    card = {
        "what": f"{'map' if args.step == 'map' else 'image'} pipeline of the codec sqgan",
        "label_space": LABEL_SPACE,
        "classes": [NAMES[c] for c in CLASSES],
        "networks": {"map": MAP_SIZES} if args.step == "map" else {"image": IMAGE_SIZES},
        "mask": args.mask,
        "score": args.score,
        "data": f"CamVid train (367 frames, but for every {EVERY}th) and {args.scenes} frames of "
        "the procedural drive",
        "recipe": [*before, command_line("sqgan", argparse.Namespace(**named(args)))],
        **({} if args.step == "map" else {"perceptual": perceptual.in_words(args.vgg)}),
        "updates": updates,
        "scores": {
            "on": f"{HELD_OUT}: mIoU against truth, of the map itself or of the image by the "
            "judge, by the share of latent vectors kept; checkpoints were chosen by their mean",
            "ceiling": round(ceiling, 4),
            **{name: round(value, 4) for name, value in scores.items()},
        },
    }
    weights.save(args.work / OUTPUT[args.step], weights.tensors_of(pipeline), card)
