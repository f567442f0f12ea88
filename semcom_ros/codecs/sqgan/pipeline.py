# SPDX-License-Identifier: Apache-2.0
"""A pipeline, of the map or of the image, from one end to the other: encoder, SAMM, codebook, ADM,
decoder."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import nn

from semcom_ros.codecs.sqgan import networks
from semcom_ros.codecs.sqgan.masking import SCORES, Adm, Samm, keep, rescaled
from semcom_ros.codecs.sqgan.shared import CODEWORDS, RECIPE, STRIDE
from semcom_ros.errors import SemcomError
from semcom_ros.layers.vector_quantiser import VectorQuantiser

DIMS = 32
"""Length of a codeword of the narrow networks."""
MASKS = ("samm", "random")
MAP_SIZES = {"widths": (32, 48, 64), "depth": 2}
IMAGE_SIZES = {"widths": (48, 80, 128), "depth": 3}
"""Of the shipped networks: widths at 1/4, 1/8 and 1/16 of the resolution, attentions of ADM."""


class TransmitterNetwork(nn.Module):
    """The vehicle's end: what an encoder sees to latent vectors and their relevance."""

    def __init__(self, encoder: nn.Module, samm: nn.Module, width: int, dims: int):
        super().__init__()
        self.encoder, self.samm = encoder, samm
        self.project = nn.Conv2d(width, dims, 1, bias=False)

    def forward(
        self, inputs: tuple[torch.Tensor, ...], shares: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Vectors [B, dims, h, w] and scores [B, 1, h, w] of the encoder's `inputs`; shares
        [B, classes, h, w]: of every class in a cell."""
        features = self.encoder(*inputs)
        scores = self.samm(features, shares)
        return self.project(rescaled(features, scores)), scores


class ReceiverNetwork(nn.Module):
    """The RSU's end: codes, and which of them came, to what the decoder paints."""

    def __init__(self, adm: nn.Module, decoder: nn.Module):
        super().__init__()
        self.adm, self.decoder = adm, decoder

    def forward(
        self, codes: torch.Tensor, kept: torch.Tensor, conditions: tuple[torch.Tensor, ...] = ()
    ) -> torch.Tensor:
        """codes: [B, dims, h, w]. kept: [B, 1, h, w], 1 where received. conditions: what the
        decoder reads besides."""
        return self.decoder(self.adm(codes, kept), *conditions)


class Passed(NamedTuple):
    """One pass through both ends: the decoder's output, the commitment loss, scores and mask
    [B, 1, h, w], indices [B, h, w]."""

    output: torch.Tensor
    commitment: torch.Tensor
    scores: torch.Tensor
    kept: torch.Tensor
    indices: torch.Tensor


class Pipeline(nn.Module):
    """Both ends around one codebook.

    mask: "samm" keeps the vectors of the highest scores; "random" keeps any, for comparison.
    straight: scores learn from the choice itself too, also where it left a vector out.
    """

    def __init__(
        self,
        transmitter: TransmitterNetwork,
        quantiser: VectorQuantiser,
        receiver: ReceiverNetwork,
        mask: str = MASKS[0],
        straight: bool = True,
    ):
        super().__init__()
        self.transmitter, self.quantiser, self.receiver = transmitter, quantiser, receiver
        self.mask, self.straight = mask, straight and mask == MASKS[0]

    def forward(
        self,
        inputs: tuple[torch.Tensor, ...],
        shares: torch.Tensor,
        fractions: torch.Tensor,
        conditions: tuple[torch.Tensor, ...] = (),
    ) -> Passed:
        """Keep `fractions` [B] of the vectors."""
        vectors, scores = self.transmitter(inputs, shares)
        ranking = torch.rand_like(scores) if self.mask == MASKS[1] else scores
        kept = keep(ranking, fractions)
        codes, commitment, indices = self.quantiser(vectors, kept)
        heard = kept.to(codes.dtype)
        if self.straight:
            # The choice itself has no gradient; that of the score stands in (straight through),
            # so that a vector left out can learn that it was missed. It is the score above the
            # frame's mean: how many are kept is not for scores to say.
            above = scores - scores.mean((2, 3), keepdim=True)
            heard = heard + (above - above.detach()).to(heard.dtype)
        output = self.receiver(codes, heard, conditions)
        return Passed(output, commitment, scores, kept, indices)


def shares_of(class_shares: torch.Tensor) -> torch.Tensor:
    """Shares of every class in each cell, [B, classes, h, w], from class shares at twice 1/16."""
    return F.avg_pool2d(class_shares, STRIDE // 2)


def _pipeline(
    encoder: type[nn.Module],
    decoder: type[nn.Module],
    classes: int,
    widths: tuple[int, ...],
    depth: int,
    mask: str = MASKS[0],
    score: str = SCORES[0],
) -> Pipeline:
    width = widths[-1]
    samm = Samm(width, classes, width // 4, score)
    transmitter = TransmitterNetwork(encoder(classes, widths), samm, width, DIMS)
    adm = Adm(DIMS, width, depth, width // networks.HEAD)
    receiver = ReceiverNetwork(adm, decoder(classes, widths=widths))
    return Pipeline(transmitter, VectorQuantiser(CODEWORDS, DIMS), receiver, mask)


map_pipeline = partial(_pipeline, networks.MapEncoder, networks.MapDecoder)
image_pipeline = partial(_pipeline, networks.ImageEncoder, networks.ImageDecoder)
"""The narrow pipelines, by `classes`, `widths` at 1/4, 1/8 and 1/16, `depth` (attentions of ADM),
and, for comparison, `mask` and `score`."""
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
