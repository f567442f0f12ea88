# SPDX-License-Identifier: Apache-2.0
"""The propagation models by name, and what each of them gives: a gain for every symbol."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from inspect import signature
from typing import Any, NamedTuple, Protocol

import numpy as np

from semcom_ros.errors import choose


class Gains(NamedTuple):
    """The channel that n symbols meet.

    gains: complex64 [n], in the order of sending. interference: power of inter-carrier
    interference relative to the signal, 0 if none. pilot_spacing: symbols
    to a pilot.
    """

    gains: np.ndarray
    interference: float
    pilot_spacing: int


class Moment(NamedTuple):
    """Where a frame finds the vehicle on its drive.

    frame: its number. way_m: metres driven since the first. speed_mps: metres a second.
    """

    frame: int
    way_m: float
    speed_mps: float


class Propagation(Protocol):
    """A radio channel without its noise, of unit mean power in the long run.

    The fade is a function of the seed and of the moment alone: correlated fading of the way driven,
    so that it goes on from frame to frame at whatever speed, fading in blocks of the frame's
    number. Frames that were skipped change nothing about those that were not.
    """

    def gains(self, n: int, moment: Moment) -> Gains:
        """What n symbols meet that are sent one after the other from `moment` on."""

    def check(self, speed_mps: float) -> None:
        """Raise SemcomError where the Doppler of that speed is too much for the model."""


def _create(module: str, name: str, **fixed: str) -> Callable[[Mapping[str, Any], int], Any]:
    """Import late: some models are slow to load, and a node wants one of them at most."""

    def create(settings: Mapping[str, Any], seed: int) -> Propagation:
        kind = getattr(import_module(f"semcom_ros.channel.fading.{module}"), name)
        own = signature(kind).parameters.keys() - fixed.keys() - {"seed"}
        return kind(**{key: settings[key] for key in own}, **fixed, seed=seed)

    return create


PROPAGATIONS: dict[str, Callable[[Mapping[str, Any], int], Propagation]] = {
    "awgn": _create("flat", "Awgn"),
    "rayleigh": _create("flat", "Rayleigh"),
    "rician": _create("flat", "Rician"),
    **{f"tdl_{p}": _create("tapped_delay_line", "TappedDelayLine", profile=p) for p in "abcde"},
    **{
        f"cdl_{p}": _create("clustered_delay_line", "ClusteredDelayLine", profile=p)
        for p in "abcde"
    },
    "trace": _create("ofdm", "TracePropagation"),
}
"""By name, what makes the model of the radio's settings and a seed."""


def create_propagation(name: str, settings: Mapping[str, Any], seed: int) -> Propagation:
    """The model called `name`; of `settings` (the radio's, by name) it takes those it knows.

    The same name, settings and seed give the same fades. Raises SemcomError for an unknown name
    and for settings that make no sense together.
    """
    return PROPAGATIONS[choose(name, PROPAGATIONS, "channel")](settings, seed)
