# SPDX-License-Identifier: Apache-2.0
"""How SQ-GAN's public code names its tensors, as learned from the copy MeriemBouy/SQ-GAN, which
presents itself as the authors': from its state dict to ours, a pipeline at a time.

Its sizes are read from the tensors. An attention in each SAMM, projections of a time in each ADM
and everything of its losses are left out: nothing of it is used when an image crosses.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from functools import partial
from typing import Any

import numpy as np
import torch

from semcom_ros.codecs.sqgan.paper.inference import MAKERS
from semcom_ros.codecs.sqgan.paper.networks import SqganPaperSizes
from semcom_ros.errors import SemcomError
from semcom_ros.labels import LABEL_SPACE, NAMES

State = Mapping[str, torch.Tensor]
ENDS = {"map": "_semantic", "image": ""}
"""What the names of a pipeline's parts end with."""
LEAVES = {
    "first_norm": "norm1", "second_norm": "norm2", "first": "conv1", "second": "conv2",
    "skip": "nin_shortcut", "read": "mlp_shared.0", "out": "proj_out",
}  # fmt: skip
"""Ours to theirs, inside a block."""
JOINED = {"project": ("q", "k", "v"), "modulate": ("mlp_gamma", "mlp_beta")}
"""What is one convolution here and several there."""


def convert(state: State, kind: str) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Tensors and card of the pipeline "map" or "image".

    Raises KeyError for a name that is missing, SemcomError for shapes that do not fit each other.
    """
    sizes = sizes_of(state, kind)
    with torch.device("meta"):
        wanted = MAKERS[kind](sizes).state_dict()
    places = dict(_places(sizes, kind))
    tensors = {}
    for name, like in wanted.items():
        theirs = [state[one] for one in _theirs(name, places)]
        found = torch.cat(theirs).float()
        if name == "quantiser.codebook":
            found = found[:-1]  # the last word is padding
        if found.numel() != like.numel():
            raise SemcomError(
                f"The {kind}'s tensors are of different networks: {name} would take "
                f"{tuple(like.shape)} and is {tuple(found.shape)}. Import a checkpoint as it is."
            )
        tensors[name] = found.reshape(like.shape).numpy()
    card = {
        "what": f"the {kind}'s pipeline of SQ-GAN, other people's weights",
        "label_space": LABEL_SPACE,
        "classes": list(NAMES),
        "network": asdict(sizes),
        "pipeline": kind,
    }
    return tensors, card


convert_map, convert_image = (partial(convert, kind=kind) for kind in ENDS)


def sizes_of(state: State, kind: str) -> SqganPaperSizes:
    """Those of a pipeline's tensors. Raises KeyError."""
    end = ENDS[kind]

    def count(place: str) -> int:
        """How many are numbered at `place`, from 0."""
        start = f"{place}."
        told = {name.removeprefix(start).split(".")[0] for name in state if name.startswith(start)}
        return len(told)

    down = f"encoder{end}.down"
    width = len(state[f"encoder{end}.conv_in.0.weight"])
    widths = [len(state[f"{down}.{i}.block.0.conv1.weight"]) for i in range(count(down))]
    return SqganPaperSizes(
        width,
        tuple(one // width for one in widths),
        blocks=count(f"{down}.0.block"),
        dims=len(state[f"encoder{end}.conv_out.weight"]),
        depth=count(f"demasker{end}.transformer.blocks"),
        hidden=len(state[f"masker{end}.score_pred_net.layer1.mlp_shared.0.weight"]),
        codewords=len(state[f"quantize{end}.codebook.weight"]) - 1,
        form="code",
    )


def _theirs(name: str, places: Mapping[str, str]) -> list[str]:
    """Their names of what is our tensor `name`, in the order that it is joined of them."""
    module = max((p for p in places if name == p or name.startswith(f"{p}.")), key=len)
    leaf = name.removeprefix(module).removeprefix(".").split(".")
    leaf = [LEAVES.get(one, one) for one in leaf if one]
    for at, one in enumerate(leaf):
        if one in JOINED:
            return [".".join([places[module], *leaf[:at], n, *leaf[at + 1 :]]) for n in JOINED[one]]
    return [".".join([places[module], *leaf])]


def _places(c: SqganPaperSizes, kind: str) -> Iterator[tuple[str, str]]:
    """Our modules and theirs."""
    end, last = ENDS[kind], len(c.widths) - 1
    encoder, decoder = f"encoder{end}", f"decoder{end}"
    stem = "transmitter.encoder."
    if kind == "image":
        yield f"{stem}place", f"{encoder}.conv_in_semantic"
        yield f"{stem}look", f"{encoder}.conv_in"
        first, stem = 0, f"{stem}trunk."
    else:
        first = 2
        yield from ((f"{stem}{i}", f"{encoder}.conv_in.{i}") for i in range(first))
    trunk = []
    for level in range(last + 1):
        trunk += [f"down.{level - 1}.downsample.conv"] if level else []
        for block in range(c.blocks):
            trunk += [f"down.{level}.block.{block}"]
            trunk += [f"down.{level}.attn.{block}"] if level == last else []
    trunk += ["mid.block_1", "mid.attn_1", "mid.block_2", "norm_out", "", "conv_out"]
    yield from ((f"{stem}{i}", f"{encoder}.{one}") for i, one in enumerate(trunk, first))

    score = f"masker{end}.score_pred_net"
    for ours, theirs in (("first_norm", "layer1"), ("second_norm", "layer2"), ("first", "conv1")):
        yield f"transmitter.samm.{ours}", f"{score}.{theirs}"
    yield "transmitter.samm.score", f"{score}.conv2"
    yield "transmitter.project", f"masker{end}.pre_projection"
    words = {"codebook": "weight", "uses": "cluster_size_ema", "sums": "embed_ema"}
    for ours, theirs in words.items():
        yield f"quantiser.{ours}", f"quantize{end}.codebook.{theirs}"

    adm = f"demasker{end}"
    yield "receiver.adm.placeholder", f"{adm}.mask_token"
    yield "receiver.adm.enter.0", f"{adm}.post_projection"
    yield "receiver.adm.enter.1", f"{adm}.conv_in"
    for i in range(c.depth):
        yield f"receiver.adm.blocks.{i}", f"{adm}.transformer.blocks.{i}.resblock"
        yield f"receiver.adm.attention.{i}", f"{adm}.transformer.blocks.{i}.attn"
    yield "receiver.adm.last", f"{adm}.transformer.last_resblock"

    layers = ["mid.block_1", "mid.attn_1", "mid.block_2"] if kind == "map" else []
    for level in range(last, -1, -1):
        for block in range(c.blocks + 1):
            layers += [f"up.{level}.block.{block}"]
            layers += [f"up.{level}.attn.{block}"] if level == last else []
        layers += [f"up.{level}.upsample.conv"] if level else []
    yield from ((f"receiver.decoder.layers.{i}", f"{decoder}.{n}") for i, n in enumerate(layers))
    for ours, theirs in (("enter", "conv_in"), ("last_norm", "norm_out"), ("last", "conv_out")):
        yield f"receiver.decoder.{ours}", f"{decoder}.{theirs}"
