# SPDX-License-Identifier: Apache-2.0
"""What vehicle and RSU must both hold for SQ-GAN: codebooks, and the statistics of coding."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

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
            restored = token_prior.restored(named(tensors, f"{pipeline}.tokens"))
            if codebook is None or codebook.shape[:1] != (CODEWORDS,) or restored is None:
                raise SemcomError(
                    f"{path} is of another version of the codec: restore models/ from the "
                    f"repository or make it with `{RECIPE}`."
                )
            codebooks[pipeline], tokens[pipeline] = codebook.astype(np.float32), restored
        names = prior_hash + bytes.fromhex(card["sha256"])
        return cls(prior, codebooks, tokens, hashlib.sha256(names).digest()[:8], card["sha256"])


def named(tensors: dict[str, np.ndarray], prefix: str) -> dict[str, np.ndarray]:
    """Those of `tensors` whose names begin with `prefix` and a dot, without both."""
    start = f"{prefix}."
    return {k.removeprefix(start): t for k, t in tensors.items() if k.startswith(start)}
