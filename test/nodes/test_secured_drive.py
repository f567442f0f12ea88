# SPDX-License-Identifier: Apache-2.0
"""Vehicle and RSU as nodes that believe each other, and nobody else."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("rclpy", reason="no ROS 2 for this Python")

from diagnostic_msgs.msg import DiagnosticArray  # noqa: E402
from key_folders import make_keys  # noqa: E402
from ros_bench import Bench, bench, camera_image  # noqa: E402
from rsu_bench import RECEIVED, FakeDecoder, street  # noqa: E402
from sensor_msgs.msg import CompressedImage, Image  # noqa: E402
from std_msgs.msg import Header, String  # noqa: E402

from semcom_ros.errors import SemcomError  # noqa: E402
from semcom_ros.nodes.messages import diagnostics_message  # noqa: E402
from semcom_ros.nodes.rsu_node import RsuNode  # noqa: E402
from semcom_ros.nodes.topics import reliable  # noqa: E402
from semcom_ros.nodes.vehicle_node import VehicleNode  # noqa: E402
from semcom_ros.payload import unpack  # noqa: E402

NO_TASKS = dict.fromkeys(("segmentation", "detection", "depth"), "none")
IDEAL = f"camera/image_raw/semcom:={RECEIVED}"


@pytest.fixture(params=["signed", "session"])
def b(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bench]:
    """An active RSU, and a vehicle (`b.vehicle`) that sends to it without a radio."""
    keys = str(make_keys(tmp_path, 1))
    settings = {"codec": "classical", "security": request.param, "keys": keys, **NO_TASKS}
    with bench(RsuNode, remapped=[IDEAL], **settings) as made:
        made.up().node._rsu.decoder = FakeDecoder(street())
        made.vehicle = VehicleNode()
        made.executor.add_node(made.vehicle)
        made.vehicle.trigger_configure()
        made.vehicle.trigger_activate()
        try:
            yield made
        finally:
            made.vehicle.close()
            made.vehicle.destroy_node()


def test_a_drive_goes_through_its_task_is_heard_and_what_others_send_is_not(b: Bench) -> None:
    sent = b.listen(CompressedImage, RECEIVED)
    camera = b.speak(Image, "camera/image_raw")
    b.speak(String, "rsu/task").publish(String(data="people"))
    books, values = b.node.values, b.vehicle.values
    security, number = b.node.settings.security, 0

    def drive_until(done) -> None:
        def step() -> bool:
            nonlocal number
            if len(sent) >= number and not done():  # one at a time
                number += 1
                camera.publish(camera_image(number))
            return done()

        b.until(step, "the drive")

    def task() -> str:
        return unpack(bytes(sent[-1].data)).header.task if sent else ""

    drive_until(lambda: task() == "people" and values()["security"].startswith(security))
    drive_until(lambda: len(sent) >= 3 and int(books()["decoded"]) >= 3)
    # The first may come before their certificate was heard, in the order that DDS likes.
    before = int(books()["rejected"])
    radio = b.speak(CompressedImage, RECEIVED)
    b.until(lambda: radio.get_subscription_count() == 2, "the RSU's ear beside the test's")
    radio.publish(sent[-1])
    b.until(lambda: int(books()["rejected.authentication"]) > before, "the refusal of a replay")
    reports = b.tester.create_publisher(DiagnosticArray, "rsu/link", reliable(1))
    b.until(lambda: reports.get_subscription_count() >= 1, "the vehicle's ear")
    forged = {"task": "nothing", "last_sequence": "1", "refresh": "true"}
    reports.publish(diagnostics_message(Header(), "rsu", b"\0", "receiving", forged))
    b.until(lambda: values()["reports_refused"] != "0", "the refusal of a report")
    # A true report with what somebody else adds is the true one.
    true = b.node.vehicles[""]._guard.report({"task": "trees"})
    added = diagnostics_message(Header(), "rsu", b"\0", "receiving", true)
    added.status.extend(diagnostics_message(Header(), "x", b"\0", "", forged).status)
    reports.publish(added)
    drive_until(lambda: task() == "trees")
    drive_until(lambda: task() == "people")


def test_security_without_keys_or_with_those_of_others_is_a_sentence(tmp_path: Path) -> None:
    for keys, said in (("", "needs keys"), (str(make_keys(tmp_path, 5)), "no key of vehicle 1")):
        settings = {"codec": "classical", "security": "signed", "keys": keys}
        with bench(VehicleNode, **settings) as b:
            with pytest.raises(SemcomError, match=said):
                b.node.settings = b.node._node_parameters.fix()
                b.node.setup()
