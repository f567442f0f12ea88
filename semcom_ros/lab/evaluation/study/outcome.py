# SPDX-License-Identifier: Apache-2.0
"""What came of one frame in a study, and what its payload took."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from semcom_ros.frame import Frame
from semcom_ros.lab.rates import rates, symbols_of
from semcom_ros.payload import Payload, pack
from semcom_ros.reconstruction import Reconstruction


@dataclass(frozen=True)
class Outcome:
    """What came of one frame; None where a system has no such thing.

    reconstruction: what the RSU shows; its image uint8 [H, W, 3] is always there. sent_labels:
    uint8 [H, W] trainId, the map that went on the air. bytes: of the packed payload.
    bits_per_pixel: of the frame's own grid. channel_uses: complex symbols on the air. lost: the RSU
    shows an older frame, because this one did not come through. refusal: why the vehicle could not
    send this frame at all; such a frame is lost too. budget: bytes a frame that the system was
    allowed. container_bytes: what the standard's own file holds beyond the bytes sent.
    kept: latent vectors of map and image that were sent.
    """

    reconstruction: Reconstruction
    sent_labels: np.ndarray | None = None
    bytes: int | None = None
    bits_per_pixel: float | None = None
    channel_uses: int | None = None
    encode_ms: float | None = None
    decode_ms: float | None = None
    lost: bool = False
    refusal: str = ""
    budget: int | None = None
    container_bytes: int | None = None
    kept: tuple[int, int] | None = None


class Rate(NamedTuple):
    """One frame's rate, as `Outcome` has it; bytes are None where symbols are sent."""

    bytes: int | None
    bits_per_pixel: float | None
    channel_uses: int | None


def rate_of(payload: Payload, frame: Frame, bits_per_symbol: int = 2) -> Rate:
    """What `payload` takes: by `rates.rates`, or as uncoded symbols of so many bits each.

    Coded bits beside symbols count as bits, and are no channel uses without a channel. Analog
    values, of 0 bits, have no bits a pixel, and a payload without parts takes nothing.
    """
    if not payload.parts:
        return Rate(None, None, None)
    height, width = frame.image.shape[:2]
    symbols = symbols_of(payload)
    if not symbols:
        packed = rates(len(pack(payload)), height, width, 1.0)
        return Rate(packed.bytes_per_frame, packed.bits_per_pixel, packed.channel_uses)
    bits = sum(8 * len(part.bits) for part in payload.parts if part.bits is not None)
    bits += bits_per_symbol * symbols
    return Rate(None, bits / (height * width) if bits_per_symbol else None, symbols)
