# SPDX-License-Identifier: Apache-2.0
"""Vehicle and RSU that seal, open and report, through losses, restarts, renewals and rotation."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from key_folders import DAY, Clock, ends, make_keys

from semcom_ros.channel import Channel
from semcom_ros.errors import SemcomError
from semcom_ros.link.certificates import CERTIFICATE_BYTES, Role
from semcom_ros.link.guard import Guard
from semcom_ros.link.keys import KeyFolder
from semcom_ros.link.keys_command import make
from semcom_ros.link.sealer import RENEW_S, Sealer
from semcom_ros.link.session import ReplayWindow
from semcom_ros.link.signed_report import SIGNATURE, STAMP, signed
from semcom_ros.payload import Header, Part, Payload, PayloadError, pack, unpack

SECOND = 10**9


class Link:
    """Frames that go, and reports that come back, ten a second."""

    def __init__(self, folder: Path, security: str) -> None:
        self.clock, self.folder, self.security = Clock(), folder, security
        self.sealer, self.guard = ends(folder, security, self.clock)
        self.sequence, self.began = 0, int(self.clock.now) * SECOND

    def payload(self, *parts: Part) -> Payload:
        self.sequence += 1
        stamp = self.began + self.sequence * SECOND // 10
        header = Header("gesco", 1, b"", 256, 512, "", self.sequence, stamp, vehicle=3)
        return Payload(header, parts or (Part("labels", 0, bits=b"map" * 20),))

    def send(self, payload: Payload | None = None) -> Payload:
        self.clock.now += 0.1
        payload = payload or self.payload()
        plan = self.sealer.plan(payload.header)
        sealed = plan.seal(payload)
        assert len(sealed.seal) == plan.fixed + plan.rare + plan.each * len(payload.parts)
        return unpack(pack(sealed))

    def report(self) -> dict[str, str]:
        self.clock.now += 0.001
        return self.guard.report({"loss": "0.1", "task": "where\nare the people?"})

    def go(self, frames: int = 2) -> None:
        """Frames in good order, each with a report."""
        for _ in range(frames):
            assert self.guard.open(self.send()).bits("labels") == b"map" * 20
            self.sealer.hear(self.report())


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_keys(tmp_path_factory.mktemp("keys"), 3)


def refused(guard: Guard, payload: Payload) -> str:
    with pytest.raises(PayloadError) as caught:
        guard.open(payload)
    assert caught.value.reason == "authentication"
    return str(caught.value)


@pytest.mark.parametrize(("security", "fixed"), [("signed", 78), ("session", 21)])
def test_a_seal_takes_its_bytes_and_eight_for_each_part(folder, security: str, fixed: int) -> None:
    link = Link(folder, security)
    link.go()
    for n in (1, 2, 5):
        payload = link.payload(*(Part(str(i), i, bits=b"x") for i in range(n)))
        link.clock.now -= 0.1
        assert len(link.send(payload).seal) == fixed + 8 * n


@pytest.mark.parametrize("security", ["signed", "session"])
def test_any_parts_may_be_lost_and_noise_is_no_forgery(folder, security: str) -> None:
    link = Link(folder, security)
    link.go()
    symbols = np.ones(40, np.complex64)
    parts = (Part("labels", 0, bits=b"m"), Part("image", 1, bits=b"i" * 99))
    parts += (Part("planes", 2, symbols=symbols),)
    channel = Channel(seed=1, channel="awgn", snr_db=20.0)
    for lost in product((False, True), repeat=3):
        sent = link.send(link.payload(*parts))
        assert security == "signed" or sent.bits("image") != parts[1].bits
        heard = [
            replace(part, bits=None, symbols=None, erased=True) if gone else part
            for part, gone in zip(sent.parts, lost, strict=True)
        ]
        arrived = unpack(pack(channel.transmit(replace(sent, parts=tuple(heard)))))
        opened = link.guard.open(arrived)
        assert [part.erased for part in opened.parts] == [*lost]
        for part, gone in zip(parts[:2], lost, strict=False):
            assert gone or opened.bits(part.name) == part.bits


def test_symbols_are_vouched_for_by_their_number(folder) -> None:
    link = Link(folder, "signed")
    sent = link.send(link.payload(Part("planes", 0, symbols=np.ones(8, np.complex64))))
    fewer = Part("planes", 0, symbols=np.ones(7, np.complex64))
    assert "planes" in refused(link.guard, replace(sent, parts=(fewer,)))
    link.guard.open(sent)


def test_the_certificate_goes_once_a_second_and_when_it_is_asked_for(folder) -> None:
    link = Link(folder, "signed")
    told = [len(link.send().seal) > CERTIFICATE_BYTES for _ in range(21)]
    assert [i for i, one in enumerate(told) if one] == [0, 10, 20]
    assert "asked for" in refused(link.guard, link.send())
    link.sealer.hear(link.report())
    link.guard.open(link.send())
    assert "certificate" not in link.report()


def test_an_rsu_that_was_started_anew_and_a_vehicle_too_go_on(folder) -> None:
    link = Link(folder, "session")
    link.go(3)
    old, session = link.send(), link.sealer.state
    link.guard = Guard("session", KeyFolder(folder, link.clock), 3)
    assert "not known" in refused(link.guard, link.send())
    link.sealer.hear(link.report())
    link.go(3)
    assert link.sealer.state.startswith("session") and link.sealer.state != session
    link.sealer, link.sequence = Sealer("session", KeyFolder(folder, link.clock), 3), 0
    link.go(3)
    assert refused(link.guard, old)


def test_a_session_is_renewed_after_an_hour_and_no_frame_is_lost_or_in_clear(folder) -> None:
    link = Link(folder, "session")
    link.go(3)
    names = set()
    for _ in range(6):
        link.clock.now += RENEW_S / 2
        late = link.send()
        link.go(1)
        names.add(link.sealer.state)
        # What comes out of order around the change is of the session before.
        assert link.guard.open(late).bits("labels") == b"map" * 20
        assert late.bits("labels") != b"map" * 20
    assert len(names) == 4 and all(name.startswith("session") for name in names)


def test_a_vehicle_whose_numbers_begin_again_takes_new_keys(folder) -> None:
    link = Link(folder, "session")
    link.go(3)
    link.sequence = 0
    link.go(3)
    assert link.sealer.state.startswith("session")


def test_an_older_start_of_the_vehicle_is_not_heard_again(folder) -> None:
    link = Link(folder, "signed")
    old = [link.send() for _ in range(3)]
    link.guard.open(old[0])
    link.clock.now += 1
    link.sealer, link.sequence = Sealer("signed", KeyFolder(folder, link.clock), 3), 0
    link.go()
    assert "clock went back" in refused(link.guard, old[1])


def test_a_vehicle_whose_clock_is_ahead_is_told_and_heard_when_it_is_right(folder) -> None:
    link, ahead = Link(folder, "signed"), Clock()
    ahead.now = link.clock.now + 3600
    link.sealer = Sealer("signed", KeyFolder(folder, ahead), 3)
    assert "synchronise the clocks" in refused(link.guard, link.send())
    link.sealer, link.sequence = Sealer("signed", KeyFolder(folder, link.clock), 3), 0
    link.go()


def test_keys_rotate_without_a_gap(tmp_path: Path) -> None:
    for security in ("signed", "session"):
        link = Link(make_keys(tmp_path / security, 3), security)
        link.go()
        before = link.sealer.plan(link.payload().header).own.certificate
        now = link.clock.now
        make(Role.AUTHORITY, 0, link.folder, None, (now - 30, now + 3 * DAY))
        make(Role.VEHICLE, 3, link.folder, None, (now - 30, now + 2 * DAY))
        make(Role.RSU, 0, link.folder, None, (now - 30, now + 2 * DAY))
        link.clock.now += 2
        link.go(3)
        link.clock.now += DAY  # the first pairs are out of date
        link.go(3)
        assert link.sealer.plan(link.payload().header).own.certificate != before
        assert link.sealer.state.startswith(security)


def test_a_vehicle_without_a_valid_key_sends_nothing_and_says_why(tmp_path: Path) -> None:
    link = Link(make_keys(tmp_path, 3), "signed")
    link.go()
    link.clock.now += 5 * DAY
    with pytest.raises(SemcomError, match="was valid until .* clock"):
        link.send()
    with pytest.raises(SemcomError, match="no key of vehicle 9"):
        Sealer("signed", KeyFolder(tmp_path), 9)


def test_only_true_and_new_reports_are_believed(folder) -> None:
    link = Link(folder, "session")
    link.guard.open(link.send())
    report = link.report()
    other = Guard("session", KeyFolder(folder, link.clock), 4).report({})
    bare = {key: value for key, value in report.items() if key != SIGNATURE}
    before = link.clock.now - 0.0005
    wrong = [
        {"loss": "0", "task": ""},
        {**report, "task": "nothing"},
        {**report, "answer": "00" * 32},
        {**report, "more": "x"},
        {**report, SIGNATURE: "00" * 64},
        {**report, SIGNATURE: "no"},
        {**report, STAMP: str(int(report[STAMP]) + 1)},
        {**report, STAMP: "9" * 400},
        signed({**bare, "answer": "no key"}, link.guard.keys.own(Role.RSU), before),
        other,
    ]
    for values in wrong:
        with pytest.raises(SemcomError):
            link.sealer.hear(values)
    assert link.sealer.state == "signed until a session is answered"
    link.sealer.hear(report)
    with pytest.raises(SemcomError, match="come before"):
        link.sealer.hear(report)
    late = link.report()
    link.clock.now += 11
    with pytest.raises(SemcomError, match="synchronise the clocks"):
        link.sealer.hear(late)
    assert link.sealer.refused == len(wrong) + 2
    link.go()


def test_the_window_tells_what_came_of_the_last_64() -> None:
    window, came = ReplayWindow(), set()
    rng = np.random.default_rng(0)
    for number in np.cumsum(rng.integers(1, 9, 400)):
        for sequence in map(int, number - rng.integers(0, 90, 5)):
            if sequence < 0:
                continue
            newest = max(came, default=0)
            assert window.holds(sequence) == (sequence in came or sequence <= newest - 64)
            if not window.holds(sequence):
                window.take(sequence)
                came.add(sequence)


@pytest.fixture(scope="module")
def spoken(folder) -> Iterator[Link]:
    link = Link(folder, "session")
    link.go(3)
    yield link


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.data(), st.binary(max_size=60), st.booleans())
def test_any_seal_is_read_or_refused(spoken: Link, data, noise: bytes, spliced: bool) -> None:
    sealer = data.draw(st.sampled_from(["signed", "session"]))
    made = Sealer(sealer, spoken.sealer.keys, 3) if sealer == "signed" else spoken.sealer
    payload = spoken.payload()
    seal = made.plan(payload.header).seal(payload).seal
    start, end = sorted(data.draw(st.integers(0, len(seal))) for _ in range(2))
    altered = seal[:start] + noise + seal[end:] if spliced else noise
    for guard in (spoken.guard, Guard("signed", spoken.sealer.keys)):
        if altered != seal:
            refused(guard, replace(payload, seal=altered))
