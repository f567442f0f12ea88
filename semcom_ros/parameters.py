# SPDX-License-Identifier: Apache-2.0
"""Every parameter of every node, as data: nodes, launch file, demo and README all read it here."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from semcom_ros import channel
from semcom_ros.channel import CHANNELS
from semcom_ros.codecs import CODECS
from semcom_ros.errors import SemcomError, choose
from semcom_ros.payload import MAX_PAYLOAD_BYTES, MIN_PAYLOAD_BYTES

Value = bool | int | float | str
When = Literal["at once", "at configure", "at start"]


@dataclass(frozen=True)
class Parameter:
    """One parameter: its type is that of `default`, its bounds are inclusive.

    when: a change takes effect at once, when the node is configured (and is refused while it
    is), or only when the process starts.
    """

    name: str
    default: Value
    text: str
    minimum: int | float | None = None
    maximum: int | float | None = None
    choices: tuple[str, ...] = ()
    when: When = "at configure"

    @property
    def range(self) -> str:
        """The allowed values in words, empty where every value of the type is allowed."""
        if self.choices:
            return ", ".join(self.choices)
        if self.minimum is None:
            return ""
        if self.maximum is None:
            return f"{self.minimum} or more"
        return f"{self.minimum} to {self.maximum}"

    def check(self, value: Value) -> Value:
        """Return `value` in the parameter's type, or raise SemcomError saying what is allowed."""
        kind = type(self.default)
        if kind is float and type(value) is int:
            value = float(value)
        if type(value) is not kind:
            raise SemcomError(f"{self.name} is {value!r}; it must be of type {kind.__name__}.")
        if self.choices:
            choose(value, self.choices, self.name)
        low = self.minimum is not None and not value >= self.minimum
        high = self.maximum is not None and not value <= self.maximum
        if low or high:
            raise SemcomError(f"{self.name} is {value}; it must be {self.range}.")
        return value

    def parse(self, text: str) -> Value:
        """Read a value from a launch argument or a command line. Raises SemcomError."""
        kind = type(self.default)
        if kind is bool:
            if text.lower() not in ("true", "false"):
                raise SemcomError(f"{self.name} is '{text}'; it must be true or false.")
            return text.lower() == "true"
        try:
            return self.check(kind(text))
        except SemcomError:
            raise
        except ValueError:
            raise SemcomError(
                f"{self.name} is '{text}'; it must be of type {kind.__name__}."
            ) from None


_CODEC = Parameter(
    "codec", "gesco", "System that turns a frame into a payload and back.",
    choices=tuple(CODECS), when="at once",
)  # fmt: skip
_DEVICE = Parameter(
    "device", "cpu", "Where networks run: cpu, cuda or cuda:N, as torch names it."
)  # fmt: skip
_THREADS = Parameter(
    "threads", 1, "Threads a network may use; more than one slows the other nodes down.", 1, 64
)
COMMON = (
    Parameter(
        "autostart", False, "Configure and activate without waiting for a lifecycle manager.",
        when="at start",
    ),
)  # fmt: skip

TABLES: dict[str, tuple[Parameter, ...]] = {
    "camera_node": (
        Parameter(
            "data", "scenes:1",
            "Where frames come from: scenes:SEED, camvid:DIR, folder:DIR, video:FILE or a path.",
        ),
        Parameter("split", "val", "Part of a data set that has parts: train, val or test."),
        Parameter("rate_hz", 10.0, "Frames a second.", 0.1, 120.0),
        Parameter("loop", True, "Begin again after the last frame."),
        Parameter("frames", 0, "Stop after so many frames; 0 plays all.", 0, 1_000_000_000),
        Parameter(
            "wait_for_subscribers", 1, "Begin when so many listen to the images; 0 begins at once.",
            0, 100,
        ),
        Parameter("frame_id", "camera_optical", "Frame of the camera, z along the optical axis."),
        *COMMON,
    ),
    "vehicle_node": (
        _CODEC,
        Parameter(
            "payload_bytes", 512, "Most bytes a frame may take on the air.",
            MIN_PAYLOAD_BYTES, MAX_PAYLOAD_BYTES, when="at once",
        ),
        Parameter(
            "input_transport", "raw",
            "Type of the camera topic: raw is Image, compressed is CompressedImage (jpeg, png).",
            choices=("raw", "compressed"),
        ),
        _DEVICE,
        _THREADS,
        *COMMON,
    ),
    "channel_node": (
        Parameter(
            "channel", "none", "Model of the radio between vehicle and RSU.",
            choices=tuple(CHANNELS), when="at once",
        ),
        *(
            Parameter(name, p.default, f"{p.text[0].upper()}{p.text[1:]}.", p.low, p.high,
                      when="at once")
            for name, p in channel.PARAMETERS.items()
        ),
        Parameter("seed", 1, "Seed of the radio's random numbers.", 0, 2**31 - 1),
        *COMMON,
    ),
    "rsu_node": (
        _CODEC,
        Parameter(
            "max_age_s", 1.0, "Payloads older than this are stale; 0 never looks at the clock.",
            0.0, 3600.0, when="at once",
        ),
        Parameter(
            "min_area", 40, "Fewest pixels of the received map that make a detection.",
            1, 131072, when="at once",
        ),
        _DEVICE,
        _THREADS,
        *COMMON,
    ),
}  # fmt: skip


def table(executable: str) -> dict[str, Parameter]:
    """The parameters of one node by name. Raises SemcomError for an unknown executable."""
    choose(executable, TABLES, "node")
    return {p.name: p for p in TABLES[executable]}


def markdown(parameters: Iterable[Parameter]) -> str:
    """One node's table as the README shows it."""
    rows = ["| parameter | default | allowed | takes effect | meaning |", "|---|---|---|---|---|"]
    for p in parameters:
        default = str(p.default).lower() if isinstance(p.default, bool) else p.default
        rows.append(f"| `{p.name}` | `{default}` | {p.range} | {p.when} | {p.text} |")
    return "\n".join(rows)
