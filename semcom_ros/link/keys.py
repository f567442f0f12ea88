# SPDX-License-Identifier: Apache-2.0
"""A host's folder of keys: what it signs with, whom it trusts, and what is revoked.

own/NAME.cert and own/NAME.key     pairs of this host; of those valid now, the newest is used
trusted/NAME.cert                  certificates of authorities
revoked                            a digest a line, of 16 hexadecimal digits; # begins a comment

Files that come, change or go are heeded within a second, without a restart.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple, Self

from cryptography.hazmat.primitives.serialization import load_pem_private_key

from semcom_ros.errors import SemcomError
from semcom_ros.link.certificates import Certificate, PrivateKey, Role, curve_of
from semcom_ros.payload import PayloadError

OWN, TRUSTED, REVOKED = "own", "trusted", "revoked"
LOOK_S = 1.0
"""How often the folder is looked at."""
MOST_REMEMBERED = 4096
"""Certificates remembered as good, and as forged: nobody fills the memory with them."""


class Pair(NamedTuple):
    """A certificate and the key that it is about."""

    certificate: Certificate
    key: PrivateKey


class KeyFolder:
    """What is in `path` now. clock: s since 1970.

    trouble: what is wrong with the folder since it was read last, "" where nothing is; what was
    read before holds on. Raises SemcomError where it cannot be read at first.
    """

    def __init__(self, path: Path, clock: Callable[[], float] = time.time) -> None:
        self.path, self.clock, self.trouble = path, clock, ""
        if not path.is_dir():
            raise SemcomError(f"'{path}' is no folder of keys: make one with `semcom keys make`.")
        self._looked, self._state = clock(), self._files()
        self._read()

    @classmethod
    def named(cls, path: str) -> Self:
        """The folder that the parameter `keys` names; raises SemcomError where it names none."""
        if not path:
            raise SemcomError("security needs keys: name a folder that `semcom keys make` made.")
        return cls(Path(path).expanduser())

    def own(self, role: Role, number: int = 0) -> Pair:
        """The newest valid pair of this role and number. Raises SemcomError where there is none."""
        self._refresh()
        about = [
            p for p in self._own if (p.certificate.role, p.certificate.number) == (role, number)
        ]
        wrong = {pair: self.problem(pair.certificate) for pair in about}
        if good := [pair for pair in about if not wrong[pair]]:
            return max(good, key=lambda pair: pair.certificate.begins)
        if about:
            newest = max(about, key=lambda pair: pair.certificate.ends)
            raise SemcomError(f"Of the keys in '{self.path}', {wrong[newest]}")
        who = role.called(number)
        raise SemcomError(f"'{self.path}' holds no key of {who}: make it with `semcom keys make`.")

    def known(self, digest: bytes) -> Certificate | None:
        """The certificate of this digest, where `check` has found it issued by an authority."""
        return self._good.get(digest)

    def check(self, certificate: Certificate, role: Role) -> None:
        """Raise PayloadError authentication unless the certificate is of this role, valid now, not
        revoked, and issued by an authority that is trusted."""
        self._refresh()
        if certificate.role is not role:
            raise refusal(f"{certificate} stands where one of {role.called()} belongs.")
        authority = self._trusted.get(certificate.issuer)
        if authority is None:
            issuer = certificate.issuer.hex()
            raise refusal(f"{certificate} was issued by {issuer}, which is not trusted here.")
        if problem := self.problem(certificate) or self.problem(authority):
            raise refusal(problem)
        if certificate.digest in self._good:
            return
        forged = certificate.digest in self._forged or not certificate.issued_by(authority)
        remembered = self._forged if forged else self._good
        if len(remembered) >= MOST_REMEMBERED:
            remembered.clear()
        remembered[certificate.digest] = certificate
        if forged:
            raise refusal(f"{certificate} is forged: its issuer did not sign it.")

    def all(self) -> Iterator[tuple[str, Certificate]]:
        """Every certificate, with the name of the folder that holds it."""
        yield from ((TRUSTED, certificate) for certificate in self._trusted.values())
        yield from ((OWN, pair.certificate) for pair in self._own)

    def problem(self, certificate: Certificate) -> str:
        """Why a certificate does not hold now, as a sentence; "" where it does."""
        if {certificate.digest, certificate.issuer} & self._revoked:
            return f"{certificate} is revoked."
        now = self.clock()
        if certificate.begins <= now <= certificate.ends:
            return ""
        when = "was valid until" if now > certificate.ends else "is not valid before"
        edge = utc(certificate.ends if now > certificate.ends else certificate.begins)
        shown = f"the clock here shows {utc(now)}: set the clock, or issue another"
        return f"{certificate} {when} {edge}, and {shown}."

    def _refresh(self) -> None:
        if abs(self.clock() - self._looked) < LOOK_S:
            return
        self._looked = self.clock()
        try:
            before, self._state = self._state, self._files()
            if self._state != before:
                self._read()
                self.trouble = ""
        except (SemcomError, OSError) as error:
            self.trouble = f"the keys have changed and are not used: {error}"

    def _files(self) -> list[tuple[Path, float, int]]:
        """What there is, and how to tell whether it changes."""
        found = (*self.path.glob("*/*.cert"), *self.path.glob("*/*.key"), self.path / REVOKED)
        seen = [(file, file.stat()) for file in found if file.exists()]
        return sorted((file, one.st_mtime, one.st_size) for file, one in seen)

    def _read(self) -> None:
        try:
            trusted, own = (
                {file: _certificate(file) for file in self.path.glob(f"{folder}/*.cert")}
                for folder in (TRUSTED, OWN)
            )
            pairs = [Pair(one, _private_key(file.with_suffix(".key"))) for file, one in own.items()]
            revoked = frozenset(_revoked(self.path / REVOKED))
        except OSError as error:
            raise SemcomError(f"'{error.filename}' cannot be read: {error.strerror}.") from error
        authorities = (one for one in trusted.values() if one.role is Role.AUTHORITY)
        self._trusted = {one.digest: one for one in authorities}
        self._own, self._revoked = pairs, revoked
        self._good: dict[bytes, Certificate] = {}
        self._forged: dict[bytes, Certificate] = {}


def refusal(sentence: str) -> PayloadError:
    """The error of what is not authentic."""
    return PayloadError("authentication", sentence)


def utc(seconds: float) -> str:
    """A moment as people write it."""
    return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(seconds))


def _certificate(file: Path) -> Certificate:
    try:
        return Certificate.unpack(file.read_bytes())
    except SemcomError as error:
        raise SemcomError(f"'{file}' cannot be read: {error}") from error


def _private_key(file: Path) -> PrivateKey:
    if file.stat().st_mode & 0o077:
        raise SemcomError(f"The key '{file}' is open to others: `chmod 600` it, or make another.")
    try:
        return curve_of(load_pem_private_key(file.read_bytes(), None))
    except (ValueError, TypeError) as error:
        raise SemcomError(f"'{file}' is no private key of P-256 in PEM.") from error


def _revoked(file: Path) -> Iterator[bytes]:
    for line in file.read_text("utf-8").splitlines() if file.exists() else ():
        word = line.partition("#")[0].strip()
        try:
            if word:
                yield bytes.fromhex(word)
        except ValueError:
            raise SemcomError(
                f"'{file}' holds '{word}', which is no digest of a certificate."
            ) from None
