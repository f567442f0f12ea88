# SPDX-License-Identifier: Apache-2.0
"""The seal of a payload as bytes, and what it vouches for.

A seal begins with a byte: its scheme, and what more it holds (16: a certificate, 32: an offer).
signed: digest of the sender's certificate (8), epoch (5, when the sender was started, in 1/256 s
since 1970), the certificate (119), the offer (32), a digest for each part (8), and the signature
(64). session: name of the session (4), an offer (32) and the signature of it (64), a digest for
each part (8), and the tag (16). Signature and tag are of header, names of parts and the seal before
them, and so of the parts' digests: a part that is lost does not void the rest.

A digest is the last 8 bytes of SHA-256 of the bits as they cross. Of symbols, which noise changes,
it is of their number.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

from semcom_ros.link.certificates import CERTIFICATE_BYTES, DIGEST_BYTES, SIGNATURE_BYTES
from semcom_ros.link.keys import refusal
from semcom_ros.payload import Part, Payload, sealed_bytes

OFFER_BYTES, TAG_BYTES, SESSION_BYTES = 32, 16, 4
EPOCH_BYTES, EPOCHS_PER_S = 5, 256
SIGNED_BYTES = 1 + DIGEST_BYTES + EPOCH_BYTES + SIGNATURE_BYTES
SESSION_SEAL_BYTES = 1 + SESSION_BYTES + TAG_BYTES
_CERTIFICATE, _OFFER = 16, 32


class Scheme(IntEnum):
    """How a payload is sealed: by itself, or within a session."""

    SIGNED = 1
    SESSION = 2


_SCHEMES = {int(scheme): scheme for scheme in Scheme}
_LEAD = {Scheme.SIGNED: DIGEST_BYTES + EPOCH_BYTES, Scheme.SESSION: SESSION_BYTES}
_PROOF = {Scheme.SIGNED: SIGNATURE_BYTES, Scheme.SESSION: TAG_BYTES}


@dataclass(frozen=True)
class Seal:
    """A seal's fields; those that it lacks are b"". proof: signature or tag.

    sender: digest of a certificate and epoch, or name of a session. offer: in a session, with its
    signature.
    """

    scheme: Scheme
    sender: bytes
    certificate: bytes
    offer: bytes
    digests: tuple[bytes, ...]
    proof: bytes = b""

    @property
    def body(self) -> bytes:
        """All of its bytes before the proof."""
        flags = _CERTIFICATE * bool(self.certificate) | _OFFER * bool(self.offer)
        lead = bytes([self.scheme | flags]) + self.sender
        return lead + self.certificate + self.offer + b"".join(self.digests)

    @classmethod
    def read(cls, payload: Payload) -> Seal:
        """The seal of `payload`; any bytes give one, or PayloadError authentication."""
        data = payload.seal
        if not data:
            raise refusal(
                "The payload has no seal, and this RSU wants one: set security at both ends."
            )
        scheme, more = _SCHEMES.get(data[0] & 15), data[0] & 0xF0
        if scheme is None or more & ~(_CERTIFICATE | _OFFER):
            raise refusal(f"The payload's seal begins with {data[0]}, which is no scheme.")
        offer = OFFER_BYTES + SIGNATURE_BYTES * (scheme is Scheme.SESSION)
        sizes = (
            1,
            _LEAD[scheme],
            CERTIFICATE_BYTES if more & _CERTIFICATE else 0,
            offer if more & _OFFER else 0,
            *[DIGEST_BYTES] * len(payload.parts),
            _PROOF[scheme],
        )
        if len(data) != sum(sizes):
            raise refusal(f"The payload's seal has {len(data)} bytes instead of {sum(sizes)}.")
        _, sender, certificate, offered, *digests, proof = struct.unpack(
            "".join(f"{size}s" for size in sizes), data
        )
        return cls(scheme, sender, certificate, offered, tuple(digests), proof)


def vouched(payload: Payload, body: bytes) -> bytes:
    """What signature and tag are of."""
    return b"semcom payload" + struct.pack(">H", len(body)) + body + sealed_bytes(payload)


def digest_of(part: Part) -> bytes:
    """8 bytes that stand for what a part holds."""
    if part.bits is not None:
        held = b"bits" + part.bits
    else:
        held = b"symbols" + struct.pack(">I", 0 if part.symbols is None else len(part.symbols))
    return hashlib.sha256(held).digest()[-DIGEST_BYTES:]


def check_parts(parts: Sequence[Part], digests: Sequence[bytes]) -> None:
    """Raise PayloadError authentication where a part that came is not the one that was sealed."""
    for part, digest in zip(parts, digests, strict=True):
        if not part.erased and digest_of(part) != digest:
            raise refusal(f"Part '{part.name}' is not the one that the payload's seal names.")
