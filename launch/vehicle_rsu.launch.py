# SPDX-License-Identifier: Apache-2.0
"""Vehicles and their RSU on one host: cameras, vehicles, channels and RSU, each in a process.

`ros2 launch semcom_ros vehicle_rsu.launch.py --show-args` lists what can be set. What is started
is said in `semcom_ros.bringup`, for `semcom launch` too.
"""

from __future__ import annotations

from launch import LaunchDescription

from semcom_ros.nodes.ros2_launch import describe


def generate_launch_description() -> LaunchDescription:
    """The arguments, and the nodes once their values are known."""
    return describe("vehicle_rsu")
