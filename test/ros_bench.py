# SPDX-License-Identifier: Apache-2.0
"""A bench for the node tests: a node or a graph, a tester, and waiting with a deadline."""

from __future__ import annotations

import gc
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import domain_coordinator
import numpy as np
import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.publisher import Publisher
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from semcom_ros import graph
from semcom_ros.nodes import topics
from semcom_ros.nodes.messages import image_message
from semcom_ros.nodes.node_base import SemcomNode

PATIENCE_S = 20.0


@contextmanager
def isolated_domain() -> Iterator[None]:
    """A ROS domain on this host that no other test uses, for this process and its children."""
    saved = dict(os.environ)
    os.environ.pop("ROS_LOCALHOST_ONLY", None)
    os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"
    with domain_coordinator.domain_id() as domain:
        os.environ["ROS_DOMAIN_ID"] = str(domain)
        try:
            yield
        finally:
            os.environ.clear()
            os.environ.update(saved)


@contextmanager
def graph_tester() -> Iterator[Node]:
    """A tester in a domain of its own, in the namespace of the graph that it is to watch."""
    with isolated_domain():
        rclpy.init(args=["--ros-args", "--disable-external-lib-logs"])
        tester = rclpy.create_node("tester", namespace=graph.NAMESPACE)
        try:
            yield tester
        finally:
            tester.destroy_node()
            rclpy.try_shutdown()


def run_until(
    done: Callable[[], Any],
    tester: Node,
    lines: dict[str, list[str]],
    stop: signal.Signals,
    folder: Path,
) -> tuple[list[int], dict[str, str]]:
    """Spin `tester` beside the processes of the command `lines` until `done()`, then `stop` them.

    Returns exit statuses and, by the names of `lines`, what they wrote, which `folder` keeps.
    """
    env = {**os.environ, "PYTHONFAULTHANDLER": "1"}
    running = []
    try:
        for name, line in lines.items():
            with (folder / name).open("wb") as log:
                running.append(subprocess.Popen(line, stdout=log, stderr=log, env=env))
        deadline = time.monotonic() + 3 * PATIENCE_S
        while not done() and time.monotonic() < deadline:
            rclpy.spin_once(tester, timeout_sec=0.1)
    finally:
        for process in running:
            process.send_signal(stop)
        statuses = [_ended(process) for process in running]
    return statuses, {name: (folder / name).read_text() for name in lines}


def _ended(process: subprocess.Popen) -> int:
    """Its exit status; one that hangs is made to write where each of its threads stands."""
    try:
        return process.wait(PATIENCE_S)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGABRT)
        return process.wait(PATIENCE_S)


class Bench:
    """`node` and a tester in one process, spun by whoever waits."""

    def __init__(self, node: SemcomNode) -> None:
        self.node = node
        self.tester = rclpy.create_node("tester", namespace=node.get_namespace())
        self.executor = SingleThreadedExecutor()
        self.executor.add_node(self.node)
        self.executor.add_node(self.tester)

    def listen(self, kind: type, topic: str, latched: bool = False) -> list[Any]:
        """A list that fills with what arrives on `topic`, once the node can reach it."""
        got: list[Any] = []
        profile = topics.latched() if latched else topics.reliable(100)
        self.tester.create_subscription(kind, topic, got.append, profile)
        return got

    def speak(self, kind: type, topic: str) -> Publisher:
        """A publisher that somebody listens to."""
        publisher = self.tester.create_publisher(kind, topic, topics.reliable(100))
        self.until(lambda: publisher.get_subscription_count(), f"a listener on {topic}")
        return publisher

    def warnings(self) -> list[str]:
        """A list that fills with what the node logs as warnings from now on."""
        said, logger = list[str](), self.node.get_logger()
        self.node.get_logger = lambda: logger
        logger.warning = said.append
        return said

    def until(self, done: Callable[[], Any], what: str) -> None:
        """Spin until `done()`; fail with `what` was waited for."""
        deadline = time.monotonic() + PATIENCE_S
        while not done():
            assert time.monotonic() < deadline, f"waited in vain for {what}"
            self.executor.spin_once(timeout_sec=0.05)

    def listened(self, topic: str) -> None:
        """Wait until the node sees a listener on `topic`, and the listener sees the node."""
        name = f"{self.node.get_namespace()}/{topic}"
        own = [p for p in self.node.publishers if p.topic_name == name]
        self.until(lambda: own[0].get_subscription_count(), f"a match on {topic}")
        # What is published to a listener that has not found the publisher yet is lost on it.
        ears = [s for s in self.tester.subscriptions if s.topic_name == name]
        self.until(lambda: all(s.get_publisher_count() for s in ears), f"ears on {topic}")

    def set(self, **values: Any) -> str:
        """Set parameters of the node; the reason of the refusal, or ""."""
        for name, value in values.items():
            result = self.node.set_parameters([Parameter(name, value=value)])[0]
            if not result.successful:
                return result.reason
        return ""

    def state(self) -> str:
        """The label of the node's lifecycle state."""
        return self.node._state_machine.current_state[1]

    def up(self) -> Bench:
        """Configure and activate the node, and let it warm up."""
        self.node.trigger_configure()
        self.node.trigger_activate()
        assert self.state() == "active"
        if self.node.warm is not None:
            self.node.warm.result(PATIENCE_S)
        return self


@contextmanager
def bench(
    node_class: Callable[[], SemcomNode],
    namespace: str = "/vehicle_1",
    remapped: Sequence[str] = (),
    **parameters: Any,
) -> Iterator[Bench]:
    """A bench in a domain of its own, its node started with `parameters`, not yet configured.

    remapped: "from:=to" of topics, of the tester too."""
    args = ["--ros-args", "-r", f"__ns:={namespace}", "--disable-external-lib-logs"]
    args += [word for rule in remapped for word in ("-r", rule)]
    for name, value in parameters.items():
        args += ["-p", f"{name}:={json.dumps(value)}"]
    with isolated_domain():
        rclpy.init(args=args)
        made = Bench(node_class())
        try:
            yield made
        finally:
            made.node.close()
            made.node.destroy_node()
            made.tester.destroy_node()
            made.executor.shutdown()
            rclpy.try_shutdown()
            # A lifecycle's services outlive their node until Python lets go of it: to a graph that
            # the next test starts they would be a second node of that name that never answers.
            vars(made).clear()
            gc.collect()


def camera_image(number: int = 0, height: int = 60, width: int = 120) -> Image:
    """A picture of a plain street under a stamp of now, unlike any other number's."""
    image = np.full((height, width, 3), 90, np.uint8)
    image[: height // 2] = (120 + number % 100, 160, 220)
    stamp = rclpy.clock.Clock().now().to_msg()
    return image_message(Header(frame_id=f"camera_{number}", stamp=stamp), image)
