# SPDX-License-Identifier: Apache-2.0
"""Loads the networks of either end from their file in models/."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from semcom_ros import weights
from semcom_ros.codecs.sqgan.inference import (
    ImageReceiver,
    ImageTransmitter,
    MapReceiver,
    MapTransmitter,
)
from semcom_ros.codecs.sqgan.pipeline import Pipeline, image_pipeline, map_pipeline
from semcom_ros.codecs.sqgan.shared import (
    DECODER_FILE,
    ENCODER_FILE,
    PIPELINES,
    RECIPE,
    SqganShared,
    load_end,
    named,
)
from semcom_ros.errors import SemcomError

MAKERS = {"map": map_pipeline, "image": image_pipeline}


def make(pipeline: str, classes: tuple[int, ...], card: dict[str, Any], path: Path) -> Pipeline:
    """The pipeline, "map" or "image", of the sizes that `card` gives, before it has weights.

    Raises SemcomError where the card of `path` gives none.
    """
    try:
        return MAKERS[pipeline](len(classes), **card["networks"][pipeline])
    except (KeyError, TypeError):
        raise SemcomError(
            f"The card of {path} does not describe its networks: restore models/ from the "
            f"repository or make it with `{RECIPE}`."
        ) from None


def load_transmitters(
    models: Path, shared: SqganShared, device: str
) -> tuple[MapTransmitter, ImageTransmitter, dict[str, Any]]:
    """The vehicle's ends of map and image, and their card. Raises SemcomError."""
    return _load(
        models / ENCODER_FILE, "transmitter", (MapTransmitter, ImageTransmitter), shared, device
    )


def load_receivers(
    models: Path, shared: SqganShared, device: str
) -> tuple[MapReceiver, ImageReceiver]:
    """The RSU's ends of map and image. Raises SemcomError."""
    ends = (MapReceiver, ImageReceiver)
    return _load(models / DECODER_FILE, "receiver", ends, shared, device)[:2]


def _load(
    path: Path, half: str, ends: tuple[type, type], shared: SqganShared, device: str
) -> tuple[Any, Any, dict[str, Any]]:
    """The two `ends` around that `half` of their pipelines, and the card of the file `path`."""
    tensors, card, classes = load_end(path.parent, path.name, shared)
    loaded = []
    for pipeline, end in zip(PIPELINES, ends, strict=True):
        network = getattr(make(pipeline, classes, card, path), half)
        weights.fill(network, named(tensors, pipeline), path)
        codebook = torch.from_numpy(shared.codebooks[pipeline])
        loaded.append(end(network, codebook, classes, device))
    return loaded[0], loaded[1], card
