# SPDX-License-Identifier: Apache-2.0
"""What vehicle and RSU must both hold for SQ-GAN: codebooks, and the statistics of coding."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from semcom_ros import weights
from semcom_ros.codecs.sqgan import token_prior
from semcom_ros.codecs.sqgan.token_prior import TokenPrior
from semcom_ros.coding.map_prior import Prior, load_prior
from semcom_ros.errors import SemcomError
from semcom_ros.frame import WORK_SIZE

STRIDE = 16
"""Pixels to a cell of the latent grid, each way."""
LATENT_GRID = (WORK_SIZE[0] // STRIDE, WORK_SIZE[1] // STRIDE)
CODEWORDS = 1 << token_prior.BITS

LABELS_PART, MAP_TOKENS_PART = "labels", "map_tokens"
"""The map, as a coded label map or as tokens of the map pipeline; a payload has one of them."""
IMAGE_PARTS = ("image_1", "image_2", "image_3")
IMAGE_LAYERS = (96, 160, 256)
"""Cells of each image part, the most relevant first."""
MAP_LAYERS = (512,)

SHARED_FILE = "sqgan_shared.safetensors"
ENCODER_FILE = "sqgan_encoder.safetensors"
DECODER_FILE = "sqgan_decoder.safetensors"
RECIPE = "semcom train sqgan --camvid DIR --stage pack"
PIPELINES = ("map", "image")


@dataclass(frozen=True)
class SqganShared:
    """labels: the prior of the map coder. codebooks: float32 [CODEWORDS, dims], and tokens: the
    prior of the token coder, by pipeline. model: 8 bytes naming all of it and the networks that
    were made with it. sha256: of the file."""

    labels: Prior
    codebooks: dict[str, np.ndarray]
    tokens: dict[str, TokenPrior]
    model: bytes
    sha256: str

    @classmethod
    def load(cls, models: Path) -> SqganShared:
        """From the folder `models`; raises SemcomError when a file is missing or altered."""
        prior, prior_hash = load_prior(models)
        path = models / SHARED_FILE
        tensors, card = weights.load(path, RECIPE)
        codebooks, tokens = {}, {}
        for pipeline in PIPELINES:
            codebook = tensors.get(f"{pipeline}.codebook")
            own = {
                name: tensors[key]
                for name in ("counters", "weights")
                if (key := f"{pipeline}.tokens.{name}") in tensors
            }
            restored = token_prior.restored(own)
            if codebook is None or codebook.shape[:1] != (CODEWORDS,) or restored is None:
                raise SemcomError(
                    f"{path} is of another version of the codec: restore models/ from the "
                    f"repository or make it with `{RECIPE}`."
                )
            codebooks[pipeline], tokens[pipeline] = codebook.astype(np.float32), restored
        names = prior_hash + bytes.fromhex(card["sha256"])
        model = hashlib.sha256(names).digest()[:8]
        return cls(prior, codebooks, tokens, model, card["sha256"])


def load_end(
    models: Path, file: str, shared: SqganShared
) -> tuple[dict[str, np.ndarray], dict[str, Any], tuple[int, ...]]:
    """Tensors and card of one end's file in `models`, and the trainIds that its planes stand for.

    Raises SemcomError when it is missing, altered or made with other codebooks than `shared`.
    """
    path = models / file
    tensors, card = weights.load(path, RECIPE)
    if card.get("shared") != shared.sha256:
        raise SemcomError(
            f"The weights {path} were made with other codebooks than {SHARED_FILE} beside them: "
            f"restore models/ from the repository or make all three with `{RECIPE}`."
        )
    return tensors, card, weights.classes_of(card, path)


def named(tensors: dict[str, np.ndarray], prefix: str) -> dict[str, np.ndarray]:
    """Those of `tensors` whose names begin with `prefix` and a dot, without both."""
    start = f"{prefix}."
    return {name[len(start) :]: t for name, t in tensors.items() if name.startswith(start)}
