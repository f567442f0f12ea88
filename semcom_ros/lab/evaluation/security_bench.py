# SPDX-License-Identifier: Apache-2.0
"""What `semcom bench security` times: seals made and opened, and each way of being refused."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from semcom_ros.link.guard import Guard
from semcom_ros.link.keys import KeyFolder
from semcom_ros.link.keys_command import make_street
from semcom_ros.link.sealer import Sealer
from semcom_ros.payload import Header, Part, Payload, PayloadError, pack, unpack

TIMES = 100
"""Calls that are timed together: ten of the steps' milliseconds are a microsecond of one."""
VEHICLE = 1


def steps() -> dict[str, Callable[[], object]]:
    """What is timed, `TIMES` calls of it, by name."""
    calls: dict[str, Callable[[], object]] = {}
    now = time.time()
    with tempfile.TemporaryDirectory() as folder:
        make_street(Path(folder), VEHICLE)
        keys = KeyFolder(Path(folder), lambda: now)  # which then looks at it once
    for security in ("signed", "session"):
        sealer, guard = Sealer(security, keys, VEHICLE), Guard(security, keys, VEHICLE)
        street = _Street(sealer, guard)
        first = street.sent()
        street.open(first)
        sealer.hear(guard.report({}))
        sent = street.sent()
        bad = replace(sent, seal=sent.seal[:-1] + bytes([sent.seal[-1] ^ 1]))
        cut = replace(sent, seal=sent.seal[:-1])
        calls[f"{security}: refuse a forged one"] = _often(lambda s=street, p=bad: s.refuse(p))
        calls[f"{security}: refuse a cut seal"] = _often(lambda s=street, p=cut: s.refuse(p))
        calls[f"{security}: refuse a replay"] = _often(lambda s=street, p=first: s.refuse(p))
        # Last: what is old by then would be refused as that.
        calls[f"{security}: seal"] = _often(street.sent)
        calls[f"{security}: seal and open"] = _often(lambda s=street: s.open(s.sent()))
    data = pack(sent)
    calls["unpack, before any of these"] = _often(lambda: unpack(data))
    return calls


class _Street:
    """A vehicle that sends 512 bytes a frame, and its RSU."""

    def __init__(self, sealer: Sealer, guard: Guard) -> None:
        self.sealer, self.guard, self.sequence = sealer, guard, 0

    def sent(self) -> Payload:
        self.sequence += 1
        header = Header("gesco", 1, bytes(8), 256, 512, "", self.sequence, 0, vehicle=VEHICLE)
        parts = (Part("labels", 0, bits=bytes(330)), Part("thumbnail", 1, bits=bytes(64)))
        return self.sealer.plan(header).seal(Payload(header, parts))

    def open(self, payload: Payload) -> Payload:
        return self.guard.open(payload)

    def refuse(self, payload: Payload) -> None:
        try:
            self.guard.open(payload)
        except PayloadError:
            return
        raise AssertionError("it was let in")


def _often(call: Callable[[], object]) -> Callable[[], object]:
    def run() -> None:
        for _ in range(TIMES):
            call()

    return run
