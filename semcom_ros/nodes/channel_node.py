# SPDX-License-Identifier: Apache-2.0
"""The radio, emulated: what the vehicle sends goes in, what the RSU would receive comes out.

Bytes that are no payload are passed on as they are, unless their packet is lost: a radio does not
judge what it carries.
"""

from __future__ import annotations

import time
import zlib
from collections import Counter
from types import SimpleNamespace

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from sensor_msgs.msg import CompressedImage

from semcom_ros.channel import PARAMETERS, Channel
from semcom_ros.channel.packets.airtime import airtime_s, bytes_on_air, channel_busy_ratio
from semcom_ros.channel.packets.delivery import Delivery
from semcom_ros.errors import SemcomError
from semcom_ros.nodes.messages import link_state, payload_message
from semcom_ros.nodes.node_base import SemcomNode
from semcom_ros.nodes.topics import TOGETHER, reliable
from semcom_ros.parameter import Value
from semcom_ros.payload import PayloadError, pack, unpack

LONGEST_WAIT_S = 1.0
"""How long the node sleeps at most: a packet may come later than a timer can count."""


class ChannelNode(SemcomNode):
    """`camera/image_raw/semcom` -> `camera/image_raw/semcom/received`, headers unchanged.

    `rsu/link` -> the SNR that the RSU reports, by which the MCS `auto` goes.
    """

    executable, working, takes = "channel_node", "carrying", "payload"

    def __init__(self) -> None:
        super().__init__()
        self._channel: Channel | None = None
        # What goes to the RSU, the seconds of work in it, and whether there is anything left of it.
        self._delivery: Delivery[tuple[CompressedImage, float, bool]] | None = None
        self._bytes, self._is_lost = 0, False
        self._dropped: Counter[str] = Counter()

    def setup(self) -> None:
        # The vehicles of one street, all of the same seed, are not to share one fate.
        seed = self.settings.seed ^ zlib.crc32(self.get_namespace().encode())
        self._channel = Channel(seed, **_radio(self.settings))
        self._delivery = Delivery(self._channel.current, seed)
        self._received = self.publisher(
            CompressedImage, "camera/image_raw/semcom/received", on_demand=True
        )

    def start(self) -> None:
        self._timer = self.steady_timer(LONGEST_WAIT_S, self._deliver)
        self._timer.cancel()
        self.ends.callback(self._delivery.clear)
        self.ends.callback(self.destroy_timer, self._timer)

    def free(self) -> None:
        self._channel = self._delivery = None

    def change(self, settings: SimpleNamespace, loaded: None) -> None:
        # The channel takes all or nothing, and what it has taken the delivery can take.
        self._channel.configure(**_radio(settings))
        self._delivery.configure(self._channel.current, time.monotonic())
        if self.active:
            self._deliver()

    def status(self) -> tuple[bytes, str]:
        new = self._delivery.dropped - self._dropped
        self._dropped = self._delivery.dropped.copy()
        del new["failed"]  # which has been told with its error
        for reason, count in new.items():
            self.flow.refused(reason, count=count)
        status, warning = super().status(), self._channel.state().get("warning")
        return (DiagnosticStatus.WARN, warning) if warning and self.subscribed else status

    def values(self) -> dict[str, str]:
        delivery, s = self._delivery, self._channel.current
        busy = channel_busy_ratio(self._bytes, s.access, s.vehicles_in_range, s.snr_db, s.rate_hz)
        values = self._channel.state() | {"bytes": str(self._bytes)}
        # The time that the frame's own symbols take, or a packet of its size in such a radio.
        if s.access != "none":
            airtime = airtime_s(self._bytes, s.access, s.snr_db)
            values["airtime_ms"] = f"{1e3 * airtime:.3f}"
        elif "symbols" in values:
            values["symbols_ms"] = f"{1e-3 * int(values['symbols']) / s.symbol_rate_mhz:.3f}"
        counts = ("offered", "delivered", "duplicated", "in_flight")
        values |= {name: str(getattr(delivery, name)) for name in counts}
        values |= {f"dropped.{reason}": str(n) for reason, n in delivery.dropped.items()}
        return {**values, "channel_busy": f"{busy:.3f}"}

    def listen(self) -> None:
        self.subscribe(
            CompressedImage, "camera/image_raw/semcom", self._on_payload,
            reliable(TOGETHER), together=True,
        )  # fmt: skip
        self.subscribe(DiagnosticArray, "rsu/link", self._on_link, reliable(1))

    def _on_link(self, message: DiagnosticArray) -> None:
        # No SNR where the RSU knows of none, as while nothing is received.
        try:
            self._channel.report_snr(link_state(message)[0].snr_db)
        except SemcomError as error:
            self.complain(str(error))

    def _on_payload(self, message: CompressedImage) -> None:
        # Carrying one payload takes about a millisecond: no thread is needed for it.
        began = time.monotonic()
        self.flow.came()
        try:
            data = self._carry(bytes(message.data))
            now, channel = time.monotonic(), self._channel
            # A scripted drive changes settings from frame to frame.
            self._delivery.configure(channel.current, now)
            if data is None:
                self._delivery.drop("lost")
            else:
                arriving = payload_message(message.header, message.format, data)
                carried = (arriving, now - began, self._is_lost)
                self._delivery.offer(now, carried, self._bytes, channel.frame, channel.time_s)
        except Exception as error:
            self._delivery.drop("failed")
            self.fail_frame(error)
        self._deliver()

    def _carry(self, data: bytes) -> bytes | None:
        """What comes out of the radio for `data`; None where nothing does."""
        self._bytes, self._is_lost = len(data), False
        try:
            payload = unpack(data)
        except PayloadError:
            self.statistics.count("unreadable")
            return None if self._channel.lose_packet() else data
        self._bytes = bytes_on_air(payload, len(data))
        received = self._channel.transmit(payload)
        self._is_lost = received.is_lost
        return pack(received)

    def _deliver(self) -> None:
        """Publish what has arrived, and wake up when the next packet may."""
        try:
            for message, work_s, is_lost in self._delivery.due(time.monotonic()):
                # One that cannot be published does not keep back those that arrived with it.
                try:
                    self._received.publish(message)
                    self.flow.refused("lost") if is_lost else self.flow.got_through()
                    self.statistics.output(work_s, self.age_s(message.header))
                except Exception as error:
                    self.fail_frame(error)
            self._timer.cancel()
            if self._delivery.next_s is not None:
                wait_s = min(self._delivery.next_s - time.monotonic(), LONGEST_WAIT_S)
                self._timer.timer_period_ns = max(1, round(1e9 * wait_s))
                self._timer.reset()
        except Exception as error:
            self.fail_frame(error)


def _radio(settings: SimpleNamespace) -> dict[str, Value]:
    return {name: getattr(settings, name) for name in PARAMETERS}


main = ChannelNode.main
