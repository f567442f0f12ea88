# SPDX-License-Identifier: Apache-2.0
"""The RSU as a node, with a codec that needs no weights and with one made for the test."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="no ROS 2 for this Python")

from diagnostic_msgs.msg import DiagnosticArray  # noqa: E402
from ros_bench import Bench, bench  # noqa: E402
from rsu_bench import RECEIVED, arrival  # noqa: E402
from sensor_msgs.msg import CameraInfo, CompressedImage, Image  # noqa: E402
from std_msgs.msg import Header  # noqa: E402
from vision_msgs.msg import Detection2DArray, LabelInfo  # noqa: E402

from semcom_ros.channel import Channel  # noqa: E402
from semcom_ros.codecs import codec_of  # noqa: E402
from semcom_ros.codecs.base import Received  # noqa: E402
from semcom_ros.frame import Camera  # noqa: E402
from semcom_ros.labels import NAMES, TRAIN_ID  # noqa: E402
from semcom_ros.messages.camera import image_array  # noqa: E402
from semcom_ros.nodes.messages import payload_message  # noqa: E402
from semcom_ros.nodes.rsu_node import RsuNode  # noqa: E402
from semcom_ros.payload import pack, unpack  # noqa: E402
from semcom_ros.reconstruction import Reconstruction  # noqa: E402


def counts(b: Bench) -> dict:
    return b.node.vehicles[""].receiver.counters.snapshot()


class TwoStages:
    """A decoder that gives a map with one car first and a picture later."""

    model, settings = b"", None

    def __init__(self) -> None:
        self.pictures = 0
        self.go_on = threading.Event()
        self.go_on.set()

    @contextmanager
    def held(self) -> Iterator[None]:
        """No picture within; whatever fails there, the worker is let go."""
        self.go_on.clear()
        try:
            yield
        finally:
            self.go_on.set()

    def decode_labels(self, batch: Sequence[Received]) -> list[Reconstruction]:
        labels = np.zeros((256, 512), np.uint8)
        labels[100:120, 200:240] = TRAIN_ID["car"]
        return [Reconstruction(None, labels, np.full((256, 512), 204, np.uint8))] * len(batch)

    def decode_images(
        self, batch: Sequence[Received], known: Sequence[Reconstruction]
    ) -> list[np.ndarray]:
        self.go_on.wait()
        self.pictures += len(batch)
        return [np.full((256, 512, 3), 7, np.uint8)] * len(batch)


def test_the_image_keeps_the_header_and_the_camera_is_scaled_with_it():
    with bench(RsuNode, codec="classical") as b:
        b.up()
        images, infos = b.listen(Image, "rsu/image"), b.listen(CameraInfo, "rsu/camera_info")
        b.listened("rsu/image")
        b.listened("rsu/camera_info")
        message = arrival(1, camera=Camera(360, 480, 500.0, 500.0, 239.5, 179.5))
        b.speak(CompressedImage, RECEIVED).publish(message)
        b.until(lambda: images and infos, "image and camera")
        assert images[0].header == infos[0].header == message.header
        assert (images[0].height, images[0].width, images[0].encoding) == (256, 512, "rgb8")
        assert abs(image_array(images[0]).astype(int) - (40, 90, 160)).max() < 12
        assert (infos[0].height, infos[0].width) == (256, 512)
        assert abs(infos[0].k[0] - 500 * 512 / 480) < 1e-6
        assert abs(infos[0].k[2] - 255.5) < 1e-6


def test_a_map_does_not_wait_for_the_image_of_the_frame_before():
    with bench(RsuNode, codec="classical") as b:
        b.up()
        b.node._rsu.decoder = decoder = TwoStages()
        maps, images = b.listen(Image, "rsu/segmentation"), b.listen(Image, "rsu/image")
        b.listened("rsu/segmentation")
        b.listened("rsu/image")
        payloads = b.speak(CompressedImage, RECEIVED)
        with decoder.held():
            for n in (1, 2, 3):
                payloads.publish(arrival(n))
                b.until(lambda n=n: len(maps) == n, f"map {n}")
            assert not images
        b.until(lambda: counts(b)["decoded"] == 2, "two images")
        b.until(lambda: len(images) == 2, "the images")
        # The image of the second frame gave way to that of the third.
        assert images[1].header == maps[2].header
        assert counts(b)["superseded"] == 1
        assert counts(b)["maps_only"] == 1


def test_map_comes_before_the_picture_and_so_do_detections_without_a_detector():
    with bench(RsuNode, codec="classical", detection="none", depth="none") as b:
        b.up()
        b.node._rsu.decoder = decoder = TwoStages()
        topics = {
            "rsu/segmentation": Image,
            "rsu/segmentation/confidence": Image,
            "rsu/segmentation/color": Image,
            "rsu/detections": Detection2DArray,
            "rsu/image": Image,
            "rsu/overlay": Image,
        }
        got = {topic: b.listen(kind, topic) for topic, kind in topics.items()}
        for topic in topics:
            b.listened(topic)
        message = arrival(1)
        with decoder.held():
            b.speak(CompressedImage, RECEIVED).publish(message)
            early = list(topics)[:4]
            b.until(lambda: all(got[t] for t in early), "map and detections")
            assert not got["rsu/image"]
        b.until(lambda: counts(b)["decoded"] == 1, "the end of decoding")
        b.until(lambda: all(got.values()), "picture and overlay")
        assert [len(messages) for messages in got.values()] == [1] * 6
        assert all(messages[0].header == message.header for messages in got.values())
        (car,) = got["rsu/detections"][0].detections
        assert car.results[0].hypothesis.class_id == "car"
        assert abs(car.results[0].hypothesis.score - 0.8) < 1e-6
        assert (car.bbox.center.position.x, car.bbox.center.position.y) == (220.0, 110.0)
        assert (car.bbox.size_x, car.bbox.size_y) == (40.0, 20.0)
        assert set(got["rsu/segmentation"][0].data) == {0, TRAIN_ID["car"]}


def test_intrinsics_come_with_the_map_though_nobody_looks_at_pictures():
    with bench(RsuNode, codec="classical") as b:
        b.up()
        b.node._rsu.decoder = decoder = TwoStages()
        maps, infos = b.listen(Image, "rsu/segmentation"), b.listen(CameraInfo, "rsu/camera_info")
        b.listened("rsu/segmentation")
        b.listened("rsu/camera_info")
        message = arrival(1)
        b.speak(CompressedImage, RECEIVED).publish(message)
        b.until(lambda: maps and infos and counts(b)["decoded"] == 1, "map and intrinsics")
        assert infos[0].header == message.header
        assert (len(infos), decoder.pictures) == (1, 0)


def test_no_picture_is_computed_while_nobody_looks_at_it():
    with bench(RsuNode, codec="classical") as b:
        b.up()
        b.node._rsu.decoder = decoder = TwoStages()
        maps = b.listen(Image, "rsu/segmentation")
        b.listened("rsu/segmentation")
        b.speak(CompressedImage, RECEIVED).publish(arrival(1))
        b.until(lambda: maps and counts(b)["decoded"] == 1, "the map")
        assert decoder.pictures == 0


def test_every_payload_is_accounted_for():
    with bench(RsuNode, codec="classical") as b:
        b.up()
        images = b.listen(Image, "rsu/image")
        b.listened("rsu/image")
        radio = b.speak(CompressedImage, RECEIVED)
        good, later = arrival(1), arrival(5)
        cut = payload_message(good.header, good.format, bytes(good.data)[:-3])
        other = payload_message(good.header, good.format, b"not a payload at all")
        received = 0
        for message, reason in (
            (good, None), (good, "duplicate"), (cut, "malformed"), (other, "malformed"),
            (later, None), (arrival(2, Header(stamp=good.header.stamp)), "duplicate"),
        ):  # fmt: skip
            before = counts(b)
            radio.publish(message)
            received += 1
            b.until(
                lambda n=received: counts(b)["received"] == n and not counts(b)["in_flight"],
                "the verdict",
            )
            now = counts(b)
            assert now["received"] == (
                now["decoded"] + now["superseded"] + sum(now["rejected"].values())
            )
            if reason is None:
                assert now["decoded"] == before["decoded"] + 1
            else:
                assert now["rejected"][reason] == before["rejected"][reason] + 1
        assert counts(b)["missing"] == 3
        b.until(lambda: len(images) == 2, "two images")
        assert b.state() == "active"


def test_a_message_that_is_not_stamped_as_its_payload_is_refused_and_the_next_gets_in():
    with bench(RsuNode, codec="classical") as b:
        b.up()
        images = b.listen(Image, "rsu/image")
        b.listened("rsu/image")
        radio = b.speak(CompressedImage, RECEIVED)
        for number, seconds in enumerate((-5, 2), start=1):
            odd = arrival(number)
            odd.header.stamp.sec = seconds
            radio.publish(odd)
        b.until(lambda: counts(b)["rejected"]["malformed"] == 2, "the refusals")
        radio.publish(arrival(3))
        b.until(lambda: len(images) == 1, "the next image")
        assert counts(b)["missing"] == 0


def test_the_link_tells_the_snr_with_which_a_payload_was_lost():
    with bench(RsuNode, codec="classical") as b:
        b.up()
        links = b.listen(DiagnosticArray, "rsu/link")
        b.listened("rsu/link")
        radio = b.speak(CompressedImage, RECEIVED)
        for number, snr_db in enumerate((20.0, -3.0), start=1):
            message = arrival(number)
            payload = Channel(channel="awgn", snr_db=snr_db).transmit(unpack(bytes(message.data)))
            radio.publish(payload_message(message.header, message.format, pack(payload)))
            b.until(lambda n=number: counts(b)["received"] == n, "the payload")
        assert counts(b)["rejected"]["lost"] == 1
        heard = len(links)
        b.until(lambda: len(links) > heard, "the report")
        assert {v.key: v.value for v in links[-1].status[0].values}["snr_db"] == "-3.0"
        # A packet that was lost whole brings no measurement: the last one goes on to stand.
        message = arrival(3)
        payload = Channel(channel="awgn", loss=1.0).transmit(unpack(bytes(message.data)))
        assert payload.snr_db is None
        radio.publish(payload_message(message.header, message.format, pack(payload)))
        b.until(lambda: counts(b)["received"] == 3, "the lost payload")
        heard = len(links)
        b.until(lambda: len(links) > heard, "the report")
        assert {v.key: v.value for v in links[-1].status[0].values}["snr_db"] == "-3.0"


def test_a_payload_of_another_codec_is_rejected():
    with bench(RsuNode, codec="classical") as b:
        b.up()
        b.node.vehicles[""].receiver.expect("gesco", codec_of("gesco"), b"")
        b.speak(CompressedImage, RECEIVED).publish(arrival(1))
        b.until(lambda: counts(b)["rejected"]["codec"] == 1, "the rejection")


def test_label_info_reaches_those_who_come_late_and_the_link_is_reported():
    with bench(RsuNode, codec="classical") as b:
        b.up()
        infos = b.listen(LabelInfo, "rsu/segmentation/label_info", latched=True)
        links = b.listen(DiagnosticArray, "rsu/link")
        states = b.listen(DiagnosticArray, "/diagnostics")
        b.speak(CompressedImage, RECEIVED).publish(arrival(1))
        b.until(lambda: infos, "the label info")
        assert [c.class_name for c in infos[0].class_map] == list(NAMES)
        b.until(lambda: links and states, "the reports")
        assert {v.key for v in links[0].status[0].values} == {
            "rate_hz", "loss", "snr_db", "last_sequence", "refresh", "task",
        }  # fmt: skip
        b.until(
            lambda: {v.key: v.value for v in states[-1].status[0].values}["received"] == "1",
            "the count in the diagnostics",
        )
        assert states[-1].status[0].name == "/vehicle_1/rsu_node"


def test_the_codec_can_be_changed_while_it_runs_but_not_to_an_unknown_one():
    with bench(RsuNode, codec="classical") as b:
        b.up()
        assert "Valid: " in b.set(codec="h265")
        assert b.node.settings.codec == "classical"
        assert b.set(min_area=100, max_age_s=3) == ""
        assert b.node.vehicles[""].receiver.max_age_s == 3.0
