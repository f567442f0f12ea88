# SPDX-License-Identifier: Apache-2.0
"""The RSU's 3D boxes as RViz and Foxglove draw them."""

from __future__ import annotations

from collections.abc import Iterable

from geometry_msgs.msg import Point, Pose, Vector3
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
    markers = [Marker(header=header, action=Marker.DELETEALL)]
    for number, found in enumerate(detections):
        (x, y, z), (width, height, length) = found.position, found.size
        # Half way to white: trucks and cars are all but black in Cityscapes' colours.
        r, g, b = ((255 + part) / 510 for part in CLASSES[TRAIN_ID[found.name]].color)
        box = Marker(header=header, ns="boxes", id=number, type=Marker.CUBE)
        box.pose = Pose(position=Point(x=x, y=y, z=z))
        box.scale, box.color = Vector3(x=width, y=height, z=length), ColorRGBA(r=r, g=g, b=b, a=0.5)
        words = Marker(header=header, ns="names", id=number, type=Marker.TEXT_VIEW_FACING)
        words.pose = Pose(position=Point(x=x, y=y - height / 2 - TEXT_M, z=z))
        words.scale, words.color = Vector3(z=TEXT_M), ColorRGBA(r=1.0, g=1.0, b=1.0, a=1.0)
        words.text = f"{found.name} {z:.0f} m"
        markers += [box, words]
    return MarkerArray(markers=markers)
