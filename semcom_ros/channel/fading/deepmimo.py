# SPDX-License-Identifier: Apache-2.0
"""Drives through the scenarios of DeepMIMO, ray-traced radio paths to many positions.

They are read in its three layouts.

v4: params.json and an array a file, NAME_t<set>_tx<transmitter>_r<set>.npz, .mat or .npy. v3:
params.mat and BS<base station>_UE_<first>-<end>.mat. v2, the layout of the classic O1_60:
O1_60.params.mat, O1_60.<base station>.CIR.mat and O1_60.Loc.mat.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from semcom_ros.channel.fading.ofdm import OfdmPropagation
from semcom_ros.channel.fading.propagation import DriveState, Gains
from semcom_ros.errors import SemcomError


@dataclass(frozen=True, eq=False)
class Trace:
    """The paths from one transmitter to u positions of a receiver.

    positions: metres [u, 3]. power: received by each path, in units of the power sent.
    phase_rad, delay_s: as power [u, paths], NaN where a position has fewer paths.
    """

    carrier_hz: float
    positions: np.ndarray
    power: np.ndarray
    phase_rad: np.ndarray
    delay_s: np.ndarray


def load(folder: str | Path) -> Trace:
    """Read the scenario in `folder`: its first transmitter and the positions of its receivers.

    The first is the base station of the lowest number or, in v4, the first transmitter of the
    first set that transmits; v4's positions are those of the first set that only receives.
    Raises SemcomError for a folder that is no scenario and a file that is missing or senseless.
    """
    folder = Path(folder).expanduser()
    if not folder.is_dir():
        raise SemcomError(f"There is no folder '{folder}' to read a DeepMIMO scenario from.")
    version = _version(folder)
    if version is None:
        inside = [f"'{d}'" for d in sorted(folder.iterdir()) if d.is_dir() and _version(d)]
        hint = f" A scenario is in {' and in '.join(inside)}: name that." if inside else ""
        raise SemcomError(
            f"'{folder}' is no DeepMIMO scenario: it holds none of params.json (v4), params.mat "
            f"(v3) and NAME.params.mat (v2, such as O1_60).{hint}"
        )
    try:
        trace = _READERS[version](folder)
        _check(trace)
    except FileNotFoundError as error:
        raise SemcomError(
            f"The DeepMIMO {version} scenario '{folder}' lacks the file {error}: copy all of its "
            "files."
        ) from None
    except Exception as error:  # of json, numpy, zip and scipy, with no base in common but this
        raise SemcomError(
            f"'{folder}' looks like DeepMIMO {version}, but what it holds is not: "
            f"{type(error).__name__}: {error}."
        ) from error
    return trace


def _version(folder: Path) -> str | None:
    if (folder / "params.json").is_file():
        return "v4"
    if (folder / "params.mat").is_file():
        return "v3"
    return "v2" if any(folder.glob("*.params.mat")) else None


def _read_v4(folder: Path) -> Trace:
    params = json.loads((folder / "params.json").read_text())
    if params["scene"]["num_scenes"] > 1:
        raise ValueError("it has several scenes, and only a static one can be read")
    sets = sorted(params["txrx_sets"].values(), key=lambda s: s["id"])
    senders = [s["id"] for s in sets if s["is_tx"]]
    receivers = sorted((s["is_tx"], s["id"]) for s in sets if s["is_rx"])
    if not senders or not receivers:
        raise ValueError("no set of its params.json " + ("receives" if senders else "transmits"))
    sender, receiver = senders[0], receivers[0][1]
    pair = f"t{sender:03}_tx000_r{receiver:03}"
    power, phase, delay = (_v4_array(folder, name, pair) for name in ("power", "phase", "delay"))
    carrier_hz, positions = params["rt_params"]["frequency"], _v4_array(folder, "rx_pos", pair)
    return Trace(float(carrier_hz), positions, 10 ** (power / 10), np.deg2rad(phase), delay)


def _v4_array(folder: Path, name: str, pair: str) -> np.ndarray:
    stem = f"{name}_{pair}"
    for suffix in (".npz", ".mat", ".npy"):
        path = folder / (stem + suffix)
        if path.is_file():
            held = _read_mat(path) if suffix == ".mat" else np.load(path)
            return np.asarray(held if suffix == ".npy" else held[name], float)
    raise FileNotFoundError(f"{stem}.npz (.mat and .npy would do)")


def _read_v3(folder: Path) -> Trace:
    params = _read_mat(folder / "params.mat")
    # Of BS<b>_UE_<first>-<end>.mat, all files of the first base station in the users' order.
    files = _numbered(folder, r"BS(\d+)_UE_(\d+)-(\d+)\.mat")
    if not files:
        raise FileNotFoundError("BS1_UE_0-<end>.mat")
    positions, users = [], []
    for numbers, path in files:
        if numbers[0] == files[0][0][0]:
            held = _read_mat(path)
            name = "channels_VV" if "channels_VV" in held else "channels"
            users += [_unwrap(cell)[:3].T.reshape(-1, 3) for cell in held[name].reshape(-1)]
            positions.append(held["rx_locs"][:, :3])
    return _of_users(params, np.concatenate(positions).astype(float), users)


def _read_v2(folder: Path) -> Trace:
    params_path = min(folder.glob("*.params.mat"))
    params = _read_mat(params_path)
    name = params_path.name.removesuffix(".params.mat")
    files = _numbered(folder, re.escape(name) + r"\.(\d+)\.CIR\.mat")
    if not files:
        raise FileNotFoundError(f"{name}.1.CIR.mat")
    positions = _only_array(folder / f"{name}.Loc.mat")[:, 1:4].astype(float)
    # One number, then of each position its own number, that of its paths, and as often a number,
    # phase in degrees, delay in s and power in dBm.
    numbers = _only_array(files[0][1]).astype(float).reshape(-1)
    users, at = [], 1
    for _ in positions:
        end = at + 2 + 4 * int(numbers[at + 1])
        users.append(numbers[at + 2 : end].reshape(-1, 4)[:, 1:])
        at = end
    return _of_users(params, positions, users)


_READERS: dict[str, Callable[[Path], Trace]] = {"v2": _read_v2, "v3": _read_v3, "v4": _read_v4}


def _read_mat(path: Path) -> dict[str, Any]:
    from scipy.io import loadmat

    if not path.is_file():
        raise FileNotFoundError(path.name)
    return loadmat(path)


def _only_array(path: Path) -> np.ndarray:
    """The one array of a .mat file, whose name in it differs from scenario to scenario."""
    (array,) = (a for name, a in _read_mat(path).items() if not name.startswith("__"))
    return array


def _unwrap(cell: np.ndarray) -> np.ndarray:
    """The matrix in a MATLAB cell, which may hold it in a struct of one field."""
    while cell.dtype.names or cell.dtype.kind == "O":
        cell = cell[cell.dtype.names[0]] if cell.dtype.names else cell.reshape(-1)[0]
    return cell


def _numbered(folder: Path, pattern: str) -> list[tuple[tuple[int, ...], Path]]:
    """The files whose whole name fits `pattern`, in the order of the numbers in it."""
    fits = ((re.fullmatch(pattern, path.name), path) for path in folder.iterdir())
    return sorted((tuple(map(int, fit.groups())), path) for fit, path in fits if fit)


def _of_users(
    params: Mapping[str, np.ndarray], positions: np.ndarray, users: Sequence[np.ndarray]
) -> Trace:
    """The trace of v2 and v3, whose `users` [paths, 3] are phase, delay and power in dBm."""
    padded = np.full((3, len(users), max(map(len, users))), np.nan)
    for u, paths in enumerate(users):
        padded[:, u, : len(paths)] = paths.T
    phase, delay, power_dbm = padded
    power = 10 ** ((power_dbm - params["transmit_power"].item()) / 10)
    carrier_hz = float(params["carrier_freq"].item())
    return Trace(carrier_hz, positions, power, np.deg2rad(phase), delay)


def _check(trace: Trace) -> None:
    there = np.isfinite(trace.power)
    if trace.power.ndim != 2 or not there.any():
        raise ValueError("no position has a path")
    if not trace.power.shape == trace.phase_rad.shape == trace.delay_s.shape:
        raise ValueError("powers, phases and delays differ in number")
    if not np.isfinite(trace.phase_rad[there]).all() or not (trace.delay_s[there] >= 0).all():
        raise ValueError("a path has no phase or no delay of 0 or more")
    if trace.positions.shape != (len(trace.power), 3) or not np.isfinite(trace.positions).all():
        raise ValueError("there is not one position in x, y and z for each receiver")
    if not 0 < trace.carrier_hz < np.inf:
        raise ValueError(f"the carrier is at {trace.carrier_hz} Hz")


class TracePropagation(OfdmPropagation):
    """OFDM over the paths of a ray tracer: a drive along the positions of a DeepMIMO scenario.

    The response at a position is DeepMIMO's own, H[k] = sum sqrt(P_p / N) exp(j phase_p)
    exp(-j 2 pi k tau_p B / N), times sqrt(N / P): P is the sum of a position's path powers, mean
    over the positions that a path reaches, so that E|H|^2 = 1 there, `snr_db` is the trace's mean
    SNR and the gain of each position stays as a variation around it. Delays count from the first
    arrival. At a position that no path reaches the response is 0.

    With fading "jakes" the vehicle starts at the position `trace_start`, or at one with a path that
    `seed` draws, drives along the positions in their order and over again, and meets in each frame
    the response of the last position it came by. The Doppler, at the trace's own carrier, counts as
    interference by the Jakes spectrum. With "block" every frame is at a random position with a path
    and holds still. Raises SemcomError for a folder that is no scenario, and for a start that it
    does not have.
    """

    def __init__(self, settings: SimpleNamespace, seed: int) -> None:
        scenario = load(settings.trace)
        super().__init__(settings, seed, scenario.carrier_hz / 1e9)
        reached = np.isfinite(scenario.power).any(axis=1)
        self._reached, start = np.flatnonzero(reached), settings.trace_start
        if start >= len(reached):
            raise SemcomError(
                f"trace_start is {start}; the positions of '{settings.trace}' are 0 to "
                f"{len(reached) - 1}."
            )
        delays_s = scenario.delay_s[reached]
        delays_s = delays_s - np.nanmin(delays_s, axis=1, keepdims=True)
        share = self._grid.prefix_share(delays_s)
        power = scenario.power[reached]
        useful = np.nansum(power * share**2, axis=1).mean()
        paths = np.sqrt(power / useful) * share * np.exp(1j * scenario.phase_rad[reached])
        self._paths = np.zeros(scenario.power.shape, complex)
        self._delays_s = np.zeros(scenario.power.shape)
        self._paths[reached] = np.nan_to_num(paths)
        self._delays_s[reached] = np.nan_to_num(delays_s)

        self._useful = useful / np.nansum(power, axis=1).mean()
        self._way_m = _way_m(scenario.positions)
        drawn = self._drawn(np.random.default_rng(seed))
        self._start_m = self._way_m[drawn if start < 0 else start]

    def gains(self, n: int, state: DriveState) -> Gains:
        at = self._position(state)
        response = self._paths[at] @ self._grid.steering(self._delays_s[at])
        responses = np.tile(response.astype(np.complex64), (len(self._grid.times_s(n)), 1))
        useful = self._useful * self._doppler_share(state.speed_mps)
        return self._laid(responses, n, useful)._replace(position=at)

    def _drawn(self, random: np.random.Generator) -> int:
        """One of the positions that a path reaches."""
        return int(self._reached[random.integers(len(self._reached))])

    def _position(self, state: DriveState) -> int:
        if self._is_block:
            return self._drawn(np.random.default_rng((self._seed, state.frame)))
        driven_m = (self._start_m + state.way_m) % self._way_m[-1]
        return int(np.searchsorted(self._way_m, driven_m, side="right")) - 1


def _way_m(positions: np.ndarray) -> np.ndarray:
    """Metres driven up to each of the positions [u, 3], and at last [u + 1] to the first again.

    That last step is as long as the mean of the others: the drive begins anew.
    """
    steps = np.linalg.norm(np.diff(positions, axis=0), axis=1)
    last = steps.mean() if steps.any() else 1.0
    return np.concatenate([[0.0], np.cumsum([*steps, last])])
