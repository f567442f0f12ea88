# SPDX-License-Identifier: Apache-2.0
"""A drive between two hosts: two ROS domains, a bad road by UDP between them, real nodes."""

from __future__ import annotations

import os
import signal

import cv2
import numpy as np
import pytest

pytest.importorskip("rclpy", reason="no ROS 2 for this Python")

import domain_coordinator  # noqa: E402
from diagnostic_msgs.msg import DiagnosticArray  # noqa: E402
from ros_bench import graph_tester, run_until  # noqa: E402
from sensor_msgs.msg import Image  # noqa: E402
from udp_bench import Relay  # noqa: E402

from semcom_ros import bringup, graph  # noqa: E402
from semcom_ros.link.keys_command import make_street  # noqa: E402
from semcom_ros.link.sockets import open_socket  # noqa: E402
from semcom_ros.nodes.topics import reliable  # noqa: E402

LIGHT = {"codec": "classical", "respawn": "false"}
AT_RSU = {"segmentation": "none", "detection": "none", "depth": "none", "max_age_s": "0.0"}
IMAGES, RADIO_LOSES = 12, 0.1


def free_port() -> int:
    with open_socket("127.0.0.1:0") as free:
        return free.getsockname()[1]


def lines(description: str, domain: str, **given: str) -> dict[str, list[str]]:
    """The command lines of one host's nodes, in its own domain."""
    return {
        f"{description}_{one.name}": ["env", f"ROS_DOMAIN_ID={domain}", *graph.command(one)]
        for one in bringup.processes(LIGHT | given, description)
    }


@pytest.mark.parametrize("security", ["signed", "session"])
def test_a_drive_crosses_from_domain_to_domain_over_a_bad_road_and_all_is_accounted_for(
    security, tmp_path
):
    make_street(tmp_path / "keys", 1)
    (tmp_path / "street").mkdir()
    for i in range(4):
        picture = np.full((64, 128, 3), 60 * i, np.uint8)
        cv2.imwrite(str(tmp_path / "street" / f"{i}.png"), picture)
    both = {"security": security, "keys": str(tmp_path / "keys")}
    images: list[Image] = []
    told: dict[str, dict[str, str]] = {}

    def keep(message: DiagnosticArray) -> None:
        told.update({s.name: {p.key: p.value for p in s.values} for s in message.status})

    with graph_tester() as tester, domain_coordinator.domain_id() as other:
        port = free_port()
        relay = Relay(("127.0.0.1", port), loss=RADIO_LOSES, jitter_ms=30, seed=5)
        tester.create_subscription(Image, "rsu/image", images.append, reliable(99))
        tester.create_subscription(DiagnosticArray, "/diagnostics", keep, reliable(99))
        hosts = lines(
            "rsu", os.environ["ROS_DOMAIN_ID"], bind=f"127.0.0.1:{port}", **AT_RSU, **both
        )
        hosts |= lines(
            "vehicle",
            str(other),
            peer=f"127.0.0.1:{relay.port}",
            data=f"folder:{tmp_path / 'street'}",
            **both,
        )

        def done() -> bool:
            books = told.get("/vehicle_1/rsu", {})
            return len(images) >= IMAGES <= int(books.get("decoded", 0))

        try:
            statuses, logs = run_until(done, tester, hosts, signal.SIGINT, tmp_path)
        finally:
            relay.stop()
    # As one text, of which pytest leaves nothing out.
    told_there = "\n".join(f"{name}:\n{log}" for name, log in logs.items())
    assert done(), told_there
    assert statuses == [0] * len(hosts), told_there
    stamps = [(m.header.stamp.sec, m.header.stamp.nanosec) for m in images]
    assert len(set(stamps)) == len(stamps)
    assert {m.header.frame_id for m in images} == {"camera_optical"}
    books = {name: int(n) for name, n in told["/vehicle_1/rsu"].items() if n.isdigit()}
    assert 0 <= books["in_flight"] < IMAGES <= books["decoded"]
    # Some, until the vehicle's certificate has come, which may be lost, and those overtaken.
    explained = books["rejected.authentication"] + books["rejected.late"]
    assert books["rejected"] == explained and books["rejected.authentication"] < 3 * IMAGES
    link = told["/rsu/link_node"]
    assert float(link["vehicle_1.rtt_ms"]) < 5000 and 0 < int(link["received"]) <= relay.passed
    assert not any(name.startswith("refused") for name in link), link
