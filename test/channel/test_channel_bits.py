# SPDX-License-Identifier: Apache-2.0
"""Bits over the air: modulation, code, abstraction and the choice of a scheme, against theory."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from semcom_ros.channel.phy import block_errors
from semcom_ros.channel.phy.bit_link import RateControl, protect
from semcom_ros.channel.phy.block_errors import FLOOR, error_rate, snr_db_for
from semcom_ros.channel.phy.mcs import MCS_TABLE, symbols_needed
from semcom_ros.channel.phy.modulation import (
    MODULATIONS,
    constellation,
    hard_decide,
    modulate,
    mutual_information,
    snr_of_information,
    soft_decide,
)
from semcom_ros.channel.phy.sionna_phy import crc24
from semcom_ros.errors import SemcomError

MCS = {mcs.name: mcs for mcs in MCS_TABLE}


def random_bits(n: int) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 2, n, np.uint8)


def decibels(ratio: float) -> float:
    return 10 * np.log10(ratio)


@pytest.mark.parametrize(
    ("name", "index", "symbol"),
    [
        ("qpsk", 0b00, (1 + 1j) / 2**0.5),
        ("qpsk", 0b10, (-1 + 1j) / 2**0.5),
        ("16qam", 0b0000, (1 + 1j) / 10**0.5),
        ("16qam", 0b0110, (3 - 1j) / 10**0.5),
        ("16qam", 0b1011, (-3 + 3j) / 10**0.5),
        ("64qam", 0b000000, (3 + 3j) / 42**0.5),
        ("64qam", 0b101010, (-7 + 3j) / 42**0.5),
    ],
)
def test_symbols_are_those_of_5g(name: str, index: int, symbol: complex) -> None:
    assert constellation(name)[index] == pytest.approx(symbol, abs=1e-6)


@pytest.mark.parametrize("name", MODULATIONS)
def test_constellations_have_unit_power_and_neighbours_differ_in_one_bit(name: str) -> None:
    points = constellation(name)
    assert np.mean(np.abs(points) ** 2) == pytest.approx(1, abs=1e-6)
    distances = np.abs(points[:, None] - points)
    least = distances[distances > 1e-6].min()
    for a, b in zip(*np.nonzero(np.isclose(distances, least, rtol=1e-4)), strict=True):
        assert (int(a) ^ int(b)).bit_count() == 1


@pytest.mark.parametrize("name", MODULATIONS)
def test_without_noise_hard_and_soft_decisions_give_the_bits_back(name: str) -> None:
    bits = random_bits(1200)
    symbols = modulate(bits, name)
    assert (hard_decide(symbols, name) == bits).all()
    assert ((soft_decide(symbols, 0.01, name) < 0) == bits).all()


def test_soft_decisions_of_qpsk_are_its_formula() -> None:
    received = np.array([0.3 - 0.8j, -2 + 0.1j], np.complex64)
    variance = np.array([0.5, 2.0])
    scaled = 2 * 2**0.5 * received / variance
    expected = np.stack([scaled.real, scaled.imag], 1).reshape(-1)
    assert soft_decide(received, variance, "qpsk") == pytest.approx(expected, rel=1e-4)


def test_bits_that_fill_no_symbol_are_refused() -> None:
    with pytest.raises(SemcomError, match="5 bits fill no whole number of 16qam"):
        modulate(random_bits(5), "16qam")
    with pytest.raises(SemcomError, match="did you mean 'qpsk'"):
        modulate(random_bits(4), "qpks")


# Capacity of bit-interleaved coded modulation at these rates, by Monte-Carlo: Eb/N0 in dB.
@pytest.mark.parametrize(
    ("name", "rate", "eb_n0_db"),
    [("qpsk", 1 / 2, 0.19), ("16qam", 1 / 2, 2.27), ("16qam", 2 / 3, 3.70), ("64qam", 2 / 3, 6.71)],
)
def test_mutual_information_is_that_of_the_literature(
    name: str, rate: float, eb_n0_db: float
) -> None:
    snr_db = eb_n0_db + decibels(rate * MODULATIONS[name])
    assert decibels(snr_of_information(name, rate)) == pytest.approx(snr_db, abs=0.02)


@pytest.mark.parametrize("name", MODULATIONS)
def test_mutual_information_rises_from_0_to_1_and_has_an_inverse(name: str) -> None:
    snr = 10 ** (np.linspace(-25, 50, 200) / 10)
    information = mutual_information(name, snr)
    assert (np.diff(information) >= 0).all()
    assert information[0] < 0.01 and information[-1] == pytest.approx(1)
    rising = information < 0.999
    assert snr_of_information(name, information)[rising] == pytest.approx(snr[rising], rel=1e-3)


def test_the_crc_is_that_of_5g() -> None:
    assert crc24(np.frombuffer(b"123456789", np.uint8)) == 0xCDE703


def test_a_part_takes_the_symbols_of_its_bits_and_its_crc() -> None:
    assert symbols_needed(512, MCS["qpsk_1/2"]) == 4120
    assert symbols_needed(509, MCS["16qam_2/3"]) == 1536
    assert symbols_needed(0, MCS["qpsk_1/3"]) == 36


def test_schemes_run_from_the_most_robust_to_the_fastest() -> None:
    for slow, fast in itertools.pairwise(MCS_TABLE):
        assert slow.bits_per_symbol < fast.bits_per_symbol
        assert snr_db_for(slow.name, 1024, 0.1) < snr_db_for(fast.name, 1024, 0.1)


@pytest.mark.parametrize("mcs", MCS_TABLE)
@pytest.mark.parametrize("n_bytes", [1, 20, 512, 4000])
def test_block_errors_fall_with_the_snr_from_all_to_the_floor(mcs: object, n_bytes: int) -> None:
    rates = [block_errors.block_error_rate(mcs, n_bytes, s) for s in np.arange(-20, 40, 0.25)]
    assert all(a >= b for a, b in itertools.pairwise(rates))
    assert rates[0] == pytest.approx(1)
    assert rates[-1] == pytest.approx(FLOOR * (4 if n_bytes == 4000 else 1), rel=1e-3)


@pytest.mark.parametrize("mcs", MCS_TABLE)
def test_thresholds_lie_above_capacity_and_within_2_db_of_it(mcs: object) -> None:
    capacity_db = decibels(snr_of_information(mcs.modulation, mcs.code_rate))
    assert 0 < snr_db_for(mcs.name, 1024, 0.1) - capacity_db < 2
    assert error_rate(mcs.name, 1024, snr_db_for(mcs.name, 1024, 0.1)) == pytest.approx(0.1)


def test_the_effective_snr_of_a_flat_channel_is_its_snr_and_fades_cost() -> None:
    assert block_errors.effective_snr_db(np.full(100, 4.0), "16qam") == pytest.approx(
        decibels(4), abs=0.01
    )
    faded = block_errors.effective_snr_db(np.array([7.9, 0.1] * 50), "16qam")
    assert decibels(0.1) < faded < decibels(4) - 1


def test_parts_are_lost_as_often_as_the_abstraction_says() -> None:
    rng = np.random.default_rng(3)
    mcs = MCS["qpsk_1/2"]
    sinr = np.full(symbols_needed(128, mcs), 10 ** (1.1 / 10))
    arrivals = [block_errors.transmit(128, mcs, sinr, rng) for _ in range(2000)]
    rate = block_errors.block_error_rate(mcs, 128, 1.1)
    assert 0.1 < rate < 0.5
    assert arrivals[0][1] == pytest.approx(rate, rel=0.02)
    assert np.mean([not arrived for arrived, _ in arrivals]) == pytest.approx(rate, abs=0.03)


def test_a_block_in_a_fade_loses_a_part_of_several_blocks() -> None:
    mcs = MCS["qpsk_1/2"]
    sinr = np.full(symbols_needed(3000, mcs), 100.0)
    assert block_errors.transmit(3000, mcs, sinr, np.random.default_rng(0))[0]
    sinr[: len(sinr) // 3] = 0.1
    assert not block_errors.transmit(3000, mcs, sinr, np.random.default_rng(0))[0]


def test_sinrs_of_another_number_of_symbols_are_refused() -> None:
    with pytest.raises(SemcomError, match="take 4120 symbols"):
        block_errors.transmit(512, MCS["qpsk_1/2"], np.ones(7), np.random.default_rng(0))


def test_the_rate_goes_down_at_once_and_up_with_a_margin() -> None:
    control = RateControl(0.1)
    threshold_db = snr_db_for("16qam_1/2", 1048, 0.1)
    assert control.choose(None, 128).name == "qpsk_1/3"
    assert control.choose(threshold_db + 0.9, 128).name != "16qam_1/2"
    assert control.choose(threshold_db + 1.1, 128).name == "16qam_1/2"
    assert control.choose(threshold_db + 0.1, 128).name == "16qam_1/2"
    assert control.choose(threshold_db - 0.1, 128).name == "qpsk_2/3"
    assert control.choose(threshold_db + 0.9, 128).name == "qpsk_2/3"
    assert control.choose(60.0, 128) == MCS_TABLE[-1]
    assert control.choose(-20.0, 128) == MCS_TABLE[0]
    assert control.choose(None, 128) == MCS_TABLE[0]


def test_the_rate_chosen_keeps_block_errors_under_the_target() -> None:
    for snr_db, n_bytes in itertools.product(np.arange(0, 25, 0.7), (16, 128, 1000, 3000)):
        mcs = RateControl(0.05).choose(snr_db, n_bytes)
        assert block_errors.block_error_rate(mcs, n_bytes, snr_db) <= 0.0501


def test_unequal_protection_is_paid_for_by_the_least_important_part() -> None:
    mcs = MCS["16qam_1/2"]
    n_bytes, importances = [40, 100, 400], [0, 1, 2]
    assert protect(n_bytes, importances, mcs, unequal=False) == [mcs] * 3
    chosen = protect(n_bytes, importances, mcs, unequal=True)
    assert [c.name for c in chosen] == ["qpsk_1/2", "16qam_1/2", "16qam_2/3"]
    used = sum(map(symbols_needed, n_bytes, chosen))
    assert used <= sum(symbols_needed(n, mcs) for n in n_bytes)


def test_protection_stays_equal_where_nothing_can_pay_for_it() -> None:
    mcs = MCS["qpsk_1/2"]
    assert protect([1000, 20], [0, 1], mcs, unequal=True) == [mcs] * 2
    assert protect([100, 100], [3, 3], mcs, unequal=True) == [mcs] * 2
    assert protect([10, 900], [0, 1], MCS_TABLE[-1], unequal=True) == [MCS_TABLE[-1]] * 2
    assert protect([], [], mcs, unequal=True) == []
