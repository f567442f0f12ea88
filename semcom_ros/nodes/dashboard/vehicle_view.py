# SPDX-License-Identifier: Apache-2.0
"""One vehicle as a page shows it: what is listened to for it, and what is told of it."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Mapping
from typing import Any

import numpy as np
from rclpy.serialization import deserialize_message
from sensor_msgs.msg import CameraInfo, CompressedImage, Image, PointCloud2
from vision_msgs.msg import Detection2DArray

from semcom_ros.codecs import CODECS, codec_of
from semcom_ros.errors import SemcomError
from semcom_ros.graph import BOXES, IMAGES, LABELS, PAYLOADS, RECEIVED, SENT_LABELS
from semcom_ros.nodes.dashboard import pictures
from semcom_ros.nodes.dashboard.crossings import Crossings
from semcom_ros.nodes.dashboard.health import Report
from semcom_ros.nodes.dashboard.taps import Tap
from semcom_ros.nodes.messages import stamp_ns
from semcom_ros.nodes.reporting import ReportingNode

LIMITS_MS = {"labels": 100, "image": 200}
"""From capture to the map and to the image at the RSU, at 10 Hz on two cores."""
LOST_S = 2.0
"""After this silence a vehicle is told to be lost."""
OLD_S = 5.0
"""A picture that no newer one came of for so long, and three turns, is no longer the street."""
LATENCIES_S = 10.0
"""How far back latencies are looked at."""
POINTS_S = 2.0
"""From one cloud to the next: while somebody listens, the RSU measures every frame."""
_DEPTH = 30
_SHOWN = {
    "sent": (SENT_LABELS, pictures.deflated),
    "received": (LABELS, pictures.deflated),
    "confidence": (f"{LABELS}/confidence", pictures.deflated),
    "image": (IMAGES, pictures.jpeg),
}


class VehicleView:
    """Listens to the vehicle in the namespace `name` until it is closed."""

    def __init__(self, node: ReportingNode, name: str) -> None:
        self.name, self._node = name, node
        self._crossings = Crossings()
        self._captured: dict[int, int] = {}
        self._latencies = {of: deque[tuple[float, float]](maxlen=50) for of in LIMITS_MS}
        self._boxes: list[Any] = []
        self._came: dict[str, float] = {}
        self._turn_at, self._turn_s = time.monotonic(), 0.0
        self._points_due = 0.0
        self._taps: dict[str, Tap] = {}
        self._tap("crossing", CompressedImage, PAYLOADS, _DEPTH)
        self._tap("crossed", CompressedImage, RECEIVED, _DEPTH)
        self._tap("boxes", Detection2DArray, BOXES)
        for what, (topic, _) in _SHOWN.items():
            if what != "sent":
                self._tap(what, Image, topic, raw=True)

    def close(self) -> None:
        """Listen to nothing any more."""
        while self._taps:
            self._taps.popitem()[1].close()

    def follow(self) -> None:
        """Listen to the camera that the vehicle listens to, and to its map if that is sent."""
        try:
            heard = self._node.get_subscriber_names_and_types_by_node("vehicle_node", self.name)
        except RuntimeError:  # it has gone
            return
        kinds = {"sensor_msgs/msg/" + kind.__name__: kind for kind in (Image, CompressedImage)}
        for topic, (kind, *_) in heard:
            if kind in kinds:
                self._tap("camera", kinds[kind], topic, raw=True)
            elif kind == "sensor_msgs/msg/CameraInfo":
                self._tap("captured", CameraInfo, topic, _DEPTH)
        if self._sends_labels:
            # Of another the vehicle would make a map for this page alone.
            self._tap("sent", Image, _SHOWN["sent"][0], raw=True)
        else:
            self._untap("sent")

    def take(self) -> None:
        """Count what crossed the air, and how late what is seen of it was."""
        for message, came_ns in self._messages("captured"):
            self._captured[stamp_ns(message.header)] = came_ns
        while len(self._captured) > 3 * _DEPTH:
            del self._captured[next(iter(self._captured))]
        for message, came_ns in self._messages("crossing"):
            self._crossings.sent(message, came_ns)
        for message, came_ns in self._messages("crossed"):
            self._crossings.arrived(message, came_ns)
        for message, _ in self._messages("boxes"):
            self._boxes = pictures.boxes(message)

    def pictures(self) -> dict[str, bytes]:
        """What is new of them, by what they show."""
        now = time.monotonic()
        self._turn_at, self._turn_s = now, now - self._turn_at
        made = self._look_at_points()
        for what, draw in (("camera", pictures.jpeg), *((n, d) for n, (_, d) in _SHOWN.items())):
            for data, came_ns in self._messages(what)[-1:]:
                message = deserialize_message(data, self._taps[what].kind)
                try:
                    made[what] = draw(message)
                except SemcomError as error:
                    self._node.complain(str(error))
                self._note_latency(what, stamp_ns(message.header), came_ns)
        return made

    def head(self, reports: Mapping[str, Report]) -> dict[str, Any]:
        """All else, as JSON takes it. reports: of the vehicle's nodes by name."""
        now, newest = time.time(), self._crossings.newest
        # What a silent node said last may hold no longer.
        told = {name: report.values for name, report in reports.items() if not report.silence_s}
        players = (told.get(name, {}) for name in ("camera_node", "bag_node"))
        paused = any(values.get("paused") == "true" for values in players)
        if paused:
            state = "paused", "the camera is paused"
        elif not newest:
            state = "waiting", "no frame has come yet"
        elif now - newest > LOST_S:
            state = "lost", f"no frame for {now - newest:.0f} s"
        else:
            state = "live", "live"
        radio = told.get("channel_node", {})
        since = time.monotonic() - OLD_S - 3 * self._turn_s
        old = [what for what, at in self._came.items() if at < since and not paused]
        return {
            "name": self.name,
            "state": state,
            "alerts": [one for name, report in reports.items() if (one := report.alert(name))],
            "codec": self._crossings.codec,
            "sends_labels": self._sends_labels,
            "totals": self._crossings.totals(),
            "timeline": self._crossings.timeline(),
            "radio": {name: radio.get(name, "") for name in ("channel", "snr_db", "mcs")},
            "image_hz": told.get("rsu_node", {}).get("rate_hz", ""),
            "latency": {of: self._latency(of) for of in LIMITS_MS},
            "boxes": [] if "boxes" in old else self._boxes,
            "old": old,
        }

    @property
    def _sends_labels(self) -> bool:
        codec = self._crossings.codec
        return codec in CODECS and codec_of(codec).sends_labels

    def _latency(self, of: str) -> dict[str, float | None]:
        """Median and greatest of the last ten seconds, in ms, None where nothing came, and the
        limit."""
        known = [ms for at, ms in self._latencies[of] if time.time() - at < LATENCIES_S]
        p50, worst = (float(np.median(known)), max(known)) if known else (None, None)
        return {"p50": p50, "worst": worst, "limit": LIMITS_MS[of]}

    def _note_latency(self, what: str, stamp: int, came_ns: int) -> None:
        of = {"received": "labels", "image": "image"}.get(what)
        captured = self._captured.get(stamp)
        if of and captured:
            self._latencies[of].append((came_ns / 1e9, (came_ns - captured) / 1e6))

    def _look_at_points(self) -> dict[str, bytes]:
        """A cloud now and then, listened to no longer than until it is there."""
        if "points" not in self._taps and time.monotonic() >= self._points_due:
            self._tap("points", PointCloud2, "rsu/points", raw=True)
        for data, _ in self._messages("points")[-1:]:
            self._untap("points")
            self._points_due = time.monotonic() + POINTS_S
            return {"points": pictures.points(deserialize_message(data, PointCloud2))}
        return {}

    def _messages(self, what: str) -> list[tuple[Any, int]]:
        messages = self._taps[what].take() if what in self._taps else []
        if messages:
            self._came[what] = time.monotonic()
        return messages

    def _tap(self, what: str, kind: type, topic: str, depth: int = 1, raw: bool = False) -> None:
        topic = topic if topic.startswith("/") else f"{self.name}/{topic}"
        if what in self._taps and self._taps[what].topic != topic:
            self._untap(what)
        if what not in self._taps:
            self._taps[what] = Tap(self._node, kind, topic, depth, raw)

    def _untap(self, what: str) -> None:
        if what in self._taps:
            self._taps.pop(what).close()
