# SPDX-License-Identifier: Apache-2.0
"""Who has the next turn, by a clock that the test moves: nobody starves, and nothing is late."""

from __future__ import annotations

import random
from collections import Counter
from typing import NamedTuple

import pytest

from semcom_ros.pipeline.schedule import MOST_WAITING, Schedule


class Picture(NamedTuple):
    vehicle: int
    came: float


class Junction:
    """Vehicles that send at their rates (Hz) to a painter of known speed, on one clock."""

    def __init__(self, rates: list[float], one_s: float, more_s: float, most: int, limit_s: float):
        self.now, self.one_s, self.more_s = 0.0, one_s, more_s
        self.schedule = Schedule(
            lambda one: one.vehicle, most=most, came=lambda one: one.came,
            limit_s=lambda: limit_s, clock=lambda: self.now,
        )  # fmt: skip
        rng = random.Random(1)
        self.due = {vehicle: rng.random() / rate for vehicle, rate in enumerate(rates)}
        self.rates, self.limit_s = rates, limit_s
        self.sent, self.superseded, self.in_time = Counter(), Counter(), Counter()
        self.late, self.sizes = Counter(), Counter()

    def drive(self, seconds: float) -> Junction:
        while self.now < seconds:
            self._let_come(self.now)
            batch, given_up = self.schedule.take()
            self.superseded.update(one.vehicle for one in given_up)
            if not batch:
                self.now = min(self.due.values())
                continue
            took = self.one_s + (len(batch) - 1) * self.more_s
            self._let_come(self.now + took)
            self.now += took
            self.schedule.done(batch)
            self.sizes[len(batch)] += 1
            for one in batch:
                kept = self.now <= one.came + self.limit_s or not self.limit_s
                (self.in_time if kept else self.late)[one.vehicle] += 1
        self.superseded.update(one.vehicle for one in self.schedule.clear())
        return self

    def _let_come(self, until: float) -> None:
        for vehicle, at in self.due.items():
            while at <= until:
                self.sent[vehicle] += 1
                given_up = self.schedule.put(Picture(vehicle, at))
                self.superseded.update(one.vehicle for one in given_up)
                at += 1 / self.rates[vehicle]
            self.due[vehicle] = at


def jain(shares: list[float]) -> float:
    return sum(shares) ** 2 / (len(shares) * sum(share**2 for share in shares))


@pytest.mark.parametrize(("n", "most"), [(4, 1), (16, 1), (50, 1), (50, 32)])
def test_under_overload_all_get_the_same_and_the_painter_never_idles(n: int, most: int) -> None:
    street = Junction([10.0] * n, 0.050, 0.005, most, 0.2).drive(20)
    assert jain([street.in_time[v] for v in range(n)]) >= 0.95
    for v in range(n):
        assert street.sent[v] == street.superseded[v] + street.in_time[v] + street.late[v]
    assert street.late.total() <= 0.01 * street.sent.total()
    # By batches it paints what would take five times as long one by one.
    assert street.in_time.total() >= 20 * (0.9 / 0.050 if most == 1 else 100)


def test_a_vehicle_that_floods_takes_nothing_from_the_others() -> None:
    fair = Junction([10.0] * 10, 0.012, 0.012, 1, 0.2).drive(20)
    flooded = Junction([100.0] + [10.0] * 9, 0.012, 0.012, 1, 0.2).drive(20)
    for v in range(1, 10):
        assert flooded.in_time[v] >= 0.99 * fair.in_time[v]


def test_a_painter_that_takes_many_at_once_keeps_up_with_fifty() -> None:
    street = Junction([10.0] * 50, 0.030, 0.001, 32, 0.2).drive(20)
    assert street.in_time.total() >= 0.98 * street.sent.total()


def test_a_batch_is_only_so_large_that_the_oldest_in_it_is_in_time() -> None:
    street = Junction([10.0] * 50, 0.020, 0.010, 32, 0.15).drive(20)
    assert max(street.sizes) <= 14  # 20 + 13 x 10 ms
    assert street.late.total() <= 0.01 * street.sent.total()


def test_what_one_more_costs_is_found_out_where_one_alone_nearly_takes_all_the_time() -> None:
    street = Junction([10.0] * 20, 0.055, 0.002, 32, 0.1).drive(20)
    # Frames that are no more than 30 to 45 ms old make it; one by one it would be 2 of 20.
    assert street.in_time.total() >= 0.4 * street.sent.total()
    assert street.late.total() <= 0.01 * street.sent.total()


def test_what_cannot_be_in_time_is_given_up_before_it_costs_anything() -> None:
    street = Junction([1.0], 0.1, 0.1, 1, 0.2)
    for came, vehicle in ((0.0, 1), (1.0, 0)):
        street.now = came
        street.schedule.put(Picture(vehicle, came))
        batch, given_up = street.schedule.take()
        assert (len(batch), given_up) == (1, [])
        street.now += 0.1
        street.schedule.done(batch)
    street.schedule.put(Picture(0, late := street.now))
    street.now += 0.15
    assert street.schedule.take() == ([], [Picture(0, late)])
    assert not street.schedule.ready()


def test_an_only_vehicles_late_pictures_are_painted_since_nobody_waits_for_them() -> None:
    street = Junction([10.0], 0.19, 0.19, 1, 0.2).drive(20)
    assert street.late.total() + street.in_time.total() >= 0.95 * 20 / 0.19


def test_a_limit_that_no_picture_can_keep_is_none() -> None:
    street = Junction([10.0, 10.0], 0.6, 0.6, 1, 0.2).drive(20)
    assert street.late.total() >= 0.9 * 20 / 0.6
    assert jain([street.late[0], street.late[1]]) >= 0.95


def test_one_slow_moment_does_not_shut_all_out_for_ever() -> None:
    street = Junction([10.0, 10.0], 0.01, 0.01, 1, 0.2)
    street.one_s = 0.19
    street.drive(0.3)
    street.one_s = 0.01
    for _ in range(20):  # by the time that they may be painted, they are 50 ms old
        street.now += 0.1
        street.schedule.put(Picture(0, street.now - 0.05))
        batch, _ = street.schedule.take()
        street.now += street.one_s if batch else 0
        street.schedule.done(batch) if batch else None
    assert street.schedule.estimate_s(1) < 0.15


def test_where_all_are_kept_the_longest_queue_gives_way() -> None:
    schedule = Schedule(lambda one: one.vehicle, newest_wins=False)
    assert schedule.put(Picture(1, 0.0)) == []
    for n in range(MOST_WAITING - 1):
        assert schedule.put(Picture(0, float(n))) == []
    assert schedule.put(Picture(2, 0.0)) == [Picture(0, 0.0)]
    batch, _ = schedule.take()
    assert batch == [Picture(1, 0.0), Picture(0, 1.0), Picture(2, 0.0)]


def test_where_as_many_wait_as_may_the_oldest_of_them_gives_way_to_one_more() -> None:
    schedule = Schedule(lambda one: one.vehicle, newest_wins=False, clock=lambda: 9.0)
    for n in range(MOST_WAITING):
        assert schedule.put(Picture(n, float(n))) == []
    assert schedule.put(Picture(MOST_WAITING, 0.0)) == [Picture(0, 0.0)]
    assert schedule.waits_s() == 9.0 and schedule.ready()
    assert len(schedule.clear()) == MOST_WAITING and schedule.waits_s() == 0.0


def test_nothing_is_remembered_of_a_vehicle_that_is_forgotten() -> None:
    schedule = Schedule(lambda one: one.vehicle)
    schedule.put(Picture(1, 0.0))
    batch, _ = schedule.take()
    schedule.put(Picture(1, 1.0))
    assert not schedule.ready()  # one of it is at work
    schedule.done(batch)
    assert schedule.forget(1) == [Picture(1, 1.0)]
    assert not (schedule._waiting or schedule._served or schedule._at_work)
