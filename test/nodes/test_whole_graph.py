# SPDX-License-Identifier: Apache-2.0
"""Camera, vehicle, channel and RSU as four processes over DDS."""

from __future__ import annotations

import signal

import pytest

pytest.importorskip("rclpy", reason="no ROS 2 for this Python")

from ros_bench import graph_tester, run_until  # noqa: E402
from sensor_msgs.msg import Image  # noqa: E402

from semcom_ros import graph  # noqa: E402
from semcom_ros.nodes.topics import reliable  # noqa: E402

IMAGES = 5
# The camera waits for the vehicle and for the test; how slow the machine is is not tested here.
VALUES = {"data": "scenes:1", "wait_for_subscribers": 2, "max_age_s": 0.0}


@pytest.mark.parametrize(
    ("codec", "stop"),
    [("classical", signal.SIGTERM), ("gesco", signal.SIGINT), ("sqgan", signal.SIGTERM)],
)
def test_images_come_out_under_their_own_headers_and_every_node_ends_cleanly(codec, stop, tmp_path):
    sent: list[Image] = []
    got: list[Image] = []
    with graph_tester() as tester:
        tester.create_subscription(Image, "camera/image_raw", sent.append, reliable(99))
        tester.create_subscription(Image, "rsu/image", got.append, reliable(99))
        lines = {p.name: graph.command(p) for p in graph.vehicle_rsu(codec=codec, **VALUES)}
        statuses, logs = run_until(lambda: len(got) >= IMAGES, tester, lines, stop, tmp_path)
    assert len(got) >= IMAGES, logs
    stamps = [(m.header.stamp.sec, m.header.stamp.nanosec) for m in got]
    assert len(set(stamps)) == len(stamps), "an image was published twice"
    assert set(stamps) <= {(m.header.stamp.sec, m.header.stamp.nanosec) for m in sent}
    assert {m.header.frame_id for m in got} == {"camera_optical"}
    assert statuses == [0] * 4, logs
    assert not any("Traceback" in log or "terminate called" in log for log in logs.values()), logs
