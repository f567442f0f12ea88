# SPDX-License-Identifier: Apache-2.0
"""A planner's end of the RSU: stop while somebody is in the lane ahead.

python docs/planner_example.py --ros-args -r __ns:=/vehicle_1

One `stop` (std_msgs/Bool) a frame. Silence is not "go": after half a second of it, stop as well.
"""

from __future__ import annotations

import math

import rclpy
from rclpy.node import Node
from rclpy.qos import qos_profile_sensor_data
from std_msgs.msg import Bool
from vision_msgs.msg import Detection3D, Detection3DArray

PEOPLE = ("person", "rider", "bicycle", "motorcycle")
LANE_M, REACH_M = 1.75, 30.0  # half the lane's width, and how far ahead it is kept clear
SIGMAS = 1.0  # so far nearer than they seem, in standard deviations, people are stopped for
LEAST_SCORE = 0.15  # whom only the map holds scores half the map's confidence


class Planner(Node):
    """Detections in the optical frame (x right, z ahead) in, `stop` out."""

    def __init__(self) -> None:
        super().__init__("planner")
        self._stop = self.create_publisher(Bool, "stop", 5)
        self.create_subscription(
            Detection3DArray, "rsu/detections_3d", self._plan, qos_profile_sensor_data
        )

    def _plan(self, array: Detection3DArray) -> None:
        self._stop.publish(Bool(data=any(in_the_way(d) for d in array.detections)))


def in_the_way(detection: Detection3D) -> bool:
    """Whether it may be a person in the lane ahead, given how well its position is known."""
    best = max(detection.results, key=lambda r: r.hypothesis.score)
    if best.hypothesis.class_id not in PEOPLE or best.hypothesis.score < LEAST_SCORE:
        return False
    at, covariance = best.pose.pose.position, best.pose.covariance
    aside = abs(at.x) - SIGMAS * math.sqrt(covariance[0])
    return aside < LANE_M and at.z - SIGMAS * math.sqrt(covariance[14]) < REACH_M


def main() -> None:
    rclpy.init()
    try:
        rclpy.spin(Planner())
    except (KeyboardInterrupt, Exception) as end:
        if rclpy.ok() and not isinstance(end, KeyboardInterrupt):  # else a signal ends us
            raise


if __name__ == "__main__":
    main()
