# SPDX-License-Identifier: Apache-2.0
"""Systems under study, by name: what takes a camera frame and gives what the RSU then shows.

A new system is a function that makes a `System` of two ends, and one line in `SYSTEMS`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, replace
from functools import partial
from pathlib import Path
from pkgutil import resolve_name
from typing import Any, Protocol, runtime_checkable

import numpy as np

from semcom_ros.channel.parameters import NONE
from semcom_ros.codecs.base import Codec, CodecEnd, Decoder, Encoder, LinkState, Memory
from semcom_ros.errors import SemcomError, choose
from semcom_ros.frame import Frame
from semcom_ros.lab.evaluation.study.counted_seals import COUNTED
from semcom_ros.lab.evaluation.study.links import KINDS, Link, told_to_make
from semcom_ros.lab.evaluation.study.outcome import Outcome, rate_of
from semcom_ros.lab.evaluation.timing import timed
from semcom_ros.labels import VOID
from semcom_ros.link.security_parameters import NO_SECURITY
from semcom_ros.payload import Header, Part, Payload, PayloadError
from semcom_ros.pipeline.single import decode
from semcom_ros.pipeline.transmitter import REFRESH_EVERY, SealPlan, Transmitter
from semcom_ros.reconstruction import Reconstruction
from semcom_ros.weights import MissingWeights, models_dir

SYSTEMS = {
    "adjscc": "semcom_ros.lab.evaluation.study.learned_links:adjscc",
    "codec": "semcom_ros.lab.evaluation.study.codec_systems:codec_system",
    "deepjscc": "semcom_ros.lab.evaluation.study.learned_links:deepjscc",
    "deeplab_jscc": "semcom_ros.lab.evaluation.study.learned_links:deeplab_jscc",
    "full_image": "semcom_ros.lab.evaluation.study.plain_systems:full_image",
    "generator": "semcom_ros.lab.evaluation.study.generator_systems:generator",
    "gesco_planes": "semcom_ros.lab.evaluation.study.codec_systems:gesco_planes",
    "label_map": "semcom_ros.lab.evaluation.study.plain_systems:label_map",
    "original": "semcom_ros.lab.evaluation.study.plain_systems:original",
    "picture_chain": "semcom_ros.lab.evaluation.study.picture_chain:picture_chain",
    "sqgan_tokens": "semcom_ros.lab.evaluation.study.token_systems:sqgan_tokens",
    "svtav1": "semcom_ros.lab.evaluation.study.video_systems:svtav1",
    "swinjscc": "semcom_ros.lab.evaluation.study.learned_links:swinjscc",
    "witt": "semcom_ros.lab.evaluation.study.learned_links:witt",
    "x264": "semcom_ros.lab.evaluation.study.video_systems:x264",
    "x265": "semcom_ros.lab.evaluation.study.video_systems:x265",
}
"""Name -> `module:function`; the module is imported when the system is created, and not before."""
GREY = 128
"""What the RSU shows before its first frame: a grey image and a map of nothing but void."""
REMEMBERED = 256
"""Reconstructions kept: links that lose nothing deliver the same payloads again and again."""
_Sent = tuple[Payload, dict[str, Any]]
"""A frame as it leaves the vehicle, and what an `Outcome` tells of it."""


@runtime_checkable
class Telling(Protocol):
    """An encoder that knows more of its parts than their rate, by the names of `Outcome`."""

    def told(self, parts: Sequence[Part]) -> Mapping[str, Any]:
        """Of the parts encoded last."""


@dataclass
class System:
    """A codec and the one way of every system under study: encode, send, decode, conceal.

    codec, setting: its name and rate setting in the records. contract: how its ends fit together;
    one object may be both. name: in headers. budget: bytes of a payload. links: kinds of link that
    it goes over. models: files of weights that its results hang on. of_road: frames count from 1
    and tell their intrinsics, as a vehicle's do; else they count from 0 and tell none. keeps: what
    is sent is the same over every link, and small. mapped: what becomes of the vehicle's map uint8
    [H, W] trainId before it is sent. bits_per_symbol: 0 where symbols are analog values. mcs: of
    its bits, whatever the link has. conceals: the last good frame stands for a lost one, else grey
    does. maps: the RSU has a map, though none is sent. told_snr_db: what an encoder that hears of
    the SNR is told, by default the link's own. lacks: why it cannot run, "" where it can.
    sealer: of its payloads.

    Ends may have more than the contract: an encoder may be `Telling`, and have `prepare(frames)`,
    for a drive that it codes as a whole; a decoder `decode_ms`, and over noise `disturb`, which is
    set to what noise makes of planes float32 [n, H, W].
    """

    codec: str
    setting: int | float | str | None
    contract: Codec
    encoder: Encoder
    decoder: Decoder
    _: KW_ONLY
    name: str
    budget: int | None = None
    links: frozenset[str] = frozenset({NONE, "channel", "parts"})
    models: tuple[Path, ...] = ()
    of_road: bool = False
    keeps: bool = True
    mapped: Callable[[np.ndarray], np.ndarray] | None = None
    bits_per_symbol: int = 2
    refresh_every: int = REFRESH_EVERY
    mcs: str | None = None
    conceals: bool = True
    maps: bool = False
    told_snr_db: float | None = None
    lacks: str = ""
    sealer: Callable[[Header], SealPlan] | None = None

    def __post_init__(self) -> None:
        self._frames: Sequence[Frame] | None = None
        self._sent: dict[int, _Sent | SemcomError] = {}
        self._shown: dict[tuple[int, tuple[bool, ...]], tuple[Reconstruction, float]] = {}
        self._told: float | None = None

    @property
    def uses_labels(self) -> bool:
        """Whether it needs the vehicle's map."""
        return self.contract.sends_labels

    def prepare(self, frames: Sequence[Frame]) -> None:
        """Take all frames of the drive in their order; those of the drive before are forgotten."""
        if frames is not self._frames:
            self._frames = frames
            self._sent.clear()
            self._shown.clear()
            if hasattr(self.encoder, "prepare"):
                self.encoder.prepare(frames)

    def begin(self, link: Link, seed: int) -> None:
        """Start the drive over `link`: nothing has been received yet."""
        self._link, self._seed = link, seed
        self._channel = link.channel(seed, self.mcs) if link.kind in ("channel", "parts") else None
        self._last: Reconstruction | None = None
        self._memory = Memory()
        # What the RSU lacks is asked for before the next frame, which then hangs on what arrived.
        self._reports = self.contract.remembers and self._channel is not None
        told = link.snr_db if self.told_snr_db is None else self.told_snr_db
        if self._reports or self.contract.hears_snr and told != self._told:
            self._sent.clear()
        self._told = told

    def run(self, frame: Frame, labels: np.ndarray | None, index: int) -> Outcome:
        """Send frame `index` of the drive, frames in their order.

        frame: with its true labels, where known. labels: uint8 [H, W] trainId, the vehicle's map,
        or None where it uses none. All that is random comes from `begin`'s seed and `index`. Of a
        frame over the budget, and where too little arrives, the RSU shows the last good one.
        """
        if labels is not None and self.mapped is not None:
            labels = self.mapped(labels)
        mapped = self.uses_labels or self.maps
        void = np.full(frame.image.shape[:2], VOID, np.uint8) if mapped else None
        kept = self._last if self.conceals else None
        concealed = kept or Reconstruction(np.full_like(frame.image, GREY), void)
        outcome = Outcome(concealed, labels, lost=True, budget=self.budget)
        sent = self._encode(frame, labels, index)
        if isinstance(sent, SemcomError):
            return replace(outcome, refusal=str(sent))
        payload, told = sent
        if self._channel:
            payload = self._channel.transmit(payload)
            # None where the packet was lost.
            told = told | {"channel_uses": int(self._channel.state().get("symbols", 0)) or None}
        try:
            self._last, decode_ms = self._decode(payload, index)
        except PayloadError:
            return replace(outcome, **told)
        told = told | {"decode_ms": decode_ms if payload.parts else None, "lost": False}
        return replace(outcome, reconstruction=self._last, **told)

    def end(self) -> None:
        """Forget what was kept from drive to drive: no other will come."""
        self.prepare(())

    def _encode(self, frame: Frame, labels: np.ndarray | None, index: int) -> _Sent | SemcomError:
        """What is sent of frame `index`, or why nothing is."""
        if index in self._sent:
            return self._sent[index]
        if index == 0:
            self._transmitter = Transmitter(
                self.name, self.encoder, codec=self.contract, sealer=self.sealer
            )
            self._transmitter.sequence = int(self.of_road)
        if self.contract.hears_snr or self._reports and index:
            state = LinkState(self._told, refresh=self._memory.lacking)
            self._transmitter.report(state)
        fed = replace(frame, labels=labels, camera=frame.camera if self.of_road else None)
        made: _Sent | SemcomError
        try:
            send = partial(self._transmitter.transmit, refresh_every=self.refresh_every)
            (payload, _), ms = timed(lambda: send(fed, self.budget or 0))
            told = rate_of(payload, frame, self.bits_per_symbol)._asdict()
            if payload.parts:
                told["encode_ms"] = ms
            if isinstance(self.encoder, Telling):
                told |= self.encoder.told(payload.parts)
            made = payload, told
        except SemcomError as error:
            made = error
        if self.keeps and not self._reports:
            self._sent[index] = made
        return made

    def _decode(self, received: Payload, index: int) -> tuple[Reconstruction, float]:
        """What the RSU makes of it, and milliseconds; anew only where it may differ.

        Raises PayloadError.
        """
        key = (index, tuple(part.erased for part in received.parts))
        if key in self._shown:
            return self._shown[key]
        if "noise" in self.links:
            random = np.random.default_rng([self._seed, index])
            self.decoder.disturb = partial(self._link.add_noise, random=random)
        read = partial(decode, self.name, self.decoder, received, self._memory, self.contract)
        shown, ms = timed(read)
        if shown.image is None:  # a map alone was asked for
            shown = replace(shown, image=np.full((*shown.labels.shape, 3), GREY, np.uint8))
        made = shown, getattr(self.decoder, "decode_ms", ms)
        digital = all(part.bits is not None or part.erased for part in received.parts)
        alone = not (self.contract.leans or self.contract.remembers)
        if self.keeps and digital and alone and len(self._shown) < REMEMBERED:
            self._shown[key] = made
        return made


def create_system(
    name: str, options: Mapping[str, Any], device: str = "cpu", made_by: Sequence[str] = ()
) -> System:
    """The system `name`, networks of both its ends on `device`.

    One whose weights are missing lacks them: it says how they are made, by the commands `made_by`
    where they are given. Raises SemcomError for an unknown name, option or value.
    """
    made = resolve_name(SYSTEMS[choose(name, SYSTEMS, "system")])
    options = dict(options)
    security = choose(str(options.pop("security", NO_SECURITY)), COUNTED, "security")
    known = inspect.signature(made).parameters
    # A system that takes any keyword looks through them itself.
    if all(p.kind is not p.VAR_KEYWORD for p in known.values()):
        for option in options:
            choose(option, known, f"option of system '{name}'")
    for option, p in known.items():
        if p.default is p.empty and p.kind is not p.VAR_KEYWORD and option not in options:
            raise SemcomError(f"The system '{name}' needs the option '{option}': give it.")
    try:
        system: System = made(**{"device": device} if "device" in known else {}, **options)
    except MissingWeights as error:
        return System(
            str(options.get("codec", name)), options.get("payload_bytes"),
            Codec("", "", 1, sends_labels=False), CodecEnd(), CodecEnd(), name=name,
            links=frozenset(KINDS), lacks=told_to_make(made_by) if made_by else str(error),
        )  # fmt: skip
    system.sealer = COUNTED[security]
    return system


def weights_of(codec: str, folder: Path | None = None) -> tuple[Path, ...]:
    """Files of the weights in `folder`, by default those that ship, of a codec of the registry or
    of the package."""
    name = codec.partition(":")[0].rpartition(".")[2]
    return tuple(sorted((folder or models_dir()).glob(f"{name}_*.safetensors")))
