# SPDX-License-Identifier: Apache-2.0
"""How nodes publish and subscribe: qualities of service, and work that is done on demand alone."""

from __future__ import annotations

from collections.abc import Callable

from rclpy.event_handler import PublisherEventCallbacks
from rclpy.lifecycle import LifecycleNode, LifecyclePublisher
from rclpy.publisher import Publisher
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rclpy.qos_overriding_options import QoSOverridingOptions
from rclpy.subscription import Subscription


def reliable(depth: int = 5) -> QoSProfile:
    """What publishers offer, and what a subscriber asks for that must not miss a message.

    Payloads among them: only the emulated radio is to lose any, and a map in planes is too large
    for best effort to carry."""
    return QoSProfile(depth=depth, reliability=ReliabilityPolicy.RELIABLE)


def newest(depth: int = 1) -> QoSProfile:
    """What subscribers of images ask for: a late one is of no use."""
    return QoSProfile(depth=depth, reliability=ReliabilityPolicy.BEST_EFFORT)


def latched() -> QoSProfile:
    """For what is said once and must reach those who come later."""
    return QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)


overriding = QoSOverridingOptions.with_default_policies
"""Lets parameters `qos_overrides.<topic>.<entity>.<policy>` change a profile at start."""


class TopicsNode(LifecycleNode):
    """A lifecycle node that makes publishers and, in `listen`, subscriptions, and drops both."""

    def __init__(self, name: str) -> None:
        super().__init__(name, enable_logger_service=True)
        self.active = False
        self._own_publishers: list[LifecyclePublisher] = []
        self._demanded: list[Publisher] = []
        self._own_subscriptions: list[Subscription] = []

    def listen(self) -> None:
        """Subscribe: once the node is active and, if it has publishers on demand, while somebody
        listens to one of them."""

    def publisher(
        self, kind: type, topic: str, profile: QoSProfile | None = None, on_demand: bool = False
    ) -> Publisher:
        """A publisher that is silent unless the node is active.

        on_demand: the node need not work while nobody listens to this one or another such.
        """
        events = PublisherEventCallbacks(
            matched=(lambda _: self.follow_demand()) if on_demand else None
        )
        made = self.create_lifecycle_publisher(
            kind,
            topic,
            profile or reliable(),
            event_callbacks=events,
            qos_overriding_options=overriding(),
        )
        self._own_publishers.append(made)
        if on_demand:
            self._demanded.append(made)
        return made

    def subscribe(
        self,
        kind: type,
        topic: str,
        callback: Callable[..., None],
        profile: QoSProfile | None = None,
    ) -> None:
        """Listen until the node is deactivated or nobody listens to it."""
        made = self.create_subscription(
            kind, topic, callback, profile or newest(), qos_overriding_options=overriding()
        )
        self._own_subscriptions.append(made)

    @property
    def subscribed(self) -> bool:
        """Whether the node listens to anything."""
        return bool(self._own_subscriptions)

    def follow_demand(self) -> None:
        """Listen while the node is active and wanted, else to nothing."""
        # Of a process that is told to stop, nothing more can be asked of a publisher.
        wanted = self.active and (
            not self._demanded or any(p.get_subscription_count() for p in self._demanded)
        )
        if not wanted:
            while self._own_subscriptions:
                self.destroy_subscription(self._own_subscriptions.pop())
        elif not self.subscribed:
            self.listen()

    def drop_publishers(self) -> None:
        """Publish nothing any more."""
        self._demanded.clear()
        while self._own_publishers:
            self.destroy_lifecycle_publisher(self._own_publishers.pop())
