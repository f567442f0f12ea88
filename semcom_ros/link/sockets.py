# SPDX-License-Identifier: Apache-2.0
"""UDP sockets by the words of a user: addresses, and what may be wrong with them, in sentences."""

from __future__ import annotations

import errno
import re
import socket
import struct
from contextlib import suppress

from semcom_ros.errors import SemcomError
from semcom_ros.link.peer import Address

# Linux's, which the socket module does not name: arrival by the kernel's clock, and never let
# anybody split a datagram on its way.
_SO_TIMESTAMPNS, _DISCOVER, _V6_DISCOVER, _ALWAYS = 35, 10, 23, 2
_BUFFER = 4 * 2**20
PORT = 47800
"""Of the RSU's end where none is given; of those that nobody has registered."""
_TIMESPEC = struct.Struct("@ll")
_WRONG = {
    errno.EADDRINUSE: "that port is in use on this host (`ss -ulpn` tells by whom)",
    errno.EADDRNOTAVAIL: "that is no address of this host (`ip address` lists them)",
    errno.EACCES: "ports below 1024 are root's",
}


def open_socket(bind: str, dscp: int = 0, family: int = 0) -> socket.socket:
    """A socket that does not block, at the address and port `bind`; an empty address is every one
    of this host, by IPv6 and IPv4.

    dscp: class of service in the IP header, 0 to 63. family: of addresses, where others are of no
    use. Raises SemcomError.
    """
    host, port = _parts(bind, "bind")
    both = socket.AF_INET6 if socket.has_dualstack_ipv6() else socket.AF_INET
    family, address = resolve(bind, "bind", family) if host else (family or both, ("", port))
    made = socket.socket(family, socket.SOCK_DGRAM)
    made.setblocking(False)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
    for level, option, value in (
        (socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1),
        (socket.IPPROTO_IP, _DISCOVER, _ALWAYS),
        (socket.IPPROTO_IP, socket.IP_TOS, dscp << 2),
        (socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0),
        (socket.IPPROTO_IPV6, _V6_DISCOVER, _ALWAYS),
        (socket.IPPROTO_IPV6, socket.IPV6_TCLASS, dscp << 2),
    ):
        with suppress(OSError):  # those of IPv6 on a socket of IPv4
            made.setsockopt(level, option, value)
    try:
        made.bind(address)
    except OSError as error:
        made.close()
        why = _WRONG.get(error.errno or 0, error.strerror)
        raise SemcomError(f"bind is '{bind}': {why}.") from None
    return made


def resolve(text: str, what: str, family: int = 0) -> tuple[int, Address]:
    """Family and address that `text`, the value of parameter `what`, names. Raises SemcomError."""
    host, port = _parts(text, what)
    try:
        first, *_ = socket.getaddrinfo(host, port, family, socket.SOCK_DGRAM)
    except (socket.gaierror, UnicodeError) as error:
        why = getattr(error, "strerror", "no name")
        raise SemcomError(
            f"{what} is '{text}': no address is found for '{host}' ({why})."
        ) from None
    return first[0], first[4]


def arrival_ns(extra: list[tuple[int, int, bytes]]) -> int:
    """When a datagram came, ns since the epoch, by what `recvmsg` says beside it."""
    seconds, ns = _TIMESPEC.unpack(extra[0][2])
    return int(seconds * 10**9 + ns)


def _parts(text: str, what: str) -> tuple[str, int]:
    found = re.fullmatch(r"(?:\[([0-9A-Fa-f:.%\w]+)\]|([^:\[\]]*)):(\d{1,5})", text)
    if not found or int(found[3]) > 65535:
        raise SemcomError(
            f"{what} is '{text}': it must be HOST:PORT, as 192.0.2.7:47800, rsu.example:47800 or "
            "[2001:db8::7]:47800."
        )
    return found[1] or found[2] or "", int(found[3])
