# SPDX-License-Identifier: Apache-2.0
"""The vehicle as a node, with a codec that needs no weights."""

from __future__ import annotations

import re
import threading

import cv2
import numpy as np
import pytest

pytest.importorskip("rclpy", reason="no ROS 2 for this Python")

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus  # noqa: E402
from lifecycle_msgs.msg import Transition  # noqa: E402
from lifecycle_msgs.srv import ChangeState  # noqa: E402
from ros_bench import Bench, bench, camera_image  # noqa: E402
from sensor_msgs.msg import CameraInfo, CompressedImage, Image  # noqa: E402
from std_msgs.msg import Header  # noqa: E402

from semcom_ros.codecs.base import LinkState  # noqa: E402
from semcom_ros.frame import Camera as Intrinsics  # noqa: E402
from semcom_ros.nodes.messages import (  # noqa: E402
    camera_info_message,  # noqa: E402
    data_of,
    diagnostics_message,
    link_values,
)
from semcom_ros.nodes.vehicle_node import VehicleNode  # noqa: E402
from semcom_ros.payload import unpack  # noqa: E402

CAMERA, PAYLOADS = "camera/image_raw", "camera/image_raw/semcom"


def counted(b: Bench, name: str) -> int:
    return int(b.node.statistics.snapshot().get(name, 0))


def test_a_payload_keeps_the_header_of_its_frame_and_the_rate():
    with bench(VehicleNode, codec="classical", payload_bytes=300) as b:
        b.up()
        got = b.listen(CompressedImage, PAYLOADS)
        camera = b.speak(Image, CAMERA)
        image = camera_image(3)
        camera.publish(image)
        b.until(lambda: got, "the payload")
        assert got[0].header == image.header
        assert got[0].format == "rgb8; semcom classical/1"
        assert len(got[0].data) <= 300
        header = unpack(bytes(got[0].data)).header
        stamp = image.header.stamp
        assert header.stamp == stamp.sec * 10**9 + stamp.nanosec
        assert b.set(payload_bytes=128) == ""
        camera.publish(camera_image(4))
        b.until(lambda: len(got) == 2, "the next payload")
        assert len(got[1].data) <= 128


def test_what_the_rsu_says_of_the_link_and_asks_for_reaches_the_next_payload():
    with bench(VehicleNode, codec="classical") as b:
        b.up()
        got = b.listen(CompressedImage, PAYLOADS)
        camera, infos = b.speak(Image, CAMERA), b.speak(CameraInfo, "camera/camera_info")
        links = b.speak(DiagnosticArray, "rsu/link")
        infos.publish(camera_info_message(Header(), Intrinsics(60, 120, 100.0, 100.0, 59.5, 29.5)))
        b.until(lambda: b.node._camera is not None, "the intrinsics")
        for number in (1, 2):
            camera.publish(camera_image(number))
            b.until(lambda n=number: len(got) == n, "a payload")
        values = link_values(LinkState(9.5, 0.25, 2, refresh=True), "where are the pedestrians?")
        links.publish(diagnostics_message(Header(), "link", DiagnosticStatus.OK, "", values))
        b.until(lambda: b.node._transmitter.link is not None, "the report")
        assert b.node._transmitter.link == LinkState(9.5, 0.25, 2, refresh=True)
        camera.publish(camera_image(3))
        b.until(lambda: len(got) == 3, "the next payload")
        headers = [unpack(bytes(message.data)).header for message in got]
        assert [h.task for h in headers] == ["", "", "where are the pedestrians?"]
        # The first frame stands alone, the second does not, the third was asked to.
        assert [h.camera is not None for h in headers] == [True, False, True]
        assert [h.sequence for h in headers] == [1, 2, 3] and {h.vehicle for h in headers} == {1}
        wrong = diagnostics_message(Header(), "link", DiagnosticStatus.OK, "", {"snr_db": "loud"})
        links.publish(wrong)
        camera.publish(camera_image(4))
        b.until(lambda: len(got) == 4 and b.state() == "active", "the payload after")
        assert b.node._transmitter.link.snr_db == 9.5


def test_the_newest_frame_wins_and_the_overtaken_is_counted():
    with bench(VehicleNode, codec="classical") as b:
        b.up()
        got = b.listen(CompressedImage, PAYLOADS)
        camera = b.speak(Image, CAMERA)
        busy, go_on = threading.Event(), threading.Event()
        encode = b.node._transmitter.encoder.encode

        def slow(*args):
            busy.set()
            go_on.wait()
            return encode(*args)

        b.node._transmitter.encoder.encode = slow
        camera.publish(camera_image(0))
        b.until(busy.is_set, "the first frame at work")
        for number in (1, 2):
            camera.publish(camera_image(number))
            b.until(lambda n=number: counted(b, "received") == n + 1, "a frame")
        go_on.set()
        b.until(lambda: len(got) == 2, "two payloads")
        assert [m.header.frame_id for m in got] == ["camera_0", "camera_2"]
        counts = [counted(b, name) for name in ("received", "sent", "superseded")]
        assert counts == [3, 2, 1]


def test_no_image_is_taken_while_nobody_listens():
    with bench(VehicleNode, codec="classical") as b:
        b.up()
        assert not b.node.subscribed
        got = b.listen(CompressedImage, PAYLOADS)
        b.until(lambda: b.node.subscribed, "the node to listen")
        b.tester.destroy_subscription(next(iter(b.tester.subscriptions)))
        b.until(lambda: not b.node.subscribed, "the node to fall idle")
        assert not got


def test_frames_that_cannot_be_sent_are_counted_and_the_next_goes_out():
    with bench(VehicleNode, codec="classical") as b:
        b.up()
        got = b.listen(CompressedImage, PAYLOADS)
        camera = b.speak(Image, CAMERA)
        depth, tiny, short = camera_image(), camera_image(0, 8, 8), camera_image()
        depth.encoding = "16UC1"
        short.data = short.data[:100]
        for number, image in enumerate((depth, tiny, short), start=1):
            camera.publish(image)
            b.until(lambda n=number: counted(b, "errors") == n, "the complaint")
        camera.publish(camera_image(5, 61, 131))
        b.until(lambda: got, "the good frame")
        assert got[0].header.frame_id == "camera_5"
        assert b.state() == "active"


def test_a_frame_of_which_only_the_map_fails_counts_as_sent_and_not_as_an_error():
    with bench(VehicleNode, codec="classical") as b:
        b.up()
        b.node._segment = lambda image, device: 1 // 0
        got = b.listen(CompressedImage, PAYLOADS)
        b.listen(Image, "vehicle/segmentation")
        b.listened("vehicle/segmentation")
        b.speak(Image, CAMERA).publish(camera_image())
        b.until(lambda: got and counted(b, "map_errors"), "payload and failure")
        assert (counted(b, "sent"), counted(b, "errors")) == (1, 0)


def test_a_jpeg_camera_is_understood():
    with bench(VehicleNode, codec="classical", input_transport="compressed") as b:
        b.up()
        got = b.listen(CompressedImage, PAYLOADS)
        camera = b.speak(CompressedImage, "camera/image_raw/compressed")
        message = CompressedImage(header=camera_image(9).header, format="rgb8; jpeg compressed")
        message.data = data_of(cv2.imencode(".jpg", np.full((64, 128, 3), 80, np.uint8))[1])
        camera.publish(message)
        b.until(lambda: got, "the payload")
        assert got[0].header == message.header


def test_wrong_parameters_are_refused_with_a_sentence():
    with bench(VehicleNode, codec="classical") as b:
        b.up()
        assert "did you mean 'classical'" in b.set(codec="clasical")
        assert b.set(payload_bytes=5000)
        assert b.set(payload_bytes="many") == "payload_bytes is 'many'; it must be of type int."
        refusal = b.set(input_transport="compressed")
        steps = ["deactivate", "cleanup", "configure", "activate"]
        assert re.findall(r"(\w+)`", refusal) == steps
        assert b.node.settings.codec == "classical"


def test_a_wrong_parameter_at_start_leaves_a_node_that_can_be_put_right():
    with bench(VehicleNode, codec="clasical", payload_bytes=300) as b:
        b.node.trigger_configure()
        assert b.state() == "unconfigured"
        assert b.set(codec="classical") == ""
        b.up()
        assert b.node.settings.payload_bytes == 300


def test_it_can_be_configured_again_and_again():
    with bench(VehicleNode, codec="classical") as b:
        for number in range(3):
            b.up()
            got = b.listen(CompressedImage, PAYLOADS)
            camera = b.speak(Image, CAMERA)
            camera.publish(camera_image(number))
            b.until(got.__len__, "the payload")
            for entity in list(b.tester.subscriptions):
                b.tester.destroy_subscription(entity)
            b.tester.destroy_publisher(camera)
            b.node.trigger_deactivate()
            b.node.trigger_cleanup()
            assert b.state() == "unconfigured"


def test_the_node_survives_an_impossible_transition():
    with bench(VehicleNode, codec="classical") as b:
        client = b.tester.create_client(ChangeState, "vehicle_node/change_state")
        b.until(client.service_is_ready, "the service")
        request = ChangeState.Request()
        request.transition.id = Transition.TRANSITION_ACTIVATE
        future = client.call_async(request)
        b.until(future.done, "the answer")
        assert not future.result().success
        assert b.state() == "unconfigured"
