# SPDX-License-Identifier: Apache-2.0
"""Where the camera is: payloads tell it, the RSU says it to tf2."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

pytest.importorskip("rclpy", reason="no ROS 2 for this Python")

from geometry_msgs import msg as geometry  # noqa: E402
from rsu_bench import CAMERA, rsu, send, show_camera, street  # noqa: E402
from std_msgs.msg import Header  # noqa: E402

from semcom_ros.frame import Mounting  # noqa: E402
from semcom_ros.messages.placing import camera_transform  # noqa: E402

AHEAD, RIGHT, DOWN = np.eye(3)[[2, 0, 1]]


def placed(mounting: Mounting, point: np.ndarray) -> np.ndarray:
    """A point of the optical frame in the vehicle's."""
    made = camera_transform(geometry, Header(frame_id="base_link"), "front", mounting).transform
    turn, move = made.rotation, made.translation
    turned = Rotation.from_quat([turn.x, turn.y, turn.z, turn.w]).apply(point)
    return turned + (move.x, move.y, move.z)


@pytest.mark.parametrize(
    ("mounting", "point", "there"),
    [
        ((1.5, 0.2, 1.4), 10 * AHEAD, (11.5, 0.2, 1.4)),
        ((1.5, 0.2, 1.4), RIGHT, (1.5, -0.8, 1.4)),
        ((1.5, 0.2, 1.4), 1.4 * DOWN, (1.5, 0.2, 0.0)),
        # Down, to the left, and clockwise as the driver sees it.
        ((0, 0, 2, 0, math.pi / 6, 0), 4 * AHEAD, (math.sqrt(12), 0, 0)),
        ((0, 0, 2, 0, 0, math.pi / 2), 4 * AHEAD, (0, 4, 2)),
        ((0, 0, 2, math.pi / 2, 0, 0), RIGHT, (0, 0, 1)),
    ],
)
def test_what_a_camera_sees_lies_where_its_mounting_says(mounting, point, there):
    np.testing.assert_allclose(placed(Mounting(*mounting), point), there, atol=1e-9)


def test_a_mounting_is_said_once_and_when_it_changes_and_none_is_invented():
    kind = pytest.importorskip("tf2_msgs.msg", reason="tf2_msgs is not built: make setup").TFMessage
    with rsu(street(), topics=("rsu/image",), base_frame="car_7") as (b, got):
        said = b.listen(kind, "/tf_static", latched=True)
        show_camera(b)
        send(b, got, 1)
        show_camera(b, replace(CAMERA, mounting=Mounting(1.0, 0.0, 1.5)))
        header = send(b, got, 2).header
        b.until(lambda: said, "the place of the second frame's camera")
        for x in (1.0, 1.25):
            b.node._places.place(header, "car_7", Mounting(x, 0.0, 1.5))
        b.until(lambda: len(said) > 1, "its other place")
        transforms = [transform for message in said for transform in message.transforms]
        assert [t.transform.translation.x for t in transforms] == [1.0, 1.25]
        assert {t.header.frame_id for t in transforms} == {"car_7"}
        assert {t.child_frame_id for t in transforms} == {header.frame_id}
        late = b.listen(kind, "/tf_static", latched=True)
        b.until(lambda: late, "what was said before")
        assert late == said[1:]
