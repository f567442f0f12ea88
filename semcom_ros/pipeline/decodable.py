# SPDX-License-Identifier: Apache-2.0
"""Whether the decoder at hand can read a payload, by its header."""

from __future__ import annotations

from semcom_ros.codecs.base import Codec
from semcom_ros.frame import MIN_SIDE, WORK_SIZE
from semcom_ros.labels import LABEL_SPACE
from semcom_ros.payload import Header, PayloadError


def check_header(header: Header, name: str, codec: Codec, model: bytes) -> None:
    """Raise PayloadError codec, version, model or malformed unless a decoder of `codec`, called
    `name`, that holds `model`, can read the payload."""
    header.expect(name, codec.version, model)
    if codec.sends_labels and header.label_space != LABEL_SPACE:
        raise PayloadError(
            "model",
            f"The payload's map is in the label space '{header.label_space}', "
            f"the decoder speaks '{LABEL_SPACE}'.",
        )
    if (header.height, header.width) != WORK_SIZE:
        raise PayloadError(
            "malformed",
            f"The payload's frame has {header.width}x{header.height} pixels; "
            f"codec '{name}' works at {WORK_SIZE[1]}x{WORK_SIZE[0]}.",
        )
    if header.camera is not None and min(header.source_height, header.source_width) < MIN_SIDE:
        raise PayloadError(
            "malformed",
            f"The payload's images have {header.source_width}x{header.source_height} pixels, less "
            f"than the {MIN_SIDE} a side that hold a street.",
        )
