# SPDX-License-Identifier: Apache-2.0
"""The 13 attacks of docs/security.md: each is refused, counted, and changes nothing."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from key_folders import DAY, Clock, ends, make_keys

from semcom_ros.codecs import codec_of
from semcom_ros.link.certificates import CERTIFICATE_BYTES, Certificate, Role, new_key
from semcom_ros.link.keys import REVOKED, KeyFolder, Pair
from semcom_ros.link.keys_command import make
from semcom_ros.link.sealer import Sealer
from semcom_ros.payload import Header, Part, Payload, PayloadError, pack, unpack
from semcom_ros.pipeline.receiver import Receiver

VEHICLE = 3


class Street:
    """A vehicle and its RSU that have spoken before, and what an attacker heard of it."""

    def __init__(self, security: str, folder: Path) -> None:
        self.clock, self.folder = Clock(), folder
        self.sealer, self.guard = ends(folder, security, self.clock, VEHICLE)
        self.receiver = Receiver("gesco", codec_of("gesco"), max_age_s=0, guard=self.guard.open)
        self.number = 0
        self.heard = [self.sent() for _ in range(2)]
        for payload in self.heard:
            assert self.refused(payload) is None
            self.clock.now += 0.1
            self.sealer.hear(self.guard.report({}))
        self.heard.append(self.sent())
        assert self.refused(self.heard[-1]) is None

    def plain(self, number: int = VEHICLE) -> Payload:
        self.number += 1
        stamp = int(1e9 * self.clock.now) + self.number
        header = Header(
            "gesco", 1, b"", 256, 512, "cityscapes19", self.number, stamp, vehicle=number
        )
        map = Part("labels", 0, bits=bytes([self.number]) * 50)
        return Payload(header, (map, Part("thumbnail", 1, bits=bytes([self.number]) * 20)))

    def sent(self, sealer: Sealer | None = None, number: int = VEHICLE) -> Payload:
        plain = self.plain(number)
        return (sealer or self.sealer).plan(plain.header).seal(plain)

    def refused(self, payload: Payload) -> str | None:
        try:
            self.receiver.receive(pack(payload), int(1e9 * self.clock.now))
        except PayloadError as error:
            assert error.reason == "authentication"
            return str(error)
        return None

    def stolen(self, certificate: Certificate, key=None) -> Payload:
        """A payload signed with a certificate that should not be believed."""
        sealer = Sealer("signed", KeyFolder(self.folder, self.clock), VEHICLE)
        pair = Pair(certificate, key or sealer.keys.own(Role.VEHICLE, VEHICLE).key)
        sealer.keys.own = lambda *_: pair
        # A session is the RSU's wish here, and an offer is what it lets in signed.
        sealer.security = self.sealer.security
        return self.sent(sealer)


def issued(street: Street, begins: float, ends: float, role: Role = Role.VEHICLE) -> Payload:
    """What the right authority issued for a time or a role that is not this."""
    key, number = new_key(), VEHICLE if role is Role.VEHICLE else 0
    authority, now = KeyFolder(street.folder).own(Role.AUTHORITY), int(time.time())
    validity = (int(now + begins), int(now + ends))
    return street.stolen(Certificate.issue(role, number, validity, key, authority), key)


def forged(street: Street) -> list[Payload]:
    good = street.sent()
    other = replace(good, seal=good.seal[:-16] + bytes(16))
    own = KeyFolder(street.folder).own(Role.VEHICLE, VEHICLE).certificate
    return [other, street.stolen(own, new_key())]


def replayed(street: Street) -> list[Payload]:
    return street.heard


def restamped(street: Street) -> list[Payload]:
    sent, later = street.sent(), street.heard[-1].header
    changes = ({"stamp": sent.header.stamp + 1}, {"sequence": sent.header.sequence + 1})
    altered = [replace(sent, header=replace(sent.header, **change)) for change in changes]
    fresh = replace(later, sequence=later.sequence + 9, stamp=later.stamp + 9)
    return [*altered, replace(street.heard[-1], header=fresh)]


def of_another_vehicle(street: Street) -> list[Payload]:
    other = Sealer(street.sealer.security, KeyFolder(street.folder, street.clock), 4)
    sent = street.sent(other, 4)
    return [sent, street.sent(other, VEHICLE), replace(sent, header=street.sent().header)]


def downgraded(street: Street) -> list[Payload]:
    bare = [street.plain(), replace(street.sent(), seal=b"")]
    if street.sealer.security == "signed":
        return bare
    offering = street.sent(Sealer("session", street.sealer.keys, VEHICLE))
    kind = bytes([offering.seal[0] & ~32])
    stripped = kind + offering.seal[1 : 14 + CERTIFICATE_BYTES] + offering.seal[-80:]
    signed = street.sent(Sealer("signed", street.sealer.keys, VEHICLE))
    return [*bare, replace(offering, seal=stripped), signed]


def bit_flipped(street: Street) -> list[Payload]:
    sent = street.sent()
    first, second = sent.parts
    flipped = replace(first, bits=bytes([first.bits[0] ^ 1]) + first.bits[1:])
    # The checksums are made anew by `pack`.
    return [
        replace(sent, parts=(flipped, second)),
        replace(sent, parts=(flipped, replace(second, bits=None, erased=True))),
        replace(sent, parts=(replace(first, importance=1), replace(second, importance=0))),
        replace(sent, seal=bytes([*sent.seal[:-1], sent.seal[-1] ^ 1])),
        replace(sent, seal=bytes([sent.seal[0], sent.seal[1] ^ 1]) + sent.seal[2:]),
    ]


def swapped_parts(street: Street) -> list[Payload]:
    one, other = street.sent(), street.sent()
    return [
        replace(one, parts=(other.parts[0], one.parts[1])),
        replace(one, parts=one.parts[::-1]),
        replace(one, parts=one.parts[:1]),
    ]


def expired(street: Street) -> list[Payload]:
    return [issued(street, -DAY, -60)]


def not_yet_valid(street: Street) -> list[Payload]:
    return [issued(street, 60, DAY)]


def revoked(street: Street) -> list[Payload]:
    own = KeyFolder(street.folder).own(Role.VEHICLE, VEHICLE).certificate
    sent = street.sent()
    (street.folder / REVOKED).write_text(f"{own.digest.hex()}  # stolen\n")
    street.clock.now += 2
    return [sent]


def of_another_authority(street: Street) -> list[Payload]:
    now, folder = time.time(), street.folder / "theirs"
    make(Role.AUTHORITY, 0, folder, None, (now - 60, now + DAY))
    theirs = make(Role.VEHICLE, VEHICLE, folder, None, (now - 60, now + DAY))
    key = KeyFolder(folder).own(Role.VEHICLE, VEHICLE).key
    ours = KeyFolder(street.folder).own(Role.AUTHORITY).certificate.digest
    return [street.stolen(theirs, key), street.stolen(replace(theirs, issuer=ours), key)] * 2


def of_an_rsu(street: Street) -> list[Payload]:
    own = KeyFolder(street.folder).own(Role.RSU)
    return [street.stolen(*own), issued(street, -60, DAY, Role.RSU)]


def cut_or_garbage(street: Street) -> list[Payload]:
    sent = street.sent()
    seals = [sent.seal[:n] for n in range(1, len(sent.seal))]
    seals += [sent.seal + b"\0", bytes(range(256)), b"\xff" * 90, b"\x01" * 94, b"\x02" * 37]
    return [replace(sent, seal=seal) for seal in seals]


ATTACKS = (
    forged, replayed, restamped, of_another_vehicle, downgraded, bit_flipped, swapped_parts,
    expired, not_yet_valid, revoked, of_another_authority, of_an_rsu, cut_or_garbage,
)  # fmt: skip


@pytest.mark.parametrize("security", ["signed", "session"])
@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.__name__)
def test_an_attack_is_refused_counted_and_changes_nothing(
    attack: Callable[[Street], list[Payload]], security: str, tmp_path: Path
) -> None:
    street = Street(security, make_keys(tmp_path, VEHICLE, 4))
    assert street.sealer.state.startswith(security)
    honest, payloads = street.sent(), attack(street)
    before = street.receiver.counters.snapshot()
    for payload in payloads:
        assert street.refused(unpack(pack(payload)))
    counts = street.receiver.counters.snapshot()
    assert counts["rejected"]["authentication"] == len(payloads)
    assert counts["received"] - before["received"] == len(payloads)
    assert counts["missing"] == 0
    if attack is not revoked:
        # The vehicle's own goes on, though it comes late.
        assert street.refused(honest) is None


def test_the_page_lists_them_all() -> None:
    page = (Path(__file__).parents[2] / "docs" / "security.md").read_text()
    assert all(f"`{attack.__name__}`" in page for attack in ATTACKS)
