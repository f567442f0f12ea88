# SPDX-License-Identifier: Apache-2.0
"""How long packets hold the air, against the figures of the two standards."""

from __future__ import annotations

import math

import numpy as np
import pytest

from semcom_ros.channel.packets.airtime import (
    airtime_s,
    bytes_on_air,
    channel_busy_ratio,
    service_time_s,
)
from semcom_ros.errors import SemcomError
from semcom_ros.payload import Header, Part, Payload, pack

HEADER = Header("gesco", 1, b"", 256, 512, "cityscapes19", 0, 1)


@pytest.mark.parametrize(
    ("n_bytes", "fitting"),
    [
        (128, (67, 129, 184, 234)),
        (256, (49, 95, 138, 180)),
        (512, (32, 62, 92, 119)),
        (1024, (18, 37, 54, 72)),
    ],
)
def test_as_many_80211p_vehicles_fit_at_10_hz_as_computed(n_bytes: int, fitting: tuple) -> None:
    for snr_db, vehicles in zip((5.0, 8.0, 11.0, 15.0), fitting, strict=True):
        one_s = service_time_s(n_bytes, "802.11p", 1, snr_db)
        assert math.floor(0.1 / one_s) == pytest.approx(vehicles, rel=0.02, abs=1)
        assert service_time_s(n_bytes, "802.11p", vehicles, snr_db) <= 0.1 * 1.01


def test_airtime_of_80211p_is_preamble_and_whole_symbols() -> None:
    # 128 + 194 bytes and 22 bits are 55 symbols of 48 bits at 6 Mbit/s.
    assert airtime_s(128, "802.11p", 8.0) == pytest.approx(40e-6 + 55 * 8e-6)
    assert airtime_s(128, "802.11p", 7.9) == pytest.approx(40e-6 + 73 * 8e-6)
    assert airtime_s(128, "802.11p", -20.0) == airtime_s(128, "802.11p", 5.0)
    assert airtime_s(128, "802.11p", 60.0) == airtime_s(128, "802.11p", 26.0)


def test_50_cv2x_vehicles_at_10_hz_and_5_db_send_605_bytes_each() -> None:
    # A block of 6200 bits less 170 bytes of headers.
    assert service_time_s(605, "c-v2x", 50, 5.0) == pytest.approx(0.1)
    assert service_time_s(606, "c-v2x", 50, 5.0) == pytest.approx(0.2)
    assert airtime_s(512, "c-v2x", 12.1) == airtime_s(1200, "c-v2x", 12.1) == pytest.approx(2e-3)


@pytest.mark.parametrize("access", ["802.11p", "c-v2x"])
def test_airtime_never_grows_with_the_snr_nor_shrinks_with_the_payload(access: str) -> None:
    snrs = np.arange(-20.0, 40.0, 0.5)
    times = [airtime_s(512, access, snr_db) for snr_db in snrs]
    assert times == sorted(times, reverse=True)
    sizes = [airtime_s(n, access, 10.0) for n in range(0, 2000, 50)]
    assert sizes == sorted(sizes)


def test_the_channel_is_as_busy_as_it_is_loaded_up_to_its_limit() -> None:
    one = channel_busy_ratio(512, "802.11p", 1, 8.0, 10.0)
    assert one == pytest.approx(10 * airtime_s(512, "802.11p", 8.0))
    assert channel_busy_ratio(512, "802.11p", 20, 8.0, 10.0) == pytest.approx(20 * one)
    assert channel_busy_ratio(512, "802.11p", 500, 8.0, 10.0) == 0.62
    assert channel_busy_ratio(512, "c-v2x", 500, 8.0, 10.0) == 1.0
    assert channel_busy_ratio(512, "none", 500, 8.0, 10.0) == 0.0


def test_a_symbol_counts_as_one_bit_on_the_air() -> None:
    parts = (Part("map", 0, bits=bytes(100)), Part("planes", 1, symbols=np.ones(801, np.complex64)))
    payload = Payload(HEADER, parts)
    without = len(pack(payload)) - 801 * 8
    assert bytes_on_air(payload, len(pack(payload))) == without + 101


def test_an_unknown_access_gets_a_sentence() -> None:
    with pytest.raises(SemcomError, match="did you mean '802.11p'"):
        airtime_s(512, "802.11", 8.0)
