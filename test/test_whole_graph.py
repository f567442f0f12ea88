# SPDX-License-Identifier: Apache-2.0
"""Camera, vehicle, channel and RSU as four processes over DDS."""

from __future__ import annotations

import os
import signal
import subprocess
import time

import pytest

pytest.importorskip("rclpy", reason="no ROS 2 for this Python")

import rclpy  # noqa: E402
from ros_bench import PATIENCE_S, isolated_domain  # noqa: E402
from sensor_msgs.msg import Image  # noqa: E402

from semcom_ros import graph  # noqa: E402
from semcom_ros.nodes import qos  # noqa: E402

IMAGES = 5
# The camera waits for the vehicle and for the test; how slow the machine is is not tested here.
VALUES = {"data": "scenes:1", "wait_for_subscribers": 2, "max_age_s": 0.0}


def ended(process: subprocess.Popen) -> int:
    """Its exit status; one that hangs is made to write where each of its threads stands."""
    try:
        return process.wait(PATIENCE_S)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGABRT)
        return process.wait(PATIENCE_S)


@pytest.mark.parametrize(
    ("codec", "stop"), [("classical", signal.SIGTERM), ("gesco", signal.SIGINT)]
)
def test_images_come_out_under_their_own_headers_and_every_node_ends_cleanly(codec, stop, tmp_path):
    sent: list[Image] = []
    got: list[Image] = []
    with isolated_domain():
        rclpy.init(args=["--ros-args", "--disable-external-lib-logs"])
        tester = rclpy.create_node("tester", namespace=graph.NAMESPACE)
        tester.create_subscription(Image, "camera/image_raw", sent.append, qos.reliable(99))
        tester.create_subscription(Image, "rsu/image", got.append, qos.reliable(99))
        running = []
        env = {**os.environ, "PYTHONFAULTHANDLER": "1"}
        try:
            for process in graph.vehicle_rsu(codec=codec, **VALUES):
                with (tmp_path / process.name).open("wb") as log:
                    line = graph.command(process)
                    running.append(subprocess.Popen(line, stdout=log, stderr=log, env=env))
            deadline = time.monotonic() + 3 * PATIENCE_S
            while len(got) < IMAGES and time.monotonic() < deadline:
                rclpy.spin_once(tester, timeout_sec=0.1)
        finally:
            for process in running:
                process.send_signal(stop)
            statuses = [ended(process) for process in running]
            tester.destroy_node()
            rclpy.try_shutdown()
    logs = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert len(got) >= IMAGES, logs
    stamps = [(m.header.stamp.sec, m.header.stamp.nanosec) for m in got]
    assert len(set(stamps)) == len(stamps), "an image was published twice"
    assert set(stamps) <= {(m.header.stamp.sec, m.header.stamp.nanosec) for m in sent}
    assert {m.header.frame_id for m in got} == {"camera_optical"}
    assert statuses == [0] * 4, logs
    assert not any("Traceback" in log or "terminate called" in log for log in logs.values()), logs
