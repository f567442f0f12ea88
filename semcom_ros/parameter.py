# SPDX-License-Identifier: Apache-2.0
"""One setting as data: its type, default, range and meaning, and the check of a value for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from semcom_ros.errors import SemcomError, choose

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
    choices: tuple[Value, ...] = ()
    when: When = "at configure"

    @property
    def range(self) -> str:
        """The allowed values in words, empty where every value of the type is allowed."""
        if self.choices:
            return ", ".join(map(str, self.choices))
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
        if isinstance(value, str):
            return choose(value, map(str, self.choices), self.name) if self.choices else value
        if self.choices and value not in self.choices:
            raise SemcomError(f"{self.name} is {value}; it must be one of {self.range}.")
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
