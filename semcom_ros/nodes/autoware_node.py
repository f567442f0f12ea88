# SPDX-License-Identifier: Apache-2.0
"""The RSU's detections as Autoware takes them: `rsu/detections_3d` -> `rsu/objects`.

It needs autoware_perception_msgs, which only an Autoware workspace has.
"""

from __future__ import annotations

import importlib.util
import sys
import time
from types import ModuleType

from diagnostic_msgs.msg import DiagnosticStatus
from vision_msgs.msg import Detection3D, Detection3DArray

from semcom_ros.nodes.autoware_objects import Sighting, autoware_objects
from semcom_ros.nodes.node_base import SemcomNode, run

PACKAGE = "autoware_perception_msgs"
AS_BODY = {"x": 0.5, "y": -0.5, "z": 0.5, "w": 0.5}
"""How a body (x ahead, y left, z up) that faces along the optical axis is turned in its frame."""


class AutowareNode(SemcomNode):
    """Passes each array on as `DetectedObjects` under the same header."""

    def __init__(self) -> None:
        super().__init__("autoware_node")

    def setup(self) -> None:
        self._messages = importlib.import_module(f"{PACKAGE}.msg")
        self._objects = self.publisher(
            self._messages.DetectedObjects, "rsu/objects", matched=self._follow_demand
        )

    def start(self) -> None:
        self._follow_demand()

    def diagnose(self) -> tuple[bytes, str, dict[str, str]]:
        if not self.subscribed:
            return DiagnosticStatus.OK, "idle: nobody listens", {}
        if not self.statistics.rate_hz():
            return DiagnosticStatus.WARN, "no detections came in the last seconds", {}
        return DiagnosticStatus.OK, "passing detections on to Autoware", {}

    def _follow_demand(self) -> None:
        """Listen only while somebody listens here: for listeners the RSU makes and reads images."""
        wanted = self.active and self._objects.get_subscription_count() > 0
        if wanted and not self.subscribed:
            self.subscribe(Detection3DArray, "rsu/detections_3d", self._pass_on)
        elif not wanted:
            self.unsubscribe()

    def _pass_on(self, array: Detection3DArray) -> None:
        began = time.monotonic()
        try:
            self._objects.publish(detected_objects(array, self._messages))
            self.statistics.count("passed_on")
            self.statistics.output(time.monotonic() - began, self.age_s(array.header))
        except Exception as error:
            self.fail_frame(error)


def detected_objects(array: Detection3DArray, messages: ModuleType) -> object:
    """`array` as DetectedObjects of `messages`, the module autoware_perception_msgs.msg."""
    found = messages.DetectedObjects(header=array.header)
    seen = [_sighting(detection) for detection in array.detections]
    for name, sighting, i in autoware_objects(seen):
        label = getattr(messages.ObjectClassification, name)
        thing = messages.DetectedObject(existence_probability=sighting.score)
        thing.classification = [messages.ObjectClassification(label=label, probability=1.0)]
        kinematics, shape = thing.kinematics, thing.shape
        at = kinematics.pose_with_covariance
        at.covariance = array.detections[i].results[0].pose.covariance
        for axis, metres in zip("xyz", sighting.position, strict=True):
            setattr(at.pose.position, axis, metres)
        for axis, value in AS_BODY.items():
            setattr(at.pose.orientation, axis, value)
        kinematics.has_position_covariance = True
        kinematics.orientation_availability = messages.DetectedObjectKinematics.UNAVAILABLE
        shape.type = messages.Shape.BOUNDING_BOX
        # Along a body that faces along the optical axis: length, width, height.
        shape.dimensions.y, shape.dimensions.z, shape.dimensions.x = sighting.size
        found.objects.append(thing)
    return found


def _sighting(detection: Detection3D) -> Sighting:
    best = max(detection.results, key=lambda result: result.hypothesis.score).hypothesis
    centre, size = detection.bbox.center.position, detection.bbox.size
    return Sighting(
        best.class_id, best.score, (centre.x, centre.y, centre.z), (size.x, size.y, size.z)
    )


def main() -> None:
    """Entry point of `ros2 run semcom_ros autoware_node`."""
    if importlib.util.find_spec(PACKAGE) is None:
        sys.exit(
            f"autoware_node needs {PACKAGE}, which is not installed here: source an Autoware "
            f"workspace, or install ros-$ROS_DISTRO-{PACKAGE.replace('_', '-')}."
        )
    run(AutowareNode)


if __name__ == "__main__":
    main()
