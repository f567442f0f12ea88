# SPDX-License-Identifier: Apache-2.0
"""The RSU's 3D boxes as RViz and Foxglove draw them."""

from __future__ import annotations

from collections.abc import Iterable

from std_msgs.msg import ColorRGBA, Header
from visualization_msgs.msg import Marker, MarkerArray

from semcom_ros.labels import CLASSES, TRAIN_ID
from semcom_ros.perception.projection import Detection3D

TEXT_M = 0.6
"""Height of the letters, and how far over a box they stand."""


def markers_message(header: Header, detections: Iterable[Detection3D]) -> MarkerArray:
    """A box each in the colour of its class, and over it its name and distance along the axis.

    All under `header`: boxes in the namespace `boxes`, words in `names`. The first marker clears
    what the topic showed before, so that what is gone is gone for those who missed a message, too.
    """
    message = MarkerArray(markers=[Marker(header=header, action=Marker.DELETEALL)])
    for number, found in enumerate(detections):
        x, y, z = found.position
        box = _marker(header, "boxes", number, Marker.CUBE, (x, y, z), found.size)
        # Half way to white: trucks and cars are all but black in Cityscapes' colours.
        shade = [(255 + part) / 510 for part in CLASSES[TRAIN_ID[found.name]].color]
        box.color = ColorRGBA(**dict(zip("rgb", shade, strict=True)), a=0.5)
        over = (x, y - found.size[1] / 2 - TEXT_M, z)
        words = _marker(header, "names", number, Marker.TEXT_VIEW_FACING, over, (0.0, 0.0, TEXT_M))
        words.color, words.text = ColorRGBA(r=1.0, g=1.0, b=1.0, a=1.0), f"{found.name} {z:.0f} m"
        message.markers += [box, words]
    return message


def _marker(
    header: Header,
    namespace: str,
    number: int,
    kind: int,
    position: tuple[float, float, float],
    size: tuple[float, float, float],
) -> Marker:
    marker = Marker(header=header, ns=namespace, id=number, type=kind, action=Marker.ADD)
    marker.pose.orientation.w = 1.0
    for axis, at, extent in zip("xyz", position, size, strict=True):
        setattr(marker.pose.position, axis, at)
        setattr(marker.scale, axis, extent)
    return marker
