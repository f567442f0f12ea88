# SPDX-License-Identifier: Apache-2.0
"""Networks of SQ-GAN of a few channels with random weights, to test what holds of any weights."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path

import torch

from semcom_ros import weights
from semcom_ros.codecs.sqgan import token_prior
from semcom_ros.codecs.sqgan.paper.inference import MAKERS, file_of
from semcom_ros.codecs.sqgan.paper.networks import SqganPaperSizes
from semcom_ros.codecs.sqgan.pipeline import Pipeline, image_pipeline, map_pipeline
from semcom_ros.coding import map_prior
from semcom_ros.lab.training.data import CAMVID_CLASSES
from semcom_ros.lab.training.sqgan import pack
from semcom_ros.labels import LABEL_SPACE, NAMES
from semcom_ros.payload import Part, Payload

SIZES = {"widths": (8, 8, 32), "depth": 2}
PAPER = SqganPaperSizes(32, (1,) * 5, blocks=1, dims=32, depth=1, hidden=8)
"""Those of the paper but for their widths and depths."""


def tiny(seed: int = 0, **choices: str) -> dict[str, Pipeline]:
    """Both pipelines, by name."""
    torch.manual_seed(seed)
    n = len(CAMVID_CLASSES)
    pipelines = {
        "map": map_pipeline(n, **SIZES, **choices),
        "image": image_pipeline(n, **SIZES, **choices),
    }
    # New decoders paint grey, whatever they are told.
    for layer in (
        pipelines["image"].receiver.decoder.coarse,
        pipelines["image"].receiver.decoder.to_image,
    ):
        torch.nn.init.normal_(layer.weight, std=0.2)
    return pipelines


def write_tiny(models: Path, seed: int = 0) -> Path:
    """The files of a codec with random weights in the folder `models`."""
    pipelines = tiny(seed)
    for pipeline in pipelines.values():
        pack.order(pipeline)
    card = {
        "label_space": LABEL_SPACE,
        "classes": [NAMES[c] for c in CAMVID_CLASSES],
        "networks": {name: SIZES for name in pipelines},
    }
    map_prior.save_prior(models, map_prior.scratch(), {})
    pack.write(models, pipelines, {name: token_prior.scratch() for name in pipelines}, card)
    return models


def write_paper(models: Path, seed: int = 0, sizes: SqganPaperSizes = PAPER) -> Path:
    """The files of the paper's networks, narrow and with random weights, in the folder `models`.

    A prior of maps is written where there is none: one that is there may be a link to the shipped.
    """
    if not (models / map_prior.FILE).exists():
        map_prior.save_prior(models, map_prior.scratch(), {})
    for kind, stage in (("map", "map"), ("image", "tune")):
        torch.manual_seed(seed)
        card = {"label_space": LABEL_SPACE, "classes": list(NAMES), "size": [256, 512]}
        card |= {"network": asdict(sizes), "pipeline": kind}
        weights.save(models / file_of(stage), weights.tensors_of(MAKERS[kind](sizes)), card)
    return models


def without(payload: Payload, lost: tuple[str, ...]) -> Payload:
    """`payload` as it arrives when the parts named are lost."""
    parts = (
        Part(p.name, p.importance, erased=True) if p.name in lost else p for p in payload.parts
    )
    return replace(payload, parts=tuple(parts))
