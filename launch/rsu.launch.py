# SPDX-License-Identifier: Apache-2.0
"""The RSU's host of two: the link to the hosts of all vehicles, and the RSU.

`ros2 launch semcom_ros rsu.launch.py --show-args` lists what can be set. What is started
is said in `semcom_ros.bringup`, for `semcom launch` too.
"""

from __future__ import annotations

from launch import LaunchDescription

from semcom_ros.nodes.ros2_launch import describe


def generate_launch_description() -> LaunchDescription:
    """The arguments, and the nodes once their values are known."""
    return describe("rsu")
