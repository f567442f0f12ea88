# SPDX-License-Identifier: Apache-2.0
"""Ages by the steady clock, where a bag or a simulation tells the time."""

from __future__ import annotations

from semcom_ros.nodes.clock_history import ClockHistory

YEARS = 1_300_000_000 * 10**9
"""A stamp of 2011: too long in nanoseconds for a float64 to tell them apart."""


def test_a_stamp_is_as_old_as_it_is_since_the_clock_showed_it():
    shown = ClockHistory()
    assert shown.reached(YEARS) is None
    for tick in range(5):  # at half the pace of the steady clock
        shown.tick(YEARS + tick * 10**8, 10**12 + tick * 2 * 10**8)
    assert shown.reached(YEARS + 2 * 10**8) == 10**12 + 4 * 10**8
    assert shown.reached(YEARS + 250_000_000) == 10**12 + 5 * 10**8
    assert shown.reached(YEARS + 1) == 10**12 + 2
    assert shown.reached(YEARS - 10**9) == 10**12
    assert shown.reached(YEARS + 4 * 10**8 + 1) is None, "what is to come has not been shown"


def test_a_clock_that_goes_back_begins_anew_and_old_ticks_are_forgotten():
    shown = ClockHistory(recent=2)
    for tick in range(4):
        shown.tick(tick, 10 * tick)
    assert shown.reached(0) == 20
    shown.tick(1, 100)
    assert shown.reached(1) == 100 and shown.reached(3) is None
