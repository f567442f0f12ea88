# SPDX-License-Identifier: Apache-2.0
"""The generators by name, as published and as twins of equal cost, and their weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from torch import nn

from semcom_ros import weights
from semcom_ros.codecs.gesco.diffusion_network import DiffusionNetwork
from semcom_ros.codecs.gesco.paper.network import GescoPaperSizes, PaperNetwork
from semcom_ros.errors import SemcomError, choose
from semcom_ros.lab.papers.generators.ccfpse import CcFpseGenerator
from semcom_ros.lab.papers.generators.control import ControlledDiffusion
from semcom_ros.lab.papers.generators.narrow_sdm import NarrowSdm
from semcom_ros.lab.papers.generators.smis import SmisGenerator
from semcom_ros.lab.papers.generators.spade import SpadeGenerator
from semcom_ros.layers.class_shares import SHARES_STRIDE

FOLDER = Path("out/rivals")
"""Where weights are written and looked for: they do not ship."""
_SIX: Mapping[str, Any] = {"multipliers": (16, 16, 16, 8, 4, 2, 1)}
_SDM: Mapping[str, Any] = {"similarity": "dot"}
_NARROW: Mapping[str, Any] = {
    "width": 32, "multipliers": (1, 1, 2, 2), "blocks": 1, "attention": (8,), "head": 32,
    "hidden": 16,
}  # fmt: skip
_half: Mapping[str, Any] = {"shuffle": SHARES_STRIDE}

FULL: dict[str, Callable[[int], nn.Module]] = {
    "spade": SpadeGenerator,
    "oasis": partial(SpadeGenerator, noises=64, **_SIX),
    "ccfpse": CcFpseGenerator,
    "smis": SmisGenerator,
    "sdm": lambda n: PaperNetwork(GescoPaperSizes(planes=n, **_SDM)),
}
"""As published for Cityscapes at 256x512, for so many planes; control has no such form."""
TWINS: dict[str, Callable[[int], nn.Module]] = {
    "spade": partial(SpadeGenerator, width=12, hidden=25, **_half),
    "oasis": partial(SpadeGenerator, width=12, hidden=21, noises=16, **_SIX, **_half),
    "ccfpse": partial(CcFpseGenerator, width=12, hidden=8, pyramid=18, **_half),
    "smis": partial(SmisGenerator, width=3, groups=(8, 4, 4, 2, 1), encoder=4, **_half),
    "sdm": lambda n: NarrowSdm(GescoPaperSizes(planes=n, **_NARROW, **_SDM), 2 * SHARES_STRIDE),
    "control": lambda classes: ControlledDiffusion(DiffusionNetwork(classes)),
    "gesco": DiffusionNetwork,
}
"""Each as dear as GESCO's shipped diffusion, within a tenth of 5.4 G operations a pass at 256x512.
They hear the map at half of the resolution, as it does; SDM's at a quarter."""


def create(name: str, planes: int, full: bool = False) -> nn.Module:
    """The network `name` for maps of so many planes. Raises SemcomError for an unknown one."""
    known = FULL if full else TWINS
    if full and name in TWINS and name not in FULL:
        own = {"gesco": "`semcom train gesco-paper` trains its published form"}
        why = own.get(name, "it was never published in one form")
        raise SemcomError(f"'{name}' has no --full: {why}.")
    return known[choose(name, known, "generator")](planes)


def recipe(name: str, full: bool = False) -> str:
    """The command that makes its weights."""
    return f"semcom train generator --network {name}" + (" --full" if full else "")


def file_of(name: str, full: bool = False) -> Path:
    """Its weights, where none are named."""
    return FOLDER / (f"{name}_full.safetensors" if full else f"{name}.safetensors")


def load(name: str, path: Path) -> tuple[nn.Module, tuple[int, ...]]:
    """The network in `path`, and the trainIds of its planes. Raises SemcomError: missing, or not
    `name`'s."""
    tensors, card = weights.load(path, recipe(choose(name, TWINS, "generator")))
    classes = weights.classes_of(card, path)
    if card.get("generator") != name:
        raise SemcomError(f"'{path}' is not of '{name}' but of '{card.get('generator')}'.")
    network = create(name, len(classes), bool(card.get("full")))
    weights.fill(network, tensors, path)
    return network, classes
