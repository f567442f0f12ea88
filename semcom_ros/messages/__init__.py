# SPDX-License-Identifier: Apache-2.0
"""Messages of ROS by their fields alone: those of rclpy, and those of bags without ROS."""
