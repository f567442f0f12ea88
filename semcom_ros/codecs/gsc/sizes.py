# SPDX-License-Identifier: Apache-2.0
"""Sizes of the networks of gsc."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Self

from semcom_ros.errors import SemcomError


@dataclass(frozen=True)
class GscSizes:
    """By default those of the papers' Table I, and our choice of what it leaves open.

    patch, channels, depths, heads, window: of the Swin pyramid, a stage of 0 heads being one of
    convolutions. common: channels of the grid at 1/8 on which levels are added. hidden: of the
    convolutions. stride: pixels to a symbol, each way. planes: symbol planes at most.
    width, layers, repeats, transformer_heads, shared: of the diffusion transformer, whose layers
    are passed `repeats` times. head: channels of what follows it, from the grid of symbols on, each
    at twice the resolution of the one before, the last at half of the full one; one alone: at full
    resolution by one shuffle.
    linear: whether there is a linear path beside both networks. without: names of `PARTS` that are
    left out, by which a study tells what each is worth.
    """

    patch: int = 4
    channels: tuple[int, ...] = (96, 192, 384, 768)
    depths: tuple[int, ...] = (2, 2, 6)
    heads: tuple[int, ...] = (3, 6, 12)
    window: int = 7
    common: int = 96
    hidden: int = 128
    stride: int = 8
    planes: int = 48
    width: int = 1152
    layers: int = 28
    repeats: int = 1
    transformer_heads: int = 16
    shared: bool = False
    head: tuple[int, ...] = (32,)
    linear: bool = False
    without: tuple[str, ...] = ()

    @property
    def features(self) -> int:
        """Channels between transformer and pixels."""
        return self.head[0] * (1 if len(self.head) > 1 else 8)

    @classmethod
    def of_card(cls, card: Mapping[str, Any], path: Path) -> Self:
        """Those that the card of the weights `path` tells. Raises SemcomError."""
        told = card.get("network")
        if not isinstance(told, dict) or told.keys() != {field.name for field in fields(cls)}:
            raise SemcomError(
                f"The card of {path} does not describe networks of gsc: make it anew with "
                "`semcom train gsc`."
            )
        values: dict[str, Any] = {
            k: tuple(v) if isinstance(v, list) else v for k, v in told.items()
        }
        return cls(**values)


PARTS = ("source", "levels", "received", "transformer")
"""The vehicle's knowledge base; its choice of levels by the task, all of which are then sent; the
RSU's knowledge base; the layers of the diffusion transformer, which leaves a regression."""
PAPER = GscSizes()
MID = GscSizes(
    depths=(2, 2, 2), window=8, stride=16, width=384, shared=True, head=(192, 96, 64, 48),
    linear=True,
)  # fmt: skip
FAST = GscSizes(
    channels=(48, 96, 192, 192), depths=(1, 2, 2), heads=(0, 3, 6), window=8, stride=16,
    width=192, layers=4, repeats=2, transformer_heads=6, shared=True, head=(128, 80, 48, 32),
    linear=True,
)  # fmt: skip
CONFIGURATIONS = {"fast": FAST, "mid": MID, "paper": PAPER}
"""fast: for two CPU cores. mid: Table I's depth and heads, narrower. paper: Table I."""
