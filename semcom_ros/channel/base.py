# SPDX-License-Identifier: Apache-2.0
"""What every channel is: a seeded emulation of the radio, set by the same few parameters."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from semcom_ros.errors import SemcomError, choose
from semcom_ros.payload import Part, Payload


class Parameter(NamedTuple):
    """One setting of the radio: its default, range and meaning."""

    default: float
    low: float
    high: float
    text: str


PARAMETERS = {
    "snr_db": Parameter(10.0, -20.0, 60.0, "signal to noise ratio of a complex symbol, dB"),
    "loss": Parameter(0.1, 0.0, 1.0, "share of packets that are lost"),
    "burst": Parameter(4.0, 1.0, 1000.0, "mean number of packets lost in a row"),
}
"""Every channel takes all of them and uses its own, so that the channel can be changed alone."""


class Channel:
    """One direction of a radio link, frame by frame.

    seed: two channels of one kind and seed do the same to the same payloads. Raises SemcomError
    for a parameter that is unknown or out of range.
    """

    def __init__(self, seed: int = 0, **parameters: float) -> None:
        if type(seed) is not int or seed < 0:
            raise SemcomError(f"The channel's seed is {seed!r}: it must be an int of 0 or more.")
        self._random = np.random.default_rng(seed)
        self.parameters = {name: p.default for name, p in PARAMETERS.items()}
        self.configure(**parameters)

    def configure(self, **parameters: float) -> None:
        """Change parameters while the link runs; on SemcomError none of them is changed."""
        for name, value in parameters.items():
            choose(name, PARAMETERS, "channel parameter")
            _check(name, value)
        wanted = {**self.parameters, **{k: float(v) for k, v in parameters.items()}}
        self._check_together(wanted)
        self.parameters = wanted

    def transmit(self, payload: Payload) -> Payload:
        """What the receiver gets of `payload`: every frame comes out, its lost parts erased.

        The header always arrives (in 5G it would ride on the control channel, which is coded
        more strongly), so that the receiver can count a lost frame as lost.
        """
        raise NotImplementedError

    def _check_together(self, parameters: dict[str, float]) -> None:
        """Raise SemcomError where valid parameters do not go together."""


def erase(part: Part) -> Part:
    """`part` as it looks to the receiver after it was lost."""
    return replace(part, bits=None, symbols=None, noise_variance=None, erased=True)


def _check(name: str, value: Any) -> None:
    p = PARAMETERS[name]
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not number or not math.isfinite(value) or not p.low <= value <= p.high:
        raise SemcomError(
            f"The channel's {name} ({p.text}) is {value!r}: give a number {p.low:g} to {p.high:g}."
        )
