# SPDX-License-Identifier: Apache-2.0
"""Bags of ROS 2 (rosbag2) written and read without ROS."""

from semcom_ros.datasets.bags.reader import BagReader
from semcom_ros.datasets.bags.topics import Qos, Topic, table_text
from semcom_ros.datasets.bags.writer import STORAGES, BagWriter

__all__ = ["STORAGES", "BagReader", "BagWriter", "Qos", "Topic", "table_text"]
