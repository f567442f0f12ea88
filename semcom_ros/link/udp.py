# SPDX-License-Identifier: Apache-2.0
"""The two ends of a link by UDP: a vehicle's sends payloads, the RSU's serves many of them.

Each has one thread, which waits for datagrams and sends those that are due.
"""

from __future__ import annotations

import os
import select
import socket
import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from contextlib import suppress

from semcom_ros.errors import SemcomError
from semcom_ros.link.datagram import ECHO, MOST_BYTES, PAYLOAD, REPORT, Datagram, Piece, read
from semcom_ros.link.fragments import split
from semcom_ros.link.peer import OF_IP, Address, Peer, TokenBucket
from semcom_ros.link.sockets import arrival_ns
from semcom_ros.payload import Payload, PayloadError, unpack

TICK_S, ECHO_S, SILENT_S = 0.05, 1.0, 10.0
"""How often what waits is looked at, how long an end is silent at most, and how long it takes until
one of whom nothing was heard is forgotten."""
_BATCH = 64
"""Datagrams that are taken in before any is sent."""
_ON_WIRE = MOST_BYTES + OF_IP
_AMPLIFIED = 3
"""So many times what came from an address is sent there at most: it may be somebody else's."""


class UdpEnd:
    """What both ends do. counts: messages sent, and superseded by a newer one before their turn;
    datagrams sent, received, lost and refused, by reason; what became of messages of several.
    trouble: why the last datagram could not be sent, "" where it could.

    made: bound by `sockets.open_socket`. kbps: what is sent on average, headers of IP counted.
    sends: the kind of its messages. fail: is told of an error that is ours, after which it goes on.
    """

    sends: int

    def __init__(
        self, made: socket.socket, kbps: float, fail: Callable[[BaseException], None]
    ) -> None:
        self.counts, self.trouble, self._fail = Counter[str](), "", fail
        self._socket, self._lock = made, threading.Lock()
        burst = min(8 * _ON_WIRE, 125 * kbps * TICK_S)
        self._bucket = TokenBucket(kbps, max(burst, _ON_WIRE), time.monotonic())
        self._peers: dict[bytes, Peer] = {}
        # By peer and kind, the newest message that is not begun.
        self._waiting: dict[tuple[bytes, int], list[Piece]] = {}
        self._sending: tuple[bytes, int, deque[Piece]] = (b"", 0, deque())
        self._wakes, self._wake = os.pipe()
        os.set_blocking(self._wake, False)
        self._stopped = False

    def start(self) -> None:
        """Begin, or go on; what came before is not looked at."""
        while select.select([self._socket], [], [], 0)[0]:
            self._socket.recv(1)
        self._stopped = False
        self._thread = threading.Thread(target=self._run, name="udp")
        self._thread.start()

    def stop(self) -> None:
        """Send and take in nothing until `start`."""
        self._stopped = True
        self._rouse()
        self._thread.join()

    def close(self) -> None:
        """Give the port back, once stopped."""
        self._socket.close()
        os.close(self._wakes)
        os.close(self._wake)

    def peers(self) -> list[Peer]:
        """Those that are there."""
        with self._lock:
            return list(self._peers.values())

    def send(self, message: bytes, vehicle: int | None = None) -> None:
        """Send a payload to the RSU, or a report to all that say that they are this vehicle; only
        the true one can tell, by what is signed in it."""
        pieces = split(message)
        with self._lock:
            for peer in self._peers.values():
                if peer.vehicle == vehicle:
                    self.counts["superseded"] += (peer.session, self.sends) in self._waiting
                    self._waiting[peer.session, self.sends] = pieces
        self._rouse()

    def _rouse(self) -> None:
        with suppress(BlockingIOError):  # a full pipe wakes, too
            os.write(self._wake, b"\0")

    def _run(self) -> None:
        wait_s = TICK_S
        while not self._stopped:
            ready, _, _ = select.select([self._socket.fileno(), self._wakes], [], [], wait_s)
            if self._wakes in ready:
                os.read(self._wakes, 4096)
            for _ in range(_BATCH):
                try:
                    data, extra, _, address = self._socket.recvmsg(MOST_BYTES + 1, 64)
                except BlockingIOError:
                    break
                except OSError as error:  # what ICMP said of something that was sent
                    self.trouble = f"{error.strerror}"
                    continue
                # Read in this order, what passes in between makes it no earlier than it was; and
                # nothing waits for a second, but the system's clock may be set.
                waited_ns = time.time_ns() - arrival_ns(extra) if extra else 0
                came_us = (time.monotonic_ns() - min(max(waited_ns, 0), 10**9)) // 1000
                try:
                    self._receive(data, address, came_us)
                except Exception as error:
                    self._fail(error)
            self._look(time.monotonic())
            wait_s = min(TICK_S, self._send())

    def _receive(self, data: bytes, address: Address, came_us: int) -> None:
        try:
            one = read(data)
        except SemcomError:
            self.counts["refused.malformed"] += 1
            return
        peer = self._peer_of(one, address, came_us / 1e6)
        if peer is None or not peer.take(one, address, len(data), came_us) or one.kind == ECHO:
            return
        for kind, message in peer.messages.add(one, came_us / 1e6):
            self._take(peer, kind, message)

    def _peer_of(self, one: Datagram, address: Address, now_s: float) -> Peer | None:
        raise NotImplementedError

    def _take(self, peer: Peer, kind: int, message: bytes) -> None:
        raise NotImplementedError

    def _look(self, now_s: float) -> None:
        """Take what waits in vain for more, and let no path fall asleep."""
        for peer in self.peers():
            for kind, message in peer.messages.expire(now_s):
                self._take(peer, kind, message)
            if now_s - peer.sent_s >= ECHO_S and self._may_hear(peer):
                with self._lock:
                    self._waiting.setdefault((peer.session, ECHO), [Piece()])

    def _send(self) -> float:
        """Send what may go now; the seconds until something may again."""
        while True:
            session, kind, pieces = self._sending
            if not pieces:
                with self._lock:
                    if not self._waiting:
                        return TICK_S
                    (session, kind), *_ = self._waiting
                    pieces = deque(self._waiting.pop((session, kind)))
                self._sending = session, kind, pieces
                self.counts["sent"] += kind != ECHO
            peer = self._peers.get(session)
            if peer is None or not self._may_hear(peer):
                self.counts["withheld"] += len(pieces)
                pieces.clear()
                continue
            wait_s = self._bucket.wait_s(_ON_WIRE, now := time.monotonic())
            if wait_s:
                return wait_s
            data = peer.datagram(kind, pieces.popleft(), int(now * 1e6))
            self._bucket.take(len(data) + OF_IP, now)
            try:
                self._socket.sendto(data, peer.address)
                self.counts["datagrams"] += 1
                self.trouble = ""
            except OSError as error:
                self.counts["unsent"] += 1
                self.trouble = f"nothing can be sent to {peer.address[0]}: {error.strerror}"

    def _may_hear(self, peer: Peer) -> bool:
        return True


class VehicleEnd(UdpEnd):
    """That of one vehicle. to: the RSU. on_report: gets its reports, in the thread of this end."""

    sends = PAYLOAD

    def __init__(
        self,
        made: socket.socket,
        kbps: float,
        fail: Callable[[BaseException], None],
        to: Address,
        on_report: Callable[[bytes], None],
    ) -> None:
        super().__init__(made, kbps, fail)
        self._on_report = on_report
        rsu = Peer(os.urandom(8), to, 1e6, 0.0, self.counts)
        self._peers[rsu.session] = rsu

    def _peer_of(self, one: Datagram, address: Address, now_s: float) -> Peer | None:
        # Who knows the session has heard this end: an RSU of several addresses may answer by any.
        if one.session not in self._peers:
            self.counts["refused.session"] += 1
        return self._peers.get(one.session)

    def _take(self, peer: Peer, kind: int, message: bytes) -> None:
        if kind == REPORT:
            self._on_report(message)


class RsuEnd(UdpEnd):
    """That of an RSU, which answers a vehicle where its newest datagram came from.

    peer_kbps: what one peer may send. most_peers: so many at once; others are refused until one
    of those is forgotten. on_payload: gets payloads and their bytes, in the thread of this end.
    """

    sends = REPORT

    def __init__(
        self,
        made: socket.socket,
        kbps: float,
        fail: Callable[[BaseException], None],
        peer_kbps: float,
        most_peers: int,
        on_payload: Callable[[Payload, bytes], None],
    ) -> None:
        super().__init__(made, kbps, fail)
        self._peer_kbps, self._most, self._on_payload = peer_kbps, most_peers, on_payload

    def _peer_of(self, one: Datagram, address: Address, now_s: float) -> Peer | None:
        peer = self._peers.get(one.session)
        if peer is None:
            # Who has sent no payload makes room for others.
            idle = [name for name, other in self._peers.items() if other.vehicle is None]
            full = len(self._peers) >= self._most
            if full and not idle:
                self.counts["refused.full"] += 1
                return None
            peer = Peer(one.session, address, self._peer_kbps, now_s, self.counts)
            with self._lock:
                if full:
                    del self._peers[idle[0]]
                self._peers[one.session] = peer
        return peer

    def _take(self, peer: Peer, kind: int, message: bytes) -> None:
        try:
            if kind != PAYLOAD:
                raise PayloadError("malformed", "A vehicle sends no reports.")
            payload = unpack(message)
        except PayloadError as error:
            self.counts[f"refused.{error.reason}"] += 1
            return
        if peer.vehicle not in (None, payload.header.vehicle):
            self.counts["refused.vehicle"] += 1
            return
        peer.vehicle = payload.header.vehicle
        self._on_payload(payload, message)

    def _look(self, now_s: float) -> None:
        with self._lock:
            for session in [s for s, one in self._peers.items() if now_s - one.heard_s > SILENT_S]:
                del self._peers[session]
        super()._look(now_s)

    def _may_hear(self, peer: Peer) -> bool:
        return peer.bytes_out < _AMPLIFIED * peer.bytes_in
