# SPDX-License-Identifier: Apache-2.0
"""Bags of ROS 2 from data sets, and what a bag holds."""
