# SPDX-License-Identifier: Apache-2.0
"""DeepMIMO scenarios, read back from a synthetic one in each layout, and driven through."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import pytest

from semcom_ros.channel import Channel
from semcom_ros.channel.fading.deepmimo import TracePropagation, load
from semcom_ros.channel.fading.jakes import wavelength_m
from semcom_ros.channel.fading.ofdm import OfdmGrid, interference
from semcom_ros.channel.fading.propagation import DriveState
from semcom_ros.channel.parameters import resolve
from semcom_ros.errors import SemcomError
from semcom_ros.lab.evaluation import synthetic_trace
from semcom_ros.lab.evaluation.synthetic_trace import CARRIER_HZ, FORMATS, RSU_M, trace_street
from semcom_ros.payload import Header, Part, Payload

USERS = 21
"""So that positions are 10 m apart."""


def make_trace(folder: Path, layout: str, users: int = USERS) -> Path:
    parser = argparse.ArgumentParser()
    synthetic_trace.add_arguments(parser)
    words = ["--format", layout, "--out", str(folder), "--users", str(users), "--seed", "5"]
    synthetic_trace.run(parser.parse_args(words))
    return folder


@pytest.fixture(scope="module", params=FORMATS)
def layout(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def folder(layout: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_trace(tmp_path_factory.mktemp(layout) / "street", layout)


def drive(folder: Path, **settings) -> TracePropagation:
    return TracePropagation(resolve({"channel": "trace", "trace": str(folder), **settings}), 1)


def at(way_m: float, speed_mps: float = 10.0) -> DriveState:
    return DriveState(0, way_m, speed_mps)


def response_by_formula(trace, user: int, subcarriers: int, bandwidth_hz: float) -> np.ndarray:
    """DeepMIMO's own, term by term."""
    response = np.zeros(subcarriers, complex)
    there = np.isfinite(trace.power[user])
    for power, phase, delay in zip(
        trace.power[user][there], trace.phase_rad[user][there], trace.delay_s[user][there],
        strict=True,
    ):  # fmt: skip
        for k in range(subcarriers):
            turn = np.exp(-2j * np.pi * k * delay * bandwidth_hz / subcarriers)
            response[k] += np.sqrt(power / subcarriers) * np.exp(1j * phase) * turn
    return response


def test_each_layout_reads_back_as_the_street_it_was_made_from(folder: Path, layout: str) -> None:
    street, trace = trace_street(USERS, 5), load(folder)
    assert trace.carrier_hz == CARRIER_HZ
    np.testing.assert_allclose(trace.positions, street.positions, rtol=1e-12)
    np.testing.assert_allclose(trace.delay_s, street.delay_s, rtol=1e-12)
    np.testing.assert_allclose(np.exp(1j * trace.phase_rad), np.exp(1j * street.phase_rad))
    np.testing.assert_allclose(trace.power, street.power, rtol=1e-9)


def test_the_street_obeys_geometry() -> None:
    street = trace_street(USERS, 5)
    distance = np.linalg.norm(street.positions - RSU_M, axis=1)
    np.testing.assert_allclose(street.delay_s[:, 0] * 299792458.0, distance)
    wave_m = 299792458.0 / CARRIER_HZ
    np.testing.assert_allclose(street.power[:, 0], (wave_m / (4 * np.pi * distance)) ** 2)
    # Each path is as long as the way over the point where it bounces.
    over = np.linalg.norm(street.bounce - RSU_M, axis=2)
    over += np.linalg.norm(street.bounce - street.positions[:, None], axis=2)
    np.testing.assert_allclose(street.delay_s * 299792458.0, over, rtol=1e-9)
    assert (street.delay_s[:, 1:] > street.delay_s[:, :1]).all()


def test_a_drive_meets_the_responses_of_the_formula(folder: Path) -> None:
    trace, bandwidth_hz = load(folder), 10e6
    h = np.array([response_by_formula(trace, u, 256, bandwidth_hz) for u in range(USERS)])
    # Without the delay of the first arrival, and with unit mean power over the trace.
    first = np.nanmin(trace.delay_s, axis=1, keepdims=True)
    h *= np.exp(2j * np.pi * np.arange(256) * first * bandwidth_hz / 256)
    h *= np.sqrt(256 / np.nansum(trace.power, axis=1).mean())
    vehicle = drive(folder)
    # In the middle between positions 10 m apart.
    met = np.array([vehicle.gains(256, at(10.0 * u + 5)).gains for u in range(USERS)])
    start = np.argmin(np.linalg.norm(h - met[0], axis=1))
    np.testing.assert_allclose(met, np.roll(h, -start, axis=0), atol=2e-5)


def test_a_trace_has_unit_mean_power_and_keeps_the_gain_of_each_position(tmp_path: Path) -> None:
    vehicle = drive(make_trace(tmp_path / "t", "v4", users=1001))
    # Over positions 0.2 m apart, the whole street once.
    met = np.array([vehicle.gains(256, at(0.2 * u + 0.1)).gains for u in range(1001)])
    power = np.mean(np.abs(met) ** 2, axis=1)
    # The phases of the paths are as they are, their cross terms do not quite average out.
    assert power.mean() == pytest.approx(1, rel=0.05)
    assert power.max() > 100 * power.min()


def test_the_way_decides_the_position_and_the_speed_what_doppler_costs(folder: Path) -> None:
    vehicle = drive(folder)
    assert vehicle.gains(9, at(0.0, 0.0)).interference == pytest.approx(0, abs=1e-9)
    share = OfdmGrid(10e6).doppler_share(10.0 / wavelength_m(CARRIER_HZ / 1e9))
    assert vehicle.gains(9, at(0.0)).interference == pytest.approx(interference(share))
    np.testing.assert_array_equal(vehicle.gains(9, at(1.0)).gains, vehicle.gains(9, at(9.0)).gains)
    assert not np.allclose(vehicle.gains(9, at(10.0)).gains, vehicle.gains(9, at(20.0)).gains)


def test_block_fading_draws_a_position_for_every_frame(folder: Path) -> None:
    one, same = drive(folder, fading="block"), drive(folder, fading="block")
    met = [one.gains(1, DriveState(frame, 0.0, 10.0)) for frame in range(200)]
    assert len({complex(m.gains[0]) for m in met}) == USERS
    assert met[0].interference == pytest.approx(0, abs=1e-9)
    np.testing.assert_array_equal(met[7].gains, same.gains(1, DriveState(7, 0.0, 10.0)).gains)


@pytest.mark.parametrize(
    ("layout", "name", "version"),
    [
        ("v4", "phase_t000_tx000_r001.npz", "v4"),
        ("v4", "rx_pos_t000_tx000_r001.npz", "v4"),
        ("v3", f"BS1_UE_0-{USERS}.mat", "v3"),
        ("o1_60", "O1_60.1.CIR.mat", "v2"),
        ("o1_60", "O1_60.Loc.mat", "v2"),
    ],
)
def test_a_missing_file_is_named_with_the_version(
    tmp_path: Path, layout: str, name: str, version: str
) -> None:
    (make_trace(tmp_path / "t", layout) / name).unlink()
    stem = name.split("_UE")[0] if layout == "v3" else name
    with pytest.raises(SemcomError, match=f"DeepMIMO {version} scenario .* lacks the file {stem}"):
        load(tmp_path / "t")


def test_a_folder_that_is_no_scenario_is_refused_and_one_inside_is_named(tmp_path: Path) -> None:
    with pytest.raises(SemcomError, match="There is no folder .*nowhere"):
        load(tmp_path / "nowhere")
    with pytest.raises(SemcomError, match="none of params.json .v4., params.mat .v3."):
        load(tmp_path)
    make_trace(tmp_path / "street", "v3")
    with pytest.raises(SemcomError, match="A scenario is in '.*street': name that"):
        load(tmp_path)


def test_files_that_make_no_sense_are_refused_with_a_sentence(tmp_path: Path) -> None:
    folder = make_trace(tmp_path / "v4", "v4")
    params = json.loads((folder / "params.json").read_text())
    delay = folder / "delay_t000_tx000_r001.npz"
    held = np.load(delay)["delay"]
    for wrong in (held[:-1], -held, np.full_like(held, np.nan)):
        np.savez(delay, delay=wrong)
        with pytest.raises(SemcomError, match="looks like DeepMIMO v4, but"):
            load(folder)
    delay.write_bytes(b"nonsense")
    with pytest.raises(SemcomError, match="looks like DeepMIMO v4, but"):
        load(folder)
    params["scene"]["num_scenes"] = 3
    (folder / "params.json").write_text(json.dumps(params))
    with pytest.raises(SemcomError, match="several scenes"):
        load(folder)
    params["scene"]["num_scenes"] = 1
    for role, sentence in (("is_rx", "receives"), ("is_tx", "transmits")):
        for each in params["txrx_sets"].values():
            each[role] = False
        (folder / "params.json").write_text(json.dumps(params))
        with pytest.raises(SemcomError, match=f"no set of its params.json {sentence}"):
            load(folder)
    (folder / "params.json").write_text("{}")
    with pytest.raises(SemcomError, match="looks like DeepMIMO v4, but"):
        load(folder)
    classic = make_trace(tmp_path / "o1_60", "o1_60")
    (classic / "O1_60.1.CIR.mat").write_bytes(b"nonsense" * 40)
    with pytest.raises(SemcomError, match="looks like DeepMIMO v2, but"):
        load(classic)


@pytest.fixture
def blocked(tmp_path: Path) -> Path:
    """A trace on which no path reaches positions 3, 4 and 5, and fewer reach position 7."""
    folder = make_trace(tmp_path / "blocked", "v4")
    for name in ("power", "phase", "delay"):
        path = folder / f"{name}_t000_tx000_r001.npz"
        array = np.load(path)[name]
        array[3:6], array[7, 2:] = np.nan, np.nan
        np.savez(path, **{name: array})
    return folder


def test_block_fading_and_the_drawn_start_are_at_positions_with_a_path(blocked: Path) -> None:
    block = drive(blocked, fading="block")
    met = [block.gains(1, DriveState(frame, 0.0, 10.0)) for frame in range(300)]
    assert {m.position for m in met} == set(range(USERS)) - {3, 4, 5}
    assert np.isfinite([m.gains for m in met]).all() and all(m.gains.all() for m in met)
    settings = resolve({"channel": "trace", "trace": str(blocked)})
    drawn = {TracePropagation(settings, seed).gains(1, at(0.0)).position for seed in range(60)}
    assert drawn.isdisjoint({3, 4, 5}) and len(drawn) > 5


def test_a_drive_begins_where_it_is_told_and_meets_nothing_without_a_path(blocked: Path) -> None:
    vehicle = drive(blocked, trace_start=2)
    met = [vehicle.gains(64, at(10.0 * step)) for step in range(5)]
    assert [m.position for m in met] == [2, 3, 4, 5, 6]
    assert [bool(m.gains.any()) for m in met] == [True, False, False, False, True]
    again = drive(blocked, trace_start=USERS - 1)
    assert [again.gains(1, at(way_m)).position for way_m in (0.0, 10.0)] == [USERS - 1, 0]
    with pytest.raises(SemcomError, match=f"trace_start is {USERS}; .* are 0 to {USERS - 1}"):
        drive(blocked, trace_start=USERS)


def test_the_link_loses_frames_without_a_path_and_says_so(blocked: Path) -> None:
    # A frame a second at 36 km/h: each at the next position.
    settings = {"speed_kmh": 36.0, "rate_hz": 1.0, "snr_db": 60.0, "trace_start": 2}
    channel = Channel(channel="trace", trace=str(blocked), **settings)
    told = []
    for sequence in range(5):
        header = Header("gesco", 1, b"", 256, 512, "cityscapes19", sequence, 1)
        parts = (Part("map", 0, bits=bytes(64)), Part("picture", 1, symbols=np.ones(9, "c8")))
        received = channel.transmit(Payload(header, parts))
        state = channel.state()
        told.append((state["position"], state.get("warning")))
        assert {part.erased for part in received.parts} == {sequence in (1, 2, 3)}
    none = "no path at this position"
    assert told == [("2", None), ("3", none), ("4", none), ("5", none), ("6", None)]
    assert state["packets_without_path"] == "3" and state["parts_lost"] == "6"


def test_a_trace_is_not_written_over_what_is_there(tmp_path: Path) -> None:
    make_trace(tmp_path / "t", "v4")
    with pytest.raises(SemcomError, match="is there already"):
        make_trace(tmp_path / "t", "v3")
    with pytest.raises(SemcomError, match="1 position or more"):
        make_trace(tmp_path / "u", "v3", users=0)
    assert not (tmp_path / "u").exists()
