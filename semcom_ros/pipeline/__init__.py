# SPDX-License-Identifier: Apache-2.0
"""What a node calls, without ROS: transmitter, receiver, RSU and executor."""
