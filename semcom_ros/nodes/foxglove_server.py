# SPDX-License-Identifier: Apache-2.0
"""A server for Foxglove and Lichtblick: the topics of the graph as they are, while they are shown.

Importing it raises SemcomError where foxglove-sdk is not installed.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from queue import SimpleQueue
from typing import Any

from rclpy.clock import Clock
from rclpy.clock_type import ClockType
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy
from vision_msgs.msg import Detection2DArray

from semcom_ros.datasets.bags.types import type_store
from semcom_ros.errors import SemcomError
from semcom_ros.nodes.topics import Listener, offered

try:
    import foxglove
    from foxglove.channels import ImageAnnotationsChannel
    from foxglove.websocket import Capability, ChannelView, Client, ServerListener

    from semcom_ros.nodes.foxglove_annotations import image_annotations
except ImportError:
    raise SemcomError(
        "The server for Foxglove needs foxglove-sdk, which is not installed here: install "
        "requirements/python.txt, or do without the server (foxglove_port 0)."
    ) from None

HOST = "127.0.0.1"
"""Nobody else is let in: the protocol knows no password."""
LOOK_S = 1.0
"""How often the graph is asked for topics that came or went."""
BACKLOG = 64
"""Messages that wait for a slow client at most; it misses the oldest."""
ANNOTATIONS = "/annotations"
"""Ends the name of the topic of boxes beside each topic of detections."""


@dataclass
class _Shown:
    """A topic that clients see. convert: what makes of a message what they get, if not its bytes.
    clients: those who listen to it."""

    ros_topic: str
    kind: type
    channel: Any
    convert: Callable[[Any], Any] | None = None
    clients: set[int] = field(default_factory=set)
    listener: Listener | None = None


class FoxgloveServer(ServerListener):
    """Shows what is published in the graph that `node` belongs to, at ws://127.0.0.1:`port`.

    Messages go through as they are serialized, and boxes of 2D detections beside them as
    `foxglove.ImageAnnotations`. The node listens to a topic while a client does, and to nothing
    else. port: 0 takes any that is free. Raises SemcomError where the port is taken.
    """

    def __init__(self, node: Node, port: int) -> None:
        self._node, self._types = node, type_store()
        self._shown: dict[str, _Shown] = {}
        self._unknown: set[str] = set()
        self._asked: SimpleQueue[tuple[int, int, bool]] = SimpleQueue()
        self._context = foxglove.Context()
        self._tells_time = node.get_parameter("use_sim_time").value
        self._wake = node.create_guard_condition(self._follow)
        try:
            self._server = foxglove.start_server(
                name="semcom_ros",
                host=HOST,
                port=port,
                capabilities=[Capability.Time] if self._tells_time else [],
                server_listener=self,
                context=self._context,
                message_backlog_size=BACKLOG,
            )
        except (OSError, RuntimeError) as error:
            node.destroy_guard_condition(self._wake)
            raise SemcomError(
                f"The Foxglove server cannot use foxglove_port {port} ({error}): choose another."
            ) from None
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self._timer = node.create_timer(LOOK_S, self.look, clock=steady)
        self.look()
        node.get_logger().info(f"Foxglove and Lichtblick connect to ws://{HOST}:{self.port}")

    @property
    def port(self) -> int:
        """Where it listens."""
        return self._server.port

    def stop(self) -> None:
        """Send all clients away and listen to nothing more."""
        self._server.stop()
        self._node.destroy_timer(self._timer)
        self._node.destroy_guard_condition(self._wake)
        for name in list(self._shown):
            self._withdraw(name)

    def look(self) -> None:
        """Offer the topics that have a publisher by now, and withdraw the others."""
        found = {
            name: kinds[0]
            for name, kinds in self._node.get_topic_names_and_types()
            if len(kinds) == 1 and self._node.count_publishers(name)
        }
        for name in [n for n, shown in self._shown.items() if shown.ros_topic not in found]:
            self._withdraw(name)
        for name, kind in found.items():
            if name not in self._shown and kind not in self._unknown:
                self._offer(name, kind)
        for shown in self._shown.values():
            if shown.listener:
                shown.listener.follow()

    def _offer(self, topic: str, type_name: str) -> None:
        package, _, name = type_name.partition("/msg/")
        try:
            definition, _ = self._types.generate_msgdef(type_name, ros_version=2)
            kind = getattr(importlib.import_module(f"{package}.msg"), name)
        except Exception:
            self._unknown.add(type_name)
            self._node.get_logger().warning(
                f"Foxglove does not get {topic}: its type {type_name} is not known here."
            )
            return
        schema = foxglove.Schema(name=type_name, encoding="ros2msg", data=definition.encode())
        channel = foxglove.Channel(
            topic, schema=schema, message_encoding="cdr", context=self._context
        )
        self._shown[topic] = _Shown(topic, kind, channel)
        if kind is Detection2DArray:
            boxes = ImageAnnotationsChannel(topic + ANNOTATIONS, context=self._context)
            self._shown[topic + ANNOTATIONS] = _Shown(topic, kind, boxes, image_annotations)

    def _withdraw(self, name: str) -> None:
        shown = self._shown.pop(name)
        if shown.listener:
            shown.listener.stop()
        shown.channel.close()

    def on_subscribe(self, client: Client, channel: ChannelView) -> None:
        """A client came to a channel; in a thread of the server's."""
        self._asked.put((channel.id, client.id, True))
        self._wake.trigger()

    def on_unsubscribe(self, client: Client, channel: ChannelView) -> None:
        """A client left a channel; in a thread of the server's."""
        self._asked.put((channel.id, client.id, False))
        self._wake.trigger()

    def _follow(self) -> None:
        """Listen to what clients listen to."""
        while not self._asked.empty():
            channel, client, listens = self._asked.get()
            shown = next((s for s in self._shown.values() if s.channel.id() == channel), None)
            if shown is None:
                continue  # withdrawn meanwhile
            (shown.clients.add if listens else shown.clients.discard)(client)
            # Who comes later hears what was said once when it is listened to anew.
            if shown.listener and (not shown.clients or (listens and self._latched(shown))):
                shown.listener.stop()
                shown.listener = None
            if shown.clients and not shown.listener:
                self._listen(shown)

    def _listen(self, shown: _Shown) -> None:
        profile, topic = offered(latched=True), shown.ros_topic
        # Many may say something once on one topic, as on /tf_static.
        profile.depth = max(profile.depth, self._node.count_publishers(topic))
        pass_on, raw = partial(self._pass_on, shown), shown.convert is None
        shown.listener = Listener(self._node, shown.kind, topic, pass_on, profile, raw)

    def _pass_on(self, shown: _Shown, message: Any) -> None:
        now = self._node.get_clock().now().nanoseconds
        if self._tells_time:
            self._server.broadcast_time(now)
        shown.channel.log(shown.convert(message) if shown.convert else message, log_time=now)

    def _latched(self, shown: _Shown) -> bool:
        found = self._node.get_publishers_info_by_topic(shown.ros_topic)
        kept = DurabilityPolicy.TRANSIENT_LOCAL
        return all(one.qos_profile.durability == kept for one in found)
