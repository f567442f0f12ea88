# SPDX-License-Identifier: Apache-2.0
"""The radio, emulated: what the vehicle sends goes in, what the RSU would receive comes out.

Bytes that are no payload are passed on as they are: a radio does not judge what it carries.
"""

from __future__ import annotations

import time
from types import SimpleNamespace

from diagnostic_msgs.msg import DiagnosticStatus
from sensor_msgs.msg import CompressedImage

from semcom_ros.channel import PARAMETERS, create_channel
from semcom_ros.nodes.messages import payload_message
from semcom_ros.nodes.node_base import SemcomNode, run
from semcom_ros.payload import PayloadError, pack, unpack


class ChannelNode(SemcomNode):
    """`camera/image_raw/semcom` -> `camera/image_raw/semcom/received`, headers unchanged."""

    def __init__(self) -> None:
        super().__init__("channel_node")
        self._channel = None

    def setup(self) -> None:
        self._channel = self._create(self.settings)
        self._received = self.publisher(
            CompressedImage, "camera/image_raw/semcom/received", matched=self._follow_demand
        )

    def start(self) -> None:
        self._follow_demand()

    def free(self) -> None:
        self._channel = None

    def change(self, settings: SimpleNamespace) -> None:
        if settings.channel != self.settings.channel:
            self._channel = self._create(settings)
        else:
            self._channel.configure(**_radio(settings))

    def diagnose(self) -> tuple[bytes, str, dict[str, str]]:
        s = self.settings
        values = {"channel": s.channel, **{n: f"{v:g}" for n, v in _radio(s).items()}}
        sentence = "carrying" if self.subscribed else "idle: nobody listens"
        return DiagnosticStatus.OK, sentence, values

    def _create(self, settings: SimpleNamespace):
        return create_channel(settings.channel, seed=settings.seed, **_radio(settings))

    def _follow_demand(self) -> None:
        """Listen to the vehicle only while somebody listens to the radio."""
        wanted = self.active and self._received.get_subscription_count() > 0
        if wanted and not self.subscribed:
            self.subscribe(CompressedImage, "camera/image_raw/semcom", self._on_payload)
        elif not wanted:
            self.unsubscribe()

    def _on_payload(self, message: CompressedImage) -> None:
        # Carrying one payload takes well under a millisecond: no thread is needed for it.
        began = time.monotonic()
        try:
            data = self._carry(bytes(message.data))
            self._received.publish(payload_message(message.header, message.format, data))
        except Exception as error:
            self.fail_frame(error)
            return
        self.statistics.count("carried")
        self.statistics.output(time.monotonic() - began, self.age_s(message.header))

    def _carry(self, data: bytes) -> bytes:
        try:
            payload = unpack(data)
        except PayloadError:
            self.statistics.count("unreadable")
            return data
        return pack(self._channel.transmit(payload))


def _radio(settings: SimpleNamespace) -> dict[str, float]:
    return {name: getattr(settings, name) for name in PARAMETERS}


def main() -> None:
    """Entry point of `ros2 run semcom_ros channel_node`."""
    run(ChannelNode)


if __name__ == "__main__":
    main()
