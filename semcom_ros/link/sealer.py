# SPDX-License-Identifier: Apache-2.0
"""The vehicle's side of its link: payloads sealed, and the RSU's reports believed, or not."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from semcom_ros.errors import SemcomError
from semcom_ros.link import signed_report
from semcom_ros.link.certificates import (
    DIGEST_BYTES,
    SIGNATURE_BYTES,
    Certificate,
    Role,
    sign,
)
from semcom_ros.link.keys import KeyFolder, Pair
from semcom_ros.link.seal import (
    EPOCH_BYTES,
    EPOCHS_PER_S,
    OFFER_BYTES,
    SESSION_SEAL_BYTES,
    SIGNED_BYTES,
    Scheme,
    Seal,
    digest_of,
    vouched,
)
from semcom_ros.link.session import Session, offer_bytes
from semcom_ros.payload import Header, Payload

CERTIFICATE_EVERY_NS = 1_000_000_000
RENEW_S = 3600.0
"""How long a session lasts until the next is offered."""


class Sealer:
    """security: "signed" or "session". Until a session is agreed upon, payloads are signed.

    refused: reports of the link that were not believed. `plan` and `hear` are safe from two
    threads. Raises SemcomError where the folder has no valid key of the vehicle.
    """

    def __init__(self, security: str, keys: KeyFolder, vehicle: int) -> None:
        self.security, self.keys, self.vehicle = security, keys, vehicle
        self.refused = 0
        self._lock = threading.Lock()
        self._session: Session | None = None
        self._offered: tuple[X25519PrivateKey, Certificate] | None = None
        self._agreed_at, self._reported_ns = 0.0, -1
        self._told, self._told_ns = keys.own(Role.VEHICLE, vehicle).certificate, 0
        self._wanted, self._epoch, self._last = True, 0, 0

    @property
    def state(self) -> str:
        """What protects the payloads now."""
        session = self._session
        if session:
            return f"session {session.name.hex()}"
        return "signed" if self.security == "signed" else "signed until a session is answered"

    def plan(self, header: Header) -> PlannedSeal:
        """How the payload with this header is sealed. Raises SemcomError where no key is valid."""
        with self._lock:
            own = self.keys.own(Role.VEHICLE, self.vehicle)
            if header.sequence <= self._last or not self._epoch:
                # Numbers that begin again would repeat nonces, and be taken for a replay.
                self._session = None
                self._epoch = max(self._epoch + 1, int(EPOCHS_PER_S * self.keys.clock()))
            session = self._session
            if session and session.certificate != own.certificate:
                session = self._session = None
            offer = self._offer(own) if self.security == "session" else b""
            if session:
                rare = (OFFER_BYTES + SIGNATURE_BYTES) * bool(offer)
                return PlannedSeal(self, own, session, b"", offer, SESSION_SEAL_BYTES, rare)
            since_ns = abs(header.stamp - self._told_ns)
            due = self._wanted or since_ns >= CERTIFICATE_EVERY_NS or self._told != own.certificate
            # The first that is heard of several is to begin the session.
            due = due or bool(offer) and self._reported_ns < 0
            certificate = own.certificate.packed if due else b""
            # What comes before a session is rare, however little such payloads can spare.
            fixed = SESSION_SEAL_BYTES if offer else SIGNED_BYTES
            rare = SIGNED_BYTES - fixed + len(certificate) + len(offer)
            return PlannedSeal(self, own, None, certificate, offer, fixed, rare)

    def hear(self, values: Mapping[str, str]) -> None:
        """Take in a report of the link; raises SemcomError for one that is not to be believed."""
        try:
            signer, stamp = signed_report.check(values, self.keys, self.vehicle, self._reported_ns)
            with self._lock:
                self._reported_ns = stamp
                self._wanted |= values.get("certificate") == "wanted"
                self._agree(values, signer)
        except ValueError as error:
            self.refused += 1
            raise SemcomError(str(error)) from error

    def sealed(self, header: Header, told: Certificate | None) -> bytes:
        """Note that a payload is being sealed, with the certificate that it tells; its epoch."""
        with self._lock:
            self._last = header.sequence
            if told:
                self._told, self._told_ns, self._wanted = told, header.stamp, False
            return self._epoch.to_bytes(EPOCH_BYTES, "big")

    def _offer(self, own: Pair) -> bytes:
        """The public key of the session that is offered; b"" where the one in use will do."""
        if self._session and self.keys.clock() - self._agreed_at < RENEW_S:
            return b""
        if not self._offered or self._offered[1] != own.certificate:
            self._offered = X25519PrivateKey.generate(), own.certificate
        return self._offered[0].public_key().public_bytes_raw()

    def _agree(self, values: Mapping[str, str], signer: Certificate) -> None:
        """Use the session that the RSU answers; give up one that it does not know."""
        if self._offered:
            private, certificate = self._offered
            offer = private.public_key().public_bytes_raw()
            if values.get("offer") == offer.hex():
                answer = bytes.fromhex(values.get("answer", ""))
                self._session = Session(private, offer, answer, certificate, signer.digest)
                self._offered, self._agreed_at = None, self.keys.clock()
                return
        if self._session and self._session.name.hex() not in values.get("sessions", "").split(","):
            # Started anew, it knows no certificate either.
            self._session, self._wanted = None, True


@dataclass
class PlannedSeal:
    """How one payload is sealed, as `pipeline.transmitter.SealPlan` has it. certificate, offer: b""
    where the seal has none."""

    sealer: Sealer
    own: Pair
    session: Session | None
    certificate: bytes
    offer: bytes
    fixed: int
    rare: int
    each: int = DIGEST_BYTES

    def seal(self, payload: Payload) -> Payload:
        """The payload with its seal; in a session its bits are encrypted."""
        epoch = self.sealer.sealed(
            payload.header, self.own.certificate if self.certificate else None
        )
        offer = self.offer
        if self.session:
            offer += sign(self.own.key, offer_bytes(self.session.name, offer)) if offer else b""
            return self.session.seal(payload, offer)
        sender, digests = self.own.certificate.digest + epoch, tuple(map(digest_of, payload.parts))
        body = Seal(Scheme.SIGNED, sender, self.certificate, offer, digests).body
        return replace(payload, seal=body + sign(self.own.key, vouched(payload, body)))
