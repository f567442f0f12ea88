# SPDX-License-Identifier: Apache-2.0
"""How nodes publish and subscribe: qualities of service, and work that is done on demand alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from copy import copy
from importlib import import_module
from typing import Any

from rcl_interfaces.msg import SetParametersResult
from rclpy.event_handler import PublisherEventCallbacks, SubscriptionEventCallbacks
from rclpy.lifecycle import LifecycleNode, LifecyclePublisher
from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rclpy.qos_overriding_options import QoSOverridingOptions
from rclpy.subscription import Subscription


def message_type(name: str) -> type | None:
    """The class of a message's type, such as sensor_msgs/msg/Image; None where there is none."""
    package, _, kind = name.partition("/msg/")
    try:
        return getattr(import_module(f"{package}.msg"), kind, None)
    except ImportError:
        return None


def reliable(depth: int = 5) -> QoSProfile:
    """What publishers offer, and what a subscriber asks for that must not miss a message.

    Payloads among them: only the emulated radio is to lose any, and a map in planes is too large
    for best effort to carry."""
    return QoSProfile(depth=depth, reliability=ReliabilityPolicy.RELIABLE)


def offered(latched: bool = False) -> QoSProfile:
    """What subscribers of cameras ask for: reliable where all publishers are.

    Best effort loses most pictures that are larger than Fast DDS's shared memory. latched: take
    what was said once, too, where all publishers keep it for those who come later."""
    profile = QoSProfile(depth=5, reliability=ReliabilityPolicy.BEST_AVAILABLE)
    profile.durability = DurabilityPolicy.BEST_AVAILABLE if latched else DurabilityPolicy.VOLATILE
    return profile


def latched() -> QoSProfile:
    """For what is said once and must reach those who come later."""
    return QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)


TOGETHER = 200
"""Messages that may wait to be taken together: the last tenth of a second of 2000 a second."""
overriding = QoSOverridingOptions.with_default_policies
"""Lets parameters `qos_overrides.<topic>.<entity>.<policy>` change a profile at start."""

_OPEN: dict[str, tuple[Any, Any, bool]] = {
    "reliability": (ReliabilityPolicy.RELIABLE, ReliabilityPolicy.BEST_EFFORT, True),
    "durability": (DurabilityPolicy.TRANSIENT_LOCAL, DurabilityPolicy.VOLATILE, False),
}
"""What BEST_AVAILABLE comes to: where all publishers offer it, where one does not, and whether the
former is asked for while there is no publisher."""


class Listener:
    """A subscription of `node`; what `profile` calls BEST_AVAILABLE follows the publishers.

    raw: `callback` gets messages as they are serialized. together: it gets all that wait in one of
    the executor's rounds, each of which takes longer than ten that are refused. passing: it comes
    and goes while the node runs; parameters that override its qualities would stay behind, so that
    there are none, and its profile leaves nothing open.

    DDS settles BEST_AVAILABLE when a subscription is made, which is often before the camera comes,
    and a reliable one never hears a best-effort publisher.
    """

    def __init__(
        self,
        node: Node,
        kind: type,
        topic: str,
        callback: Callable[..., Any],
        profile: QoSProfile,
        raw: bool = False,
        together: bool = False,
        passing: bool = False,
    ) -> None:
        self._node, self._topic, self._raw = node, node.resolve_topic_name(topic), raw
        self._callback = callback
        self._overriding = None if passing else overriding(callback=self._settle)
        self._what = kind, topic, self._take_together if together else callback
        self._asked, self._open = profile, dict[str, Any]()
        self._made: Subscription | None = None
        self._subscribe()

    def follow(self) -> None:
        """Listen anew if the publishers offer something else by now."""
        if self._open != {policy: self._offered(policy) for policy in self._open}:
            self.stop()
            self._subscribe()

    def stop(self) -> None:
        """Listen no more, whatever events are still on their way."""
        self._open = {}
        made, self._made = self._made, None
        self._node.destroy_subscription(made)

    def _subscribe(self) -> None:
        events = SubscriptionEventCallbacks(
            matched=lambda _: self.follow(), incompatible_qos=lambda _: self._on_incompatible()
        )
        self._made = self._node.create_subscription(
            *self._what,
            copy(self._asked),
            event_callbacks=events,
            qos_overriding_options=self._overriding,
            raw=self._raw,
        )

    def _take_together(self, message: Any) -> None:
        made = self._made
        for _ in range(TOGETHER):
            self._callback(message)
            if made is not self._made:  # what was said has ended the subscription
                return
            with made.handle:
                taken = made.handle.take_message(made.msg_type, self._raw)
            if taken is None:
                return
            message = taken[0]
        self._callback(message)

    def _settle(self, profile: QoSProfile) -> SetParametersResult:
        """Settle what `profile` leaves open after overrides, as rclpy itself cannot do anew."""
        for policy in _OPEN:
            if getattr(profile, policy).name == "BEST_AVAILABLE":
                self._open[policy] = self._offered(policy)
                setattr(profile, policy, self._open[policy])
        return SetParametersResult(successful=True)

    def _offered(self, policy: str) -> Any:
        best, least, alone = _OPEN[policy]
        found = self._node.get_publishers_info_by_topic(self._topic)
        kept = [getattr(one.qos_profile, policy) == best for one in found] or [alone]
        return best if all(kept) else least

    def _on_incompatible(self) -> None:
        self.follow()
        if "reliability" not in self._open:
            self._node.get_logger().warning(
                f"A publisher on {self._topic} offers less than this node asks for, and is not "
                "heard: make it reliable, or set the parameter "
                f"qos_overrides.{self._topic}.subscription.reliability to best_effort."
            )


class TopicsNode(LifecycleNode):
    """A lifecycle node that makes publishers and, in `listen`, subscriptions, and drops both."""

    def __init__(self, name: str) -> None:
        super().__init__(name, enable_logger_service=True)
        self.active = False
        self._own_publishers: list[LifecyclePublisher] = []
        self._demanded: list[Publisher] = []
        self._listeners: list[Listener] = []

    def listen(self) -> None:
        """Subscribe: once the node is active and, if it has publishers on demand, while somebody
        listens to one of them."""

    def publisher(
        self, kind: type, topic: str, profile: QoSProfile | None = None,
        on_demand: bool = False, passing: bool = False,
    ) -> LifecyclePublisher:  # fmt: skip
        """A publisher that is silent unless the node is active.

        on_demand: the node need not work while nobody listens to this one or another such.
        passing: as of a `Listener`.
        """
        events = PublisherEventCallbacks(
            matched=(lambda _: self.follow_demand()) if on_demand else None
        )
        made = self.create_lifecycle_publisher(
            kind,
            topic,
            profile or reliable(),
            event_callbacks=events,
            qos_overriding_options=None if passing else overriding(),
        )
        if self.active:
            made.on_activate(None)
        self._own_publishers.append(made)
        if on_demand:
            self._demanded.append(made)
        return made

    def subscribe(
        self,
        kind: type,
        topic: str,
        callback: Callable[..., Any],
        profile: QoSProfile | None = None,
        **listening: bool,
    ) -> Listener:
        """Listen, as a `Listener` does, until the node is deactivated or nobody listens to it."""
        made = Listener(self, kind, topic, callback, profile or offered(), **listening)
        self._listeners.append(made)
        return made

    def drop(self, publishers: Iterable[LifecyclePublisher], listeners: Iterable[Listener]) -> None:
        """Publish nothing any more by some of the node's publishers, and listen to some no more."""
        for publisher in publishers:
            self._own_publishers.remove(publisher)
            self.destroy_lifecycle_publisher(publisher)
        for listener in listeners:
            self._listeners.remove(listener)
            listener.stop()
        self._forget_the_dead()

    def _forget_the_dead(self) -> None:
        """rclpy's groups of callbacks keep a reference to all that ever was, 34 for a vehicle."""
        group = self.default_callback_group
        group.entities = {reference for reference in group.entities if reference() is not None}

    @property
    def subscribed(self) -> bool:
        """Whether the node listens to anything."""
        return bool(self._listeners)

    def follow_demand(self) -> None:
        """Listen while the node is active and wanted, else to nothing."""
        # Of a process that is told to stop, nothing more can be asked of a publisher.
        wanted = self.active and (
            not self._demanded or any(p.get_subscription_count() for p in self._demanded)
        )
        if not wanted:
            while self._listeners:
                self._listeners.pop().stop()
        elif not self.subscribed:
            self.listen()

    def follow_publishers(self) -> None:
        """Ask of each publisher for what it offers: DDS may tell of it before it knows of it."""
        for listener in self._listeners:
            listener.follow()

    def drop_publishers(self) -> None:
        """Publish nothing any more."""
        self._demanded.clear()
        while self._own_publishers:
            self.destroy_lifecycle_publisher(self._own_publishers.pop())
        self._forget_the_dead()
