# SPDX-License-Identifier: Apache-2.0
"""ROS glue: the only part of the package that imports rclpy and messages."""

from __future__ import annotations

import os

# Idle OpenMP threads spin by default and take the cores that the other nodes need. The library
# reads this when torch loads it, so it has to be said before anything imports torch.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
