# SPDX-License-Identifier: Apache-2.0
"""What the RSU sees and publishes for planners, by a perception that says what it is told to."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="no ROS 2 for this Python")

from rclpy.qos import DurabilityPolicy, HistoryPolicy, ReliabilityPolicy  # noqa: E402
from rsu_bench import (  # noqa: E402
    CAMERA,
    TOPICS,
    FakeDecoder,
    FakePerception,
    rsu,
    send,
    show_camera,
    street,
)
from sensor_msgs.msg import Image  # noqa: E402

from semcom_ros.labels import TRAIN_ID  # noqa: E402
from semcom_ros.perception import backends  # noqa: E402
from semcom_ros.reconstruction import Reconstruction  # noqa: E402


@pytest.fixture
def fake(monkeypatch) -> FakePerception:
    made = FakePerception()
    monkeypatch.setattr(backends, "create_perception", made.create)
    return made


def test_every_topic_has_the_type_encoding_and_header_that_the_design_says(fake):
    with rsu(street()) as (b, got):
        show_camera(b)
        sent = send(b, got)
        assert all(len(messages) == 1 for messages in got.values())
        told = [m[0].header for m in got.values() if hasattr(m[0], "header")]
        told += [marker.header for marker in got["rsu/markers"][0].markers]
        assert all(header == sent.header for header in told)
        encodings = {t: m[0].encoding for t, m in got.items() if TOPICS[t] is Image}
        assert encodings == {
            "rsu/segmentation": "mono8",
            "rsu/segmentation/confidence": "mono8",
            "rsu/segmentation/color": "rgb8",
            "rsu/overlay": "rgb8",
            "rsu/image": "rgb8",
            "rsu/depth": "32FC1",
        }
        assert all(
            (m[0].height, m[0].width) == (256, 512) for m in got.values() if hasattr(m[0], "height")
        )
        depth = np.frombuffer(got["rsu/depth"][0].data, np.float32).reshape(256, 512)
        assert got["rsu/depth"][0].step == 4 * 512
        assert np.isnan(depth[:50]).all() and (depth[50:] == 20).all()
        (car,) = got["rsu/detections"][0].detections
        hypothesis = car.results[0].hypothesis
        assert hypothesis.class_id == "car"
        assert hypothesis.score == pytest.approx(0.8 * (1 + 0.5) / 2)
        assert (car.bbox.size_x, car.bbox.size_y) == (40.0, 20.0)
        (solid,) = got["rsu/detections_3d"][0].detections
        assert solid.header == sent.header
        assert solid.results[0].hypothesis == hypothesis
        assert 20 < solid.bbox.center.position.z < 23
        assert solid.results[0].pose.pose == solid.bbox.center
        assert solid.results[0].pose.covariance[14] > 1
        assert solid.bbox.size.x == pytest.approx(40 * 20 / CAMERA.fx)


def test_points_are_organised_as_pcl_and_nav2_take_them(fake):
    with rsu(street(), topics=("rsu/points",)) as (b, got):
        show_camera(b)
        send(b, got)
        cloud = got["rsu/points"][0]
        assert (cloud.height, cloud.width, cloud.point_step, cloud.row_step) == (
            (256, 512, 20, 512 * 20)
        )
        assert not cloud.is_dense and not cloud.is_bigendian
        named = {f.name: (f.offset, f.datatype, f.count) for f in cloud.fields}
        assert named == {
            "x": (0, 7, 1), "y": (4, 7, 1), "z": (8, 7, 1), "rgb": (12, 7, 1), "label": (16, 6, 1),
        }  # fmt: skip
        raw = np.frombuffer(cloud.data, np.uint8).reshape(256, 512, 20)
        xyz = raw[..., :12].copy().view(np.float32)
        assert np.isnan(xyz[:50]).all() and np.isfinite(xyz[50:]).all()
        assert (raw[..., 12:16] == (9, 8, 7, 0)).all()
        label = raw[..., 16:].copy().view(np.uint32)[..., 0]
        assert label[110, 220] == TRAIN_ID["car"] and label[0, 0] == TRAIN_ID["road"]


def test_publishers_are_reliable_and_keep_the_newest_few(fake):
    with rsu(street(), topics=()) as (b, _):
        offered = {p.topic_name: p.qos_profile for p in b.node.publishers}
        for topic in TOPICS:
            profile = offered[f"/vehicle_1/{topic}"]
            assert profile.reliability == ReliabilityPolicy.RELIABLE, topic
            assert profile.durability == DurabilityPolicy.VOLATILE, topic
            assert profile.history == HistoryPolicy.KEEP_LAST and 1 <= profile.depth <= 5, topic
        info = offered["/vehicle_1/rsu/segmentation/label_info"]
        assert info.durability == DurabilityPolicy.TRANSIENT_LOCAL and info.depth == 1


@pytest.mark.parametrize(
    ("topics", "pictures", "looks"),
    [
        ((), [], 0),
        (("rsu/segmentation", "rsu/image"), [], 0),
        (("rsu/segmentation", "rsu/overlay"), ["tint"], 1),
        (("rsu/image", "rsu/segmentation/color"), ["colorize"], 0),
    ],
)
def test_nothing_is_seen_or_painted_for_nobody(fake, topics, pictures, looks, monkeypatch):
    painted = []
    for name in ("tint", "colorize"):

        def paint(*_, name=name):
            painted.append(name)
            return street().image.copy()

        monkeypatch.setattr(f"semcom_ros.nodes.rsu_outputs.{name}", paint)
    with rsu(street(), topics=topics) as (b, got):
        show_camera(b)
        warm = fake.calls
        send(b, got)
        assert fake.calls == warm + looks and painted == pictures


def test_the_perception_is_made_once_of_what_the_parameters_say(fake):
    chosen = {"depth": "none", "detection_threshold": 0.4, "camera_height_m": 1.2}
    with rsu(street(), topics=(), **chosen):
        assert fake.options == [
            {
                "segmentation": "shipped",
                "detection": "shipped",
                "depth": "none",
                "device": "cpu",
                "threshold": 0.4,
                "camera_height_m": 1.2,
            }
        ]


def test_a_frame_keeps_the_camera_that_it_began_with(fake):
    other = replace(CAMERA, fx=215.0, fy=215.0)
    topics = ("rsu/camera_info", "rsu/detections_3d", "rsu/points")
    with rsu(street(), topics=topics) as (b, got):
        show_camera(b)
        b.node._rsu.decoder = FakeDecoder(
            street(), lambda: setattr(b.node.vehicles[""].receiver, "camera", other)
        )
        for number, camera in ((1, CAMERA), (2, other)):
            send(b, got, number)
            b.camera = None
            assert fake.cameras[-1] == camera
            assert got["rsu/camera_info"][-1].k[0] == camera.fx
            (car,) = got["rsu/detections_3d"][-1].detections
            assert car.bbox.size.x == pytest.approx(40 * 20 / camera.fx)
            corner = np.frombuffer(got["rsu/points"][-1].data, np.float32)[-5]
            assert corner == pytest.approx((511 - camera.cx) / camera.fx * 20, rel=1e-4)


def test_what_has_no_distance_is_counted(fake):
    fake.seen.depth[:150] = np.nan
    with rsu(street(), topics=("rsu/detections", "rsu/detections_3d")) as (b, got):
        show_camera(b)
        send(b, got)
        assert len(got["rsu/detections"][0].detections) == 1
        assert not got["rsu/detections_3d"][0].detections
        assert b.node.statistics.snapshot()["unplaced"] == "1"


@pytest.mark.parametrize("topic", ["detections", "detections_3d", "markers", "depth", "points"])
def test_whoever_listens_makes_it_look_once(fake, topic):
    with rsu(street(), topics=(f"rsu/{topic}", "rsu/overlay")) as (b, got):
        show_camera(b)
        warm = fake.calls
        send(b, got)
        assert fake.calls == warm + 1


def test_labels_leave_first_then_the_image_then_what_is_seen_in_it(fake, monkeypatch):
    with rsu(street()) as (b, got):
        show_camera(b)
        order = []
        for publisher in b.node.publishers:
            name = publisher.topic_name.removeprefix("/vehicle_1/")
            publish = publisher.publish
            publisher.publish = lambda m, n=name, p=publish: (order.append(n), p(m))
        send(b, got)
        order = [name for name in order if name in TOPICS]
        place = {name: order.index(name) for name in order}
        for early in ("rsu/segmentation", "rsu/segmentation/confidence"):
            assert place[early] < place["rsu/image"]
        for found in ("rsu/detections", "rsu/detections_3d"):
            assert place["rsu/image"] < place[found]
            for late in ("rsu/depth", "rsu/points", "rsu/overlay"):
                assert place[found] < place[late]


def test_an_empty_road_gives_no_object_whatever_the_detector_says(fake):
    with rsu(street(car=False), topics=("rsu/detections", "rsu/detections_3d")) as (b, got):
        show_camera(b)
        send(b, got)
        assert not got["rsu/detections"][0].detections
        assert not got["rsu/detections_3d"][0].detections


@pytest.mark.parametrize("confidence", [0, 77, 255])
def test_an_all_person_map_is_published_as_sure_as_it_was_received(fake, confidence):
    everywhere = np.full((256, 512), TRAIN_ID["person"], np.uint8)
    gives = replace(street(confidence=confidence), labels=everywhere)
    topics = ("rsu/segmentation/confidence", "rsu/detections")
    with rsu(gives, topics=topics) as (b, got):
        send(b, got)
        assert set(got[topics[0]][0].data) == {confidence}
        found = got[topics[1]][0].detections
        assert found
        assert all(d.results[0].hypothesis.score <= confidence / 255 for d in found)


def test_without_a_detector_the_maps_objects_get_their_place_all_the_same(fake):
    fake.seen = fake.seen._replace(detections=None)
    topics = ("rsu/detections", "rsu/detections_3d")
    with rsu(street(), topics=topics, detection="none") as (b, got):
        show_camera(b)
        send(b, got)
        (flat,), (solid,) = (got[t][0].detections for t in topics)
        assert flat.results[0].hypothesis.score == pytest.approx(0.8)
        assert solid.bbox.center.position.z > 20


def test_of_an_image_codec_labels_are_inferred_and_detections_are_the_detectors(fake):
    picture = Reconstruction(image=street().image)
    topics = ("rsu/segmentation", "rsu/segmentation/confidence", "rsu/detections")
    with rsu(picture, topics=topics) as (b, got):
        send(b, got)
        assert set(got[topics[1]][0].data) == {64}
        (car,) = got["rsu/detections"][0].detections
        assert car.results[0].hypothesis.score == 0.5


def test_of_an_image_codec_no_labels_are_inferred_for_metres_that_cannot_be_told(fake):
    topics = ("rsu/points", "rsu/detections_3d")
    with rsu(Reconstruction(image=street().image), topics=topics) as (b, got):
        warm = fake.calls
        send(b, got, but=topics)
        assert fake.calls == warm


def test_the_shipped_networks_see_the_street_that_was_received():
    topics = ("rsu/detections", "rsu/detections_3d", "rsu/depth", "rsu/points")
    with rsu(street(), topics=topics) as (b, got):
        show_camera(b)
        send(b, got)
        assert [d.results[0].hypothesis.class_id for d in got["rsu/detections"][0].detections] == [
            "car"
        ]
        assert len(got["rsu/depth"][0].data) == 256 * 512 * 4
