# SPDX-License-Identifier: Apache-2.0
"""Counting what never came."""

from __future__ import annotations

import numpy as np
import pytest

from semcom_ros.nodes.stamp_gaps import RECENT, StampGaps

PERIOD = 66_666_667


def missed(numbers: list[int], infos: bool = False, jitter: float = 0.0) -> tuple[int, StampGaps]:
    """Count over the images `numbers` of a camera, with camera_info for every one or none."""
    gaps, rng, total = StampGaps(), np.random.default_rng(2), 0
    for number in range(max(numbers) + 1):
        stamp = 10**18 + int((number + jitter * rng.uniform(-0.5, 0.5)) * PERIOD)
        if infos:
            gaps.info(stamp)
        if number in numbers:
            total += gaps.image(stamp)
    return total, gaps


@pytest.mark.parametrize("jitter", [0.0, 0.3])
def test_a_camera_that_loses_nothing_misses_nothing(jitter):
    total, gaps = missed(list(range(100)), jitter=jitter)
    assert total == 0 and gaps.lost == 0.0


def test_single_losses_are_counted_without_camera_info():
    total, gaps = missed([n for n in range(90) if n % 3 != 1 or n < 8])
    assert total == sum(n % 3 == 1 for n in range(8, 90) if n < 89)
    assert gaps.lost == pytest.approx(1 / 3, abs=0.05)


def test_where_hardly_any_comes_camera_info_tells_how_many_there_were():
    came = [0, 9, 14, 25, 40, 41, 59, 119]
    total, gaps = missed(came, infos=True)
    assert total == 119 - (len(came) - 1)
    assert gaps.lost > 0.9


def test_what_a_bag_that_is_played_anew_loses_is_counted_once():
    gaps, lost = StampGaps(), 5
    for again in (False, True):
        for number in range(10):
            gaps.info(number * PERIOD)
            if not again or number != lost:
                assert gaps.image(number * PERIOD) == (again and number == lost + 1)


def test_a_camera_that_is_itself_irregular_loses_nothing():
    gaps = StampGaps()
    for number in (0, 1, 2, 3, 4, 5, 6, 9, 10, 14, 15):
        gaps.info(number * PERIOD)
        assert gaps.image(number * PERIOD) == 0


def test_what_is_lost_now_is_forgotten_when_it_has_stopped():
    _, gaps = missed([*range(10), *range(20, 20 + RECENT + 1)])
    assert gaps.lost == 0.0


def test_a_pause_a_new_beginning_and_a_stamp_said_twice_are_no_loss():
    gaps = StampGaps()
    for start in (0, 10**11, 10**10):
        for number in range(10):
            assert gaps.image(start + number * PERIOD) == 0
            assert gaps.image(start + number * PERIOD) == 0
