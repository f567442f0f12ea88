# SPDX-License-Identifier: Apache-2.0
"""What crosses between an RSU and its cluster: a batch of frames there, what was seen in them back.

Both ends are ours, so it is pickled: nothing of it comes from a vehicle but numbers and pictures.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from hashlib import sha256
from pkgutil import resolve_name
from typing import Any, NamedTuple, Self, cast

import numpy as np

from semcom_ros import __version__
from semcom_ros.codecs import create_decoder
from semcom_ros.codecs.base import Memory
from semcom_ros.errors import SemcomError, given
from semcom_ros.frame import Camera
from semcom_ros.payload import Payload, PayloadError
from semcom_ros.perception.backends import load_perceivers
from semcom_ros.percepts import Percepts
from semcom_ros.pipeline.receiver import Arrival, Receiver
from semcom_ros.pipeline.rsu import Rsu, Wanted
from semcom_ros.reconstruction import Reconstruction
from semcom_ros.weights import models_dir

NOBODY = cast(Receiver, None)


@dataclass(frozen=True)
class RsuRecipe:
    """What a replica needs to paint as an `Rsu` here would. made_by: "module:function" that gives
    an `Rsu` from `options`."""

    made_by: str
    options: tuple[Any, ...]

    @classmethod
    def of(cls, *options: Any) -> Self:
        """By `make_rsu`."""
        return cls(f"{make_rsu.__module__}:{make_rsu.__name__}", options)

    def make(self) -> Rsu:
        """Raises SemcomError."""
        return resolve_name(self.made_by)(*self.options)


def make_rsu(
    codec: str, chosen: tuple[tuple[str, str], ...], device: str, threshold: float, height_m: float
) -> Rsu:
    """A decoder and what looks at its images, as `load_perceivers` takes the rest."""
    perceive = load_perceivers(dict(chosen), device, threshold, height_m)
    return Rsu(create_decoder(codec, device=device), perceive)


def models_hash() -> str:
    """Names the release and all the weights that are here, by their cards."""
    cards = [card.read_bytes() for card in sorted(models_dir().glob("*.json"))]
    return sha256(b"\0".join([__version__.encode(), *cards])).hexdigest()


class SentFrame(NamedTuple):
    """A frame whose map the RSU decoded, as a replica needs it, and what is wanted of it.

    image: the last picture of its vehicle with its sequence number, as in `Memory`: all that a
    replica knows of what came before. The rest as in `Arrival`.
    """

    payload: Payload
    known: Reconstruction
    image: tuple[int, np.ndarray] | None
    source_camera: Camera | None
    camera: Camera
    seen: Percepts
    wanted: Wanted

    @classmethod
    def of(cls, arrival: Arrival, seen: Percepts, wanted: Wanted) -> Self:
        known, image = given(arrival.known), arrival.memory.image
        return cls(
            arrival.payload, known, image, arrival.source_camera, arrival.camera, seen, wanted
        )

    def arrival(self) -> Arrival:
        """It, as it came; nobody keeps books of it here."""
        memory = Memory()
        memory.image = self.image
        arrival = Arrival(self.payload, memory, self.source_camera, self.camera, receiver=NOBODY)
        arrival.known = self.known
        return arrival


@dataclass(frozen=True)
class Batch:
    """Frames of several vehicles, and all that their images hang on."""

    recipe: RsuRecipe
    settings: Any
    min_area: int
    frames: list[SentFrame]


class Answer(NamedTuple):
    """models: `models_hash` where it was painted. changes: of each frame, fields of its percepts
    that are others than before."""

    models: str
    changes: list[dict[str, Any]]


def changes(before: Percepts, after: Percepts) -> dict[str, Any]:
    """The fields of `after` that are not those of `before`, errors as what can be told of them."""
    values = {field.name: getattr(after, field.name) for field in fields(Percepts)}
    changed = {name: v for name, v in values.items() if v is not getattr(before, name)}
    if after.error is not None:
        cause = after.error.__cause__
        changed["error"] = (after.error.reason, str(after.error), cause and _told(cause))
    if after.failures:
        changed["failures"] = tuple(map(_told, after.failures))
    return changed


def changed(before: Percepts, changes: dict[str, Any]) -> Percepts:
    """`before` with the changes that came back."""
    if "error" in changes:
        reason, sentence, cause = changes["error"]
        error = PayloadError(reason, sentence)
        error.__cause__ = cause and RuntimeError(cause)
        changes = {**changes, "error": error}
    failures = tuple(map(SemcomError, changes.get("failures", ())))
    return replace(before, **{**changes, "failures": failures})


def _told(error: BaseException) -> str:
    """Not every error can cross."""
    return str(error) if isinstance(error, SemcomError) else f"{type(error).__name__}: {error}"
