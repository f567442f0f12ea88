# SPDX-License-Identifier: Apache-2.0
"""Which packets the air loses, and shadowing: processes over the frames and the way of a drive."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from semcom_ros.channel.fading.shadowing import Shadowing
from semcom_ros.channel.packets.packet_loss import PacketLoss
from semcom_ros.errors import SemcomError


def losses(n: int, loss: float, burst: float = 0.0) -> np.ndarray:
    process = PacketLoss(loss, burst, seed=7)
    return np.array([process.lost(frame) for frame in range(n)])


def bursts(lost: np.ndarray) -> list[int]:
    return [len(list(run)) for bad, run in itertools.groupby(lost) if bad]


@pytest.mark.parametrize("loss", [0.0, 0.1, 0.5, 1.0])
def test_independent_loss_has_its_mean_and_short_bursts(loss: float) -> None:
    lost = losses(20_000, loss)
    assert lost.mean() == pytest.approx(loss, rel=0.05)
    if 0 < loss < 1:
        assert np.mean(bursts(lost)) == pytest.approx(1 / (1 - loss), rel=0.05)


@pytest.mark.parametrize(("loss", "burst"), [(0.0, 4.0), (0.05, 3.0), (0.2, 5.0), (0.5, 8.0)])
def test_bursty_loss_has_its_mean_loss_and_mean_burst(loss: float, burst: float) -> None:
    lost = losses(30_000, loss, burst)
    assert lost.mean() == pytest.approx(loss, rel=0.1)
    if loss:
        assert np.mean(bursts(lost)) == pytest.approx(burst, rel=0.1)


def test_a_burst_goes_on_when_the_loss_changes_and_ends_when_nothing_may_be_lost() -> None:
    process = PacketLoss(0.9, 1000.0, seed=1)
    assert process.lost(0)
    process.configure(0.01, 1000.0)
    assert sum(process.lost(frame) for frame in range(1, 21)) >= 19
    process.configure(0.0, 1000.0)
    assert not any(process.lost(frame) for frame in range(21, 41))


@pytest.mark.parametrize(("loss", "burst"), [(0.3, 0.0), (0.3, 4.0)])
def test_the_same_frames_are_lost_whichever_were_skipped(loss: float, burst: float) -> None:
    process, every = PacketLoss(loss, burst, seed=7), losses(999, loss, burst)
    assert [process.lost(frame) for frame in range(0, 999, 3)] == every[::3].tolist()


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
    assert all(process.lost(frame) for frame in range(20))


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


def test_shadowing_far_on_the_way_is_there_at_once_and_the_same_however_it_was_come_by() -> None:
    assert math.isfinite(Shadowing(4.0, 25.0, seed=2).at(1e15))
    driven, far = Shadowing(4.0, 25.0, seed=2), 2.5 * 2**17
    for way in np.arange(far - 10.0, far + 10.0, 1.3):
        assert driven.at(way) == Shadowing(4.0, 25.0, seed=2).at(way)
