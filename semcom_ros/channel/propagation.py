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
    interference relative to the signal, 0 if none. block: symbols to a pilot.
    """

    gains: np.ndarray
    interference: float
    block: int


class Propagation(Protocol):
    """A radio channel without its noise, of unit mean power in the long run."""

    def gains(self, n: int, time_s: float) -> Gains:
        """What n symbols meet from `time_s` on, in seconds; the fade goes on between calls.

        `time_s` is 0 or more and never goes back from call to call.
        """


def _create(module: str, name: str, **fixed: str) -> Callable[[Mapping[str, Any], int], Any]:
    """Import late: some models are slow to load, and a node wants one of them at most."""

    def create(settings: Mapping[str, Any], seed: int) -> Propagation:
        kind = getattr(import_module(f"semcom_ros.channel.{module}"), name)
        own = signature(kind).parameters.keys() - fixed.keys() - {"seed"}
        return kind(**{key: settings[key] for key in own}, **fixed, seed=seed)

    return create


PROPAGATIONS: dict[str, Callable[[Mapping[str, Any], int], Propagation]] = {
    "awgn": _create("fading", "Awgn"),
    "rayleigh": _create("fading", "Rayleigh"),
    "rician": _create("fading", "Rician"),
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
