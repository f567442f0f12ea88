# SPDX-License-Identifier: Apache-2.0
"""Who signs: certificates of a vehicle, an RSU or the authority that issues them, as bytes.

A certificate is 119 bytes, big-endian: version, role, number of the vehicle (4), valid from and to
(4 each, s since 1970 UTC), the public key (a point of P-256, compressed, 33), the digest of the
issuer's certificate (8, zero of an authority's own), and the issuer's signature of all before it.
Signatures are ECDSA over P-256 with SHA-256, r and s of 32 bytes each (FIPS 186-5), digests the
last 8 bytes of SHA-256, as IEEE 1609.2 has them (HashedId8).
"""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass, replace
from enum import IntEnum
from functools import cached_property
from typing import Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from semcom_ros.errors import SemcomError

VERSION = 1
DIGEST_BYTES, SIGNATURE_BYTES = 8, 64
PrivateKey = ec.EllipticCurvePrivateKey
_BODY = struct.Struct(">BBIII33s8s")
CERTIFICATE_BYTES = _BODY.size + SIGNATURE_BYTES
_CURVE, _ECDSA = ec.SECP256R1(), ec.ECDSA(hashes.SHA256())
_NO_ISSUER = bytes(DIGEST_BYTES)


class Role(IntEnum):
    """What a certificate lets its holder do: issue others, send as a vehicle, report as an RSU."""

    AUTHORITY = 0
    VEHICLE = 1
    RSU = 2

    def called(self, number: int | None = None) -> str:
        """The holder in words."""
        return ("an authority", "a vehicle" if number is None else f"vehicle {number}", "an RSU")[
            self
        ]


@dataclass(frozen=True)
class Certificate:
    """begins, ends: s since 1970. key: of the holder, compressed. number: 0 but of a vehicle."""

    role: Role
    number: int
    begins: int
    ends: int
    key: bytes
    issuer: bytes = _NO_ISSUER
    signature: bytes = bytes(SIGNATURE_BYTES)

    @classmethod
    def unpack(cls, data: bytes) -> Self:
        """Raises SemcomError for bytes that are no certificate; who issued it is not looked at."""
        if len(data) != CERTIFICATE_BYTES or data[0] != VERSION or data[1] not in {*Role}:
            raise SemcomError(
                f"A certificate is {CERTIFICATE_BYTES} bytes of version {VERSION} and a role: "
                "these bytes are none."
            )
        _, role, number, begins, ends, key, issuer = _BODY.unpack_from(data)
        return cls(Role(role), number, begins, ends, key, issuer, data[_BODY.size :])

    def __str__(self) -> str:
        return f"The certificate {self.digest.hex()} of {self.role.called(self.number)}"

    @cached_property
    def packed(self) -> bytes:
        """Its bytes."""
        return self._body + self.signature

    @cached_property
    def digest(self) -> bytes:
        """Its name in seals and lists: 8 bytes."""
        return hashlib.sha256(self.packed).digest()[-DIGEST_BYTES:]

    def signed(self, data: bytes, signature: bytes) -> bool:
        """Whether its holder signed `data`: 47 us, of which forged ones take as much."""
        try:
            self._public.verify(_der(signature), data, _ECDSA)
        except (InvalidSignature, ValueError):  # the second, where its key is no point
            return False
        return True

    def issued_by(self, authority: Certificate) -> bool:
        """Whether `authority` signed it."""
        return authority.signed(self._body, self.signature)

    @cached_property
    def _public(self) -> ec.EllipticCurvePublicKey:
        return ec.EllipticCurvePublicKey.from_encoded_point(_CURVE, self.key)

    @property
    def _body(self) -> bytes:
        rest = (self.number, self.begins, self.ends, self.key, self.issuer)
        return _BODY.pack(VERSION, self.role, *rest)

    @classmethod
    def issue(
        cls,
        role: Role,
        number: int,
        validity: tuple[int, int],
        holder: PrivateKey,
        authority: tuple[Certificate, PrivateKey] | None = None,
    ) -> Certificate:
        """A certificate for the key `holder`, by `authority`, or of an authority by itself."""
        key = holder.public_key().public_bytes(Encoding.X962, PublicFormat.CompressedPoint)
        issuer = authority[0].digest if authority else _NO_ISSUER
        made = cls(role, number, *validity, key, issuer)
        return replace(made, signature=sign(authority[1] if authority else holder, made._body))


def curve_of(key: object) -> PrivateKey:
    """`key`, where it is one of P-256; raises TypeError for any other."""
    if not isinstance(key, PrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise TypeError("no key of P-256")
    return key


def new_key() -> PrivateKey:
    """A key pair of P-256."""
    return ec.generate_private_key(_CURVE)


def sign(key: PrivateKey, data: bytes) -> bytes:
    """The signature of `data`, 64 bytes."""
    r, s = utils.decode_dss_signature(key.sign(data, _ECDSA))
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def _der(signature: bytes) -> bytes:
    numbers = (int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big"))
    return utils.encode_dss_signature(*numbers)
