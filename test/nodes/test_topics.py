# SPDX-License-Identifier: Apache-2.0
"""Subscriptions that follow what publishers offer, and the room that large messages need."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import signal
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

pytest.importorskip("rclpy", reason="no ROS 2 for this Python")

from diagnostic_msgs.msg import DiagnosticArray  # noqa: E402
from rclpy.qos import QoSProfile, ReliabilityPolicy  # noqa: E402
from ros_bench import Bench, bench, camera_image, graph_tester, run_until  # noqa: E402
from sensor_msgs.msg import CameraInfo, CompressedImage, Image  # noqa: E402

from semcom_ros.graph import NAMESPACE  # noqa: E402
from semcom_ros.nodes import fast_dds  # noqa: E402
from semcom_ros.nodes.topics import latched, reliable  # noqa: E402
from semcom_ros.nodes.vehicle_node import VehicleNode  # noqa: E402

CAMERA, INFO, PAYLOADS = "camera/image_raw", "camera/camera_info", "camera/image_raw/semcom"
BEST_EFFORT = QoSProfile(depth=5, reliability=ReliabilityPolicy.BEST_EFFORT)
OVERRIDE = f"qos_overrides.{NAMESPACE}/{CAMERA}.subscription.reliability"


def asked_for(b: Bench, policy: str) -> bool:
    """Whether the vehicle's subscription asks for this reliability, as others see it."""
    found = b.tester.get_subscriptions_info_by_topic(f"{NAMESPACE}/{CAMERA}")
    return [one.qos_profile.reliability.name for one in found] == [policy]


def received(b: Bench) -> int:
    return int(b.node.statistics.snapshot().get("received", 0))


def heard(b: Bench, publisher: object) -> None:
    """Publish until the vehicle has an image of this publisher: it may know of it later."""
    before = received(b)

    def came() -> bool:
        publisher.publish(camera_image(1))
        return received(b) > before

    b.until(came, "an image")


@pytest.mark.parametrize("profile", [reliable(), BEST_EFFORT])
@pytest.mark.parametrize("camera_first", [False, True])
def test_a_camera_is_heard_whatever_it_offers_and_whichever_is_first(profile, camera_first):
    with bench(VehicleNode, codec="classical") as b:
        camera = b.tester.create_publisher(Image, CAMERA, profile) if camera_first else None
        b.up().listen(CompressedImage, PAYLOADS)
        b.until(lambda: b.node.subscribed, "the node to listen")
        heard(b, camera or b.tester.create_publisher(Image, CAMERA, profile))
        b.until(lambda: asked_for(b, profile.reliability.name), "the same policy")


def test_cameras_of_both_kinds_are_heard_together_and_after_each_other():
    with bench(VehicleNode, codec="classical") as b:
        b.up().listen(CompressedImage, PAYLOADS)
        sure = b.tester.create_publisher(Image, CAMERA, reliable())
        heard(b, sure)
        quick = b.tester.create_publisher(Image, CAMERA, BEST_EFFORT)
        heard(b, quick)
        heard(b, sure)
        b.tester.destroy_publisher(sure)
        heard(b, quick)
        b.until(lambda: asked_for(b, "BEST_EFFORT"), "what is left")
        sure = b.tester.create_publisher(Image, CAMERA, reliable())
        b.tester.destroy_publisher(quick)
        b.until(lambda: asked_for(b, "RELIABLE"), "a reliable subscription again")
        heard(b, sure)


def test_an_override_of_the_user_stays_whatever_is_offered():
    with bench(VehicleNode, codec="classical", **{OVERRIDE: "best_effort"}) as b:
        b.up().listen(CompressedImage, PAYLOADS)
        heard(b, b.tester.create_publisher(Image, CAMERA, reliable()))
        assert asked_for(b, "BEST_EFFORT")
    with bench(VehicleNode, codec="classical", **{OVERRIDE: "reliable"}) as b:
        complaints = b.warnings()
        b.up().listen(CompressedImage, PAYLOADS)
        b.tester.create_publisher(Image, CAMERA, BEST_EFFORT)
        b.until(lambda: complaints, "the complaint")
        assert f"{NAMESPACE}/{CAMERA} offers less" in complaints[0]
        assert f"{OVERRIDE} to best_effort" in complaints[0]
        assert asked_for(b, "RELIABLE")


def test_a_node_that_has_stopped_listening_stays_so_whoever_comes_and_goes():
    with bench(VehicleNode, codec="classical") as b:
        b.up().listen(CompressedImage, PAYLOADS)
        camera = b.tester.create_publisher(Image, CAMERA, BEST_EFFORT)
        heard(b, camera)
        listeners = list(b.node._listeners)
        b.node.trigger_deactivate()
        b.tester.destroy_publisher(camera)
        b.until(lambda: not b.node.count_publishers(CAMERA), "nobody to be there")
        for listener in listeners:
            listener.follow()
        assert not b.node.count_subscribers(CAMERA)


@pytest.mark.parametrize("camera_first", [False, True])
def test_intrinsics_that_are_said_once_arrive_whoever_starts_first(camera_first):
    with bench(VehicleNode, codec="classical") as b:
        said = CameraInfo(height=60, width=120, k=[100.0, 0, 60, 0, 100, 30, 0, 0, 1])
        if camera_first:
            b.tester.create_publisher(CameraInfo, INFO, latched()).publish(said)
        b.up().listen(CompressedImage, PAYLOADS)
        b.until(lambda: b.node.subscribed, "the node to listen")
        if not camera_first:
            b.tester.create_publisher(CameraInfo, INFO, latched()).publish(said)
        b.until(lambda: b.node._camera is not None, "the intrinsics")
        assert b.node._camera.fx == 100.0


def test_intrinsics_of_a_best_effort_publisher_are_taken():
    with bench(VehicleNode, codec="classical") as b:
        b.up().listen(CompressedImage, PAYLOADS)
        camera = b.tester.create_publisher(CameraInfo, INFO, BEST_EFFORT)

        def taken() -> bool:
            camera.publish(CameraInfo(height=60, width=120))
            return b.node._camera is not None

        b.until(taken, "the intrinsics")


@pytest.mark.parametrize(
    # Of the smaller five fit into the room, so that a machine that is busy elsewhere loses none.
    ("offers", "height", "width"),
    [("reliable", 1080, 1920), ("best_effort", 720, 1280)],
)
def test_every_large_picture_arrives_from_a_process_that_has_room(offers, height, width, tmp_path):
    names = ("camera_node", "vehicle_node")
    for i in range(6):
        picture = np.full((height, width, 3), 20 * i, np.uint8)
        cv2.imwrite(str(tmp_path / f"{i}.png"), picture)
    line = [sys.executable, "-m", "semcom_ros.nodes", "{}"]
    line += ["--ros-args", "-r", f"__ns:={NAMESPACE}"]
    given = {
        "camera_node": {
            "data": f"folder:{tmp_path}",
            "rate_hz": "2.0",
            "loop": "false",
            f"qos_overrides.{NAMESPACE}/{CAMERA}.publisher.reliability": offers,
        },
        "vehicle_node": {"codec": "classical"},
    }
    lines = {
        name: [word.format(name) for word in line]
        + [word for p in given[name].items() for word in ("-p", ":=".join(p))]
        + ["-p", "autostart:=true"]
        for name in names
    }
    with graph_tester() as tester:
        told: dict[str, dict[str, str]] = {}

        def keep(message: DiagnosticArray) -> None:
            for status in message.status:
                told[status.name] = {pair.key: pair.value for pair in status.values}

        tester.create_subscription(DiagnosticArray, "/diagnostics", keep, reliable(50))
        tester.create_subscription(CompressedImage, PAYLOADS, lambda _: None, reliable())

        def done() -> bool:
            vehicle = told.get(f"{NAMESPACE}/vehicle_node", {})
            return vehicle.get("received") == "6"

        statuses, logs = run_until(done, tester, lines, signal.SIGINT, tmp_path)
    vehicle = told[f"{NAMESPACE}/vehicle_node"]
    assert (vehicle.get("received"), vehicle.get("missed")) == ("6", "0"), logs
    assert statuses == [0, 0]


@pytest.fixture
def environment(monkeypatch, tmp_path):
    """One in which nobody has chosen anything, in an empty folder that is the host's memory too."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(fast_dds, "MEMORY", tmp_path)
    for name in (*fast_dds.FILES, "FASTDDS_BUILTIN_TRANSPORTS"):
        monkeypatch.setenv(name, "")
    return monkeypatch


def test_room_is_made_where_nothing_is_chosen_and_the_host_has_it(environment):
    free = shutil.disk_usage("/")._replace(free=fast_dds.NEEDED)
    environment.setattr(shutil, "disk_usage", lambda path: free)
    fast_dds.make_room()
    assert {os.environ[name] for name in fast_dds.FILES} == {str(fast_dds.PROFILES)}
    assert fast_dds.PROFILES.is_file()


def test_every_node_tells_of_itself_each_second_with_much_room_or_little(environment):
    fast_dds.announce_often()
    assert {os.environ[name] for name in fast_dds.FILES} == {str(fast_dds.DISCOVERY)}
    found = [
        re.findall(r"(?s)<discovery_config>.*<sec>1</sec>.*</discovery_config>", file.read_text())
        for file in (fast_dds.DISCOVERY, fast_dds.PROFILES)
    ]
    assert len(found[0]) == 1 and found[0] == found[1]


@pytest.mark.parametrize("case", ["profiles", "file"])
def test_how_a_node_announces_itself_stays_where_the_user_chose(environment, case):
    if case == "profiles":
        environment.setenv(fast_dds.FILES[1], "/my/profiles.xml")
    else:
        Path("DEFAULT_FASTDDS_PROFILES.xml").touch()
    before = dict(os.environ)
    fast_dds.announce_often()
    assert os.environ == before


@pytest.mark.parametrize("case", ["builtin", "profiles", "file", "little memory", "no memory"])
def test_what_the_user_chose_stays_and_a_small_host_is_spared(environment, case):
    free = fast_dds.NEEDED - (case == "little memory")
    usage = shutil.disk_usage("/")._replace(free=free)
    environment.setattr(shutil, "disk_usage", lambda path: usage)
    if case == "builtin":
        environment.setenv("FASTDDS_BUILTIN_TRANSPORTS", "UDPv4")
    elif case == "profiles":
        environment.setenv(fast_dds.FILES[0], "/my/profiles.xml")
    elif case == "file":
        Path("DEFAULT_FASTRTPS_PROFILES.xml").touch()
    elif case == "no memory":
        environment.setattr(fast_dds, "MEMORY", Path("none"))
    before = dict(os.environ)
    fast_dds.make_room()
    assert os.environ == before


def test_only_what_a_killed_process_left_of_large_memory_is_removed(environment, tmp_path):
    def segment(name: str, size: int = fast_dds.SEGMENT, age_s: float = 60.0) -> Path:
        lock = tmp_path / f"fastrtps_{name}_el"
        lock.touch()
        os.utime(lock, (time.time() - age_s,) * 2)
        with lock.with_name(f"fastrtps_{name}").open("wb") as file:
            file.truncate(size)
        return lock

    segment("left"), segment("young", age_s=0.0), segment("small", size=549_408)
    segment("without").with_name("fastrtps_without").unlink()
    with segment("alive").open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        before = {path.name for path in tmp_path.iterdir()}
        fast_dds.make_room()
        gone = before - {path.name for path in tmp_path.iterdir()}
    assert gone == {"fastrtps_left", "fastrtps_left_el"}
