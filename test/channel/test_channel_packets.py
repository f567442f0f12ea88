# SPDX-License-Identifier: Apache-2.0
"""What happens to packets on their way to the RSU, in pure time."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from semcom_ros.channel.packets.airtime import airtime_s, service_time_s
from semcom_ros.channel.packets.delivery import Delivery
from semcom_ros.channel.parameters import resolve


def way(seed: int = 1, **values) -> Delivery[str]:
    return Delivery(resolve(values), seed)


def arrivals(delivery: Delivery, until_s: float = math.inf) -> list[tuple[float, int]]:
    """When what arrived, asking only when the delivery says to."""
    got = []
    while delivery.next_s is not None and delivery.next_s <= until_s:
        now_s = delivery.next_s
        got += [(now_s, item) for item in delivery.due(now_s)]
    return got


def accounted(d: Delivery) -> bool:
    return d.offered == d.delivered + d.dropped.total() + d.in_flight and d.in_flight >= 0


def test_a_way_without_hindrance_delivers_at_once_and_in_order() -> None:
    delivery = way()
    for number in range(5):
        delivery.offer(1.0, number, 1000, number)
    assert delivery.due(1.0) == [0, 1, 2, 3, 4]
    assert delivery.next_s is None
    assert (delivery.delivered, delivery.in_flight) == (5, 0)


def test_a_packet_arrives_after_the_delay_and_not_before() -> None:
    delivery = way(delay_ms=80.0)
    delivery.offer(2.0, "frame", 500, 0)
    assert delivery.next_s == pytest.approx(2.08)
    assert delivery.due(2.0799) == [] and delivery.in_flight == 1
    assert delivery.due(2.0801) == ["frame"] and delivery.in_flight == 0


def test_jitter_has_its_mean_and_spread_and_is_never_negative() -> None:
    delivery = way(delay_ms=10.0, jitter_ms=20.0, reorder=True)
    for number in range(20_000):
        delivery.offer(10.0 * number, number, 100, number)
    late = np.array([now_s - 10.0 * number - 0.01 for now_s, number in arrivals(delivery)])
    assert late.min() > -1e-9
    assert late.mean() == pytest.approx(0.02, rel=0.03)
    assert late.std() == pytest.approx(0.02, rel=0.03)


@pytest.mark.parametrize("reorder", [False, True])
def test_only_with_reorder_do_packets_overtake_each_other(reorder: bool) -> None:
    delivery = way(jitter_ms=300.0, reorder=reorder, duplicate=0.2)
    for number in range(300):
        delivery.offer(0.1 * number, number, 100, number)
    got = [number for _, number in arrivals(delivery)]
    assert (got == sorted(got)) is not reorder
    assert set(got) == set(range(300))


def test_a_shorter_delay_lets_no_packet_overtake_those_on_their_way() -> None:
    delivery = way(delay_ms=500.0)
    delivery.offer(0.0, "early", 100, 0)
    delivery.configure(resolve({}), 0.1)
    delivery.offer(0.1, "late", 100, 0)
    assert delivery.due(0.4) == []
    assert delivery.due(0.5) == ["early", "late"]


def test_the_asked_share_of_packets_arrives_twice_and_is_counted_aside() -> None:
    delivery = way(duplicate=0.3, jitter_ms=5.0)
    for number in range(10_000):
        delivery.offer(float(number), number, 100, number)
    got = arrivals(delivery)
    assert delivery.duplicated == len(got) - 10_000
    assert delivery.duplicated == pytest.approx(3000, rel=0.05)
    assert delivery.delivered == 10_000 and accounted(delivery)


def test_the_rate_limit_sets_the_time_between_packets() -> None:
    delivery = way(rate_kbps=80.0, queue=10)
    for number in range(4):
        delivery.offer(0.0, number, 1000, number)
    assert [t for t, _ in arrivals(delivery)] == pytest.approx([0.1, 0.2, 0.3, 0.4])


def test_what_waits_for_a_limit_goes_on_at_the_new_rate_from_the_moment_it_is_set() -> None:
    delivery = way(rate_kbps=8.0, queue=10)
    for number in range(3):
        delivery.offer(0.0, number, 1000, number)
    # Half of the first is sent at 8 kbit/s, its other half and the rest at 80.
    delivery.configure(resolve({"rate_kbps": 80.0, "queue": 10}), 0.5)
    assert [t for t, _ in arrivals(delivery)] == pytest.approx([0.55, 0.65, 0.75])


@pytest.mark.parametrize("rate_kbps", [5e-324, 1e-300, 1e-10, 0.1])
def test_lifting_a_limit_lifts_it_at_once_however_low_it_was(rate_kbps: float) -> None:
    delivery = way(rate_kbps=rate_kbps)
    for number in range(3):
        delivery.offer(0.0, number, 1000, number)
    assert delivery.due(60.0) == [] and math.isfinite(delivery.next_s)
    delivery.configure(resolve({}), 60.0)
    assert delivery.due(60.0) == [0, 1, 2]


def test_a_limit_set_while_running_holds_for_what_is_on_the_air() -> None:
    delivery = way(rate_kbps=80.0)
    delivery.offer(0.0, "frame", 1000, 0)
    delivery.configure(resolve({"rate_kbps": 1e-300}), 0.05)
    assert delivery.due(1e6) == [] and delivery.in_flight == 1


def test_a_turn_is_over_sooner_when_vehicles_leave() -> None:
    delivery = way(access="802.11p", vehicles_in_range=1000, snr_db=8.0)
    for number in range(2):
        delivery.offer(0.0, number, 512, number)
    assert delivery.due(0.1) == [0]
    many, one = (service_time_s(512, "802.11p", n, 8.0) for n in (1000, 1))
    delivery.configure(resolve({"access": "802.11p", "snr_db": 8.0}), 0.1)
    rest = (1 - 0.1 / many) * one + airtime_s(512, "802.11p", 8.0)
    assert [t for t, _ in arrivals(delivery)] == pytest.approx([0.1 + rest])


def test_a_full_queue_drops_what_waits_longest() -> None:
    delivery = way(rate_kbps=8.0, queue=2)
    for number in range(6):
        delivery.offer(0.01 * number, number, 1000, number)
    # The first is on the air at once; of the rest the newest two are left.
    assert [number for _, number in arrivals(delivery)] == [0, 4, 5]
    assert delivery.dropped["queue"] == delivery.dropped.total() == 3
    assert accounted(delivery)


def test_a_shorter_queue_drops_at_once() -> None:
    delivery = way(rate_kbps=8.0, queue=4)
    for number in range(5):
        delivery.offer(0.0, number, 1000, number)
    delivery.configure(resolve({"rate_kbps": 8.0, "queue": 1}), 0.0)
    assert delivery.dropped["queue"] == 3
    assert [number for _, number in arrivals(delivery)] == [0, 4]


def test_nothing_sent_in_a_blackout_arrives() -> None:
    delivery = way(blackout_s=2.0, blackout_every_s=10.0)
    for number in range(30):
        delivery.offer(number + 0.5, number, 100, number)
    got = [number for _, number in arrivals(delivery)]
    assert got == [n for n in range(30) if n % 10 not in (8, 9)]
    assert delivery.dropped["blackout"] == 6 and accounted(delivery)


def test_blackouts_come_by_the_time_of_the_drive_where_it_is_given() -> None:
    delivery = way(blackout_s=2.0, blackout_every_s=10.0)
    delivery.offer(5.0, "lost", 100, 0, drive_s=9.0)
    delivery.offer(9.0, "carried", 100, 0, drive_s=15.0)
    assert delivery.due(9.0) == ["carried"]


def test_what_is_in_flight_at_the_end_is_dropped_and_counted() -> None:
    delivery = way(rate_kbps=8.0, delay_ms=100.0, duplicate=1.0)
    for number in range(4):
        delivery.offer(0.0, number, 1000, number)
    assert delivery.due(1.2) == [0, 0]
    delivery.clear()
    assert delivery.next_s is None and delivery.due(1e9) == []
    assert delivery.dropped["stopped"] == 3 and accounted(delivery)


def test_the_same_seed_gives_the_same_way_and_another_setting_leaves_its_luck() -> None:
    def copies(**values) -> list[int]:
        delivery = way(3, duplicate=0.5, **values)
        for number in range(200):
            delivery.offer(float(number), number, 100, number)
        got = [number for _, number in arrivals(delivery)]
        return [number for number in range(200) if got.count(number) == 2]

    assert copies() == copies() == copies(jitter_ms=50.0, rate_kbps=100.0)


def test_a_frame_has_its_luck_whichever_frames_were_skipped_before() -> None:
    def met(frames: range) -> dict[int, list[float]]:
        delivery = way(3, duplicate=0.5, jitter_ms=100.0, reorder=True)
        for frame in frames:
            delivery.offer(0.1 * frame, frame, 100, frame)
        late: dict[int, list[float]] = {}
        for now_s, frame in arrivals(delivery):
            late.setdefault(frame, []).append(now_s)
        return late

    every, third = met(range(90)), met(range(0, 90, 3))
    assert third == {frame: every[frame] for frame in range(0, 90, 3)}


@settings(max_examples=60, deadline=None)
@given(
    steps=st.lists(
        st.tuples(st.floats(0, 0.5), st.sampled_from(["offer", "due", "clear", "drop", "rate"])),
        max_size=60,
    ),
    queue=st.integers(1, 3),
    reorder=st.booleans(),
)
def test_every_packet_is_accounted_for_at_all_times(steps, queue: int, reorder: bool) -> None:
    common = {"queue": queue, "reorder": reorder, "jitter_ms": 200.0, "duplicate": 0.5}
    delivery = way(blackout_s=1.0, blackout_every_s=4.0, rate_kbps=16.0, **common)
    now_s, got = 0.0, []
    for wait_s, action in steps:
        now_s += wait_s
        if action == "offer":
            delivery.offer(now_s, delivery.offered, 1000, delivery.offered)
        elif action == "due":
            got += delivery.due(now_s)
        elif action == "clear":
            delivery.clear()
        elif action == "drop":
            delivery.drop("failed")
        else:
            delivery.configure(resolve({**common, "rate_kbps": 4.0}), now_s)
        assert accounted(delivery)
        assert len(got) == delivery.delivered + delivery.duplicated


def test_adding_vehicles_costs_rate() -> None:
    delivered = []
    for vehicles in (1, 62, 124, 248):
        delivery = way(access="802.11p", vehicles_in_range=vehicles, snr_db=8.0, queue=1)
        for number in range(400):
            delivery.offer(0.1 * number, number, 512, number)
        delivery.due(40.0)
        delivered.append(delivery.delivered)
    assert delivered[:2] == [400, 400]
    assert delivered[2:] == pytest.approx([200, 100], rel=0.03)


def test_a_packet_on_a_shared_channel_is_late_by_its_own_airtime_only() -> None:
    delivery = way(access="802.11p", vehicles_in_range=100, snr_db=8.0)
    delivery.offer(0.0, "first", 512, 0)
    delivery.offer(0.0, "second", 512, 0)
    on_air, turn = airtime_s(512, "802.11p", 8.0), service_time_s(512, "802.11p", 100, 8.0)
    assert [t for t, _ in arrivals(delivery)] == pytest.approx([on_air, turn + on_air])
