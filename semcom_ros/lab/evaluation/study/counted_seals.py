# SPDX-License-Identifier: Apache-2.0
"""Seals as long as those of a drive, by which a study counts what security costs.

They vouch for nothing: what a study measures is the rate, and its links only lose.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from semcom_ros.payload import Header, Payload

CERTIFICATE_EVERY = 10
"""Frames: a second, as drives of studies have them."""


@dataclass
class CountedSeal:
    """As `pipeline.transmitter.SealPlan` has it."""

    fixed: int
    rare: int
    each: int

    def seal(self, payload: Payload) -> Payload:
        """The payload with as many zeros."""
        size = self.fixed + self.rare + self.each * len(payload.parts)
        return replace(payload, seal=bytes(size))


def signed(header: Header) -> CountedSeal:
    """That of a signed payload with this header."""
    # cryptography, for those alone who want it
    from semcom_ros.link.certificates import CERTIFICATE_BYTES, DIGEST_BYTES
    from semcom_ros.link.seal import SIGNED_BYTES

    due = header.sequence % CERTIFICATE_EVERY == CERTIFICATE_EVERY - 1
    return CountedSeal(SIGNED_BYTES, CERTIFICATE_BYTES * due, DIGEST_BYTES)


def session(header: Header) -> CountedSeal:
    """That within a session, long after its handshake."""
    from semcom_ros.link.certificates import DIGEST_BYTES
    from semcom_ros.link.seal import SESSION_SEAL_BYTES

    return CountedSeal(SESSION_SEAL_BYTES, 0, DIGEST_BYTES)


COUNTED = {"none": None, "signed": signed, "session": session}
