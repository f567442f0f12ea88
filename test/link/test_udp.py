# SPDX-License-Identifier: Apache-2.0
"""A link by UDP over bad roads: what arrives, what is counted, who is answered, who is refused."""

from __future__ import annotations

import os
import socket
import time
from collections import Counter

import pytest
from udp_bench import link, payload, until

from semcom_ros.errors import SemcomError
from semcom_ros.link import udp
from semcom_ros.link.datagram import ECHO, PAYLOAD, UNKNOWN, Datagram, Piece
from semcom_ros.link.peer import REACH, WINDOW, Peer, TokenBucket
from semcom_ros.link.sockets import open_socket, resolve


def send_all(to: udp.VehicleEnd, messages: list[bytes]) -> None:
    """One after the other: none takes another's turn."""
    for message in messages:
        sent = to.counts["sent"]
        to.send(message)
        until(lambda before=sent: to.counts["sent"] > before, "its turn")


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_payloads_and_reports_cross_as_they_are(host: str):
    with link(host) as b:
        vehicle, reports = b.vehicle()
        messages = [payload(1), payload(2, 5, 900), payload(3, 0), payload(4, 1, 40_000)]
        send_all(vehicle, messages)
        until(lambda: len(b.got) == 4, "the payloads")
        assert [data for _, data in b.got] == messages
        for report in (b"short", bytes(range(256)) * 20):
            b.rsu.send(report, 1)
            until(lambda r=report: r in reports, "the report")
        b.rsu.send(b"for another", 2)
        (peer,), (rsu,) = b.rsu.peers(), vehicle.peers()
        assert peer.rtt_ms < 1000 and rsu.rtt_ms < 1000 and reports[-1] != b"for another"
        assert not b.rsu.counts["lost"] and not vehicle.counts["lost"]


def test_on_a_bad_road_a_lost_datagram_is_a_lost_part_and_the_loss_is_known():
    with link() as b:
        relay = b.relay(loss=0.1, delay_ms=5, jitter_ms=30, duplicate=0.1, seed=3)
        vehicle, _ = b.vehicle(relay.port)
        messages = [payload(n, 3, 500) for n in range(1, 101)]
        for message in messages:
            send_all(vehicle, [message])
            time.sleep(0.01)  # the pace of the drive
        until(lambda: b.got and b.got[-1][0].header.sequence == 100, "the last")
        until(lambda: vehicle.counts["received"] > 1, "an answer")
        whole = sum(data in messages for _, data in b.got)
        in_part = sum(any(part.erased for part in came.parts) for came, _ in b.got)
        counts = b.rsu.counts
        assert whole + in_part == len(b.got) and 60 < whole < 98 and in_part > 2
        assert len(set(b.sequences())) == len(b.got) > 90
        assert counts["refused.duplicate"] > 5 and counts["received"] + counts["lost"] <= 202
        assert 0.03 < counts["lost"] / 200 < 0.2
        (rsu,) = vehicle.peers()
        until(lambda: rsu.loss_there is not None, "the share that is lost")
        assert 5 < rsu.rtt_ms < 200


def test_over_a_thin_road_what_is_sent_is_paced_and_the_newest_goes_first():
    with link() as b:
        relay = b.relay(rate_kbps=100)
        vehicle, _ = b.vehicle(relay.port, kbps=90)
        for number in range(1, 41):  # 500 bytes at 40 Hz are 180 kbit/s
            vehicle.send(payload(number, 1, 450))
            time.sleep(0.025)
        until(lambda: 40 in b.sequences(), "the newest")
        assert relay.lost == 0 and vehicle.counts["superseded"] > 5
        assert vehicle.counts["superseded"] + len(b.got) == 40
        assert b.sequences() == sorted(b.sequences())


def test_two_vehicles_are_told_apart_and_a_third_is_refused_until_one_is_forgotten(monkeypatch):
    with link(most_peers=2) as b:
        ends = [b.vehicle() for _ in range(3)]
        for number in (1, 2):
            send_all(ends[number - 1][0], [payload(number, vehicle=number)])
        until(lambda: len(b.got) == 2, "two vehicles")
        b.rsu.send(b"two", 2)
        until(lambda: ends[1][1] == [b"two"], "the report")
        assert not ends[0][1]
        third, _ = ends[2]
        send_all(third, [payload(3, vehicle=3)])
        until(lambda: b.rsu.counts["refused.full"], "the refusal")
        monkeypatch.setattr(udp, "SILENT_S", 0.5)
        ends[0][0].stop()
        until(lambda: 1 not in {peer.vehicle for peer in b.rsu.peers()}, "the first to be gone")
        send_all(third, [payload(4, vehicle=3)])
        until(lambda: 4 in b.sequences(), "the third")
        ends[0][0].start()


def test_a_vehicle_is_answered_where_its_newest_datagram_came_from():
    with link() as b:
        relay = b.relay()
        vehicle, reports = b.vehicle(relay.port)
        send_all(vehicle, [payload(1)])
        until(lambda: b.got, "the payload")
        (peer,), before = b.rsu.peers(), b.rsu.peers()[0].address
        relay.rebind()
        send_all(vehicle, [payload(2)])
        until(lambda: len(b.got) == 2, "the payload by another port")
        assert peer.address != before and b.rsu.peers() == [peer]
        b.rsu.send(b"here", 1)
        until(lambda: reports == [b"here"], "the report")


def test_either_end_that_was_started_anew_is_heard_again():
    with link() as b:
        relay = b.relay()
        for number in (1, 2):
            vehicle, reports = b.vehicle(relay.port)
            send_all(vehicle, [payload(number)])
            until(lambda n=number: len(b.got) == n, "the payload")
        with link() as anew:
            relay.to = ("127.0.0.1", anew.port)
            for number in (3, 4):
                send_all(vehicle, [payload(number)])
            until(lambda: len(anew.got) == 2, "payloads at another RSU")
            anew.rsu.send(b"here", 1)
            until(lambda: reports == [b"here"], "its report")
            assert not vehicle.counts["refused.late"] and anew.rsu.counts["lost"] == 0


def test_a_stranger_changes_nothing(monkeypatch):
    with link() as b:
        vehicle, reports = b.vehicle()
        send_all(vehicle, [payload(1)])
        until(lambda: b.got, "the payload")
        (peer,), own = b.rsu.peers(), vehicle._socket.getsockname()
        address = peer.address
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
            good = Datagram(PAYLOAD, peer.session, 1, 1, 1, 1, 0, Piece(body=payload(2))).pack()
            cut = [good[:n] for n in range(0, len(good), 7)]
            garbage = [os.urandom(n) for n in (0, 1, 60, 1200, 1201, 9000)]
            long = [good + bytes(1200)]
            other = Datagram(ECHO, b"stranger", 1, 1, 1, 1, UNKNOWN, Piece()).pack()
            for data in (*garbage, *long, *cut[:5]):
                stranger.sendto(data, ("127.0.0.1", b.port))
                stranger.sendto(data, ("127.0.0.1", own[1]))
            stranger.sendto(other, ("127.0.0.1", own[1]))
            until(lambda: vehicle.counts["refused.session"], "the refusal of the vehicle")
        send_all(vehicle, [payload(3)])
        until(lambda: len(b.got) == 2, "the next payload")
        assert b.sequences() == [1, 3] and peer.address == address
        assert b.rsu.counts["refused.malformed"] == 12 and vehicle.counts["refused.malformed"] == 12


def test_a_peer_stays_the_vehicle_that_it_was_and_what_is_no_payload_is_refused():
    with link() as b:
        vehicle, _ = b.vehicle()
        send_all(vehicle, [payload(1, vehicle=1), payload(2, vehicle=2), b"noise", bytes(3000)])
        send_all(vehicle, [payload(3, vehicle=1)])
        until(lambda: len(b.got) == 2, "the payloads")
        assert b.sequences() == [1, 3]
        assert (b.rsu.counts["refused.vehicle"], b.rsu.counts["refused.malformed"]) == (1, 2)


def test_one_that_floods_takes_nothing_from_others():
    one = Datagram(PAYLOAD, b"flooding", 0, 0, 0, 0, UNKNOWN, Piece(body=payload(1, vehicle=7)))
    with link(peer_kbps=400) as b, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as flood:
        quiet, _ = b.vehicle()
        for number in range(1, 21):
            for again in range(20):
                now = one._replace(sequence=20 * number + again)
                flood.sendto(now.pack(), ("127.0.0.1", b.port))
            send_all(quiet, [payload(number, vehicle=8)])
        until(lambda: b.got and b.got[-1][0].header.sequence == 20, "the last of the quiet one")
        came = Counter(one.header.vehicle for one, _ in b.got)
        assert came[8] == 20 and came[7] + b.rsu.counts["refused.flood"] == 400 > 2 * came[7]


def test_more_than_came_from_an_address_is_not_sent_there():
    with link() as b, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        one = Datagram(PAYLOAD, b"stranger", 1, 1, 0, 0, UNKNOWN, Piece(body=payload(1, 0))).pack()
        stranger.sendto(one, ("127.0.0.1", b.port))
        until(lambda: b.got, "the payload")
        for _ in range(20):
            sent = b.rsu.counts["withheld"] + b.rsu.counts["sent"]
            b.rsu.send(bytes(100), 1)
            until(lambda s=sent: b.rsu.counts["withheld"] + b.rsu.counts["sent"] > s, "its turn")
        (peer,) = b.rsu.peers()
        assert b.rsu.counts["withheld"] > 5 and peer.bytes_out < 3 * len(one) + 140


def numbered(sequence: int) -> Datagram:
    return Datagram(ECHO, b"", sequence % 2**32, 0, 0, 0, UNKNOWN, Piece())


def test_numbers_tell_what_is_new_lost_late_and_begun_anew():
    counts = Counter[str]()
    peer = Peer(b"", ("here", 1), 1e6, 0.0, counts)

    def take(sequence: int, port: int = 1) -> bool:
        return peer.take(numbered(sequence), ("here", port), 60, 10**6)

    start = 2**32 - 3
    assert [take(start + i) for i in (0, 1, 1, 5, 4, 4, 3)] == [1, 1, 0, 1, 1, 0, 1]
    assert counts == {"received": 5, "lost": 1, "refused.duplicate": 2}
    assert not take(start + 4, port=2) and peer.address == ("here", 1)
    assert take(start + 2 * WINDOW) and not take(start + WINDOW)
    assert counts["refused.late"] == 1
    lost = counts["lost"]
    assert take(start + 2 * WINDOW + REACH + 1, port=3) and counts["lost"] == lost
    assert peer.address == ("here", 3)


def test_a_bucket_gives_its_rate_and_its_burst():
    bucket = TokenBucket(8.0, 2000, 0.0)  # 1000 bytes a second
    assert [bucket.take(1000, 0.0) for _ in range(3)] == [True, True, False]
    assert bucket.wait_s(1000, 0.4) == pytest.approx(0.6) and bucket.take(1000, 1.0)
    assert bucket.wait_s(9000, 9.0) == 0  # what is larger than the burst goes when all is there


@pytest.mark.parametrize(
    ("bind", "sentence"),
    [
        ("192.0.2.1:5000", "bind is '192.0.2.1:5000': that is no address of this host"),
        ("127.0.0.1:70000", "it must be HOST:PORT"),
        ("127.0.0.1", "it must be HOST:PORT, as 192.0.2.7:47800, rsu.example:47800 or .2001"),
        ("::1:5000", "it must be HOST:PORT"),
        ("no.such.host.invalid:1", "no address is found for 'no.such"),
    ],
)
def test_what_cannot_be_bound_is_a_sentence(bind: str, sentence: str):
    with pytest.raises(SemcomError, match=sentence):
        open_socket(bind)


def test_a_port_in_use_is_a_sentence_and_every_socket_forbids_that_a_datagram_is_split():
    with open_socket("127.0.0.1:0", dscp=46) as taken:
        bind = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(SemcomError, match=f"bind is '{bind}': that port is in use"):
            open_socket(bind)
        assert taken.getsockopt(socket.IPPROTO_IP, socket.IP_TOS) == 46 << 2
        assert taken.getsockopt(socket.IPPROTO_IP, 10) == 2  # IP_MTU_DISCOVER: IP_PMTUDISC_DO
    with pytest.raises(SemcomError, match="no address is found for '::1'"):
        resolve("[::1]:5", "peer", socket.AF_INET)
