# SPDX-License-Identifier: Apache-2.0
"""The server for Foxglove and Lichtblick, by a client that speaks their protocol."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="no ROS 2 for this Python")
pytest.importorskip("foxglove", reason="foxglove-sdk is not installed: make setup")

import rclpy  # noqa: E402
from aiohttp import ClientSession, ClientWebSocketResponse  # noqa: E402
from rclpy.executors import SingleThreadedExecutor  # noqa: E402
from rclpy.node import Node  # noqa: E402
from rclpy.serialization import serialize_message  # noqa: E402
from ros_bench import PATIENCE_S, bench, graph_tester  # noqa: E402
from rosbags.typesys import get_types_from_msg  # noqa: E402
from sensor_msgs.msg import Image  # noqa: E402
from std_msgs.msg import Header, String  # noqa: E402
from vision_msgs.msg import Detection2DArray, LabelInfo  # noqa: E402

from semcom_ros.errors import SemcomError  # noqa: E402
from semcom_ros.nodes.dashboard_node import DashboardNode  # noqa: E402
from semcom_ros.nodes.foxglove_server import FoxgloveServer  # noqa: E402
from semcom_ros.nodes.messages import (  # noqa: E402
    detections_message,
    image_message,
    label_info_message,
)
from semcom_ros.nodes.topics import latched, reliable  # noqa: E402
from semcom_ros.perception.detection import Detection  # noqa: E402

IMAGE, DETECTIONS = "/vehicle_1/rsu/image", "/vehicle_1/rsu/detections"


@dataclass
class Viewer:
    """A client as Foxglove is: what it was told of channels, and what came on which."""

    socket: ClientWebSocketResponse
    channels: dict[str, dict[str, Any]] = field(default_factory=dict)
    came: dict[str, list[bytes]] = field(default_factory=dict)

    async def read(self) -> None:
        async for message in self.socket:
            if isinstance(message.data, bytes):
                kind, subscription, _ = struct.unpack_from("<BIQ", message.data)
                if kind == 1:
                    topic = next(t for t, c in self.channels.items() if c["id"] == subscription)
                    self.came[topic].append(message.data[13:])
                continue
            told = json.loads(message.data)
            if told["op"] == "status" and "Unknown channel ID" in told["message"]:
                # foxglove-sdk 0.30.3 tells of a channel a moment before it knows it itself.
                await self._ask(int(told["message"].rpartition(" ")[2]))
            for channel in told.get("channels", []) if told["op"] == "advertise" else []:
                self.channels[channel["topic"]] = channel
            for gone in told.get("channelIds", []) if told["op"] == "unadvertise" else []:
                self.channels = {t: c for t, c in self.channels.items() if c["id"] != gone}

    async def show(self, topic: str) -> list[bytes]:
        """Subscribe; the list fills with what comes."""
        await self._ask(self.channels[topic]["id"])
        return self.came.setdefault(topic, [])

    async def _ask(self, number: int) -> None:
        asked = [{"id": number, "channelId": number}]
        await self.socket.send_json({"op": "subscribe", "subscriptions": asked})

    async def hide(self, topic: str) -> None:
        number = self.channels[topic]["id"]
        await self.socket.send_json({"op": "unsubscribe", "subscriptionIds": [number]})


@dataclass
class Stage:
    """A node that publishes, a server of another node, and viewers."""

    tester: Node
    node: Node
    server: FoxgloveServer
    executor: SingleThreadedExecutor
    session: ClientSession | None = None
    tasks: list[asyncio.Task] = field(default_factory=list)

    async def until(self, done: Callable[[], Any], what: str) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while not done():
            assert time.monotonic() < deadline, f"waited in vain for {what}"
            self.executor.spin_once(timeout_sec=0.01)
            await asyncio.sleep(0.001)

    async def viewer(self) -> Viewer:
        url = f"ws://127.0.0.1:{self.server.port}"
        socket = await self.session.ws_connect(url, protocols=["foxglove.sdk.v1"], max_msg_size=0)
        made = Viewer(socket)
        self.tasks.append(asyncio.ensure_future(made.read()))
        return made

    def play(self, scene: Callable[[], Awaitable[None]]) -> None:
        async def whole() -> None:
            async with ClientSession() as self.session:
                await scene()
            await asyncio.gather(*self.tasks)

        asyncio.run(whole())


@pytest.fixture
def stage() -> Iterator[Stage]:
    with graph_tester() as tester:
        node = rclpy.create_node("viewer", namespace="/vehicle_1")
        executor = SingleThreadedExecutor()
        executor.add_node(tester), executor.add_node(node)
        server = FoxgloveServer(node, 0)
        try:
            yield Stage(tester, node, server, executor)
        finally:
            server.stop()
            executor.shutdown()
            node.destroy_node()


def picture() -> Image:
    pixels = np.random.default_rng(1).integers(0, 256, (256, 512, 3)).astype(np.uint8)
    return image_message(Header(frame_id="front"), pixels)


def test_an_image_arrives_byte_for_byte_and_is_listened_to_only_while_shown(stage):
    publisher = stage.tester.create_publisher(Image, IMAGE, reliable())
    message = picture()
    cdr = bytes(serialize_message(message))

    async def scene() -> None:
        viewer = await stage.viewer()
        await stage.until(lambda: IMAGE in viewer.channels, "the topic")
        told = viewer.channels[IMAGE]
        assert (told["encoding"], told["schemaEncoding"]) == ("cdr", "ros2msg")
        types = get_types_from_msg(told["schema"], told["schemaName"])
        fields = [name for name, _ in types["sensor_msgs/msg/Image"][1]]
        assert fields == list(Image.get_fields_and_field_types())
        assert "std_msgs/msg/Header" in types and not publisher.get_subscription_count()
        came = await viewer.show(IMAGE)
        await stage.until(publisher.get_subscription_count, "the server to listen")
        publisher.publish(cdr)
        await stage.until(lambda: came, "the image")
        assert came == [cdr]
        other = await stage.viewer()
        await stage.until(lambda: IMAGE in other.channels, "the topic again")
        also = await other.show(IMAGE)
        await viewer.hide(IMAGE)

        def seen_by_the_other() -> bool:
            publisher.publish(message)
            return bool(also)

        await stage.until(seen_by_the_other, "the image for the second viewer")
        # Whoever closes the window has unsubscribed from everything.
        await other.socket.close()
        await stage.until(lambda: not publisher.get_subscription_count(), "nobody to listen")
        await viewer.socket.close()

    stage.play(scene)


def test_boxes_come_beside_detections_as_annotations_of_the_image(stage):
    publisher = stage.tester.create_publisher(Detection2DArray, DETECTIONS, reliable())
    found = [Detection("car", 0.5, 200.0, 100.0, 40.0, 20.0), Detection("bus", 0.25, 0, 0, 9, 9)]
    message = detections_message(Header(frame_id="front"), found)
    message.header.stamp.sec = 7

    async def scene() -> None:
        viewer = await stage.viewer()
        topic = f"{DETECTIONS}/annotations"
        await stage.until(lambda: {topic, DETECTIONS} <= set(viewer.channels), "the topics")
        assert viewer.channels[topic]["schemaName"] == "foxglove.ImageAnnotations"
        came = await viewer.show(topic)
        await stage.until(publisher.get_subscription_count, "the server to listen")
        publisher.publish(message)
        await stage.until(lambda: came, "annotations")
        # Of protobuf the texts and the corners' doubles are found as they are.
        assert b"car 0.50" in came[0] and b"bus 0.25" in came[0]
        corners = [(200.0, 100.0), (240.0, 100.0), (240.0, 120.0), (200.0, 120.0)]
        packed = [struct.pack("<BdBd", 9, x, 17, y) for x, y in corners]
        places = [came[0].find(point) for point in packed]
        assert -1 not in places and places == sorted(places)
        await viewer.socket.close()

    stage.play(scene)


def test_what_is_said_once_reaches_every_viewer_and_a_topic_that_ends_is_withdrawn(stage):
    info, passing = "/vehicle_1/rsu/segmentation/label_info", "/passing"
    publisher = stage.tester.create_publisher(LabelInfo, info, latched())
    publisher.publish(label_info_message(Header()))
    gone = stage.tester.create_publisher(String, passing, reliable())

    async def scene() -> None:
        first, second = await stage.viewer(), await stage.viewer()
        for viewer in (first, second):
            await stage.until(lambda v=viewer: {info, passing} <= set(v.channels), "the topics")
            came = await viewer.show(info)
            await stage.until(lambda got=came: got, "what was said once")
            assert b"traffic light" in came[0]
        stage.tester.destroy_publisher(gone)
        await stage.until(lambda: passing not in first.channels, "the topic's end")
        await first.socket.close()
        await second.socket.close()

    stage.play(scene)


def test_a_port_that_is_taken_is_a_sentence(stage):
    with pytest.raises(SemcomError, match=f"cannot use foxglove_port {stage.server.port} "):
        FoxgloveServer(stage.node, stage.server.port)


def test_the_dashboards_node_carries_the_server_while_it_is_active():
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = free.getsockname()
    with bench(DashboardNode, dashboard_port=0, foxglove_port=address[1]) as b:
        b.up()
        socket.create_connection(address).close()
        b.node.trigger_deactivate()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(address)


def test_a_machine_without_the_sdk_is_told_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "foxglove", None)
    monkeypatch.delitem(sys.modules, "semcom_ros.nodes.foxglove_server")
    with pytest.raises(SemcomError, match="needs foxglove-sdk.*requirements/python.txt"):
        import semcom_ros.nodes.foxglove_server  # noqa: F401
