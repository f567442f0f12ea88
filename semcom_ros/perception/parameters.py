# SPDX-License-Identifier: Apache-2.0
"""What can be set about what the RSU sees."""

from semcom_ros.parameter import Parameter

_BACKEND = "shipped, none, or a transformers checkpoint by local folder or hub id."
PERCEPTION = (
    Parameter("segmentation", "shipped", f"What labels images that came without a map: {_BACKEND}"),
    Parameter("detection", "shipped", f"What looks for objects in the image: {_BACKEND}"),
    Parameter("depth", "shipped", f"What tells the distance of each pixel: {_BACKEND}"),
    Parameter("detection_threshold", 0.3, "Least score of what the detector finds.", 0.05, 1.0),
    Parameter(
        "camera_height_m", 1.4,
        "Height of the camera over the road, by which a checkpoint's relative depth is scaled.",
        0.2, 10.0,
    ),
)  # fmt: skip
