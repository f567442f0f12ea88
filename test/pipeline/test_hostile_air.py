# SPDX-License-Identifier: Apache-2.0
"""A drive over bad air in pure time: how old what the RSU knows is, and that nothing is unaccounted
for. The limits are those of docs/reliability.md."""

from __future__ import annotations

import numpy as np
import pytest

from semcom_ros.channel import Channel
from semcom_ros.channel.packets.delivery import Delivery
from semcom_ros.codecs import codec_of
from semcom_ros.payload import Header, Part, Payload, PayloadError
from semcom_ros.pipeline.receiver import Receiver

MS = 10**6
PERIOD_MS, START_NS = 100, 1_700_000_000_000 * MS


class Drive:
    """Frames every 100 ms through radio, air and receiver of one vehicle.

    outputs: when each was let in and when it was captured, in ms of the drive.
    """

    def __init__(self, frames: int, rsu_ahead_ms: float = 0.0, **radio: float | bool) -> None:
        channel = Channel(3, **radio)
        delivery: Delivery[Payload] = Delivery(channel.current, 3)
        self.receiver = Receiver("gesco", codec_of("gesco"))
        self.outputs: list[tuple[int, int]] = []
        self.refused: dict[str, int] = {}
        self.waited = 0
        for ms in range(0, PERIOD_MS * frames, 10):
            if ms % PERIOD_MS == 0:
                payload = frame(ms // PERIOD_MS + 1, ms)
                delivery.offer(ms / 1e3, channel.transmit(payload), 512, channel.frame)
            came = delivery.due(ms / 1e3)
            self.waited = max(self.waited, delivery.in_flight)
            for payload in came:
                try:
                    self.receiver.admit(payload, START_NS + int((ms + rsu_ahead_ms) * MS))
                    self.outputs.append((ms, (payload.header.stamp - START_NS) // MS))
                except PayloadError as error:
                    self.refused[error.reason] = self.refused.get(error.reason, 0) + 1

    def ages_ms(self) -> tuple[np.ndarray, np.ndarray]:
        """When, every 10 ms from the first output on, and the age of the newest that is known."""
        at, captured = np.array(self.outputs).T
        times = np.arange(at[0], at[-1], 10)
        return times, times - captured[np.searchsorted(at, times, side="right") - 1]


def frame(sequence: int, ms: int) -> Payload:
    stamp = START_NS + ms * MS
    header = Header("gesco", 1, b"", 256, 512, "cityscapes19", sequence, stamp)
    return Payload(header, (Part("labels", 0, bits=b"map"),))


@pytest.mark.parametrize("loss", [0.0, 0.01, 0.05, 0.1, 0.2, 0.5])
def test_1_what_is_not_lost_comes_out_and_is_as_old_as_the_formula_says(loss: float) -> None:
    drive, n = Drive(2000, loss=loss, delay_ms=20.0), 2000
    assert len(drive.outputs) / n == pytest.approx(1 - loss, abs=0.02)
    _, ages = drive.ages_ms()
    expected = PERIOD_MS / 2 + 20 + PERIOD_MS * loss / (1 - loss)
    assert ages.mean() + 5 == pytest.approx(expected, rel=0.05)  # looked at every 10 ms


@pytest.mark.parametrize("burst", [5.0, 20.0, 50.0])
def test_2_after_a_burst_what_is_known_is_no_older_than_the_burst(burst: float) -> None:
    drive = Drive(3000, loss=0.1, burst=burst, delay_ms=20.0)
    captured = np.array([then for _, then in drive.outputs])
    longest = int(np.diff(captured).max()) // PERIOD_MS - 1
    assert longest > burst
    assert drive.ages_ms()[1].max() <= (longest + 1) * PERIOD_MS + 20


@pytest.mark.parametrize(
    "radio",
    [
        {"jitter_ms": 50.0, "reorder": True},
        {"jitter_ms": 65.0},  # its 99th percentile is 300 ms
        {"rate_kbps": 38.0, "queue": 8},  # less than is sent: the queue is always full
    ],
)
def test_6_ten_minutes_of_jitter_or_full_queues_let_no_age_grow(radio: dict) -> None:
    drive = Drive(6000, **radio)
    times, ages = drive.ages_ms()
    first, last = ages[(times > 60e3) & (times < 180e3)], ages[times > times[-1] - 120e3]
    assert last.mean() <= 1.1 * first.mean()
    assert drive.waited <= 20
    captured = [then for _, then in drive.outputs]
    assert all(a < b for a, b in zip(captured, captured[1:], strict=False))


@pytest.mark.parametrize("ahead_ms", [1, 10, 100, -1, -10, -100])
def test_7_clocks_that_differ_by_up_to_100_ms_cost_nothing(ahead_ms: int) -> None:
    drive = Drive(50, rsu_ahead_ms=ahead_ms)
    assert len(drive.outputs) == 50


@pytest.mark.parametrize("ahead_s", [1.1, -1, 37, -37, 3600, -3600])
def test_7_clocks_that_differ_by_more_let_nothing_in_by_its_reason(ahead_s: float) -> None:
    drive = Drive(50, rsu_ahead_ms=1e3 * ahead_s)
    assert not drive.outputs and drive.refused == {"stale": 50}


def test_7_a_clock_that_drifts_by_50_ppm_shuts_nothing_out_for_half_an_hour() -> None:
    receiver = Receiver("gesco", codec_of("gesco"))
    for ms in range(0, 1_800_000, 1000):
        receiver.admit(frame(ms // 1000 + 1, ms), START_NS + int(ms * MS * (1 - 50e-6)))
