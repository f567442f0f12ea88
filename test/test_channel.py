# SPDX-License-Identifier: Apache-2.0
"""The emulated radio against its formulas, with fixed seeds."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from semcom_ros.channel import CHANNELS, create_channel
from semcom_ros.channel.awgn import block_error_rate, part_error_rate
from semcom_ros.errors import SemcomError
from semcom_ros.payload import Header, Part, Payload, pack, unpack

HEADER = Header("gesco", 1, b"", 256, 512, "cityscapes19", 0, 1)
BITS = Payload(HEADER, (Part("labels", 0, bits=bytes(128)), Part("appearance", 1, bits=bytes(8))))


def qpsk(n: int, power: float = 1.0) -> np.ndarray:
    bits = np.random.default_rng(5).integers(0, 4, n)
    return (np.sqrt(power) * np.exp(0.25j * np.pi * (2 * bits + 1))).astype(np.complex64)


def losses(name: str, n: int, **parameters: float) -> np.ndarray:
    channel = create_channel(name, seed=7, **parameters)
    payload = Payload(HEADER, BITS.parts[:1])
    return np.array([channel.transmit(payload).parts[0].erased for _ in range(n)])


def bursts(lost: np.ndarray) -> list[int]:
    return [len(list(run)) for bad, run in itertools.groupby(lost) if bad]


def test_the_ideal_channel_changes_nothing() -> None:
    assert pack(create_channel("none").transmit(BITS)) == pack(BITS)


@pytest.mark.parametrize("loss", [0.0, 0.1, 0.5, 1.0])
def test_independent_loss_has_its_mean_and_short_bursts(loss: float) -> None:
    lost = losses("iid", 100_000, loss=loss)
    assert abs(lost.mean() - loss) < 0.01
    if 0 < loss < 1:
        assert np.mean(bursts(lost)) == pytest.approx(1 / (1 - loss), rel=0.05)


@pytest.mark.parametrize(("loss", "burst"), [(0.0, 4.0), (0.05, 3.0), (0.2, 5.0), (0.5, 8.0)])
def test_bursty_loss_has_its_mean_loss_and_mean_burst(loss: float, burst: float) -> None:
    lost = losses("gilbert_elliott", 100_000, loss=loss, burst=burst)
    assert abs(lost.mean() - loss) < 0.01
    if loss:
        assert np.mean(bursts(lost)) == pytest.approx(burst, rel=0.05)


def test_bits_arrive_at_the_error_rate_of_their_length() -> None:
    lost = losses("awgn", 20_000, snr_db=1.25)
    assert lost.mean() == pytest.approx(0.14, abs=0.01)
    assert part_error_rate(512, 1.25) == pytest.approx(1 - 0.86**4)


def test_the_coded_link_is_a_cliff() -> None:
    for snr_db, rate in ((1.0, 0.47), (1.25, 0.14), (1.5, 0.036), (0.5, 1.0), (-20.0, 1.0)):
        assert block_error_rate(snr_db) == pytest.approx(rate)
    assert block_error_rate(1.375) == pytest.approx((0.14 * 0.036) ** 0.5)
    assert part_error_rate(1200, 3.0) < 1e-3


@pytest.mark.parametrize("snr_db", [-5.0, 0.0, 12.0])
@pytest.mark.parametrize("power", [1.0, 9.0])
def test_symbols_get_circular_noise_at_the_snr_that_was_set(snr_db: float, power: float) -> None:
    sent = qpsk(100_000, power)
    payload = Payload(HEADER, (Part("planes", 0, symbols=sent),))
    received = create_channel("awgn", snr_db=snr_db, seed=3).transmit(payload)
    part = received.part("planes")
    noise = part.symbols - sent
    variance = power * 10 ** (-snr_db / 10)
    assert np.mean(np.abs(noise) ** 2) == pytest.approx(variance, rel=0.02)
    assert noise.real.var() == pytest.approx(noise.imag.var(), rel=0.02)
    assert abs(np.mean(noise.real * noise.imag)) < 0.01 * variance
    assert part.noise_variance == pytest.approx(variance)
    assert received.snr_db == snr_db


def test_symbols_whose_squares_leave_float32_get_their_noise_too() -> None:
    payload = Payload(HEADER, (Part("planes", 0, symbols=qpsk(16, 1e40)),))
    part = create_channel("awgn", snr_db=30.0).transmit(payload).part("planes")
    assert part.noise_variance == pytest.approx(1e37, rel=1e-4)


@pytest.mark.parametrize("name", CHANNELS)
def test_every_frame_comes_out_and_can_be_packed_again(name: str) -> None:
    payload = Payload(HEADER, (*BITS.parts, Part("planes", 2, symbols=qpsk(16))))
    channel = create_channel(name, snr_db=1.0, loss=0.5, burst=2.0, seed=1)
    for _ in range(50):
        received = unpack(pack(channel.transmit(payload)))
        assert received.header == payload.header
        assert [p.name for p in received.parts] == [p.name for p in payload.parts]


@pytest.mark.parametrize("name", ["awgn", "iid", "gilbert_elliott"])
def test_the_same_seed_gives_the_same_radio(name: str) -> None:
    runs = [losses(name, 500, snr_db=1.0, loss=0.4).tolist() for _ in range(2)]
    assert runs[0] == runs[1]
    assert any(runs[0]) and not all(runs[0])


def test_the_radio_is_changed_while_it_runs() -> None:
    channel = create_channel("iid", loss=0.0)
    assert not channel.transmit(BITS).parts[0].erased
    channel.configure(loss=1)
    assert channel.transmit(BITS).parts[0].erased


def test_a_refused_change_changes_nothing() -> None:
    channel = create_channel("gilbert_elliott", loss=0.2, burst=5.0)
    with pytest.raises(SemcomError, match="at most 0.667 of all"):
        channel.configure(loss=0.9, burst=2.0)
    with pytest.raises(SemcomError, match="loss"):
        channel.configure(burst=9.0, loss=1.5)
    assert channel.parameters["loss"] == 0.2 and channel.parameters["burst"] == 5.0


@pytest.mark.parametrize(
    ("name", "options", "sentence"),
    [
        ("agwn", {}, "did you mean 'awgn'"),
        ("iid", {"los": 0.1}, "did you mean 'loss'"),
        ("iid", {"loss": 1.1}, "give a number 0 to 1"),
        ("iid", {"loss": float("nan")}, "give a number 0 to 1"),
        ("awgn", {"snr_db": "high"}, "'high'"),
        ("gilbert_elliott", {"burst": 0.5}, "1 to 1000"),
        ("awgn", {"seed": -1}, "seed"),
    ],
)
def test_a_wrong_channel_gets_a_sentence(name: str, options: dict, sentence: str) -> None:
    with pytest.raises(SemcomError, match=sentence):
        create_channel(name, **options)
