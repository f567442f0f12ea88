# SPDX-License-Identifier: Apache-2.0
"""Controls are made from the parameter tables, so that what is added there can be set."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import pytest

pytest.importorskip("rclpy", reason="no ROS 2 for this Python")
pytest.importorskip("nicegui", reason="NiceGUI is not installed")

from semcom_ros.channel.script import Script  # noqa: E402
from semcom_ros.graph import VEHICLE_RSU, table  # noqa: E402
from semcom_ros.nodes.dashboard.controls import (  # noqa: E402
    FIRST,
    TUNNEL,
    Controls,
    label,
    settable,
    step,
)


def test_all_that_takes_effect_at_once_is_set_on_every_node_that_has_it():
    found = settable()
    for node in VEHICLE_RSU:
        for name, p in table(node).items():
            assert (p.when == "at once") == (node in found.get(name, (p, ()))[1]), name
    assert set(FIRST) <= set(found)
    assert found["codec"][1] == ("vehicle_node", "rsu_node")


@pytest.mark.parametrize(
    ("name", "text"),
    [("snr_db", "SNR (dB)"), ("payload_bytes", "Payload bytes"), ("mcs", "MCS"), ("k_db", "K (dB)"),
     ("blackout_every_s", "Blackout every (s)"), ("loss", "Loss"), ("s", "S")],
)  # fmt: skip
def test_names_are_written_as_one_reads_them(name, text):
    assert label(name) == text


@pytest.mark.parametrize(
    ("name", "wanted"), [("snr_db", 0.5), ("loss", 0.01), ("speed_kmh", 5.0), ("payload_bytes", 1)]
)
def test_a_slider_has_some_hundred_round_steps(name, wanted):
    assert step(settable()[name][0]) == pytest.approx(wanted)


def test_the_tunnel_ends_where_it_began():
    snr = [Script.load(TUNNEL).at(time_s)["snr_db"] for time_s in (0, 5, 60)]
    assert snr[0] == snr[2] > 10 > 0 > snr[1]


@pytest.mark.parametrize("player", ["camera_node", "bag_node"])
def test_what_plays_is_paused_and_goes_on(player):
    values, controls = {f"/v/{player}": {"paused": False}}, Controls.__new__(Controls)

    async def write(of, asked):
        values[of].update(asked)

    remote = SimpleNamespace(values=values, write=write)
    controls._all, controls._choice = settable(), SimpleNamespace(value="/v", is_deleted=False)
    controls._fleet = SimpleNamespace(
        remote=remote,
        alive=lambda vehicle: {player, "rsu_node"},
        address=lambda vehicle, node: f"{vehicle}/{node}",
    )
    for wanted in (True, False):
        asyncio.run(controls.pause())
        assert values == {f"/v/{player}": {"paused": wanted}}
