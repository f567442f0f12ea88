# SPDX-License-Identifier: Apache-2.0
"""GESCO's paper network from a state dict as its public code names the tensors.

The names are those of guided diffusion (Dhariwal and Nichol) with SPADE where SDM has it, in the
middle and the decoder. Heads are not told by shapes: they have 64 channels, as the code is run.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np
import torch

from semcom_ros.codecs.gesco.paper.network import GescoPaperSizes, PaperNetwork
from semcom_ros.errors import SemcomError
from semcom_ros.label_spaces import SPACES

HEAD = 64
_State = Mapping[str, torch.Tensor]
_PLAIN = {"in_layers.0": "first_norm", "in_layers.2": "first", "out_layers.0": "second_norm",
          "out_layers.3": "second"}  # fmt: skip
"""Of a block without SPADE; it has one that nothing calls, `spade_norm`, which is left out."""
_SPADE = {"in_layers.1": "first", "out_layers.2": "second"}
_EITHER = {"emb_layers.1": "time", "skip_connection": "skip"}


def convert(state: _State) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Tensors of a `PaperNetwork`, and the card's label space, classes and sizes.

    Raises KeyError for a tensor that is missing, SemcomError for sizes that fit no network or no
    label space.
    """
    sizes, plan = _planned(state)
    spaces = [SPACES[n] for n in GescoPaperSizes.spaces if SPACES[n].planes == sizes.planes]
    if not spaces:
        raise SemcomError(
            f"The network reads maps of {sizes.planes} planes, and no label space has as many: "
            + ", ".join(f"{n} {SPACES[n].planes}" for n in GescoPaperSizes.spaces)
            + "."
        )
    found: dict[str, torch.Tensor] = {}
    for theirs, ours in {
        "time_embed.0": "time.0", "time_embed.2": "time.2", "input_blocks.0.0": "stem",
        "out.0": "last_norm", "out.2": "last",
    }.items():  # fmt: skip
        found |= _pair(state, theirs, ours)
    for theirs, ours in plan.items():
        if f"{theirs}.qkv.weight" in state:
            found |= _attention(state, theirs, ours)
        else:
            found |= _block(state, theirs, f"{ours}.block")
    with torch.device("meta"):
        wanted = PaperNetwork(sizes).state_dict()
    for name in sorted(wanted.keys() | found.keys()):
        if name not in found or name not in wanted or found[name].shape != wanted[name].shape:
            raise SemcomError(
                f"The network is not the one that its widths tell: {name} does not fit. Only one "
                "whose blocks halve and double the image, with heads of 64, can be imported."
            )
    names = list(spaces[0].names)
    card = {"what": "the diffusion network of GESCO's public code", "classes": names}
    card |= {"label_space": spaces[0].name, "network": asdict(sizes)}
    return {name: t.float().numpy() for name, t in found.items()}, card


def _planned(state: _State) -> tuple[GescoPaperSizes, dict[str, str]]:
    """The sizes that names and shapes of the decoder tell, and the modules with ours by theirs."""
    ups, outputs = {}, 0
    while f"output_blocks.{outputs}.0.emb_layers.1.weight" in state:
        for at in (1, 2):  # behind the block, or its attention
            if f"output_blocks.{outputs}.{at}.emb_layers.1.weight" in state:
                ups[outputs] = at
        outputs += 1
    levels, width = len(ups) + 1, len(state["input_blocks.0.0.weight"])
    steps = outputs // levels
    firsts = [f"output_blocks.{steps * (levels - 1 - level)}" for level in range(levels)]
    shared = state["middle_block.0.in_norm.mlp_shared.0.weight"]
    sizes = GescoPaperSizes(
        width,
        tuple(len(state[f"{first}.0.out_layers.2.weight"]) // width for first in firsts),
        steps - 1,
        tuple(2**k for k, first in enumerate(firsts) if f"{first}.1.qkv.weight" in state),
        HEAD,
        *shared.shape[:2],
        similarity="dot",
    )
    plan = {f"middle_block.{i}": f"middle.{j}" for i, j in ((0, 0), (1, 0), (2, 1))}
    for i in range(1, levels * steps):
        plan |= {f"input_blocks.{i}.{at}": f"encoder.{i - 1}" for at in (0, 1)}
    for i in range(outputs):
        level, step = divmod(i, steps)
        plan |= {f"output_blocks.{i}.{at}": f"decoder.{2 * level}.{step}" for at in (0, 1)}
        if i in ups:
            plan[f"output_blocks.{i}.{ups[i]}"] = f"decoder.{2 * level + 1}"
    there = {name.rpartition(".")[0] for name in state}
    return sizes, {k: v for k, v in plan.items() if any(n.startswith(f"{k}.") for n in there)}


def _block(state: _State, theirs: str, ours: str) -> dict[str, torch.Tensor]:
    spade = f"{theirs}.in_norm.mlp_gamma.weight" in state
    found: dict[str, torch.Tensor] = {}
    for name, to in ((_SPADE if spade else _PLAIN) | _EITHER).items():
        # Where channels stay the skip has none.
        if name != "skip_connection" or f"{theirs}.{name}.weight" in state:
            found |= _pair(state, f"{theirs}.{name}", f"{ours}.{to}")
    for name, to in (("in_norm", "first_norm"), ("out_norm", "second_norm")) if spade else ():
        found |= _pair(state, f"{theirs}.{name}.mlp_shared.0", f"{ours}.{to}.read")
        for kind in ("weight", "bias"):
            parts = [state[f"{theirs}.{name}.mlp_{part}.{kind}"] for part in ("gamma", "beta")]
            found[f"{ours}.{to}.modulate.{kind}"] = torch.cat(parts)
    return found


def _attention(state: _State, theirs: str, ours: str) -> dict[str, torch.Tensor]:
    """Theirs is over one axis of positions, and has query, key and value of a head together."""
    found = _pair(state, f"{theirs}.norm", f"{ours}.attention.norm")
    for kind in ("weight", "bias"):
        joint = state[f"{theirs}.qkv.{kind}"]
        by_head = joint.reshape(-1, 3, HEAD, *joint.shape[1:]).transpose(0, 1)
        tensors = {
            "project": by_head.reshape(joint.shape),
            "out": state[f"{theirs}.proj_out.{kind}"],
        }
        for to, t in tensors.items():
            found[f"{ours}.attention.{to}.{kind}"] = t[..., None] if t.ndim > 1 else t
    return found


def _pair(state: _State, theirs: str, ours: str) -> dict[str, torch.Tensor]:
    return {f"{ours}.{kind}": state[f"{theirs}.{kind}"] for kind in ("weight", "bias")}
