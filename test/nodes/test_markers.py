# SPDX-License-Identifier: Apache-2.0
"""What RViz draws: boxes in metres with class and distance, and detections over the picture."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="no ROS 2 for this Python")

from builtin_interfaces.msg import Time  # noqa: E402
from rsu_bench import rsu, send, show_camera, street  # noqa: E402
from std_msgs.msg import Header  # noqa: E402
from visualization_msgs.msg import Marker  # noqa: E402

from semcom_ros.nodes.markers import markers_message  # noqa: E402
from semcom_ros.perception.projection import Detection3D  # noqa: E402

HEADER = Header(frame_id="front", stamp=Time(sec=7, nanosec=8))


def test_a_box_stands_where_the_object_is_and_its_name_and_distance_over_it():
    car = Detection3D("car", 0.5, (1.0, 0.5, 21.6), (1.8, 1.5, 4.6), np.eye(3))
    clear, box, words = markers_message(HEADER, [car]).markers
    assert clear.action == Marker.DELETEALL
    assert (box.type, box.ns, box.id) == (Marker.CUBE, "boxes", 0)
    at, size = box.pose.position, box.scale
    assert ((at.x, at.y, at.z), (size.x, size.y, size.z)) == (car.position, car.size)
    assert box.pose.orientation.w == 1 and 0 < box.color.a < 1 and box.color.b > box.color.r
    assert (words.type, words.ns, words.text) == (Marker.TEXT_VIEW_FACING, "names", "car 22 m")
    # y points down.
    assert words.pose.position.y + words.scale.z / 2 < at.y - size.y / 2 and words.color.a == 1


def test_what_is_gone_is_deleted_and_all_markers_have_stamp_and_frame_of_the_source():
    person = Detection3D("person", 0.5, (1.0, 0.5, 9.0), (0.6, 1.7, 0.6), np.eye(3))
    many, none = (markers_message(HEADER, [person] * n).markers for n in (3, 0))
    assert [marker.action for marker in none] == [Marker.DELETEALL]
    assert all(marker.header == HEADER for marker in (*many, *none))
    names = [(marker.ns, marker.id) for marker in many[1:]]
    assert len(set(names)) == 6


def test_the_overlay_shows_the_map_over_the_image_and_the_detections_on_it():
    parameters = dict.fromkeys(("segmentation", "detection", "depth"), "none")
    with rsu(street(), topics=("rsu/overlay",), **parameters) as (b, got):
        show_camera(b)
        send(b, got)
        painted = np.frombuffer(got["rsu/overlay"][0].data, np.uint8).reshape(256, 512, 3)
        # The car's box is 200 to 240 across and 100 to 120 down.
        assert (painted[100, 200:241] == 235).all() and (painted[100:121, 240] == 235).all()
        assert painted[110, 220, 2] > painted[110, 220, 0] and (painted[90, 150] < 235).all()
