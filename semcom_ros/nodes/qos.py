# SPDX-License-Identifier: Apache-2.0
"""The three qualities of service that the topics use; every one can be overridden by parameters."""

from __future__ import annotations

from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile, ReliabilityPolicy
from rclpy.qos_overriding_options import QoSOverridingOptions


def reliable(depth: int = 5) -> QoSProfile:
    """What publishers offer, and what a subscriber asks for that must not miss a message.

    Payloads among them: only the emulated radio is to lose any, and a map in planes is too large
    for best effort to carry."""
    return QoSProfile(
        reliability=ReliabilityPolicy.RELIABLE, history=HistoryPolicy.KEEP_LAST, depth=depth
    )


def newest(depth: int = 1) -> QoSProfile:
    """What subscribers of images ask for: a late one is of no use."""
    return QoSProfile(
        reliability=ReliabilityPolicy.BEST_EFFORT, history=HistoryPolicy.KEEP_LAST, depth=depth
    )


def latched() -> QoSProfile:
    """For what is said once and must reach those who come later."""
    profile = reliable(1)
    profile.durability = DurabilityPolicy.TRANSIENT_LOCAL
    return profile


def overriding() -> QoSOverridingOptions:
    """Lets parameters `qos_overrides.<topic>.<entity>.<policy>` change a profile at start."""
    return QoSOverridingOptions.with_default_policies()
