# SPDX-License-Identifier: Apache-2.0
"""What Autoware gets: its classes, riders as one with what they ride, and a plain refusal."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

pytest.importorskip("rclpy", reason="no ROS 2 for this Python")

from semcom_ros.labels import CLASSES as LABELS  # noqa: E402
from semcom_ros.nodes import autoware_node  # noqa: E402
from semcom_ros.nodes.autoware_node import (  # noqa: E402
    CLASSES,
    Sighting,
    autoware_objects,
    detected_objects,
)


def sighting(name, x=0.0, z=20.0, size=(0.6, 1.7, 1.7), score=0.5):
    return Sighting(name, score, (x, 0.5, z), size)


def test_every_road_user_has_a_class_of_autoware():
    table = {
        "person": "PEDESTRIAN", "bicycle": "BICYCLE", "motorcycle": "MOTORCYCLE", "car": "CAR",
        "truck": "TRUCK", "bus": "BUS", "rider": "BICYCLE", "train": "UNKNOWN",
    }  # fmt: skip
    assert table == CLASSES
    things = {c.name for c in LABELS if c.thing}
    assert things - set(CLASSES) == {"traffic light", "traffic sign"}
    for name, found in table.items():
        assert [f[0] for f in autoware_objects([sighting(name)])] == [found]


@pytest.mark.parametrize(
    ("ridden", "found"), [("bicycle", "BICYCLE"), ("motorcycle", "MOTORCYCLE")]
)
def test_a_rider_and_what_is_ridden_are_one_object(ridden, found):
    seen = [
        sighting("car", x=-5),
        sighting(ridden, z=21.0, size=(0.6, 1.0, 1.8), score=0.9),
        sighting("rider"),
    ]
    car, pair = autoware_objects(seen)
    assert (car[0], pair[0], pair[2]) == ("CAR", found, 2)
    assert pair[1].score == 0.9 and pair[1].position[2] == 20.0
    assert pair[1].size[1] == pytest.approx(1.7)


def test_a_bicycle_that_nobody_rides_stays_one_by_itself():
    seen = [sighting("rider"), sighting("bicycle", x=4.0), sighting("bicycle", z=32.0)]
    assert [f[0] for f in autoware_objects(seen)] == ["BICYCLE"] * 3
    both = autoware_objects([sighting("rider"), sighting("bicycle"), sighting("bicycle", x=0.8)])
    assert len(both) == 2


def test_signs_and_lights_are_no_objects_of_autoware():
    assert autoware_objects([sighting("traffic sign"), sighting("traffic light")]) == []


def test_without_autoware_the_node_ends_with_a_sentence(monkeypatch):
    import importlib.util

    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(SystemExit, match="needs autoware_perception_msgs, which is not installed"):
        autoware_node.main()


def test_the_message_says_length_width_and_height_of_a_body_in_the_optical_frame():
    from geometry_msgs.msg import PoseWithCovariance, Vector3
    from std_msgs.msg import Header
    from vision_msgs.msg import Detection3D, Detection3DArray, ObjectHypothesisWithPose

    @dataclass
    class Kinematics:
        pose_with_covariance: object = field(default_factory=PoseWithCovariance)
        has_position_covariance: bool = False
        orientation_availability: int = 9
        UNAVAILABLE = 0

    @dataclass
    class Shape:
        type: int = 9
        dimensions: object = field(default_factory=Vector3)
        BOUNDING_BOX = 0

    @dataclass
    class Thing:
        existence_probability: float
        classification: list = field(default_factory=list)
        kinematics: Kinematics = field(default_factory=Kinematics)
        shape: Shape = field(default_factory=Shape)

    @dataclass
    class Things:
        header: Header
        objects: list = field(default_factory=list)

    class Classification(SimpleNamespace):
        CAR = 1

    messages = SimpleNamespace(
        DetectedObjects=Things,
        DetectedObject=Thing,
        ObjectClassification=Classification,
        DetectedObjectKinematics=Kinematics,
        Shape=Shape,
    )
    result = ObjectHypothesisWithPose()
    result.hypothesis.class_id, result.hypothesis.score = "car", 0.5
    result.pose.covariance[14] = 4.0
    seen = Detection3D(results=[result])
    seen.bbox.center.position.z = 20.0
    seen.bbox.size.x, seen.bbox.size.y, seen.bbox.size.z = 1.9, 1.5, 4.6
    array = Detection3DArray(header=Header(frame_id="camera_optical"), detections=[seen])

    found = detected_objects(array, messages)
    (car,) = found.objects
    assert found.header == array.header
    assert (car.existence_probability, car.classification[0].label) == (0.5, 1)
    assert (car.shape.dimensions.x, car.shape.dimensions.y, car.shape.dimensions.z) == (
        (4.6, 1.9, 1.5)
    )
    pose = car.kinematics.pose_with_covariance
    assert (pose.pose.position.z, pose.covariance[14]) == (20.0, 4.0)
    # Ahead of the body is the optical axis, its left is x backwards, its up is y backwards.
    q = pose.pose.orientation
    ahead, left, up = Rotation.from_quat([q.x, q.y, q.z, q.w]).as_matrix().T
    np.testing.assert_allclose([ahead, left, up], [[0, 0, 1], [-1, 0, 0], [0, -1, 0]], atol=1e-9)


def test_the_node_listens_to_the_rsu_only_while_somebody_listens_to_it(monkeypatch):
    from diagnostic_msgs.msg import DiagnosticStatus
    from ros_bench import bench
    from std_msgs.msg import Header
    from vision_msgs.msg import Detection3DArray

    messages = SimpleNamespace(DetectedObjects=Detection3DArray)
    monkeypatch.setitem(sys.modules, f"{autoware_node.PACKAGE}.msg", messages)
    monkeypatch.setattr(autoware_node, "detected_objects", lambda array, _: array)
    with bench(autoware_node.AutowareNode) as b:
        b.up()
        assert not b.node.subscribed
        assert b.node.status() == (DiagnosticStatus.OK, "idle: nobody listens")
        got = b.listen(Detection3DArray, "rsu/objects")
        b.until(lambda: b.node.subscribed, "the demand")
        assert b.node.status()[0] == DiagnosticStatus.WARN
        b.listened("rsu/objects")
        rsu = b.speak(Detection3DArray, "rsu/detections_3d")
        (ear,) = [s for s in b.node.subscriptions if s.topic_name.endswith("rsu/detections_3d")]
        b.until(lambda: ear.get_publisher_count(), "the RSU's detections")
        for second in (1, 2):
            header = Header(frame_id="camera_optical")
            header.stamp.sec = second
            rsu.publish(Detection3DArray(header=header))
            b.until(lambda n=second: len(got) == n, "the objects")
        assert [array.header.stamp.sec for array in got] == [1, 2]
        assert b.node.status()[0] == DiagnosticStatus.OK
        assert b.node.statistics.rate_hz() > 0
        (ear,) = [s for s in b.tester.subscriptions if s.topic_name.endswith("rsu/objects")]
        b.tester.destroy_subscription(ear)
        b.until(lambda: not b.node.subscribed, "the end of the demand")
