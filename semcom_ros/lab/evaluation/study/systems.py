# SPDX-License-Identifier: Apache-2.0
"""Systems under study, by name: what takes a camera frame and gives what the RSU then shows.

A new system is one class with the methods of `System` and one line in `SYSTEMS`.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any, NamedTuple, Protocol, TypeVar, runtime_checkable

import numpy as np

from semcom_ros.channel import Channel
from semcom_ros.errors import SemcomError, choose
from semcom_ros.frame import Frame
from semcom_ros.lab.evaluation.study.links import Link
from semcom_ros.lab.rates import rates
from semcom_ros.labels import VOID
from semcom_ros.payload import Payload, pack
from semcom_ros.reconstruction import Reconstruction

SYSTEMS = {
    "codec": "semcom_ros.lab.evaluation.study.codec_system:CodecSystem",
    "full_image": "semcom_ros.lab.evaluation.study.pixel_systems:FullImage",
    "gesco_planes": "semcom_ros.lab.evaluation.study.gesco_systems:GescoPlanes",
    "label_map": "semcom_ros.lab.evaluation.study.map_systems:LabelMap",
    "original": "semcom_ros.lab.evaluation.study.pixel_systems:Original",
    "svtav1": "semcom_ros.lab.evaluation.study.video_systems:SvtAv1",
    "x264": "semcom_ros.lab.evaluation.study.video_systems:X264",
    "x265": "semcom_ros.lab.evaluation.study.video_systems:X265",
}
"""Name -> `module:Class`; the module is imported when the system is created, and not before."""
GREY = 128
"""What the RSU shows before its first frame: a grey image and a map of nothing but void."""
Result = TypeVar("Result")


@dataclass(frozen=True)
class Outcome:
    """What came of one frame; None where a system has no such thing.

    reconstruction: what the RSU shows; its image uint8 [H, W, 3] is always there. sent_labels:
    uint8 [H, W] trainId, the map that went on the air. bytes: of the packed payload.
    bits_per_pixel: of the frame's own grid. channel_uses: complex symbols on the air. lost: the RSU
    shows an older frame, because this one did not come through. refusal: why the vehicle could not
    send this frame at all; such a frame is lost too. budget: bytes a frame that the system was
    allowed. container_bytes: what the standard's own file holds beyond the bytes sent.
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
    budget: int | None = None
    container_bytes: int | None = None


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


@runtime_checkable
class DriveSystem(System, Protocol):
    """A system that codes a drive as a whole, before the first of its frames is run."""

    def prepare(self, frames: Sequence[Frame]) -> None:
        """Take all frames of the drive in their order; those of the drive before are forgotten."""


class Rate(NamedTuple):
    """One frame's rate, as `Outcome` has it; bytes are None where symbols are sent."""

    bytes: int | None
    bits_per_pixel: float
    channel_uses: int


def rate_of(payload: Payload, frame: Frame) -> Rate:
    """What `payload` takes: by `rates.rates`, or as uncoded symbols of two bits each.

    Coded bits beside symbols count as bits, and are no channel uses without a channel.
    """
    height, width = frame.image.shape[:2]
    symbols = sum(len(part.symbols) for part in payload.parts if part.symbols is not None)
    if not symbols:
        packed = rates(len(pack(payload)), height, width, 1.0)
        return Rate(packed.bytes_per_frame, packed.bits_per_pixel, packed.channel_uses)
    coded = sum(8 * len(part.bits) for part in payload.parts if part.bits is not None)
    return Rate(None, (2 * symbols + coded) / (height * width), symbols)


def symbols_sent(channel: Channel) -> int | None:
    """Symbols of the frame that `channel` took last; None where its packet was lost."""
    symbols = channel.state().get("symbols")
    return int(symbols) if symbols else None


def concealed(frame: Frame, last: Reconstruction | None, gives_labels: bool) -> Reconstruction:
    """What the RSU goes on showing when nothing new comes: the last one, or grey and void."""
    if last:
        return last
    labels = np.full(frame.image.shape[:2], VOID, np.uint8) if gives_labels else None
    return Reconstruction(np.full_like(frame.image, GREY), labels)


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
