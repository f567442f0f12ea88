# SPDX-License-Identifier: Apache-2.0
"""The planner of docs/, on the procedural drive through camera, vehicle, channel and RSU."""

from __future__ import annotations

import importlib.util
import signal
import sys
from pathlib import Path

import pytest

pytest.importorskip("rclpy", reason="no ROS 2 for this Python")

from ros_bench import graph_tester, run_until  # noqa: E402
from std_msgs.msg import Bool  # noqa: E402
from vision_msgs.msg import Detection3D, Detection3DArray, ObjectHypothesisWithPose  # noqa: E402

from semcom_ros import graph  # noqa: E402
from semcom_ros.nodes.topics import reliable  # noqa: E402

FILE = Path(__file__).resolve().parents[2] / "docs" / "planner_example.py"
# Seed 2 begins behind a rider in the lane. The camera waits for the vehicle; how slow the machine
# is is not tested here.
VALUES = {"data": "scenes:2", "max_age_s": 0.0, "rate_hz": 4.0}
ARRAYS = 5


@pytest.fixture(scope="module")
def planner():
    spec = importlib.util.spec_from_file_location("planner_example", FILE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def somebody(name: str, x: float, z: float, score: float = 0.8, spread: float = 0.1) -> Detection3D:
    result = ObjectHypothesisWithPose()
    result.hypothesis.class_id, result.hypothesis.score = name, score
    result.pose.pose.position.x, result.pose.pose.position.z = x, z
    result.pose.covariance[0] = result.pose.covariance[14] = spread**2
    return Detection3D(results=[result])


def test_it_stops_for_people_in_the_lane_ahead_and_for_nothing_else(planner):
    assert len(FILE.read_text().splitlines()) < 60
    stops = planner.in_the_way
    assert stops(somebody("person", 0.5, 12.0)) and stops(somebody("rider", -1.0, 25.0))
    assert not stops(somebody("car", 0.0, 12.0))
    assert not stops(somebody("person", 4.0, 12.0)) and not stops(somebody("person", 0.0, 50.0))
    assert not stops(somebody("person", 0.0, 12.0, score=0.1))
    # A map received with confidence 0.5 holds somebody whom the detector missed.
    assert stops(somebody("person", 0.0, 12.0, score=0.25))
    # What is not known well may stand nearer than it seems.
    assert stops(somebody("person", 4.0, 12.0, spread=3.0))


def test_it_stops_on_the_procedural_drive_through_the_whole_graph(planner, tmp_path):
    arrays: list[Detection3DArray] = []
    stops: list[Bool] = []

    def done() -> bool:
        return len(arrays) >= ARRAYS and any(stop.data for stop in stops)

    with graph_tester() as tester:
        tester.create_subscription(
            Detection3DArray, "rsu/detections_3d", arrays.append, reliable(99)
        )
        tester.create_subscription(Bool, "stop", stops.append, reliable(99))
        lines = {process.name: graph.command(process) for process in graph.vehicle_rsu(**VALUES)}
        namespace = ["--ros-args", "-r", f"__ns:={graph.NAMESPACE}"]
        lines["planner"] = [sys.executable, str(FILE), *namespace]
        statuses, logs = run_until(done, tester, lines, signal.SIGINT, tmp_path)
    assert len(arrays) >= ARRAYS, logs
    assert any(planner.in_the_way(d) for array in arrays for d in array.detections), logs
    assert any(stop.data for stop in stops), logs
    assert {array.header.frame_id for array in arrays} == {"camera_optical"}
    assert statuses == [0] * 5, logs
    assert not any("Traceback" in log for log in logs.values()), logs
