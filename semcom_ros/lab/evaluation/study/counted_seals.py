# SPDX-License-Identifier: Apache-2.0
"""Seals as long as those of a drive, by which a study counts what security costs."""

from __future__ import annotations

from dataclasses import dataclass, replace

from semcom_ros.link.certificates import CERTIFICATE_BYTES, DIGEST_BYTES
from semcom_ros.link.seal import SESSION_SEAL_BYTES, SIGNED_BYTES
from semcom_ros.payload import Header, Payload

CERTIFICATE_EVERY = 10
"""Frames: a second, as drives of studies have them."""


@dataclass(frozen=True)
class CountedSeals:
    """security: "signed" or "session", long after its handshake.

    They vouch for nothing: what a study measures is the rate, and its links only lose.
    """

    security: str

    def __call__(self, header: Header) -> CountedSeal:
        """The seal of the payload with this header."""
        if self.security == "session":
            return CountedSeal(SESSION_SEAL_BYTES)
        due = header.sequence % CERTIFICATE_EVERY == CERTIFICATE_EVERY - 1
        return CountedSeal(SIGNED_BYTES, CERTIFICATE_BYTES * due)


@dataclass
class CountedSeal:
    """As `pipeline.transmitter.SealPlan` has it."""

    fixed: int
    rare: int = 0
    each: int = DIGEST_BYTES

    def seal(self, payload: Payload) -> Payload:
        """The payload with as many zeros."""
        size = self.fixed + self.rare + self.each * len(payload.parts)
        return replace(payload, seal=bytes(size))
