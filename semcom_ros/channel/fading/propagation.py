# SPDX-License-Identifier: Apache-2.0
"""The propagation models by name, and what each of them gives: a gain for every symbol."""

from __future__ import annotations

from importlib import import_module
from types import SimpleNamespace
from typing import NamedTuple, Protocol

import numpy as np

from semcom_ros.errors import choose


class Gains(NamedTuple):
    """The channel that n symbols meet.

    gains: complex64 [n], in the order of sending. interference: power of inter-carrier
    interference relative to the signal, 0 if none. pilot_spacing: symbols to a pilot. position: in
    a trace, counted from 0; all gains are 0 where no path reaches it.
    """

    gains: np.ndarray
    interference: float
    pilot_spacing: int
    position: int | None = None


class DriveState(NamedTuple):
    """Where a frame finds the vehicle: its number, metres driven by then, metres a second."""

    frame: int
    way_m: float
    speed_mps: float


class Propagation(Protocol):
    """A radio channel without its noise, of unit mean power in the long run.

    settings: those of the radio, of which each model reads its own. The fade is a function of them,
    the seed and the drive's state alone: correlated fading of the way driven, so that it goes on
    from frame to frame at whatever speed, fading in blocks of the frame's number. Frames that were
    skipped change nothing about those that were not. Raises SemcomError for settings that make no
    sense together.
    """

    def __init__(self, settings: SimpleNamespace, seed: int) -> None: ...

    def gains(self, n: int, state: DriveState) -> Gains:
        """What n symbols meet that are sent one after the other from `state` on."""

    def check(self, speed_mps: float) -> None:
        """Raise SemcomError where the Doppler of that speed is too much for the model."""


PROPAGATIONS = {
    "awgn": "flat:Awgn",
    "rayleigh": "flat:Rayleigh",
    "rician": "flat:Rician",
    **{f"tdl_{profile}": "delay_lines:TappedDelayLine" for profile in "abcde"},
    **{f"cdl_{profile}": "delay_lines:ClusteredDelayLine" for profile in "abcde"},
    "trace": "deepmimo:TracePropagation",
}
"""By name, the module and the class of each model."""


def create_propagation(settings: SimpleNamespace, seed: int) -> Propagation:
    """The model `settings.channel`; raises SemcomError for an unknown name, and as the model."""
    found = PROPAGATIONS[choose(settings.channel, PROPAGATIONS, "channel")]
    # Imported late: some models are slow to load, and a node wants one of them at most.
    module, _, name = found.partition(":")
    return getattr(import_module(f"semcom_ros.channel.fading.{module}"), name)(settings, seed)
