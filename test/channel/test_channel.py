# SPDX-License-Identifier: Apache-2.0
"""The emulated radio as one thing: what a payload meets from vehicle to RSU."""

from __future__ import annotations

import numpy as np
import pytest

from semcom_ros.channel import PARAMETERS, Channel
from semcom_ros.channel.phy.modulation import constellation
from semcom_ros.errors import SemcomError
from semcom_ros.payload import Header, Part, Payload, pack, unpack

BITS = (Part("labels", 0, bits=bytes(128)), Part("thumbnail", 1, bits=bytes(8)))
MODELS = [
    name
    for name in PARAMETERS["channel"].choices
    if not name.startswith("cdl") and name != "trace"  # these need Sionna or files
]


def payload(sequence: int = 0, parts: tuple[Part, ...] = BITS) -> Payload:
    return Payload(Header("gesco", 1, b"", 256, 512, "cityscapes19", sequence, 1), parts)


def planes(n: int, power: float = 1.0, name: str = "planes") -> Part:
    index = np.random.default_rng(5).integers(0, 4, n)
    return Part(name, 2, symbols=(constellation("qpsk")[index] * np.sqrt(power)).astype("c8"))


def losses(n: int, **settings) -> list[bool]:
    channel = Channel(seed=7, **settings)
    return [channel.transmit(payload(i)).parts[0].erased for i in range(n)]


def test_the_ideal_channel_changes_nothing() -> None:
    assert pack(Channel().transmit(payload())) == pack(payload())


@pytest.mark.parametrize("model", MODELS)
def test_every_frame_comes_out_and_can_be_packed_again(model: str) -> None:
    sent = (*BITS, planes(16), Part("gone", 3, erased=True))
    channel = Channel(seed=1, channel=model, snr_db=1.0, loss=0.3, burst=2.0)
    for sequence in range(20):
        received = unpack(pack(channel.transmit(payload(sequence, sent))))
        assert received.header == payload(sequence).header
        assert [part.name for part in received.parts] == [part.name for part in sent]


@pytest.mark.parametrize("model", ["awgn", "rayleigh", "tdl_c"])
def test_the_same_seed_and_the_same_drive_see_the_same_losses(model: str) -> None:
    runs = [losses(200, channel=model, snr_db=1.0, loss=0.1) for _ in range(2)]
    assert runs[0] == runs[1]
    assert any(runs[0]) and not all(runs[0])


@pytest.mark.parametrize("model", [*MODELS, "tdl_c block", "rayleigh block"])
def test_skipped_frames_change_nothing_about_the_others(model: str) -> None:
    name, _, fading = model.partition(" ")
    settings = {"channel": name, "fading": fading or "jakes", "snr_db": 3.0, "shadowing_db": 4.0}

    def seen(skipped: set[int]) -> dict[int, tuple]:
        channel = Channel(seed=5, loss=0.3, burst=2.0, **settings)
        sent = {i: channel.transmit(payload(i)) for i in range(40) if i not in skipped}
        snrs = {i: r.snr_db and round(r.snr_db, 6) for i, r in sent.items()}
        return {i: (snrs[i], [p.erased for p in r.parts]) for i, r in sent.items()}

    whole, gappy = seen(set()), seen({0, 7, 8, 21})
    assert gappy == {i: whole[i] for i in gappy}


@pytest.mark.parametrize("model", ["rayleigh", "tdl_a"])
def test_the_fade_follows_the_way_driven_at_whatever_speed(model: str, tmp_path) -> None:
    steady = Channel(channel=model, seed=1, speed_kmh=0.036, symbol_rate_mhz=100.0)
    ways = [i * 0.001 for i in range(30)]  # 0.01 m/s at 10 Hz
    script = tmp_path / "drive.csv"
    # Half of the speed for twice as long: at every second frame as far as the other.
    script.write_text("time_s,speed_kmh\n0,0.018\n100,0.018\n")
    slow = Channel(channel=model, seed=1, script=str(script), symbol_rate_mhz=100.0)
    fast_fades, slow_fades = [], []
    for i in range(len(ways)):
        steady.transmit(payload(i))
        fast_fades.append(float(steady.state()["fade_db"]))
        for j in (2 * i, 2 * i + 1):
            slow.transmit(payload(j))
            slow_fades.append(float(slow.state()["fade_db"]))
    np.testing.assert_allclose(slow_fades[::2], fast_fades, atol=0.11)
    assert np.ptp(fast_fades) > 0.5


def test_a_script_begins_when_it_is_set(tmp_path) -> None:
    script = tmp_path / "drive.csv"
    script.write_text("time_s,snr_db\n0,0\n1,10\n")
    channel = Channel(channel="awgn", rate_hz=10.0)
    for i in range(20):
        channel.transmit(payload(i))
    channel.configure(script=str(script))
    channel.transmit(payload(20))
    assert float(channel.state()["snr_db"]) == pytest.approx(1.0, abs=0.05)


def test_a_script_that_asks_for_the_impossible_is_refused_as_a_whole(tmp_path) -> None:
    script = tmp_path / "drive.csv"
    script.write_text("time_s,loss\n0,0.1\n10,1.0\n")
    with pytest.raises(SemcomError, match="drive.csv"):
        Channel(script=str(script), burst=4.0)


def test_what_was_sent_and_lost_is_counted() -> None:
    channel = Channel(loss=1.0)
    for i in range(3):
        channel.transmit(payload(i))
    assert channel.lose_packet()
    counts = {name: channel.state()[name] for name in ("packets_sent", "packets_lost")}
    assert counts == {"packets_sent": "4", "packets_lost": "4"}
    assert channel.state()["parts_lost"] == channel.state()["parts_sent"] == "6"


def test_symbols_arrive_with_the_noise_that_was_asked_for() -> None:
    sent = payload(0, (planes(100_000, power=4.0),))
    received = Channel(channel="awgn", snr_db=6.0, equaliser="zf").transmit(sent)
    noise = received.parts[0].symbols - sent.parts[0].symbols
    assert 10 * np.log10(4 / np.mean(np.abs(noise) ** 2)) == pytest.approx(6.0, abs=0.05)
    assert received.parts[0].noise_variance == pytest.approx(4 * 10**-0.6, rel=1e-3)
    assert received.snr_db == pytest.approx(6.0, abs=1e-3)


def test_the_power_of_a_payload_is_that_of_all_its_symbols() -> None:
    sent = payload(0, (planes(50_000, 1.0, "weak"), planes(50_000, 3.0, "strong")))
    received = Channel(channel="awgn", snr_db=0.0, equaliser="zf").transmit(sent)
    for part in received.parts:
        assert part.noise_variance == pytest.approx(2.0, rel=1e-3)


def test_the_most_important_part_survives_longest_under_unequal_protection() -> None:
    parts = (Part("labels", 0, bits=bytes(100)), Part("thumbnail", 1, bits=bytes(400)))

    def lost(protection: str) -> np.ndarray:
        channel = Channel(channel="rayleigh", snr_db=4.0, protection=protection, fading="block")
        received = [channel.transmit(payload(i, parts)) for i in range(400)]
        return np.mean([[part.erased for part in r.parts] for r in received], axis=0)

    equal, unequal = lost("equal"), lost("unequal")
    assert unequal[0] < 0.8 * equal[0]
    assert unequal[0] < unequal[1]


def test_auto_sends_faster_when_the_receiver_reports_a_better_link() -> None:
    channel = Channel(channel="awgn", snr_db=25.0, mcs="auto")
    taken = []
    for snr_db in (None, 5.0, 25.0):
        channel.report_snr(snr_db)
        channel.transmit(payload(len(taken)))
        taken.append(int(channel.state()["symbols"]))
    assert taken[0] >= taken[1] > taken[2]


def test_the_exact_chain_gives_back_the_bits_or_nothing() -> None:
    pytest.importorskip("sionna.phy", reason="Sionna is not installed")
    sent = (Part("labels", 0, bits=np.random.default_rng(0).bytes(200)),)
    clear = Channel(channel="awgn", snr_db=6.0, coding="exact").transmit(payload(0, sent))
    assert clear.parts[0].bits == sent[0].bits
    drowned = Channel(channel="awgn", snr_db=-6.0, coding="exact").transmit(payload(0, sent))
    assert drowned.parts[0].erased


def test_the_state_tells_what_the_last_frame_met() -> None:
    channel = Channel(channel="rayleigh", snr_db=12.0, seed=3)
    received = channel.transmit(payload())
    state = channel.state()
    assert float(state["snr_db"]) == 12.0
    fade_db, seen_db = float(state["fade_db"]), float(state["snr_estimated_db"])
    assert seen_db == pytest.approx(12.0 + fade_db, abs=0.11)
    assert seen_db == pytest.approx(received.snr_db, abs=0.06)
    assert state["mcs"] == "qpsk_1/2 qpsk_1/2"
    assert 0 <= float(state["ber"]) <= 0.5 and 0 <= float(state["bler"]) <= 1


def test_a_change_of_snr_leaves_the_fade_as_it_was() -> None:
    def fades(change: bool) -> list[str]:
        channel = Channel(channel="rayleigh", seed=2, speed_kmh=1.0)
        seen = []
        for i in range(6):
            if change and i == 3:
                channel.configure(snr_db=20.0)
            channel.transmit(payload(i))
            seen.append(channel.state()["fade_db"])
        return seen

    assert fades(True) == fades(False)


def test_a_script_sets_the_snr_as_the_drive_goes_on(tmp_path) -> None:
    script = tmp_path / "drive.csv"
    script.write_text("time_s,snr_db\n0,0\n1,10\n")
    channel = Channel(channel="awgn", script=str(script), rate_hz=10.0)
    seen = []
    for i in range(12):
        channel.transmit(payload(i))
        seen.append(float(channel.state()["snr_db"]))
    np.testing.assert_allclose(seen, [*range(11), 10], atol=0.05)


def test_a_vehicle_that_starts_anew_does_not_turn_time_back() -> None:
    channel = Channel(rate_hz=10.0)
    for sequence in (5, 6, 9, 0, 1):
        channel.transmit(payload(sequence))
    assert channel.time_s == pytest.approx(1.1)


def test_a_refused_change_changes_nothing() -> None:
    channel = Channel(seed=4, channel="rayleigh", loss=0.2, burst=5.0)
    twin = Channel(seed=4, channel="rayleigh", loss=0.2, burst=5.0)
    for change, sentence in (
        ({"loss": 0.9, "burst": 2.0}, "at most 0.667 of all"),
        ({"channel": "tdl_a", "loss": 1.5}, "loss"),
        ({"channel": "trace", "trace": "/nowhere"}, "nowhere"),
        ({"snr_db": float("nan")}, "snr_db"),
        ({"snr_db": 3.0, "script": "/nowhere.csv"}, "nowhere"),
        ({"speed_kmh": 1e9}, "speed_kmh"),
    ):
        with pytest.raises(SemcomError, match=sentence):
            channel.configure(**change)
    assert channel.settings == twin.settings
    for i in range(20):
        assert pack(channel.transmit(payload(i))) == pack(twin.transmit(payload(i)))


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"channel": "agwn"}, "did you mean 'awgn'"),
        ({"los": 0.1}, "did you mean 'loss'"),
        ({"loss": 1.1}, "it must be 0"),
        ({"snr_db": "high"}, "'high'"),
        ({"burst": 0.5}, "burst is 0.5"),
        ({"channel": "trace"}, "make-trace"),
        ({"blackout_s": 90.0}, "blackout"),
        ({"seed": -1}, "seed"),
    ],
)
def test_a_wrong_setting_gets_a_sentence(settings: dict, sentence: str) -> None:
    with pytest.raises(SemcomError, match=sentence):
        Channel(**settings)
