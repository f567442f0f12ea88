# SPDX-License-Identifier: Apache-2.0
"""What messages of detections say: the reverse of `build`."""

from __future__ import annotations

from typing import Any

from semcom_ros.perception.detection import Detection


def likeliest(detection: Any) -> Any:
    """The hypothesis of a Detection2D or Detection3D that has the best score."""
    return max(detection.results, key=lambda result: result.hypothesis.score).hypothesis


def detections_of(message: Any) -> list[Detection]:
    """Those of a Detection2DArray, in pixels of its image."""
    found = []
    for one in message.detections:
        best, centre = likeliest(one), one.bbox.center.position
        width, height = one.bbox.size_x, one.bbox.size_y
        left, top = centre.x - width / 2, centre.y - height / 2
        found.append(Detection(best.class_id, best.score, left, top, width, height))
    return found
