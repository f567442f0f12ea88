# SPDX-License-Identifier: Apache-2.0
"""2D detections as Foxglove draws them over an image."""

from __future__ import annotations

from foxglove import messages as fox
from vision_msgs.msg import Detection2DArray

from semcom_ros.messages.boxes import detections_of

INK = fox.Color(r=1.0, g=0.85, b=0.2, a=1.0)


def image_annotations(found: Detection2DArray) -> fox.ImageAnnotations:
    """A frame around each detection with its class and score, in pixels of the RSU's image, under
    the stamp of the array."""
    loop, frames, names = fox.PointsAnnotationType.LineLoop, [], []
    for one in detections_of(found):
        x, y, right, bottom = one.left, one.top, one.left + one.width, one.top + one.height
        corners = ((x, y), (right, y), (right, bottom), (x, bottom))
        points = [fox.Point2(x=across, y=down) for across, down in corners]
        text, at = f"{one.name} {one.score:.2f}", points[0]
        frame = fox.PointsAnnotation(type=loop, points=points, outline_color=INK, thickness=1)
        frames.append(frame)
        names.append(fox.TextAnnotation(text=text, position=at, font_size=10, text_color=INK))
    stamp = fox.Timestamp(found.header.stamp.sec, found.header.stamp.nanosec)
    return fox.ImageAnnotations(timestamp=stamp, points=frames, texts=names)
