# SPDX-License-Identifier: Apache-2.0
"""What happens to packets on their way: loss, delivery and shadowing, in pure time."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from semcom_ros.channel.airtime import airtime_s, service_time_s
from semcom_ros.channel.delivery import Delivery
from semcom_ros.channel.packet_loss import PacketLoss
from semcom_ros.channel.parameters import resolve
from semcom_ros.channel.shadowing import Shadowing
from semcom_ros.errors import SemcomError


def losses(n: int, loss: float, burst: float = 0.0) -> np.ndarray:
    process = PacketLoss(loss, burst, seed=7)
    return np.array([process.lost() for _ in range(n)])


def bursts(lost: np.ndarray) -> list[int]:
    return [len(list(run)) for bad, run in itertools.groupby(lost) if bad]


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


@pytest.mark.parametrize("loss", [0.0, 0.1, 0.5, 1.0])
def test_independent_loss_has_its_mean_and_short_bursts(loss: float) -> None:
    lost = losses(100_000, loss)
    assert lost.mean() == pytest.approx(loss, rel=0.05)
    if 0 < loss < 1:
        assert np.mean(bursts(lost)) == pytest.approx(1 / (1 - loss), rel=0.05)


@pytest.mark.parametrize(("loss", "burst"), [(0.0, 4.0), (0.05, 3.0), (0.2, 5.0), (0.5, 8.0)])
def test_bursty_loss_has_its_mean_loss_and_mean_burst(loss: float, burst: float) -> None:
    lost = losses(100_000, loss, burst)
    assert lost.mean() == pytest.approx(loss, rel=0.05)
    if loss:
        assert np.mean(bursts(lost)) == pytest.approx(burst, rel=0.05)


def test_a_burst_goes_on_when_the_loss_changes_and_ends_when_nothing_may_be_lost() -> None:
    process = PacketLoss(0.9, 1000.0, seed=1)
    assert process.lost()
    process.configure(0.01, 1000.0)
    assert sum(process.lost() for _ in range(20)) >= 19
    process.configure(0.0, 1000.0)
    assert not any(process.lost() for _ in range(20))


@pytest.mark.parametrize(
    ("loss", "burst", "sentence"),
    [
        (0.9, 2.0, "at most 0.667 of all"),
        (0.1, 0.5, "0, which loses each packet by itself"),
        (1.5, 0.0, "must be 0 to 1"),
        (math.nan, 0.0, "must be 0 to 1"),
        (0.1, math.nan, "burst is nan"),
    ],
)
def test_loss_that_cannot_be_is_refused_and_the_process_goes_on(
    loss: float, burst: float, sentence: str
) -> None:
    process = PacketLoss(1.0, 0.0, seed=1)
    with pytest.raises(SemcomError, match=sentence):
        process.configure(loss, burst)
    assert all(process.lost() for _ in range(20))


def test_a_way_without_hindrance_delivers_at_once_and_in_order() -> None:
    delivery = way()
    for number in range(5):
        delivery.offer(1.0, number, 1000)
    assert delivery.due(1.0) == [0, 1, 2, 3, 4]
    assert delivery.next_s is None
    assert (delivery.delivered, delivery.in_flight) == (5, 0)


def test_a_packet_arrives_after_the_delay_and_not_before() -> None:
    delivery = way(delay_ms=80.0)
    delivery.offer(2.0, "frame", 500)
    assert delivery.next_s == pytest.approx(2.08)
    assert delivery.due(2.0799) == [] and delivery.in_flight == 1
    assert delivery.due(2.0801) == ["frame"] and delivery.in_flight == 0


def test_jitter_has_its_mean_and_spread_and_is_never_negative() -> None:
    delivery = way(delay_ms=10.0, jitter_ms=20.0, reorder=True)
    for number in range(20_000):
        delivery.offer(10.0 * number, number, 100)
    late = np.array([now_s - 10.0 * number - 0.01 for now_s, number in arrivals(delivery)])
    assert late.min() > -1e-9
    assert late.mean() == pytest.approx(0.02, rel=0.03)
    assert late.std() == pytest.approx(0.02, rel=0.03)


@pytest.mark.parametrize("reorder", [False, True])
def test_only_with_reorder_do_packets_overtake_each_other(reorder: bool) -> None:
    delivery = way(jitter_ms=300.0, reorder=reorder, duplicate=0.2)
    for number in range(300):
        delivery.offer(0.1 * number, number, 100)
    got = [number for _, number in arrivals(delivery)]
    assert (got == sorted(got)) is not reorder
    assert set(got) == set(range(300))


def test_a_shorter_delay_lets_no_packet_overtake_those_on_their_way() -> None:
    delivery = way(delay_ms=500.0)
    delivery.offer(0.0, "early", 100)
    delivery.configure(resolve({}))
    delivery.offer(0.1, "late", 100)
    assert delivery.due(0.4) == []
    assert delivery.due(0.5) == ["early", "late"]


def test_the_asked_share_of_packets_arrives_twice_and_is_counted_aside() -> None:
    delivery = way(duplicate=0.3, jitter_ms=5.0)
    for number in range(10_000):
        delivery.offer(float(number), number, 100)
    got = arrivals(delivery)
    assert delivery.duplicated == len(got) - 10_000
    assert delivery.duplicated == pytest.approx(3000, rel=0.05)
    assert delivery.delivered == 10_000 and accounted(delivery)


def test_the_rate_limit_sets_the_time_between_packets() -> None:
    delivery = way(rate_kbps=80.0, queue=10)
    for number in range(4):
        delivery.offer(0.0, number, 1000)
    assert [t for t, _ in arrivals(delivery)] == pytest.approx([0.1, 0.2, 0.3, 0.4])


def test_a_full_queue_drops_what_waits_longest() -> None:
    delivery = way(rate_kbps=8.0, queue=2)
    for number in range(6):
        delivery.offer(0.01 * number, number, 1000)
    # The first is on the air at once; of the rest the newest two are left.
    assert [number for _, number in arrivals(delivery)] == [0, 4, 5]
    assert delivery.dropped == {"queue": 3, "blackout": 0, "stopped": 0}
    assert accounted(delivery)


def test_a_shorter_queue_drops_at_once() -> None:
    delivery = way(rate_kbps=8.0, queue=4)
    for number in range(5):
        delivery.offer(0.0, number, 1000)
    delivery.configure(resolve({"rate_kbps": 8.0, "queue": 1}))
    assert delivery.dropped["queue"] == 3
    assert [number for _, number in arrivals(delivery)] == [0, 4]


def test_nothing_sent_in_a_blackout_arrives() -> None:
    delivery = way(blackout_s=2.0, blackout_every_s=10.0)
    for number in range(30):
        delivery.offer(number + 0.5, number, 100)
    got = [number for _, number in arrivals(delivery)]
    assert got == [n for n in range(30) if n % 10 not in (8, 9)]
    assert delivery.dropped["blackout"] == 6 and accounted(delivery)


def test_blackouts_come_by_the_time_of_the_drive_where_it_is_given() -> None:
    delivery = way(blackout_s=2.0, blackout_every_s=10.0)
    delivery.offer(5.0, "lost", 100, drive_s=9.0)
    delivery.offer(9.0, "carried", 100, drive_s=15.0)
    assert delivery.due(9.0) == ["carried"]


def test_what_is_in_flight_at_the_end_is_dropped_and_counted() -> None:
    delivery = way(rate_kbps=8.0, delay_ms=100.0, duplicate=1.0)
    for number in range(4):
        delivery.offer(0.0, number, 1000)
    assert delivery.due(1.2) == [0, 0]
    delivery.clear()
    assert delivery.next_s is None and delivery.due(1e9) == []
    assert delivery.dropped["stopped"] == 3 and accounted(delivery)


def test_the_same_seed_gives_the_same_way_and_another_setting_leaves_its_luck() -> None:
    def copies(**values) -> list[int]:
        delivery = way(3, duplicate=0.5, **values)
        for number in range(200):
            delivery.offer(float(number), number, 100)
        got = [number for _, number in arrivals(delivery)]
        return [number for number in range(200) if got.count(number) == 2]

    assert copies() == copies() == copies(jitter_ms=50.0, rate_kbps=100.0)


@settings(max_examples=60, deadline=None)
@given(
    steps=st.lists(
        st.tuples(st.floats(0, 0.5), st.sampled_from(["offer", "due", "clear", "rate"])),
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
            delivery.offer(now_s, delivery.offered, 1000)
        elif action == "due":
            got += delivery.due(now_s)
        elif action == "clear":
            delivery.clear()
        else:
            delivery.configure(resolve({**common, "rate_kbps": 4.0}))
        assert accounted(delivery)
        assert len(got) == delivery.delivered + delivery.duplicated


def test_adding_vehicles_costs_rate() -> None:
    delivered = []
    for vehicles in (1, 62, 124, 248):
        delivery = way(access="802.11p", vehicles=vehicles, snr_db=8.0, queue=1)
        for number in range(400):
            delivery.offer(0.1 * number, number, 512)
        delivery.due(40.0)
        delivered.append(delivery.delivered)
    assert delivered[:2] == [400, 400]
    assert delivered[2:] == pytest.approx([200, 100], rel=0.03)


def test_a_packet_on_a_shared_channel_is_late_by_its_own_airtime_only() -> None:
    delivery = way(access="802.11p", vehicles=100, snr_db=8.0)
    delivery.offer(0.0, "first", 512)
    delivery.offer(0.0, "second", 512)
    on_air, turn = airtime_s(512, "802.11p", 8.0), service_time_s(512, "802.11p", 100, 8.0)
    assert [t for t, _ in arrivals(delivery)] == pytest.approx([on_air, turn + on_air])


def test_shadowing_has_its_spread_and_forgets_exponentially_with_the_way() -> None:
    shadowing = Shadowing(4.0, 25.0, seed=2)
    values = np.array([shadowing.at(5.0 * i) for i in range(200_000)])
    assert values.mean() == pytest.approx(0, abs=0.1)
    assert values.std() == pytest.approx(4.0, rel=0.02)
    for steps in (1, 5, 10):
        correlation = np.mean(values[:-steps] * values[steps:]) / values.var()
        assert correlation == pytest.approx(math.exp(-5.0 * steps / 25.0), abs=0.02)


def test_shadowing_stands_still_with_the_vehicle() -> None:
    shadowing = Shadowing(4.0, 25.0, seed=2)
    first = shadowing.at(100.0)
    assert shadowing.at(100.0) == first
    shadowing.configure(8.0, 25.0)
    assert shadowing.at(100.0) == pytest.approx(2 * first)
    shadowing.configure(0.0, 25.0)
    assert shadowing.at(140.0) == 0.0
