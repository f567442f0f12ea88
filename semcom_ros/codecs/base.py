# SPDX-License-Identifier: Apache-2.0
"""The contract of a codec: what it is asked for, what its two ends give, how it is set."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, NamedTuple, Protocol, Self, cast

import numpy as np

from semcom_ros.errors import SemcomError, choose
from semcom_ros.frame import Frame
from semcom_ros.parameter import Parameter, Value, When
from semcom_ros.payload import PART_OVERHEAD, Part, Payload, PayloadError, parts_bytes
from semcom_ros.payload.contents import check_text
from semcom_ros.reconstruction import Reconstruction
from semcom_ros.weights import models_dir

End = Literal["encoder", "decoder"]
SYMBOLS_PER_BYTE = 8
"""Channel uses that equal one byte: QPSK with a rate 1/2 code carries one bit in each."""
REFERENCES = 8
"""The newest frames that a decoder may lean on."""


class BudgetError(SemcomError):
    """A frame does not fit. needed: the fewest bytes that its parts take."""

    def __init__(self, needed: int) -> None:
        super().__init__(f"The frame's parts take {needed} bytes or more: raise payload_bytes.")
        self.needed = needed


@dataclass(frozen=True)
class LinkState:
    """The link as the RSU last reported it.

    snr_db: None where not measured. loss: share of frames, 0 to 1. last_sequence: of the newest
    frame that arrived, 0 for none. refresh: whether the RSU lacks what frames lean on.
    """

    snr_db: float | None = None
    loss: float | None = None
    last_sequence: int = 0
    refresh: bool = False


@dataclass(frozen=True)
class Request:
    """What the vehicle is asked for, frame by frame.

    budget_bytes: for the parts, `bytes_of` them. budget_symbols: the same in channel uses, for
    parts of symbols. task: canonical instruction, "" for all. link: None where unknown. refresh:
    the frame must be decodable without any frame before it. seal_bytes: what the payload's seal
    takes for each part.
    """

    budget_bytes: int
    budget_symbols: int = 0
    task: str = ""
    link: LinkState | None = None
    refresh: bool = True
    seal_bytes: int = 0

    @property
    def part_overhead(self) -> int:
        """Bytes of the budget that a part of bits takes besides its own (`PART_OVERHEAD`)."""
        return PART_OVERHEAD + self.seal_bytes

    def bytes_of(self, parts: Sequence[Part]) -> int:
        """What `parts` take of the budget."""
        return parts_bytes(parts) + self.seal_bytes * len(parts)

    @classmethod
    def of_bytes(cls, budget_bytes: int, **rest: Any) -> Self:
        """With as many channel uses as the bytes would take."""
        return cls(budget_bytes, SYMBOLS_PER_BYTE * budget_bytes, **rest)


class Reading(NamedTuple):
    """What a request in words means to a codec: its instruction, the likeness to it (cosine), and
    by how much it is more like it than like the next."""

    instruction: str
    score: float = 1.0
    margin: float = 1.0


class Memory:
    """What is kept of one vehicle from frame to frame; safe to use from several threads.

    image: the last picture decoded, uint8 [H, W, 3] RGB, with its sequence number, or None. state:
    whatever else the codec's decoder keeps. lacking: it waits for a frame that stands alone.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: OrderedDict[int, Reconstruction] = OrderedDict()
        self.image: tuple[int, np.ndarray] | None = None
        self.state: Any = None
        self.lacking = False

    def keep(self, sequence: int, known: Reconstruction) -> None:
        """Let frame `sequence` be leaned on, until `REFERENCES` newer ones came."""
        with self._lock:
            self._known[sequence] = known
            while len(self._known) > REFERENCES:
                self._known.popitem(last=False)

    def recall(self, sequence: int) -> Reconstruction:
        """What decoding gave before the image of frame `sequence`; raises PayloadError reference
        where it is not there."""
        with self._lock:
            if sequence in self._known:
                return self._known[sequence]
        raise PayloadError(
            "reference", f"The payload leans on frame {sequence}, which was not decoded here."
        )


@dataclass
class Received:
    """One admitted payload, an item of a decoder's batch, with its vehicle's memory."""

    payload: Payload
    memory: Memory = field(default_factory=Memory)


class _Either(Protocol):
    """What either end has.

    model: 8 bytes that name what both must share, b"" if nothing. settings: of the codec's
    dataclass; exchanged as a whole, so that a frame at work keeps those it began with.
    """

    model: bytes
    settings: Any

    def warm_up(self) -> None:
        """Do what the first frame would wait for, in the thread that is going to work."""

    def read(self, words: str) -> Reading:
        """What a request means. Raises SemcomError where it means nothing to the codec."""


class Encoder(_Either, Protocol):
    """The vehicle's end. It knows no header, no sequence and no clock."""

    def encode(self, frame: Frame, request: Request) -> tuple[Part, ...]:
        """The parts of a frame of the size of work, within the budget.

        Raises SemcomError that says the least it needs.
        """


class Decoder(_Either, Protocol):
    """The RSU's end. A batch is the unit; an item that fails gives its PayloadError in place.

    The two methods run in threads of their own, those of maps in several, and of one vehicle there
    is one frame at a time in either.
    """

    def decode_labels(self, batch: Sequence[Received]) -> Sequence[Reconstruction | PayloadError]:
        """What is known before the image: labels, confidence and support, where they are sent."""

    def decode_images(
        self, batch: Sequence[Received], known: Sequence[Reconstruction]
    ) -> Sequence[np.ndarray | None | PayloadError]:
        """Images uint8 [H, W, 3] RGB, from the payloads and what `decode_labels` gave for them;
        None where the payload was not asked for one."""


def setting(
    default: Value,
    text: str,
    minimum: int | float | None = None,
    maximum: int | float | None = None,
    *,
    end: End | Literal["both"],
    choices: tuple[Value, ...] = (),
    when: When = "at once",
) -> Any:
    """A field of a `Settings`: its default, meaning, inclusive range, and the end that reads it.

    when: a change takes effect, as of a `Parameter`; what files are loaded is no change at once.
    """
    rest = {"text": text, "minimum": minimum, "maximum": maximum, "choices": choices, "when": when}
    return field(default=default, metadata={"end": end, "parameter": rest})


@dataclass(frozen=True)
class Settings:
    """What can be set of a codec while it runs; a codec's own are fields made by `setting`.

    Everything that a user sees of them derives from here: parameters of nodes, launch arguments,
    options of the demo and of studies, README.
    """

    @classmethod
    def parameters(cls, codec: str, end: End | None = None) -> tuple[Parameter, ...]:
        """Those that `end` reads, or all; each is called `<codec>_<field>`."""
        return tuple(
            Parameter(
                f"{codec}_{f.name}",
                cast(Value, f.default),
                **f.metadata["parameter"],
            )
            for f in fields(cls)
            if end is None or f.metadata["end"] in (end, "both")
        )

    @classmethod
    def of(cls, codec: str, values: Mapping[str, Any]) -> Self:
        """From `values` by parameter name; those of others are left aside. Raises SemcomError."""
        known = {p.name: p for p in cls.parameters(codec)}
        return cls(
            **{
                choose(name, known, "parameter").removeprefix(f"{codec}_"): known[name].check(value)
                for name, value in values.items()
                if name.startswith(f"{codec}_")
            }
        )


@dataclass(frozen=True)
class Codec:
    """One codec of the registry. Its ends are imported when they are created, and not before.

    encoder, decoder: "module:Class"; both take `settings`, `device` and `models`, as `CodecEnd`
    does, and `options`.
    sends_labels: whether a label map crosses, which the encoder then wants in its frames. leans:
    whether a frame needs the one before, unless a refresh is asked for; the encoder then keeps the
    last frame that it encoded, and the decoder finds it in `Received.memory`. remembers: whether
    images hang on earlier payloads, though each can be decoded by itself. hears_snr: whether what
    is sent hangs on the SNR of `Request.link`.
    """

    encoder: str
    decoder: str
    version: int
    sends_labels: bool
    settings: type[Settings] = Settings
    leans: bool = False
    remembers: bool = False
    hears_snr: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)


class CodecEnd:
    """What both ends of the codecs here begin with.

    settings: by default those of `defaults`. device: of the end's networks. models: the folder of
    its weights, by default the shipped ones.
    """

    model = b""
    defaults: type[Settings] = Settings

    def __init__(
        self, settings: Any = None, device: str = "cpu", models: Path | None = None
    ) -> None:
        self.device, self.models = device, models or models_dir()
        self.settings: Any = settings or self.defaults()

    def warm_up(self) -> None:
        """Nothing is waited for."""

    def read(self, words: str) -> Reading:
        """As it was asked: this codec sends the same whatever is asked for. Raises SemcomError for
        more than a header holds."""
        check_text(words, "task")
        return Reading(words)
