# SPDX-License-Identifier: Apache-2.0
"""The exact chain of bits over the air, against Sionna and against the link abstraction."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("sionna", reason="sionna-no-rt is not installed")

from semcom_ros.channel.phy.mcs import MCS_TABLE, symbols_needed  # noqa: E402
from semcom_ros.channel.phy.modulation import MODULATIONS  # noqa: E402
from semcom_ros.errors import SemcomError  # noqa: E402

MCS = {mcs.name: mcs for mcs in MCS_TABLE}


def random_bits(n: int) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 2, n, np.uint8)


def decibels(ratio: float) -> float:
    return 10 * np.log10(ratio)


@pytest.fixture(scope="module")
def link() -> object:
    import torch

    from semcom_ros.channel.phy.sionna_phy import ExactLink

    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    made = ExactLink()
    assert torch.equal(torch.rand(3), expected), "the import of Sionna changed torch's generator"
    return made


def lost(link: object, name: str, n_bytes: int, snr_db: float, blocks: int) -> float:
    rng = np.random.default_rng(5)
    gains = np.ones(symbols_needed(n_bytes, MCS[name]), np.complex64)
    variance = 10 ** (-snr_db / 10)
    results = []
    for _ in range(blocks):
        data = rng.bytes(n_bytes)
        received = link.transmit(data, MCS[name], gains, variance, rng)
        assert received in (None, data)
        results.append(received is None)
    return float(np.mean(results))


def test_torch_draws_what_it_would_have_drawn_without_sionna(link: object) -> None:
    from semcom_ros.channel.fading.sionna import load_sionna

    assert load_sionna().config.device == "cpu"


@pytest.mark.parametrize(("n_bytes", "name"), [(20, "qpsk_1/3"), (125, "qpsk_1/2"),
                                               (300, "64qam_5/6"), (509, "16qam_2/3")])  # fmt: skip
def test_the_coded_bits_are_those_that_sionna_makes_for_this_very_length(
    link: object, n_bytes: int, name: str
) -> None:
    import torch
    from sionna.phy.fec.ldpc import LDPC5GEncoder

    from semcom_ros.channel.phy import sionna_phy

    mcs, m = MCS[name], MODULATIONS[MCS[name].modulation]
    k, symbols = 8 * n_bytes + 24, symbols_needed(n_bytes, mcs)
    bits = random_bits(k)
    code = sionna_phy._code_for(k, 8 * n_bytes, mcs.code_rate)
    ours = sionna_phy._encode(bits[None], [symbols], code, mcs) ^ sionna_phy._scrambling(
        m * symbols
    )
    theirs = LDPC5GEncoder(k, m * symbols, num_bits_per_symbol=m)(torch.tensor(bits[None]).float())
    assert (theirs.numpy()[0] == ours).all()


def test_the_coded_link_has_the_block_errors_of_the_literature(link: object) -> None:
    """Sionna's decoder, sum-product of 20 iterations: .108 to .136 of 1024 bits in 2048, QPSK;
    .038 of 4096 bits in 6144, 16-QAM, with the interleaver of TS 38.212 (.07 to .13 without)."""
    assert lost(link, "qpsk_1/2", 125, 1.25, 400) == pytest.approx(0.122, abs=0.05)
    assert lost(link, "16qam_2/3", 509, 4.75 + decibels(8 / 3), 200) == pytest.approx(
        0.03, abs=0.03
    )
    assert lost(link, "16qam_2/3", 509, 4.25 + decibels(8 / 3), 20) > 0.6


def test_a_wrong_crc_loses_the_part(link: object) -> None:
    assert lost(link, "qpsk_1/2", 64, -8.0, 20) == 1
    assert link.bit_error_rate == pytest.approx(0.345, abs=0.05)  # Q(sqrt(SNR))


@pytest.mark.parametrize("n_bytes", [0, 1, 480, 1053, 2500])
def test_parts_of_any_length_arrive_whole_through_a_fade_that_is_known(
    link: object, n_bytes: int
) -> None:
    rng = np.random.default_rng(2)
    for mcs in (MCS["qpsk_1/3"], MCS["64qam_5/6"]):
        data = rng.bytes(n_bytes)
        n = symbols_needed(n_bytes, mcs)
        gains = np.exp(2j * np.pi * rng.random(n)).astype(np.complex64) * rng.uniform(0.8, 1.2, n)
        assert link.transmit(data, mcs, gains, np.full(n, 1e-3), rng) == data


def test_a_part_of_zeros_meets_as_many_bit_errors_as_any_other(link: object) -> None:
    rng = np.random.default_rng(4)
    mcs = MCS["16qam_1/2"]
    gains = np.ones(symbols_needed(2000, mcs), np.complex64)
    rates = []
    for data in (bytes(2000), rng.bytes(2000)):
        link.transmit(data, mcs, gains, 0.2, rng)
        rates.append(link.bit_error_rate)
    assert rates[0] == pytest.approx(rates[1], rel=0.06)


def test_a_fade_to_nothing_loses_the_part_and_wrong_gains_are_refused(link: object) -> None:
    rng, mcs = np.random.default_rng(0), MCS["qpsk_1/2"]
    n = symbols_needed(64, mcs)
    assert link.transmit(bytes(64), mcs, np.zeros(n, np.complex64), 0.1, rng) is None
    with pytest.raises(SemcomError, match=f"take {n} symbols"):
        link.transmit(bytes(64), mcs, np.ones(n - 1, np.complex64), 0.1, rng)


@pytest.mark.parametrize("channel", ["awgn", "tdl_c"])
def test_the_abstraction_agrees_with_the_exact_chain_within_0_3_db(
    link: object, channel: str
) -> None:
    from semcom_ros.lab.evaluation.check_abstraction import compare

    assert compare(channel, MCS["16qam_1/2"], 512, frames=200, seed=1).agrees
