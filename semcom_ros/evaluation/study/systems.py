# SPDX-License-Identifier: Apache-2.0
"""Systems under study, by name: what takes a camera frame and gives what the RSU then shows.

A new system is one class with the methods of `System` and one line in `SYSTEMS`.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any, Protocol, TypeVar

import numpy as np

from semcom_ros.errors import SemcomError, choose
from semcom_ros.evaluation.study.links import Link
from semcom_ros.frame import Frame
from semcom_ros.reconstruction import Reconstruction

SYSTEMS = {
    "codec": "semcom_ros.evaluation.study.codec_system:CodecSystem",
    "full_image": "semcom_ros.evaluation.study.pixel_systems:FullImage",
    "gesco_planes": "semcom_ros.evaluation.study.gesco_systems:GescoPlanes",
    "original": "semcom_ros.evaluation.study.pixel_systems:Original",
}
"""Name -> `module:Class`; the module is imported when the system is created, and not before."""
Result = TypeVar("Result")


@dataclass(frozen=True)
class Outcome:
    """What came of one frame; None where a system has no such thing.

    reconstruction: what the RSU shows; its image uint8 [H, W, 3] is always there. sent_labels:
    uint8 [H, W] trainId, the map that went on the air. bytes: of the packed payload.
    bits_per_pixel: of the frame's own grid. channel_uses: complex symbols on the air. lost: the RSU
    shows an older frame, because this one did not come through. refusal: why the vehicle could not
    send this frame at all; such a frame is lost too.
    """

    reconstruction: Reconstruction
    sent_labels: np.ndarray | None = None
    bytes: int | None = None
    bits_per_pixel: float | None = None
    channel_uses: int | None = None
    encode_ms: float | None = None
    decode_ms: float | None = None
    lost: bool = False
    refusal: str = ""


class System(Protocol):
    """Options come as keywords of the constructor; SemcomError for what it cannot do.

    codec, setting: its name and rate setting in the records. uses_labels: it needs the vehicle's
    map. links: kinds of link that it goes over. models: files of weights that its results hang on.
    """

    codec: str
    setting: int | float | str | None
    uses_labels: bool
    links: frozenset[str]
    models: tuple[Path, ...]

    def begin(self, link: Link, seed: int) -> None:
        """Start a drive over `link`: nothing has been received yet."""

    def run(self, frame: Frame, labels: np.ndarray | None, index: int) -> Outcome:
        """Send frame `index` of the drive, frames in their order.

        frame: with its true labels, where they are known. labels: uint8 [H, W] trainId, the map at
        the vehicle, or None where the system uses none. All that is random comes from the seed of
        `begin` and `index`.
        """

    def end(self) -> None:
        """Forget what was kept from drive to drive: no other will come."""


def create_system(name: str, options: Mapping[str, Any]) -> System:
    """The system `name`; raises SemcomError for an unknown name, option or value."""
    module, _, cls = SYSTEMS[choose(name, SYSTEMS, "system")].partition(":")
    made = getattr(importlib.import_module(module), cls)
    known = inspect.signature(made).parameters
    # A system that takes any keyword looks through them itself.
    if all(p.kind is not p.VAR_KEYWORD for p in known.values()):
        for option in options:
            choose(option, known, f"option of system '{name}'")
    for option, p in known.items():
        if p.default is p.empty and p.kind is not p.VAR_KEYWORD and option not in options:
            raise SemcomError(f"The system '{name}' needs the option '{option}': give it.")
    return made(**options)


def timed(call: Callable[[], Result]) -> tuple[Result, float]:
    """What `call` returns, and the milliseconds of wall time that it took."""
    started = perf_counter()
    result = call()
    return result, 1e3 * (perf_counter() - started)
