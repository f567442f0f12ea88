# SPDX-License-Identifier: Apache-2.0
"""What the tests of the channel node send, and how they read what it shows."""

from __future__ import annotations

import numpy as np
from ros_bench import Bench, camera_image
from sensor_msgs.msg import CompressedImage

from semcom_ros.nodes.messages import payload_message
from semcom_ros.payload import Header, Part, Payload, pack

SENT, RECEIVED = "camera/image_raw/semcom", "camera/image_raw/semcom/received"
BITS = Part("image", 0, bits=bytes(40))
SYMBOLS = Part("planes", 0, symbols=np.ones(64, np.complex64))


def payload(sequence: int, part: Part = BITS) -> bytes:
    header = Header("classical", 1, b"", 256, 512, "cityscapes19", sequence, sequence + 1)
    return pack(Payload(header, (part,)))


def message(number: int, part: Part = BITS) -> CompressedImage:
    return payload_message(camera_image(number).header, "semcom", payload(number, part))


def frames(got: list[CompressedImage]) -> list[str]:
    return [m.header.frame_id for m in got]


def shown(b: Bench) -> dict[str, str]:
    """What the node shows in diagnostics."""
    return b.node.values()


def count(b: Bench, name: str) -> int:
    return int(shown(b)[name])


def accounted(b: Bench) -> bool:
    values = shown(b)
    dropped = sum(int(n) for name, n in values.items() if name.startswith("dropped."))
    offered, delivered, in_flight = (int(values[n]) for n in ("offered", "delivered", "in_flight"))
    return offered == delivered + dropped + in_flight
