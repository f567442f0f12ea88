# SPDX-License-Identifier: Apache-2.0
"""One drive through the graph: start the nodes, let the camera play, record, stop."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

import domain_coordinator
from rclpy.task import Future

from semcom_ros.graph import CAMERA_INFO, IMAGES, NodeProcess
from semcom_ros.nodes.drive_recorder import DASHBOARD, DriveRecorder, recording
from semcom_ros.nodes.processes import Processes

START_S = 300.0
"""How long the nodes may take to load and compile what they need."""
FIRST_FRAME_S = 30.0
"""How long the camera may take to find its subscriber and play."""
QUIET_S = 1.5
"""A drive is over after this silence: the nodes' last diagnostics, one a second, are in by then."""
SKIPPED = 20
"""Unreadable frames in a row after which the camera is not waited for any longer."""
STUCK_S = 30.0
"""How long the RSU may work on its last frame before the drive is taken as it is."""
PAGE_S = 60.0
"""How long a drive waits for somebody to open the dashboard, where there is one."""
RESTARTS = 3
"""Times that a node which ends amid a drive is started anew."""

Advance = Callable[[str, int, int], None]
"""Called as the drive goes on: what is being done, frames captured, pictures at the RSU."""


def drive(
    nodes: Sequence[NodeProcess],
    frames: int,
    rate_hz: float,
    logs: Path,
    bag: Path,
    sends_labels: bool,
    advance: Advance,
    respawn: bool = True,
) -> dict[str, int]:
    """Run `nodes`, in the order in which data flows, until `frames` have gone through them.

    bag: file that the drive is recorded to. sends_labels: whether the codec sends a label map.
    respawn: whether a node that ends amid the drive is started anew. Returns how often each was, by
    its name. Raises NodeFailure.
    """
    with (
        isolated(),
        Processes(nodes, logs) as processes,
        recording(nodes[0].namespace, bag, sends_labels) as recorder,
    ):
        _bring_up(nodes, processes, recorder, advance)
        _play(frames, rate_hz, processes, recorder, advance, respawn)
        return dict(processes.restarts)


@contextmanager
def isolated() -> Iterator[None]:
    """Keep this process and those that it starts to a ROS domain of their own on this host."""
    names = ("ROS_DOMAIN_ID", "ROS_AUTOMATIC_DISCOVERY_RANGE", "ROS_LOCALHOST_ONLY")
    before = {name: os.environ.pop(name, None) for name in names}
    try:
        # What fails within must not reach `domain_id`: it takes any OSError for its own.
        with ExitStack() as stack:
            held = domain_coordinator.domain_id()
            os.environ["ROS_DOMAIN_ID"] = str(held.__enter__())
            stack.callback(held.__exit__, None, None, None)
            os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"
            yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value


def _bring_up(
    nodes: Sequence[NodeProcess], processes: Processes, recorder: DriveRecorder, advance: Advance
) -> None:
    """Configure all nodes at once; then activate them, listeners before those they listen to."""
    advance("starting", 0, 0)
    end = time.monotonic() + START_S

    def until(node: NodeProcess, done: Callable[[], bool]) -> None:
        while not done():
            processes.check()
            if time.monotonic() > end:
                raise processes.failure(node.name, f"did not start within {START_S:.0f} s")
            recorder.spin(0.05)

    def settle(node: NodeProcess, transition: str, answer: Future) -> None:
        until(node, answer.done)
        if not answer.result().success:
            raise processes.failure(node.name, f"could not be {transition}d")

    for node in nodes:
        until(node, partial(recorder.reachable, node))
    for node, answer in [(node, recorder.change_state(node, "configure")) for node in nodes]:
        settle(node, "configure", answer)
    for node in reversed(nodes[1:]):
        settle(node, "activate", recorder.change_state(node, "activate"))
    camera = nodes[0]
    until(camera, recorder.chained)
    if nodes[-1].executable == DASHBOARD:
        advance("waiting for a page", 0, 0)
        go_on = time.monotonic() + PAGE_S
        until(camera, lambda: recorder.watched() or time.monotonic() > go_on)
    settle(camera, "activate", recorder.change_state(camera, "activate"))


def _play(
    frames: int, rate_hz: float, processes: Processes, recorder: DriveRecorder, advance: Advance,
    respawn: bool,
) -> None:  # fmt: skip
    """Record until the camera has played `frames` and nothing is under way any more."""
    begun = time.monotonic()
    while True:
        all_run = processes.check(RESTARTS if respawn else 0)
        recorder.spin(0.1)
        captured = recorder.count(CAMERA_INFO)
        advance("driving", captured, recorder.count(IMAGES))
        if recorder.told.get("camera_node", {}).get("paused") == "true":
            begun = time.monotonic()
            continue
        quiet = time.monotonic() - max(recorder.newest_arrival, begun)
        if not captured:
            if quiet > FIRST_FRAME_S:
                raise processes.failure("camera_node", f"played no frame in {FIRST_FRAME_S:.0f} s")
        # A frame that cannot be read is left out, so that the camera may play fewer.
        elif quiet > (QUIET_S if captured >= frames else QUIET_S + SKIPPED / rate_hz):
            under_way = recorder.told.get("rsu_node", {}).get("in_flight", "0") != "0"
            if all_run and (not under_way or quiet > STUCK_S):
                return
