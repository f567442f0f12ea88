# SPDX-License-Identifier: Apache-2.0
"""Where a camera is on its vehicle, as tf2 wants it."""

from __future__ import annotations

from geometry_msgs.msg import TransformStamped
from std_msgs.msg import Header

from semcom_ros.frame import Mounting

OPTICAL = [[0, 0, 1], [-1, 0, 0], [0, -1, 0]]
"""Right, down and ahead of a camera's optical frame in one that is x ahead, y left, z up."""


def camera_transform(header: Header, mounting: Mounting, base_frame: str) -> TransformStamped:
    """From `base_frame`, on the road (x ahead, y left, z up), to the optical frame of `header`."""
    from scipy.spatial.transform import Rotation  # takes a moment, and most mountings are not known

    m = mounting
    turned = Rotation.from_euler("ZYX", [m.yaw, m.pitch, m.roll]) * Rotation.from_matrix(OPTICAL)
    made = TransformStamped(header=Header(stamp=header.stamp, frame_id=base_frame))
    made.child_frame_id = header.frame_id
    for axis, metres in zip("xyz", (m.x, m.y, m.z), strict=True):
        setattr(made.transform.translation, axis, metres)
    for axis, part in zip("xyzw", turned.as_quat(), strict=True):
        setattr(made.transform.rotation, axis, float(part))
    return made
