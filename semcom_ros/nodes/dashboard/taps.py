# SPDX-License-Identifier: Apache-2.0
"""Topics that are looked at from time to time: DDS keeps the newest, and nobody is woken."""

from __future__ import annotations

from typing import Any

from rclpy.callback_groups import CallbackGroup
from rclpy.event_handler import SubscriptionEventCallbacks
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy


class Unattended(CallbackGroup):
    """Subscriptions that no executor waits for: until it is taken, a message costs nothing."""

    def can_execute(self, entity: Any) -> bool:
        return False

    beginning_execution = can_execute

    def ending_execution(self, entity: Any) -> None:
        """Nothing has begun."""


class Tap:
    """Listens to `topic` until it is closed; keeps the newest `depth` messages until `take`.

    raw: they are given as serialised, so that those which are not shown cost no more than a copy.
    """

    def __init__(
        self, node: Node, kind: type, topic: str, depth: int = 1, raw: bool = False
    ) -> None:
        # By now the topic's publishers are known, so that DDS can settle what they offer.
        profile = QoSProfile(depth=depth, reliability=ReliabilityPolicy.BEST_AVAILABLE)
        self.topic, self.kind, self._node, self._raw = topic, kind, node, raw
        self._made = node.create_subscription(
            kind,
            topic,
            lambda _: None,
            profile,
            callback_group=Unattended(),
            event_callbacks=SubscriptionEventCallbacks(use_default_callbacks=False),
            raw=raw,
        )

    def take(self) -> list[tuple[Any, int]]:
        """What came since the last call, oldest first, and when by the system's clock (ns)."""
        taken = []
        with self._made.handle:
            while (one := self._made.handle.take_message(self.kind, self._raw)) is not None:
                taken.append((one[0], one[1]["received_timestamp"]))
        return taken

    def close(self) -> None:
        """Listen no more."""
        self._node.destroy_subscription(self._made)
