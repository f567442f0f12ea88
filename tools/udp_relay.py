# SPDX-License-Identifier: Apache-2.0
"""A bad road for UDP between two hosts: loss, delay, jitter, duplicates and a rate, by a seed.

python tools/udp_relay.py --listen 47801 --to 127.0.0.1:47800 --loss 0.1 --jitter-ms 30

What comes to the port goes to the address and back, each client through a port of its own, as
through a NAT. Jitter lets datagrams overtake each other; rate: each way, kbit/s.
"""

from __future__ import annotations

import argparse
import heapq
import random
import select
import socket
import threading
import time
from itertools import count

MOST_QUEUED_S = 1.0
"""A datagram that would wait longer for the rate is dropped."""


class Relay:
    """Runs in a thread of its own until `stop`. port: of this host's loopback, 0 for any."""

    def __init__(
        self, to: tuple[str, int], port: int = 0, loss: float = 0.0, delay_ms: float = 0.0,
        jitter_ms: float = 0.0, duplicate: float = 0.0, rate_kbps: float = 0.0, seed: int = 1,
    ) -> None:  # fmt: skip
        self.loss, self.duplicate, self.rate_kbps = loss, duplicate, rate_kbps
        self.delay_s, self.jitter_s = delay_ms / 1e3, jitter_ms / 1e3
        self.to, self.passed, self.lost = to, 0, 0
        self._random = random.Random(seed)
        self._family = socket.AF_INET6 if ":" in to[0] else socket.AF_INET
        self._front = self._made("::1" if ":" in to[0] else "127.0.0.1", port)
        self.port = self._front.getsockname()[1]
        self._backs: dict[tuple, socket.socket] = {}
        self._due: list[tuple[float, int, socket.socket, bytes, tuple]] = []
        self._order, self._free_s = count(), {True: 0.0, False: 0.0}
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="relay")
        self._thread.start()

    def rebind(self) -> None:
        """Let every client go on through another port, as a NAT does that forgot it."""
        self._backs = {}

    def stop(self) -> None:
        self._stopped.set()
        self._thread.join()
        for one in (self._front, *self._backs.values()):
            one.close()

    def _made(self, host: str, port: int) -> socket.socket:
        made = socket.socket(self._family, socket.SOCK_DGRAM)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2**22)
        made.bind((host, port))
        return made

    def _run(self) -> None:
        while not self._stopped.is_set():
            backs = dict(self._backs)
            wait_s = min(0.02, max(0.0, self._due[0][0] - time.monotonic())) if self._due else 0.02
            for one in select.select([self._front, *backs.values()], [], [], wait_s)[0]:
                data, address = one.recvfrom(65536)
                if one is self._front:
                    if address not in self._backs:
                        self._backs[address] = self._made("", 0)
                    self._pass(data, self._backs[address], self.to, True)
                else:
                    client = next(c for c, back in backs.items() if back is one)
                    self._pass(data, self._front, client, False)
            while self._due and self._due[0][0] <= time.monotonic():
                _, _, by, data, address = heapq.heappop(self._due)
                by.sendto(data, address)

    def _pass(self, data: bytes, by: socket.socket, to: tuple, forth: bool) -> None:
        for _ in range(1 + (self._random.random() < self.duplicate)):
            if self._random.random() < self.loss:
                self.lost += 1
                continue
            now = time.monotonic()
            if self.rate_kbps:
                self._free_s[forth] = max(now, self._free_s[forth]) + len(data) / (
                    125 * self.rate_kbps
                )
                if self._free_s[forth] - now > MOST_QUEUED_S:
                    self.lost += 1
                    continue
                now = self._free_s[forth]
            due = now + self.delay_s + self._random.uniform(0, self.jitter_s)
            heapq.heappush(self._due, (due, next(self._order), by, data, to))
            self.passed += 1


def main() -> None:
    """Relay until Ctrl-C."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--listen", type=int, required=True, metavar="PORT")
    parser.add_argument("--to", required=True, metavar="HOST:PORT")
    for name in ("loss", "delay-ms", "jitter-ms", "duplicate", "rate-kbps"):
        parser.add_argument(f"--{name}", type=float, default=0.0)
    parser.add_argument("--seed", type=int, default=1)
    given = vars(parser.parse_args())
    host, _, port = given.pop("to").rpartition(":")
    relay = Relay((host.strip("[]"), int(port)), given.pop("listen"), **given)
    try:
        relay._thread.join()
    except KeyboardInterrupt:
        relay.stop()
        print(f"passed {relay.passed}, lost {relay.lost}")


if __name__ == "__main__":
    main()
