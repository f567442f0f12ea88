# SPDX-License-Identifier: Apache-2.0
"""Where things are, as tf2 wants it; the first argument is as in `build`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from scipy.spatial.transform import Rotation

from semcom_ros.frame import Mounting

OPTICAL = [[0, 0, 1], [-1, 0, 0], [0, -1, 0]]
"""Right, down and ahead of a camera's optical frame in one that is x ahead, y left, z up."""


def camera_transform(geometry_msgs: Any, header: Any, child: str, mounting: Mounting) -> Any:
    """From the frame of `header`, on the road (x ahead, y left, z up), to the optical frame."""
    m = mounting
    turned = Rotation.from_euler("ZYX", [m.yaw, m.pitch, m.roll]) * Rotation.from_matrix(OPTICAL)
    return transform_message(geometry_msgs, header, child, (m.x, m.y, m.z), turned)


def transform_message(
    geometry_msgs: Any, header: Any, child: str, place: Sequence[float], turned: Rotation
) -> Any:
    """`child` is at `place`, in metres, and `turned`, in the frame of `header`."""
    message = geometry_msgs.TransformStamped(header=header, child_frame_id=child)
    for axis, metres in zip("xyz", place, strict=True):
        setattr(message.transform.translation, axis, float(metres))
    turn(message.transform.rotation, turned)
    return message


def turn(quaternion: Any, turned: Rotation) -> None:
    """Set a message's quaternion."""
    for axis, part in zip("xyzw", turned.as_quat(), strict=True):
        setattr(quaternion, axis, float(part))
