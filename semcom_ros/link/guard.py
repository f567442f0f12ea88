# SPDX-License-Identifier: Apache-2.0
"""The RSU's side of one vehicle's link: which payloads are the vehicle's own, and signed reports.

The cheapest check comes first, and what is refused changes nothing.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from semcom_ros.errors import SemcomError
from semcom_ros.link import signed_report
from semcom_ros.link.certificates import DIGEST_BYTES, Certificate, Role
from semcom_ros.link.keys import KeyFolder, refusal, utc
from semcom_ros.link.seal import EPOCHS_PER_S, OFFER_BYTES, Scheme, Seal, check_parts, vouched
from semcom_ros.link.session import ReplayWindow, Session, offer_bytes
from semcom_ros.link.signed_report import CLOCKS_S
from semcom_ros.payload import Payload

ASKS = "asking for the certificate"
MOST_SESSIONS = 3
"""The one in use, the one before, and one that was offered."""


class Guard:
    """security: the least that is let in, "signed" or "session". vehicle: the number whose payloads
    are let in; None takes the first that is authentic.

    news: what the vehicle should hear of at once, in words. in_session: payloads let in within a
    session. symbols: those with parts of symbols, which are vouched for by their number alone.
    Calls come one at a time.
    """

    def __init__(self, security: str, keys: KeyFolder, vehicle: int | None = None) -> None:
        self.security, self.keys, self.vehicle = security, keys, vehicle
        self._epoch, self._window = b"", ReplayWindow()
        self._sessions: OrderedDict[bytes, Session] = OrderedDict()
        self._newest: Session | None = None
        self.news, self.in_session, self.symbols = "", 0, 0

    def open(self, payload: Payload) -> Payload:
        """The payload as it was before its seal. Raises PayloadError authentication."""
        seal = Seal.read(payload)
        opened = payload
        if seal.scheme is Scheme.SESSION:
            opened = self._open_session(payload, seal)
            self.in_session += 1
        elif self.security == "session" and not seal.offer:
            raise refusal(
                "The payload is signed, and this RSU wants a session: set it at the vehicle."
            )
        else:
            self._check_signed(payload, seal)
        self.symbols += any(part.symbols is not None for part in payload.parts)
        return opened

    def report(self, values: Mapping[str, str]) -> dict[str, str]:
        """The link's report with what the vehicle must hear of sessions and certificates, signed.

        Raises SemcomError where the RSU has no valid key.
        """
        told = {"certificate": "wanted"} if self.news == ASKS else {}
        self.news = ""
        if self.security == "session":
            told["sessions"] = ",".join(name.hex() for name in self._sessions)
            if self._newest:
                told |= {"offer": self._newest.offer.hex(), "answer": self._newest.answer.hex()}
        vehicle = "" if self.vehicle is None else str(self.vehicle)
        pair = self.keys.own(Role.RSU)
        return signed_report.signed({**values, **told, "vehicle": vehicle}, pair, self.keys.clock())

    def _open_session(self, payload: Payload, seal: Seal) -> Payload:
        session = self._sessions.get(seal.sender)
        if session is None:
            self.news = "asking for another session"
            raise refusal(f"The session {seal.sender.hex()} is not known here, or no longer.")
        self._check_sender(session.certificate, payload)
        opened = session.open(payload, seal)
        self._sessions.move_to_end(session.name)
        if seal.offer:
            offer, signature = seal.offer[:OFFER_BYTES], seal.offer[OFFER_BYTES:]
            if not session.certificate.signed(offer_bytes(session.name, offer), signature):
                raise refusal("The offer of the next session is not signed by the vehicle.")
            self._answer(offer, session.certificate)
        return opened

    def _check_signed(self, payload: Payload, seal: Seal) -> None:
        digest, epoch = seal.sender[:DIGEST_BYTES], seal.sender[DIGEST_BYTES:]
        certificate = self.keys.known(digest)
        if certificate is None:
            certificate = self._certificate_in(seal, digest)
        self._check_sender(certificate, payload)
        sequence, now = payload.header.sequence, self.keys.clock()
        began = int.from_bytes(epoch, "big") / EPOCHS_PER_S
        if began > now + CLOCKS_S:  # when its clock is set right, it would be taken for a replay
            raise refusal(
                f"Vehicle {certificate.number} says that it was started at {utc(began)}, and the "
                f"clock here shows {utc(now)}: synchronise the clocks."
            )
        if epoch < self._epoch:
            raise refusal(
                f"Vehicle {certificate.number} was started before the one that is heard now: it is "
                "a replay, or the vehicle's clock went back."
            )
        if epoch == self._epoch and self._window.holds(sequence):
            raise refusal(f"Frame {sequence} has come before, or is too old to tell.")
        check_parts(payload.parts, seal.digests)
        if not certificate.signed(vouched(payload, seal.body), seal.proof):
            raise refusal(f"Frame {sequence} was not signed by its sender, or was altered.")
        if seal.offer and self.security == "session":
            self._answer(seal.offer, certificate)
        if epoch > self._epoch:
            self._epoch, self._window = epoch, ReplayWindow()
        self._window.take(sequence)
        self.vehicle = certificate.number

    def _certificate_in(self, seal: Seal, digest: bytes) -> Certificate:
        if not seal.certificate:
            self.news = ASKS
            raise refusal(
                f"The certificate {digest.hex()} has not been heard yet: it is asked for."
            )
        try:
            certificate = Certificate.unpack(seal.certificate)
        except SemcomError as error:
            raise refusal(str(error)) from error
        if certificate.digest != digest:
            raise refusal(f"The payload names the certificate {digest.hex()} and brings another.")
        return certificate

    def _check_sender(self, certificate: Certificate, payload: Payload) -> None:
        self.keys.check(certificate, Role.VEHICLE)
        number = payload.header.vehicle
        if certificate.number != number or self.vehicle not in (None, number):
            raise refusal(
                f"A payload of vehicle {number} came with the certificate of vehicle "
                f"{certificate.number}, where those of "
                f"{'any' if self.vehicle is None else self.vehicle} belong."
            )

    def _answer(self, offer: bytes, certificate: Certificate) -> None:
        """Agree on a session with what the vehicle offers, once for each offer."""
        if any(session.offer == offer for session in self._sessions.values()):
            return
        try:
            rsu = self.keys.own(Role.RSU).certificate.digest
        except SemcomError:  # told where the report is to be signed
            return
        own = X25519PrivateKey.generate()
        answer = own.public_key().public_bytes_raw()
        self._newest = Session(own, offer, answer, certificate, rsu)
        self._sessions[self._newest.name] = self._newest
        self.news = "answering an offered session"
        while len(self._sessions) > MOST_SESSIONS:
            self._sessions.popitem(last=False)
