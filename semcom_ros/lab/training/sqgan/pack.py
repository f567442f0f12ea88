# SPDX-License-Identifier: Apache-2.0
"""From trained pipelines to the files that both ends load, with the token coder's statistics."""

from __future__ import annotations

import argparse
import hashlib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from semcom_ros import weights
from semcom_ros.codecs.sqgan import token_coder, token_prior
from semcom_ros.codecs.sqgan.inference import ImageTransmitter, MapTransmitter
from semcom_ros.codecs.sqgan.pipeline import Pipeline, make
from semcom_ros.codecs.sqgan.shared import (
    DECODER_FILE,
    ENCODER_FILE,
    IMAGE_LAYERS,
    LATENT_GRID,
    MAP_LAYERS,
    PIPELINES,
    SHARED_FILE,
)
from semcom_ros.codecs.sqgan.split import UNMEASURED
from semcom_ros.codecs.sqgan.token_prior import UNKNOWN, TokenPrior
from semcom_ros.coding.grids import GRIDS, pool
from semcom_ros.errors import SemcomError
from semcom_ros.lab.training.recipe import command_line
from semcom_ros.lab.training.sqgan.batches import FILES, HELD_OUT, RECIPE, held_out, street_sets
from semcom_ros.labels import LABEL_SPACE, NAMES
from semcom_ros.perception.segmentation import Segmenter

UNKNOWN_SHARE = 0.25
"""Of the frames whose image tokens are learned as beside a map of tokens: classes unknown."""
GRIDS_SEEN = tuple(g for g in GRIDS if g[0] >= 24)
LAYERS = {"map": MAP_LAYERS, "image": IMAGE_LAYERS}
Tokens = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Of a frame: scores float [h, w], indices int [h, w], classes uint8 [h, w]."""
Frames = Sequence[tuple[np.ndarray, np.ndarray]]
"""Image and labels of each."""
Pipelines = dict[str, Pipeline]


def run(args: argparse.Namespace) -> None:
    """Read the pipelines in `args.work`, learn the statistics of their tokens, write `args.models`.

    Raises SemcomError for a stage that has not been trained.
    """
    cards, pipelines = {}, {}
    for name, stage in zip(PIPELINES, ("map", "tune"), strict=True):
        path = args.work / FILES[stage]
        tensors, cards[name] = weights.load(path, RECIPE)
        classes = weights.classes_of(cards[name], path)
        if cards[name].get("mask") != "samm" or cards[name].get("score") != "conditioned":
            raise SemcomError(f"{path} was trained for comparison: it is no codec's.")
        pipelines[name] = make(name, classes, cards[name], path)
        weights.fill(pipelines[name], tensors, path)
        order(pipelines[name])

    segmenter = Segmenter.from_pretrained(args.models)
    rng = np.random.default_rng(args.seed)
    seen = [pair for s, _ in street_sets(args.camvid, args.scenes, segmenter) for pair in s]
    tokens = learn(pipelines, classes, [seen[i] for i in rng.permutation(len(seen))], rng)
    images = held_out(args.camvid).images
    unseen = list(zip(images, segmenter(images), strict=True))
    scores = measured(pipelines, classes, unseen, tokens)
    scores = {"on": f"estimated maps of {HELD_OUT}", **scores}
    own = argparse.Namespace(stage="pack", scenes=args.scenes, seed=args.seed)
    card = {
        "label_space": LABEL_SPACE,
        "classes": [NAMES[c] for c in classes],
        "networks": {name: cards[name]["networks"][name] for name in PIPELINES},
        "data": cards["image"]["data"],
        "perceptual": cards["image"]["perceptual"],
        "recipe": [*cards["map"]["recipe"], *cards["image"]["recipe"], command_line("sqgan", own)],
        "scores": {name: cards[name]["scores"] for name in PIPELINES} | {"tokens": scores},
    }
    write(args.models, pipelines, tokens, card)
    print(scores)


def order(pipeline: Pipeline) -> None:
    """Put the codebook of `pipeline` in the order that its indices are coded in."""
    codebook = pipeline.quantiser.codebook
    # In half precision, as both ends are going to hold it.
    codebook.copy_(codebook[ordered(codebook.numpy())].half().float())


def ordered(codebook: np.ndarray) -> np.ndarray:
    """Places int [J] of the codewords float [J, dims] in an order to code them in, J a power of 2.

    They are halved along the direction of their largest spread, and each half again: so the first
    bits of an index name a cluster, which a neighbour foretells where the codeword itself is rare.
    """
    places = np.arange(len(codebook))
    if len(codebook) == 1:
        return places
    centred = codebook - codebook.mean(0)
    _, _, directions = np.linalg.svd(centred, full_matrices=False)
    along = np.argsort(centred @ directions[0], kind="stable")
    halves = np.split(along, 2)
    return np.concatenate([half[ordered(codebook[half])] for half in halves])


def learn(
    pipelines: Pipelines, classes: tuple[int, ...], frames: Frames, rng: np.random.Generator
) -> dict[str, TokenPrior]:
    """The token coder's priors, by pipeline, from frames of image and labels.

    Every frame is cut at a random number of cells, as payloads are: of whole layers alone, where
    the last one takes all that is left, nothing tells which cells come first.
    """
    priors = {name: token_prior.scratch() for name in PIPELINES}
    for name, (scores, indices, known) in _tokens(pipelines, classes, frames, rng):
        if rng.random() < UNKNOWN_SHARE:
            known = np.full_like(known, UNKNOWN)
        count = int(rng.integers(1, scores.size + 1))
        token_coder.learn(scores, indices, known, LAYERS[name], count, priors[name])
    # Coded with what can be stored of them.
    return {name: token_prior.restored(token_prior.stored(p)) for name, p in priors.items()}


def measured(
    pipelines: Pipelines, classes: tuple[int, ...], frames: Frames, priors: dict[str, TokenPrior]
) -> dict[str, float]:
    """Mean bytes of the tokens of a frame: each layer of the image, all of them without the map's
    classes, without statistics, and as a flat ten bits an index."""
    sums, rng = defaultdict(float), np.random.default_rng(0)
    for name, (scores, indices, known) in _tokens(pipelines, classes, frames, rng):
        ways = {name: (known, priors[name])}
        if name == "image":
            ways["image, classes unknown"] = (np.full_like(known, UNKNOWN), priors[name])
            ways["image, without statistics"] = (known, token_prior.scratch())
        for what, (told, prior) in ways.items():
            parts = token_coder.encode(scores, indices, told, LAYERS[name], 10_000, 0, prior)
            sums[what] += sum(map(len, parts))
            for layer, part in enumerate(parts if what == "image" else (), 1):
                sums[f"layer {layer}"] += len(part)
    means = {what: round(total / len(frames), 1) for what, total in sums.items()}
    return {**means, "flat": token_prior.BITS * LATENT_GRID[0] * LATENT_GRID[1] / 8}


def write(
    models: Path, pipelines: Pipelines, tokens: dict[str, TokenPrior], card: dict[str, Any]
) -> None:
    """Write the three files of the codec into the folder `models`."""
    shared, sending, receiving = {}, {}, {}
    for name, pipeline in pipelines.items():
        shared[f"{name}.codebook"] = pipeline.quantiser.codebook.numpy()
        for part, tensor in token_prior.stored(tokens[name]).items():
            shared[f"{name}.tokens.{part}"] = tensor
        for end, network in ((sending, pipeline.transmitter), (receiving, pipeline.receiver)):
            end.update({f"{name}.{k}": t for k, t in weights.tensors_of(network).items()})
    # What both ends hold names the networks too: other networks never read its payloads.
    names = hashlib.sha256()
    for tensors in (sending, receiving):
        for name in sorted(tensors):
            names.update(tensors[name].astype(np.float16).tobytes())
    shared["networks"] = np.frombuffer(names.digest(), np.uint8)
    held = [p.quantiser.codebook.numel() for p in pipelines.values()]
    held += [t.counters.size + t.weights.size for t in tokens.values()]
    more = {"what": "codebooks of sqgan", "parameters": sum(held)}
    weights.save(models / SHARED_FILE, shared, {**more, **card})
    model = hashlib.sha256((models / SHARED_FILE).read_bytes()).hexdigest()
    for file, tensors, what, more in (
        (ENCODER_FILE, sending, "the vehicle's networks of sqgan", {"split": UNMEASURED.card()}),
        (DECODER_FILE, receiving, "the RSU's networks of sqgan", {}),
    ):
        weights.save(models / file, tensors, {"what": what, "shared": model, **card, **more})


def _tokens(
    pipelines: Pipelines, classes: tuple[int, ...], frames: Frames, rng: np.random.Generator
) -> Iterator[tuple[str, Tokens]]:
    map_transmitter, image_transmitter = (
        end(pipelines[name].transmitter, pipelines[name].quantiser.codebook, classes)
        for name, end in zip(PIPELINES, (MapTransmitter, ImageTransmitter), strict=True)
    )
    for image, labels in frames:
        (indices,), (scores,) = map_transmitter([labels])
        yield "map", (scores, indices, np.full(LATENT_GRID, UNKNOWN, np.uint8))
        (indices,), (scores,) = image_transmitter(image[np.newaxis], [labels])
        grid = GRIDS_SEEN[rng.integers(len(GRIDS_SEEN))]
        yield "image", (scores, indices, pool(pool(labels, grid), LATENT_GRID))
