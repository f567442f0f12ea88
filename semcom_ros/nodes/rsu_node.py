# SPDX-License-Identifier: Apache-2.0
"""The roadside unit: payloads in; map, regenerated image and what is seen of the street out.

Every payload is accounted for: received = decoded + rejected (by reason) + superseded.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import NamedTuple

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from sensor_msgs.msg import CameraInfo, CompressedImage
from std_msgs.msg import Header

from semcom_ros.codecs import Decoder, create_decoder, settings_of
from semcom_ros.errors import SemcomError
from semcom_ros.nodes import qos
from semcom_ros.nodes.messages import camera_of, diagnostics_message
from semcom_ros.nodes.node_base import SemcomNode, run
from semcom_ros.nodes.rsu_frame import FrameOutputs
from semcom_ros.nodes.rsu_outputs import RsuOutputs
from semcom_ros.nodes.worker import Worker
from semcom_ros.payload import Payload, PayloadError
from semcom_ros.pipeline.receiver import Receiver
from semcom_ros.reconstruction import Reconstruction

Arrival = tuple[Header, Payload]


class Job(NamedTuple):
    """A frame at work: its outputs, the steps of its decoding, and when (monotonic) it began."""

    header: Header
    frame: FrameOutputs
    steps: Iterator[Reconstruction]
    began: float


class RsuNode(SemcomNode):
    """`camera/image_raw/semcom/received` -> `rsu/...`, headers those of the source frames."""

    def __init__(self) -> None:
        super().__init__("rsu_node")
        self._receiver: Receiver | None = None
        self._decoder: Decoder | None = None
        self._outputs: RsuOutputs | None = None
        self._maps: Worker[Arrival] | None = None
        self._images: Worker[Job] | None = None
        self._link_timer = None
        self._link = np.zeros(4)

    def setup(self) -> None:
        self.prepare_compute()
        self._outputs = RsuOutputs(self)
        self._decoder = self._load(self.settings)
        self._receiver = Receiver(self.settings.codec, self.settings.max_age_s)
        self._link_report = self.publisher(DiagnosticArray, "rsu/link")

    def start(self) -> None:
        # Two workers: the map of a frame is not to wait for the image of the frame before.
        self._images = Worker(self._complete, self._give_up, self.fail_frame, self._warm_up)
        self._maps = Worker(
            self._begin,
            lambda _: self._receiver.superseded(),
            self.fail_frame,
            self._decoder.warm_up,
        )
        self._outputs.announce()
        self.subscribe(CameraInfo, "camera/camera_info", self._on_camera_info, qos.reliable())
        # What a delay let out all at once is judged packet by packet, so that none goes uncounted.
        self.subscribe(
            CompressedImage, "camera/image_raw/semcom/received", self._on_payload, qos.reliable()
        )
        self._link = self._count_link()
        self._link_timer = self.create_timer(1.0, self._report_link)

    def stop(self) -> None:
        if self._link_timer is not None:
            self.destroy_timer(self._link_timer)
            self._link_timer = None
        for worker in (self._maps, self._images):
            if worker is not None:
                worker.stop()
        self._maps = self._images = None

    def free(self) -> None:
        self._decoder = self._outputs = None

    def change(self, settings: SimpleNamespace) -> None:
        own = settings_of(settings.codec, vars(settings))
        if settings.codec != self.settings.codec:
            self._decoder = self._load(settings)
        elif own:
            self._decoder.configure(**own)
        self._receiver.codec = settings.codec
        self._receiver.max_age_s = settings.max_age_s

    def diagnose(self) -> tuple[bytes, str, dict[str, str]]:
        counts = self._receiver.counters.snapshot()
        reasons = counts.pop("rejected")
        values = {name: str(n) for name, n in counts.items()}
        values["rejected"] = str(sum(reasons.values()))
        values |= {f"rejected.{reason}": str(n) for reason, n in reasons.items()}
        values["codec"] = self.settings.codec
        if not self.statistics.rate_hz():
            return DiagnosticStatus.WARN, "no frame was decoded in the last seconds", values
        return DiagnosticStatus.OK, "decoding", values

    def _load(self, settings: SimpleNamespace) -> Decoder:
        decoder = create_decoder(
            settings.codec,
            device=settings.device,
            **settings_of(settings.codec, vars(settings)),
        )
        decoder.warm_up()
        self._outputs.load_perception(decoder.gives_labels)
        return decoder

    def _warm_up(self) -> None:
        self._decoder.warm_up()
        self._outputs.warm_up()

    def _on_camera_info(self, message: CameraInfo) -> None:
        try:
            self._outputs.take(camera_of(message))
        except SemcomError as error:
            self.complain(str(error))

    def _on_payload(self, message: CompressedImage) -> None:
        now = self.get_clock().now().nanoseconds
        try:
            payload = self._receiver.receive(bytes(message.data), now)
        except PayloadError as error:
            self.complain(str(error))
            return
        self._maps.put((message.header, payload))

    def _begin(self, arrival: Arrival) -> None:
        """Publish what is decoded first, the map; leave what takes longer to the other worker."""
        began = time.monotonic()
        header, payload = arrival
        frame = FrameOutputs(self._outputs, header)
        job = Job(header, frame, self._decoder.decode(payload), began)
        with self._booked(job):
            frame.publish(next(job.steps))
            if not frame.unfinished:
                self._finish(job)
                return
            self._images.put(job)

    def _complete(self, job: Job) -> None:
        """Publish the rest: detections, the image, and what else is made from it."""
        with self._booked(job):
            try:
                for reconstruction in job.steps:
                    job.frame.publish(reconstruction)
            except Exception:
                # Whatever became of its image, the map was received, and so were its objects.
                job.frame.finish()
                raise
            self._finish(job)

    def _finish(self, job: Job) -> None:
        job.frame.finish()
        self._receiver.decoded()
        self.statistics.output(time.monotonic() - job.began, self.age_s(job.header))

    def _give_up(self, job: Job) -> None:
        """Count a frame whose image a newer one overtook, after its map was published."""
        self._receiver.superseded()
        self.statistics.count("maps_only")

    @contextmanager
    def _booked(self, job: Job) -> Iterator[None]:
        """Count the payload of `job` as rejected if what is done with it fails."""
        try:
            yield
        except PayloadError as error:
            self._receiver.rejected(error)
            self.complain(str(error))
        except Exception as error:
            # A decoder that stumbles over a payload cannot read it, whosever fault that is.
            self._receiver.rejected(PayloadError("malformed", str(error)))
            self.fail_frame(error)

    def _count_link(self) -> np.ndarray:
        """The time in seconds, and how many payloads arrived, never arrived, arrived erased."""
        counts = self._receiver.counters.snapshot()
        lost = counts["rejected"]["lost"]
        return np.array([time.monotonic(), counts["received"], counts["missing"], lost])

    def _report_link(self) -> None:
        """What the radio did since the last report, for the vehicle to act on."""
        now = self._count_link()
        seconds, received, missing, lost = now - self._link
        self._link = now
        # What was missing may still come, and what came may turn out to be lost one report later.
        sent = max(received + missing, 0)
        clock_now = self.get_clock().now()
        snr_db = self._receiver.snr_db(clock_now.nanoseconds)
        values = {
            "rate_hz": f"{received / seconds:.2f}",
            "loss": f"{np.clip((missing + lost) / sent, 0, 1):.3f}" if sent else "",
            "snr_db": "" if snr_db is None else f"{snr_db:.1f}",
        }
        header = Header(stamp=clock_now.to_msg())
        level = DiagnosticStatus.OK if received else DiagnosticStatus.WARN
        sentence = "receiving" if received else "nothing was received in the last second"
        name = f"{self.get_fully_qualified_name()}/link"
        self._link_report.publish(diagnostics_message(header, name, level, sentence, values))


def main() -> None:
    """Entry point of `ros2 run semcom_ros rsu_node`."""
    run(RsuNode)


if __name__ == "__main__":
    main()
