# SPDX-License-Identifier: Apache-2.0
"""The roadside unit: payloads in; map, regenerated image and what is seen of the street out.

Every payload is accounted for: received = decoded + rejected (by reason) + superseded.
"""

from __future__ import annotations

import time
from contextlib import suppress
from types import SimpleNamespace
from typing import NamedTuple

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rclpy.parameter import Parameter
from sensor_msgs.msg import CompressedImage
from std_msgs.msg import Header, String

from semcom_ros.codecs import codec_of, create_decoder, settings_of
from semcom_ros.codecs.base import Codec, Reading
from semcom_ros.errors import SemcomError
from semcom_ros.nodes.messages import link_values, stamp_ns
from semcom_ros.nodes.node_base import SemcomNode
from semcom_ros.nodes.node_parameters import codec_options
from semcom_ros.nodes.reporting import LOOK_S
from semcom_ros.nodes.rsu_outputs import RsuOutputs
from semcom_ros.nodes.shared_memory import make_room
from semcom_ros.nodes.topics import TOGETHER, reliable
from semcom_ros.payload import PayloadError
from semcom_ros.perception.backends import NONE, TASKS, load_perceivers
from semcom_ros.percepts import Percepts
from semcom_ros.pipeline.executor import LocalExecutor
from semcom_ros.pipeline.receiver import Arrival, Receiver
from semcom_ros.pipeline.rsu import Rsu


class Came(NamedTuple):
    """With what header a payload came, and when (monotonic, s)."""

    header: Header
    at: float


class RsuNode(SemcomNode):
    """`camera/image_raw/semcom/received` -> `rsu/...`, headers those of the source frames."""

    executable = "rsu_node"
    working, takes = "decoding", "payload"

    def __init__(self) -> None:
        super().__init__()
        self._receiver: Receiver | None = None
        self._rsu: Rsu | None = None
        self._outputs: RsuOutputs | None = None
        self._received, self._reported_at = 0, 0.0
        self._asked = Reading("")

    def setup(self) -> None:
        self.prepare_compute()
        self._outputs = RsuOutputs(self)
        self._rsu = self._make(self.settings)
        s = self.settings
        self._receiver = Receiver(*self._read(s.codec), s.max_age_s, s.max_payload_bytes)
        self._asked = self.read(s.task)
        self._link_report = self.publisher(DiagnosticArray, "rsu/link")

    def start(self) -> None:
        self._executor = LocalExecutor(
            lambda: self._rsu, lambda _: self._outputs.wanted(), self._deliver, self.fail_frame
        )
        self.ends.callback(self._executor.stop)
        self.warm = self._executor.warm
        self._outputs.announce()
        self._received = self._receiver.counters.snapshot()["received"]
        self._reported_at = time.monotonic()
        self._receiver.link_state(self.get_clock().now().nanoseconds)
        self.ends.callback(self.destroy_timer, self.steady_timer(LOOK_S, self._report_link))

    def listen(self) -> None:
        # What a delay let out all at once is judged packet by packet, so that none goes uncounted.
        self.subscribe(
            CompressedImage, "camera/image_raw/semcom/received", self._on_payload,
            reliable(TOGETHER), together=True,
        )  # fmt: skip
        self.subscribe(String, "rsu/task", self._on_task, reliable(1))

    def free(self) -> None:
        self._rsu = self._outputs = None

    def load(self, settings: SimpleNamespace) -> Rsu:
        made = self._make(settings, self._rsu)
        for _ in made.warm_up():
            pass
        with suppress(SemcomError):  # said by `change`; what reads is loaded here
            made.decoder.read(settings.task)
        return made

    def change(self, settings: SimpleNamespace, loaded: Rsu | None) -> None:
        rsu = loaded or self._rsu
        asked = rsu.decoder.read(settings.task)
        rsu.decoder.settings = settings_of(settings.codec, vars(settings))
        rsu.min_area, self._asked = settings.min_area, asked
        if loaded:
            self._rsu = loaded
            self._receiver.expect(*self._read(settings.codec))
        self._receiver.max_age_s = settings.max_age_s
        self._receiver.max_bytes = settings.max_payload_bytes

    def values(self) -> dict[str, str]:
        counts = self._receiver.counters.snapshot()
        reasons = counts.pop("rejected")
        values = {name: str(n) for name, n in counts.items()}
        values["rejected"] = str(sum(reasons.values()))
        values |= {f"rejected.{reason}": str(n) for reason, n in reasons.items()}
        task, score, margin = self._asked
        values |= {"task": task, "task_score": f"{score:.2f}", "task_margin": f"{margin:.2f}"}
        return {**values, "codec": self.settings.codec}

    def read(self, words: str) -> Reading:
        return self._rsu.decoder.read(words)

    async def _on_task(self, message: String) -> None:
        """A planner's words become the parameter `task`, where they mean anything to the codec."""
        await self._node_parameters.foresee(message.data)
        (result,) = self.set_parameters([Parameter("task", value=message.data)])
        if not result.successful:
            self.complain(result.reason)

    def _make(self, settings: SimpleNamespace, before: Rsu | None = None) -> Rsu:
        """An RSU that looks by the networks of the one `before` where the choice is the same."""
        decoder = create_decoder(settings.codec, **codec_options(settings))
        chosen = _chosen(settings)
        if before and chosen == _chosen(self.settings):
            perceive = before.perceive
        else:
            perceive = load_perceivers(
                chosen, settings.device, settings.detection_threshold, settings.camera_height_m
            )
        return Rsu(decoder, perceive, settings.min_area)

    def _read(self, codec: str) -> tuple[str, Codec, bytes]:
        """What the receiver lets in: payloads that the decoder at hand reads."""
        return codec, codec_of(codec), self._rsu.decoder.model

    def _on_payload(self, message: CompressedImage) -> None:
        now, came = self.get_clock().now().nanoseconds, Came(message.header, time.monotonic())
        self.flow.came()
        try:
            stamp = stamp_ns(message.header)
            arrival = self._receiver.receive(bytes(message.data), now, came, stamp)
        except PayloadError as error:
            self._refuse(error)
            return
        self._executor.put(arrival)

    def _refuse(self, error: PayloadError) -> None:
        self.flow.refused(error.reason, str(error))
        self.complain(str(error))

    def _deliver(self, arrival: Arrival, seen: Percepts, last: bool) -> None:
        """Publish what is known of a frame by now, and say what went wrong."""
        header = arrival.context.header
        if arrival.seen is None and seen.error is None:
            self._outputs.publish_camera(header, arrival.camera)
            if arrival.source_camera is not None:
                self._outputs.place_camera(header, arrival.source_camera.mounting)
        self._outputs.publish(header, seen, arrival.seen, last)
        for remark in seen.remarks:
            self.complain(remark)
        for failure in seen.failures:
            self.fail_frame(failure, "unseen")
        if seen.unplaced:
            self.statistics.count("unplaced", seen.unplaced)
        if seen.error is not None:
            if seen.error.__cause__ is not None:
                self.fail_frame(seen.error.__cause__)
            else:
                self._refuse(seen.error)
            return
        self.flow.got_through()
        if last and self._asked.instruction not in ("", arrival.payload.header.task):
            self.statistics.count("other_task")
        if last:
            self.statistics.output(time.monotonic() - arrival.context.at, self.age_s(header))

    def _report_link(self) -> None:
        """What the radio did since the last report, for the vehicle to act on."""
        trouble = self.flow.trouble()
        level = DiagnosticStatus.WARN if trouble else DiagnosticStatus.OK
        asks = self._receiver.lacking
        sentence = trouble or ("asking for a frame that stands alone" if asks else "receiving")
        if not self.is_news(sentence, bool(trouble) or asks, "/link"):
            return
        received = self._receiver.counters.snapshot()["received"]
        came, self._received = received - self._received, received
        seconds, self._reported_at = time.monotonic() - self._reported_at, time.monotonic()
        values = {"rate_hz": f"{came / seconds:.2f}"}
        state = self._receiver.link_state(self.get_clock().now().nanoseconds)
        values |= link_values(state, self._asked.instruction)
        self.tell(self._link_report, level, sentence, values, part="/link")


def _chosen(settings: SimpleNamespace) -> dict[str, str]:
    """What sees to each task."""
    chosen = {task: getattr(settings, task) for task in TASKS}
    if codec_of(settings.codec).sends_labels:
        chosen["segmentation"] = NONE
    return chosen


def main() -> None:
    """Entry point."""
    make_room()
    RsuNode.main()


if __name__ == "__main__":
    main()
