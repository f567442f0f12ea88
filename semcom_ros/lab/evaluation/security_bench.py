# SPDX-License-Identifier: Apache-2.0
"""What `semcom bench security` times: seals made and opened, and ways of being refused."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

from semcom_ros.link.guard import Guard
from semcom_ros.link.keys import KeyFolder
from semcom_ros.link.keys_command import make_street
from semcom_ros.link.sealer import Sealer
from semcom_ros.payload import Header, Part, Payload, PayloadError, pack, unpack

TIMES = 100
"""Calls that are timed together: a hundredth of a millisecond is a tenth of a microsecond each."""
_PARTS = (Part("labels", 0, bits=bytes(330)), Part("thumbnail", 1, bits=bytes(64)))


def steps() -> dict[str, Callable[[], None]]:
    """What is timed, `TIMES` calls of it, by name; frames of 512 bytes in two parts."""
    calls: dict[str, Callable[[], object]] = {}
    now = time.time()
    with tempfile.TemporaryDirectory() as folder:
        make_street(Path(folder), 1)
        keys = KeyFolder(Path(folder), lambda: now)  # which then looks at it once
    for security in ("signed", "session"):
        sealer, guard = Sealer(security, keys, 1), Guard(security, keys, 1)
        send = partial(_sent, sealer, iter(range(1, 2**32)))
        first = send()
        guard.open(first)
        sealer.hear(guard.report({}))
        second = send()
        guard.open(second)
        fresh = send()
        forged = replace(fresh, seal=fresh.seal[:-1] + bytes([fresh.seal[-1] ^ 1]))
        cut = replace(fresh, seal=fresh.seal[:-1])
        for what, payload in (("a forged one", forged), ("a cut seal", cut), ("a replay", second)):
            calls[f"{security}: refuse {what}"] = partial(_refused, guard, payload)
        # Last: it makes the forged one too old to be looked at.
        calls[f"{security}: seal"] = send
        calls[f"{security}: seal and open"] = lambda g=guard, s=send: g.open(s())
    calls["unpack, before any of these"] = partial(unpack, pack(fresh))
    return {name: partial(_often, call) for name, call in calls.items()}


def _sent(sealer: Sealer, numbers: Iterator[int]) -> Payload:
    header = Header("gesco", 1, bytes(8), 256, 512, "", next(numbers), 0, vehicle=1)
    return sealer.plan(header).seal(Payload(header, _PARTS))


def _refused(guard: Guard, payload: Payload) -> None:
    with suppress(PayloadError):
        guard.open(payload)
        raise AssertionError("it was let in")


def _often(call: Callable[[], object]) -> None:
    for _ in range(TIMES):
        call()
