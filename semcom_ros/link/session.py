# SPDX-License-Identifier: Apache-2.0
"""A session: keys that vehicle and RSU share, agreed upon by X25519 and signed on both sides.

Tags are AES-128-GCM over what is vouched for, and parts of bits are encrypted by AES-128-CTR. Each
has a key of its own, and no nonce is used twice under one: tag and part are numbered by the frame's
sequence number (a part by its place, too), the vehicle seals each number once in a session (`seal`
refuses what does not go up), and only the vehicle seals. A number is 32 bits, the nonces hold it
whole; the counter within a part takes 32 bits and a part has less than 2**18 blocks. Keys are never
written down: who is started anew begins a session anew.
"""

from __future__ import annotations

import hmac
import struct
from dataclasses import replace

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from semcom_ros.link.certificates import Certificate
from semcom_ros.link.keys import refusal
from semcom_ros.link.seal import SESSION_BYTES, Scheme, Seal, check_parts, digest_of, vouched
from semcom_ros.payload import Part, Payload

KEY_BYTES = 16
_TAG_NONCE, _PART_NONCE = struct.Struct(">8xI"), struct.Struct(">IB11x")
WINDOW = 64


def offer_bytes(session: bytes, offer: bytes) -> bytes:
    """What is signed of an offer that is made within a session."""
    return b"semcom offer" + session + offer


class ReplayWindow:
    """Which sequence numbers came: of those that are more than `WINDOW` behind, all did."""

    def __init__(self) -> None:
        self._newest = self._came = 0

    def holds(self, sequence: int) -> bool:
        """Whether a frame of this number came, or is too old to tell."""
        behind = self._newest - sequence
        return behind >= WINDOW or behind >= 0 and bool(self._came >> behind & 1)

    def take(self, sequence: int) -> None:
        """A frame of this number came."""
        ahead = sequence - self._newest
        if ahead > 0:
            self._came = (self._came << min(ahead, WINDOW)) % 2**WINDOW
            self._newest = sequence
        self._came |= 1 << self._newest - sequence


class Session:
    """What both ends hold of it. name: 4 bytes. certificate: the vehicle's. last: the newest number
    sealed.

    own: this end's ephemeral key. offer, answer: the vehicle's public key and the RSU's, of 32
    bytes. rsu: digest of its certificate. Raises PayloadError authentication where they agree on
    nothing.
    """

    def __init__(
        self,
        own: X25519PrivateKey,
        offer: bytes,
        answer: bytes,
        certificate: Certificate,
        rsu: bytes,
    ) -> None:
        peer = answer if own.public_key().public_bytes_raw() == offer else offer
        try:
            shared = own.exchange(X25519PublicKey.from_public_bytes(peer))
        except ValueError:
            raise refusal("The public key of a session is none.") from None
        about = b"semcom session" + offer + answer + certificate.digest + rsu
        made = HKDF(SHA256(), 2 * KEY_BYTES + SESSION_BYTES, None, about).derive(shared)
        tags, cipher, self.name = struct.unpack(f"{KEY_BYTES}s{KEY_BYTES}s{SESSION_BYTES}s", made)
        self._tags, self._cipher = AESGCM(tags), algorithms.AES(cipher)
        self.certificate, self.offer, self.answer = certificate, offer, answer
        self.window, self.last = ReplayWindow(), -1

    def seal(self, payload: Payload, offer: bytes) -> Payload:
        """The payload, its bits encrypted, with its seal and an offer of the next session."""
        assert payload.header.sequence > self.last, "a nonce would be used twice"
        self.last = payload.header.sequence
        sent = replace(payload, parts=self._crypted(payload))
        digests = tuple(map(digest_of, sent.parts))
        body = Seal(Scheme.SESSION, self.name, b"", offer, digests).body
        return replace(sent, seal=body + self._tag(sent, body))

    def open(self, payload: Payload, seal: Seal) -> Payload:
        """The payload as it was before `seal`; raises PayloadError authentication."""
        sequence = payload.header.sequence
        if self.window.holds(sequence):
            raise refusal(f"Frame {sequence} has come before, or is too old to tell.")
        check_parts(payload.parts, seal.digests)
        if not hmac.compare_digest(self._tag(payload, seal.body), seal.proof):
            raise refusal(f"Frame {sequence} was not sealed in its session, or was altered.")
        self.window.take(sequence)
        return replace(payload, parts=self._crypted(payload))

    def _tag(self, payload: Payload, body: bytes) -> bytes:
        nonce = _TAG_NONCE.pack(payload.header.sequence)
        return self._tags.encrypt(nonce, b"", vouched(payload, body))

    def _crypted(self, payload: Payload) -> tuple[Part, ...]:
        """The parts with their bits encrypted, or decrypted, which is the same."""
        return tuple(
            part
            if part.bits is None
            else replace(part, bits=self._stream(payload.header.sequence, place, part.bits))
            for place, part in enumerate(payload.parts)
        )

    def _stream(self, sequence: int, place: int, bits: bytes) -> bytes:
        nonce = modes.CTR(_PART_NONCE.pack(sequence, place))
        return Cipher(self._cipher, nonce).encryptor().update(bits)
