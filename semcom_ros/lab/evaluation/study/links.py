# SPDX-License-Identifier: Apache-2.0
"""What a system sends over: the emulated radio, noise on the values themselves, or nothing bad."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from semcom_ros.channel import Channel
from semcom_ros.channel.parameters import NONE, PARAMETERS, resolve
from semcom_ros.errors import SemcomError, choose
from semcom_ros.lab.evaluation.study.part_loss import PartLoss
from semcom_ros.lab.map_noise import MAP_NOISES
from semcom_ros.parameter import Parameter, Value

PARTS = Parameter("parts", 0, "of a payload that arrive, beside the most important one", 0, 16)
PSNR_DB = Parameter("psnr_db", 10.0, "10 log10(P / sigma^2) of the noise on a value, dB.", -20, 200)
Kind = Literal["none", "channel", "noise", "parts"]
KINDS: tuple[Kind, ...] = get_args(Kind)
_RANGE = re.compile(":".join([r"(-?\d+(?:\.\d+)?)"] * 3))
_MODELS = {"channel": ("snr_db", "SNR"), "noise": ("psnr_db", "PSNR")}
"""Kinds of link that have models, with the setting of their level and what that is."""
MOST = 1000
"""Values that one range may stand for."""


def spread(value: Any) -> list[Any]:
    """The values that one as a user writes it stands for: a list's own, a range's, or itself.

    A range, as -5:30:5, holds its last value where the steps meet it. Raises SemcomError.
    """
    if isinstance(value, list):
        return [one for part in value for one in spread(part)]
    found = _RANGE.fullmatch(value) if isinstance(value, str) else None
    if not found:
        return [value]
    first, last, step = map(float, found.groups())
    if step <= 0 or last < first or (last - first) / step > MOST:
        raise SemcomError(
            f"The range '{value}' holds nothing, or too much: write FIRST:LAST:STEP, as -5:30:5."
        )
    kind = float if "." in value else int
    return [kind(first + step * i) for i in range(math.floor((last - first) / step + 1e-9) + 1)]


@dataclass(frozen=True)
class Link:
    """One link at one level. settings: of the channel's `PARAMETERS`, or noise, psnr_db and parts.

    kind: `channel`, the emulated radio; `noise`, one of `MAP_NOISES` on planes or pixels; `parts`,
    over which so many arrive; `none`, over which everything arrives as it was sent. made_by: the
    commands that make its files.
    """

    kind: Kind = NONE
    settings: tuple[tuple[str, Value], ...] = ()
    made_by: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The model of the channel or the noise."""
        return str(dict(self.settings)[self.kind]) if self.kind in _MODELS else self.kind

    @property
    def level_db(self) -> float | None:
        """SNR of the channel or PSNR of the noise, dB; None for an ideal link."""
        level = dict(self.settings).get(_MODELS.get(self.kind, ("",))[0])
        return None if level is None else float(level)

    @property
    def snr_db(self) -> float | None:
        """The channel's mean SNR, dB; None for what has none."""
        return self.level_db if self.kind == "channel" else None

    @property
    def level(self) -> str:
        """The link's level in words, such as `SNR 20 dB`; its model where it has no level."""
        if self.kind == NONE:
            return "ideal"
        if self.kind == "parts":
            return f"{self.place:g} beside the first part"
        if self.level_db is None:
            return self.model
        return f"{self.axis} {self.level_db:g} dB"

    @property
    def axis(self) -> str:
        """What a plot over several of this kind has along it."""
        return _MODELS[self.kind][1] if self.kind in _MODELS else self.kind

    @property
    def place(self) -> float | None:
        """Where on that axis; None for a link that has no such place."""
        return dict(self.settings)["parts"] if self.kind == "parts" else self.level_db

    @property
    def model(self) -> str:
        """The link without its level, in words, such as `tdl_c, speed_kmh 120`."""
        told = (*KINDS, "snr_db", "psnr_db")
        more = [f"{name} {_text(v)}" for name, v in self.settings if name not in told]
        return ", ".join([self.name, *more])

    @property
    def words(self) -> str:
        """Model and level."""
        return self.level if self.level_db is None else f"{self.model}, {self.level}"

    @property
    def files(self) -> list[Path]:
        """The files that the settings name: a script, or all that is in the folder of a trace."""
        named = dict(self.settings)
        tops = [Path(str(named[n])).expanduser() for n in ("trace", "script") if named.get(n)]
        return [p for top in tops for p in (sorted(top.rglob("*")) if top.is_dir() else [top])]

    @property
    def lacks(self) -> str:
        """How its files are made where they are missing, else nothing.

        Raises SemcomError where they are missing and nothing is said to make them.
        """
        if all(path.exists() for path in self.files):
            return ""
        if not self.made_by:
            self.channel(0)
        return told_to_make(self.made_by)

    def channel(self, seed: int, mcs: str | None = None) -> Channel | PartLoss:
        """The radio, at its first frame; mcs: instead of its own modulation and code."""
        if self.kind == "parts":
            return PartLoss(dict(self.settings)["parts"])
        other = {"mcs": mcs} if mcs else {}
        return Channel(seed, **dict(self.settings) | other)

    def add_noise(self, planes: np.ndarray, random: np.random.Generator) -> np.ndarray:
        """What arrives of `planes`, float32 [planes, H, W], by `map_noise`'s definitions."""
        if self.kind != "noise":
            return planes
        return MAP_NOISES[self.name](planes, self.level_db, random)


def told_to_make(commands: Sequence[str]) -> str:
    """What a row says in place of scores until `commands` were run."""
    return "make it with " + ", then ".join(f"`{command}`" for command in commands)


def read_commands(value: Any) -> tuple[str, ...]:
    """The commands of `made_by`, one or a list. Raises SemcomError."""
    commands = tuple(value) if isinstance(value, list) else (value,)
    for command in commands:
        if not str(command).startswith("semcom "):
            raise SemcomError(f"made_by is {command!r}: write a command, as semcom train gesco.")
    return commands


def parse_links(entry: Any) -> list[Link]:
    """The links that one entry of a study stands for: a list of values stands for one link each.

    `none`, `{channel: rayleigh, snr_db: [0, 10], ...}`, `{noise: poisson, psnr_db: 10}` or `{parts:
    [2, 1, 0]}`. Raises SemcomError.
    """
    if entry == NONE:
        return [Link()]
    if not isinstance(entry, Mapping) or not ({*KINDS[1:]} & entry.keys()):
        raise SemcomError(
            f"The link {entry!r} is not known: write none, {{channel: awgn, snr_db: [0, 10]}} or "
            "{noise: gaussian, psnr_db: [30, 10]}."
        )
    made_by = read_commands(entry["made_by"]) if "made_by" in entry else ()
    names = [name for name in entry if name != "made_by"]
    links = (
        _link(dict(zip(names, values, strict=True)))
        for values in product(*(spread(entry[name]) for name in names))
    )
    return [replace(link, made_by=made_by) for link in links]


def _link(settings: dict[str, Value]) -> Link:
    if "parts" in settings:
        choose(next(iter({*settings} - {"parts"}), "parts"), ("parts",), "setting of lost parts")
        return Link("parts", (("parts", PARTS.check(settings["parts"])),))
    if "noise" in settings:
        for name in settings:
            choose(name, ("noise", "psnr_db"), "setting of noise")
        noise = choose(str(settings["noise"]), MAP_NOISES, "noise")
        psnr_db = PSNR_DB.check(settings.get("psnr_db", PSNR_DB.default))
        return Link("noise", (("noise", noise), ("psnr_db", psnr_db)))
    settings = {name: _typed(name, value) for name, value in settings.items()}
    resolve(settings)
    if settings["channel"] == NONE and len(settings) == 1:
        return Link()
    if settings["channel"] != NONE:
        settings.setdefault("snr_db", PARAMETERS["snr_db"].default)
    return Link("channel", tuple(sorted(settings.items())))


def _typed(name: str, value: Value) -> Value:
    """YAML's 20 is a float where the channel wants one; the rest `resolve` checks."""
    wants_float = name in PARAMETERS and type(PARAMETERS[name].default) is float
    return float(value) if wants_float and type(value) is int else value


def _text(value: Value) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
