# SPDX-License-Identifier: Apache-2.0
"""Where the cameras of all vehicles are, for tf2."""

from __future__ import annotations

from geometry_msgs import msg as geometry
from std_msgs.msg import Header

from semcom_ros.frame import Mounting
from semcom_ros.nodes.node_base import SemcomNode
from semcom_ros.nodes.topics import latched, message_type

TFMessage = message_type("tf2_msgs/msg/TFMessage")
"""None where the wheels of ROS lack it, until set-up has built the stand-in."""


class CameraPlaces:
    """The publisher of `node` on /tf_static, which tells all that is known in one message."""

    def __init__(self, node: SemcomNode) -> None:
        self._node = node
        self._transforms = TFMessage and node.publisher(TFMessage, "/tf_static", latched())
        self._known: dict[str, tuple[str, Mounting]] = {}

    def place(self, header: Header, base: str, mounting: Mounting | None) -> None:
        """The camera of a frame is mounted so on its vehicle, whose frame is `base`: said once, and
        when it is elsewhere. One with the name of another vehicle's is complained of instead.
        """
        frame = header.frame_id
        if mounting is None or not self._transforms or self._known.get(frame) == (base, mounting):
            return
        if frame in self._known and self._known[frame][0] != base:
            self._node.complain(
                f"The cameras of {self._known[frame][0]} and {base} are both called '{frame}', so "
                "that /tf_static places the first alone: give each a frame_id of its own."
            )
            return
        # scipy takes a moment, and most mountings are not known.
        from semcom_ros.messages.placing import camera_transform

        self._known[frame] = base, mounting
        placed = [
            camera_transform(geometry, Header(stamp=header.stamp, frame_id=base), name, at)
            for name, (base, at) in self._known.items()
        ]
        self._transforms.publish(TFMessage(transforms=placed))

    def forget(self, base: str) -> None:
        """The vehicle whose frame is `base` has gone: another may have its camera's name."""
        self._known = {name: at for name, at in self._known.items() if at[0] != base}
