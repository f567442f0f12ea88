# SPDX-License-Identifier: Apache-2.0
"""Writes a small DeepMIMO scenario to try with: a drive past an RSU in a street of walls.

Ray-traced by the method of images in closed form: the direct path, one reflection at the ground
and at each of two walls, and point scatterers, each with its exact length, so that delays, phases
and powers are exact for the geometry. Real scenarios come from DeepMIMO.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.io import savemat

from semcom_ros.channel.fading.jakes import SPEED_OF_LIGHT
from semcom_ros.errors import SemcomError

CARRIER_HZ = 5.9e9
RSU_M = np.array([0.0, -6.0, 6.0])
_HALF_WAY_M = 100.0
_LANE_M = (2.0, 1.5)
"""Across the street and above the ground: the way of the vehicle's antenna along x."""
_MIRRORS = ((2, 0.0, -0.6), (1, -10.0, -0.5), (1, 14.0, -0.5))
"""Axis, place and reflection coefficient of the ground and the two walls."""
_SCATTERERS = 4
_SCATTERED_IN_M = (-_HALF_WAY_M, -9.0, 1.0), (_HALF_WAY_M, 13.0, 8.0)
_CROSS_SECTION_M2 = 10.0
_DIRECT, _REFLECTED, _SCATTERED = 0, 1, 3
"""DeepMIMO's codes of what a path met."""


@dataclass(frozen=True, eq=False)
class TracedStreet:
    """The paths [u, p] from the RSU to the u positions [u, 3] of the drive.

    power: linear, received of 1 W between isotropic antennas. bounce: where each path met
    something [u, p, 3], the direct one half-way. kind: DeepMIMO's code of what [p].
    """

    positions: np.ndarray
    power: np.ndarray
    phase_rad: np.ndarray
    delay_s: np.ndarray
    bounce: np.ndarray
    kind: np.ndarray


def trace_street(users: int, seed: int) -> TracedStreet:
    """The street at `users` positions; `seed` places its scatterers. Raises SemcomError."""
    if users < 1:
        raise SemcomError(f"A trace needs 1 position or more, not {users}.")
    x = np.linspace(-_HALF_WAY_M, _HALF_WAY_M, users)
    positions = np.column_stack([x, *(np.full(users, place) for place in _LANE_M)])
    wave_m = SPEED_OF_LIGHT / CARRIER_HZ

    direct = np.linalg.norm(positions - RSU_M, axis=1)
    lengths, bounces = [direct], [(positions + RSU_M) / 2]
    amplitudes = [wave_m / (4 * np.pi * direct)]
    for axis, place, coefficient in _MIRRORS:
        image = RSU_M.copy()
        image[axis] = 2 * place - image[axis]
        ray = positions - image
        lengths.append(np.linalg.norm(ray, axis=1))
        bounces.append(image + ray * ((place - image[axis]) / ray[:, axis])[:, None])
        amplitudes.append(coefficient * wave_m / (4 * np.pi * lengths[-1]))
    rng = np.random.default_rng(seed)
    for point in rng.uniform(*_SCATTERED_IN_M, (_SCATTERERS, 3)):
        there, back = np.linalg.norm(point - RSU_M), np.linalg.norm(positions - point, axis=1)
        lengths.append(there + back)
        bounces.append(np.broadcast_to(point, positions.shape))
        # The radar equation between isotropic antennas.
        radar = _CROSS_SECTION_M2 * wave_m**2 / ((4 * np.pi) ** 3 * (there * back) ** 2)
        amplitudes.append(np.sqrt(radar))
    length, amplitude = np.stack(lengths, axis=1), np.stack(amplitudes, axis=1)
    turns = -length / wave_m + np.where(amplitude < 0, 0.5, 0)
    return TracedStreet(
        positions,
        amplitude**2,
        2 * np.pi * (turns - np.round(turns)),
        length / SPEED_OF_LIGHT,
        np.stack(bounces, axis=1),
        np.array([_DIRECT, *[_REFLECTED] * len(_MIRRORS), *[_SCATTERED] * _SCATTERERS]),
    )


def write_v4(street: TracedStreet, folder: Path) -> None:
    """params.json and 11 arrays, as DeepMIMO v4 reads them: dBW, degrees, seconds, metres."""
    users, paths = street.power.shape
    names = ("phase", "delay", "power", "aoa_az", "aoa_el", "aod_az", "aod_el")
    arrays = {
        **dict(zip(names, _rows(street), strict=False)),
        "inter": np.tile(street.kind.astype(float), (users, 1)),
        "inter_pos": np.where(street.kind[:, None] == _DIRECT, np.nan, street.bounce)[:, :, None],
        "rx_pos": street.positions,
        "tx_pos": RSU_M[None],
    }
    for name, array in arrays.items():
        np.savez_compressed(folder / f"{name}_t000_tx000_r001.npz", **{name: array})
    sets = {
        f"txrx_set_{i}": {
            "name": name, "id": i, "is_tx": not i, "is_rx": bool(i), "num_points": points,
            "num_active_points": points, "num_ant": 1, "dual_pol": False,
        }
        for i, (name, points) in enumerate((("rsu", 1), ("vehicle", users)))
    }  # fmt: skip
    rays = {"frequency": CARRIER_HZ, "raytracer_name": "semcom_ros", "max_paths": paths}
    params = {"version": "4.0.0", "rt_params": rays, "scene": {"num_scenes": 1}, "materials": {}}
    (folder / "params.json").write_text(json.dumps(params | {"txrx_sets": sets}, indent=2) + "\n")


def write_v3(street: TracedStreet, folder: Path) -> None:
    """params.mat and BS1_UE_0-<users>.mat: a cell a user, of 8 rows and a column a path."""
    cells = np.empty(len(street.positions), object)
    cells[:] = [{"p": rows} for rows in np.moveaxis(_rows(street), 0, 1)]
    places = np.column_stack([street.positions, _distance_and_loss(street)])
    drive = {"channels": cells, "rx_locs": places, "tx_loc": RSU_M[None]}
    savemat(folder / f"BS1_UE_0-{len(cells)}.mat", drive)
    savemat(folder / "params.mat", {"version": 3, **_params(street)})


def write_o1_60(street: TracedStreet, folder: Path) -> None:
    """The 8 files O1_60.*.mat of DeepMIMO v2, of base station 1."""
    users, paths = street.power.shape
    phase, delay, power, *angles, _ = _rows(street)
    number = np.broadcast_to(np.arange(1.0, paths + 1), (users, paths))
    own = np.arange(1.0, users + 1)
    arrays = {
        "1.LoS": ("LOS_tag", np.append(users, np.ones(users))),
        "1.PL": ("PL", _distance_and_loss(street)),
        "Loc": ("Loc", np.column_stack([own, street.positions])),
        "TX_Loc": ("TX_Loc", np.append(1.0, RSU_M)[None]),
    }
    for name, (what, array) in arrays.items():
        savemat(folder / f"O1_60.{name}.mat", {f"{what}_array_full": array})
    for name, columns in {
        "CIR": (phase, delay, power),
        "DoA": (*angles[:2], power),
        "DoD": (*angles[2:], power),
    }.items():
        of_users = np.stack([number, *columns], axis=2).reshape(users, -1)
        flat = np.column_stack([own, np.full(users, paths), of_users]).reshape(-1)
        savemat(folder / f"O1_60.1.{name}.mat", {f"{name}_array_combined": np.append(users, flat)})
    savemat(folder / "O1_60.params.mat", _params(street))


FORMATS = {"v4": write_v4, "v3": write_v3, "o1_60": write_o1_60}


def _rows(street: TracedStreet) -> np.ndarray:
    """[8, u, p] in v3's order: phase, delay, power, angles of arrival and departure, if direct.

    Degrees and seconds; the power is in dB of the one sent. Elevations count from the zenith.
    """
    arrival = _angles(street.bounce - street.positions[:, None])
    departure = _angles(street.bounce - RSU_M)
    direct = np.broadcast_to(street.kind == _DIRECT, street.power.shape)
    return np.stack([
        np.rad2deg(street.phase_rad), street.delay_s, 10 * np.log10(street.power),
        *arrival, *departure, direct,
    ])  # fmt: skip


def _angles(rays: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Azimuth and angle from the zenith of vectors [u, p, 3], degrees [u, p]."""
    zenith = np.arccos(rays[..., 2] / np.linalg.norm(rays, axis=-1))
    return np.rad2deg(np.arctan2(rays[..., 1], rays[..., 0])), np.rad2deg(zenith)


def _distance_and_loss(street: TracedStreet) -> np.ndarray:
    """Metres from the RSU and dB of path loss [u, 2]."""
    distance = np.linalg.norm(street.positions - RSU_M, axis=1)
    return np.column_stack([distance, -10 * np.log10(street.power.sum(axis=1))])


def _params(street: TracedStreet) -> dict[str, object]:
    return {
        "carrier_freq": CARRIER_HZ,
        "transmit_power": 0.0,
        "num_BS": 1.0,
        "user_grids": np.array([[1.0, 1.0, len(street.positions)]]),
        "dual_polar_available": 0.0,
        "doppler_available": 0.0,
    }


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--format", choices=tuple(FORMATS), default="v4", help="DeepMIMO's layout")
    parser.add_argument("--out", required=True, type=Path, help="folder to write, new or empty")
    parser.add_argument("--users", type=int, default=401, help="positions along 200 m of street")
    parser.add_argument("--seed", type=int, default=1, help="places the scatterers")


def run(args: argparse.Namespace) -> None:
    street = trace_street(args.users, args.seed)
    if args.out.exists() and (not args.out.is_dir() or any(args.out.iterdir())):
        raise SemcomError(f"'{args.out}' is there already: name a folder that is new or empty.")
    args.out.mkdir(parents=True, exist_ok=True)
    FORMATS[args.format](street, args.out)
    users, paths = street.power.shape
    print(f"{args.out}: {users} positions, {paths} paths to each, laid out as {args.format}")
