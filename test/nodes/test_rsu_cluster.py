# SPDX-License-Identifier: Apache-2.0
"""The RSU as a node whose images others paint: it shows them, and says when it cannot."""

from __future__ import annotations

import os
import signal
import sys
from functools import partial
from pathlib import Path

import pytest

pytest.importorskip("rclpy", reason="no ROS 2 for this Python")

from diagnostic_msgs.msg import DiagnosticStatus  # noqa: E402
from ros_bench import bench  # noqa: E402
from rsu_bench import RECEIVED, arrival  # noqa: E402
from sensor_msgs.msg import CompressedImage, Image  # noqa: E402

from semcom_ros.cluster import pool as pools  # noqa: E402
from semcom_ros.cluster import remote_rsu  # noqa: E402
from semcom_ros.cluster.pool import Pool  # noqa: E402
from semcom_ros.messages.camera import image_array  # noqa: E402
from semcom_ros.nodes.rsu_node import RsuNode  # noqa: E402

GATEWAY = (sys.executable, str(Path(__file__).parents[1] / "cluster_gateway.py"))
BLIND = dict.fromkeys(("segmentation", "detection", "depth"), "none")


def test_images_of_a_cluster_are_shown_and_its_absence_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pools, "LEAVE_S", 0.0)
    monkeypatch.setattr(remote_rsu, "check_ray", lambda: None)
    monkeypatch.setattr(remote_rsu, "Pool", partial(Pool, command=GATEWAY))
    with bench(RsuNode, codec="classical", backend="ray", ray_address="nowhere", **BLIND) as b:
        b.up()
        pool = b.node._pool
        images = b.listen(Image, "rsu/image")
        b.listened("rsu/image")
        payloads = b.speak(CompressedImage, RECEIVED)
        b.until(lambda: not pool.trouble, "replicas")
        payloads.publish(message := arrival(1))
        b.until(lambda: images, "an image")
        assert images[0].header == message.header
        assert abs(image_array(images[0]).astype(int) - (40, 90, 160)).max() < 12
        assert b.node.values()["replicas"] == "2"
        pool._command = (sys.executable, "-c", "import time; time.sleep(1000)")
        os.kill(pool._gateway.pid, signal.SIGKILL)
        b.until(lambda: pool.trouble, "the loss")
        level, sentence = b.node.status()
        assert level == DiagnosticStatus.WARN and "nowhere (the cluster is gone)" in sentence
        payloads.publish(arrival(2))
        counters = b.node.vehicles[""].receiver.counters
        b.until(lambda: counters.snapshot()["superseded"] == 1, "the skipped image")
        assert b.node.statistics.snapshot()["batches_skipped"] == "1"
    assert pool._gateway.returncode is not None and not pool._thread.is_alive()
