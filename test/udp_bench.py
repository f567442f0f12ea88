# SPDX-License-Identifier: Apache-2.0
"""A bench for links by UDP: an RSU's end, vehicles' ends, and a bad road between, over loopback."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from semcom_ros.link.sockets import open_socket, resolve
from semcom_ros.link.udp import RsuEnd, UdpEnd, VehicleEnd
from semcom_ros.payload import Header, Part, Payload, pack

sys.path.append(str(Path(__file__).resolve().parents[1] / "tools"))

from udp_relay import Relay  # noqa: E402

PATIENCE_S = 20.0


def payload(sequence: int, n_parts: int = 1, size: int = 400, vehicle: int = 1) -> bytes:
    """A payload of parts of so many bytes."""
    head = Header("classical", 1, b"", 256, 512, "", sequence, sequence * 10**8, vehicle=vehicle)
    parts = (
        Part(f"part_{i}", i, bits=bytes([sequence % 256, i]) * (size // 2)) for i in range(n_parts)
    )
    return pack(Payload(head, tuple(parts), seal=b"a seal"))


def until(done: Callable[[], Any], what: str) -> None:
    """Wait until `done()`; fail with `what` was waited for."""
    deadline = time.monotonic() + PATIENCE_S
    while not done():
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.005)


class Link:
    """The RSU's end at `port`, what came to it, and the ends of vehicles that were made."""

    def __init__(self, stack: ExitStack, host: str, **limits: Any) -> None:
        self._stack, self._host = stack, host
        given = {"kbps": 1e5, "peer_kbps": 1e5, "most_peers": 8} | limits
        self.errors = list[BaseException]()
        made = open_socket(f"[{host}]:0" if ":" in host else f"{host}:0")
        self.port, self.got = made.getsockname()[1], list[tuple[Payload, bytes]]()
        self.rsu = RsuEnd(
            made, **given, fail=self.errors.append, on_payload=lambda *came: self.got.append(came)
        )
        self._run(self.rsu)

    def relay(self, **faults: Any) -> Relay:
        """A bad road to the RSU."""
        made = Relay((self._host, self.port), **faults)
        self._stack.callback(made.stop)
        return made

    def vehicle(self, port: int = 0, kbps: float = 1e5) -> tuple[VehicleEnd, list[bytes]]:
        """The end of a vehicle that sends to the RSU, or a relay's port, and reports to it."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        family, to = resolve(f"{host}:{port or self.port}", "peer")
        reports: list[bytes] = []
        made = VehicleEnd(
            open_socket(":0", family=family), kbps, self.errors.append, to, reports.append
        )
        self._run(made)
        return made, reports

    def _run(self, end: UdpEnd) -> None:
        self._stack.callback(end.close)
        end.start()
        self._stack.callback(end.stop)

    def sequences(self) -> list[int]:
        return [came.header.sequence for came, _ in self.got]


@contextmanager
def link(host: str = "127.0.0.1", **limits: Any) -> Iterator[Link]:
    """An RSU's end that serves until the block ends. limits: of `RsuEnd`."""
    with ExitStack() as stack:
        made = Link(stack, host, **limits)
        yield made
        assert not made.errors
