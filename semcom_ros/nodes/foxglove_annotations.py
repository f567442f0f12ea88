# SPDX-License-Identifier: Apache-2.0
"""2D detections as Foxglove draws them over an image."""

from __future__ import annotations

from foxglove.messages import (
    Color,
    ImageAnnotations,
    Point2,
    PointsAnnotation,
    PointsAnnotationType,
    TextAnnotation,
    Timestamp,
)
from vision_msgs.msg import Detection2DArray

LINE = Color(r=1.0, g=0.85, b=0.2, a=1.0)
BEHIND = Color(r=0.0, g=0.0, b=0.0, a=0.6)


def image_annotations(found: Detection2DArray) -> ImageAnnotations:
    """A frame around each detection with its class and score, in pixels of the RSU's image, under
    the stamp of the array."""
    frames, names = [], []
    for detection in found.detections:
        box, best = detection.bbox, detection.results[0].hypothesis
        x, y = box.center.position.x - box.size_x / 2, box.center.position.y - box.size_y / 2
        right, bottom = x + box.size_x, y + box.size_y
        corners = [Point2(x=a, y=b) for a, b in ((x, y), (right, y), (right, bottom), (x, bottom))]
        loop = PointsAnnotationType.LineLoop
        frames.append(PointsAnnotation(type=loop, points=corners, outline_color=LINE, thickness=1))
        names.append(
            TextAnnotation(
                position=corners[0],
                text=f"{best.class_id} {best.score:.2f}",
                font_size=10,
                text_color=LINE,
                background_color=BEHIND,
            )
        )
    stamp = Timestamp(found.header.stamp.sec, found.header.stamp.nanosec)
    return ImageAnnotations(timestamp=stamp, points=frames, texts=names)
