# SPDX-License-Identifier: Apache-2.0
"""What becomes of the items of a batch, each in its place."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar, overload

from semcom_ros.errors import SemcomError
from semcom_ros.payload import PayloadError

Item = TypeVar("Item")
Result = TypeVar("Result")


def attempt(call: Callable[..., Result], *args: Any) -> Result | PayloadError:
    """What `call` returns, or its error as the PayloadError that takes its place in a batch."""
    try:
        return call(*args)
    except PayloadError as error:
        return error
    except SemcomError as error:
        return PayloadError("malformed", str(error))


@overload
def on_good(
    items: Sequence[Item | PayloadError], run: Callable[[list[Item]], Iterable[Result]]
) -> list[Result | PayloadError]: ...
@overload
def on_good(
    items: Sequence[Item | PayloadError | None], run: Callable[[list[Item]], Iterable[Result]]
) -> list[Result | PayloadError | None]: ...
def on_good(items: Sequence[Any], run: Callable[[list[Any]], Iterable[Any]]) -> list[Any]:
    """What `run` makes of the items, in their places among the errors, and among None where nothing
    is asked for, which stay."""
    good = [item for item in items if not isinstance(item, PayloadError | None)]
    made = iter(run(good) if good else ())
    return [item if isinstance(item, PayloadError | None) else next(made) for item in items]
