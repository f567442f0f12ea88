# SPDX-License-Identifier: Apache-2.0
"""Payloads, cameras, depths or perceptions of no use to the RSU: a word, and the rest goes on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="no ROS 2 for this Python")

from ros_bench import bench, camera_image  # noqa: E402
from rsu_bench import (  # noqa: E402
    CAMERA,
    RECEIVED,
    FakeDecoder,
    FakePerception,
    arrival,
    rsu,
    send,
    show_camera,
    street,
)
from sensor_msgs.msg import CompressedImage  # noqa: E402

from semcom_ros.nodes.messages import payload_message  # noqa: E402
from semcom_ros.nodes.rsu_node import RsuNode  # noqa: E402
from semcom_ros.perception import backends  # noqa: E402
from semcom_ros.perception.detection import Detection  # noqa: E402


@pytest.fixture
def fake(monkeypatch) -> FakePerception:
    made = FakePerception()
    monkeypatch.setattr(backends, "create_perception", made.create)
    return made


@pytest.mark.parametrize(
    ("camera", "sentence"),
    [
        (None, "The vehicle has told no intrinsics"),
        (replace(CAMERA, fx=0.0, fy=0.0, cx=0.0, cy=0.0), "all zero"),
        (replace(CAMERA, fx=-430.0), "mirrored"),
        (replace(CAMERA, fy=-430.0), "mirrored"),
    ],
)
def test_without_metres_the_node_says_why_and_the_rest_goes_on(fake, camera, sentence):
    metric = ("rsu/depth", "rsu/points", "rsu/detections_3d")
    with rsu(street(), topics=(*metric, "rsu/detections", "rsu/image")) as (b, got):
        said = b.warnings()
        if camera:
            show_camera(b, camera)
        for number in (1, 2):
            send(b, got, number, but=metric)
        assert not any(got[topic] for topic in metric)
        assert len(said) == 1 and sentence in said[0]
        assert b.state() == "active"


def test_distortion_of_another_lens_model_costs_the_metres_alone(fake):
    solid = ("rsu/points", "rsu/detections_3d")
    with rsu(street(), topics=(*solid, "rsu/detections", "rsu/image")) as (b, got):
        said = b.warnings()
        show_camera(b, replace(CAMERA, distortion=(0.1, 0.2, 0.3)))
        send(b, got, but=solid)
        assert len(said) == 1 and "3 distortion coefficients" in said[0]


@pytest.mark.parametrize(
    ("depth", "sentence"),
    [
        (np.full((256, 512), np.nan, np.float32), "No pixel of the depth is known"),
        (np.zeros((0, 0), np.float32), "does not belong to a camera"),
    ],
)
def test_a_depth_that_knows_nothing_costs_points_and_places_alone(fake, depth, sentence):
    fake.seen = fake.seen._replace(depth=depth)
    solid = ("rsu/points", "rsu/detections_3d")
    with rsu(street(), topics=(*solid, "rsu/detections", "rsu/image")) as (b, got):
        said = b.warnings()
        show_camera(b)
        send(b, got, but=solid)
        assert len(said) == 1 and sentence in said[0]
        assert b.node.vehicles[""].receiver.counters.snapshot()["decoded"] == 1


def test_when_looking_fails_the_maps_objects_and_the_image_are_published(fake):
    with rsu(street(), topics=("rsu/detections", "rsu/image")) as (b, got):
        said = b.warnings()
        fake.fails = ValueError("an empty frame")
        send(b, got)
        (car,) = got["rsu/detections"][0].detections
        assert car.results[0].hypothesis.score == pytest.approx(0.8)
        assert "an empty frame" in said[0] and b.state() == "active"
        fake.fails = None
        send(b, got, 2)
        assert got["rsu/detections"][1].detections[0].results[0].hypothesis.score < 0.7


def test_an_object_of_no_known_class_costs_the_objects_alone(fake):
    fake.seen = fake.seen._replace(detections=[Detection("unicorn", 0.9, 0.0, 0.0, 9.0, 9.0)])
    objects = ("rsu/detections", "rsu/detections_3d")
    with rsu(street(), topics=(*objects, "rsu/image", "rsu/points")) as (b, got):
        said = b.warnings()
        show_camera(b)
        send(b, got, but=objects)
        assert len(said) == 1 and "unicorn" in said[0]
        counts = b.node.vehicles[""].receiver.counters.snapshot()
        assert counts["decoded"] == 1 and counts["rejected"]["malformed"] == 0


def test_when_making_the_image_fails_the_maps_objects_are_published(fake):
    def fail() -> None:
        raise ValueError("no image of this")

    topics = ("rsu/segmentation", "rsu/detections", "rsu/image")
    with rsu(street(), topics=topics) as (b, got):
        said = b.warnings()
        b.node._rsu.decoder = FakeDecoder(street(), fail)
        sent = send(b, got, but=("rsu/image",))
        (car,) = got["rsu/detections"][0].detections
        assert car.results[0].hypothesis.score == pytest.approx(0.8)
        assert got["rsu/detections"][0].header == sent.header and not got["rsu/image"]
        b.until(lambda: said, "the complaint")
        assert len(said) == 1 and "no image of this" in said[0]
        counts = b.node.vehicles[""].receiver.counters.snapshot()
        assert counts["decoded"] == 0 and counts["rejected"]["malformed"] == 1


def test_a_missing_checkpoint_is_told_at_configure(tmp_path):
    with bench(RsuNode, codec="classical", detection=str(tmp_path / "absent")) as b:
        b.node.trigger_configure()
        assert b.state() == "unconfigured"
        assert "Max: 1.0" in b.set(detection_threshold=2.0)


def test_a_burst_of_garbage_costs_no_payload_and_all_of_it_is_counted():
    with bench(RsuNode, codec="classical") as b:
        b.up()
        publisher = b.speak(CompressedImage, RECEIVED)
        junk = payload_message(camera_image().header, "semcom", b"SC\x02" + bytes(500))
        for message in (*[junk] * 45, arrival(1), *[junk] * 45):
            publisher.publish(message)
        b.until(
            lambda: b.node.vehicles[""].receiver.counters.snapshot()["received"] == 91,
            "all of them",
        )
        rejected = b.node.vehicles[""].receiver.counters.snapshot()["rejected"]
        assert {why: n for why, n in rejected.items() if n} == {"malformed": 90}
