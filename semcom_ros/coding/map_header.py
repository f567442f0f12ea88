# SPDX-License-Identifier: Apache-2.0
"""Checks that a payload of a codec that sends label maps is for the decoder at hand."""

from __future__ import annotations

from semcom_ros.frame import WORK_SIZE
from semcom_ros.labels import LABEL_SPACE
from semcom_ros.payload import Header, PayloadError


def check_header(header: Header, codec: str, version: int, model: bytes, title: str) -> None:
    """Raise PayloadError codec, version, model or malformed unless `header` suits the decoder.

    title: what people call the codec.
    """
    header.expect(codec, version, model)
    if header.label_space != LABEL_SPACE:
        raise PayloadError(
            "model",
            f"The payload's map is in the label space '{header.label_space}', "
            f"the decoder speaks '{LABEL_SPACE}'.",
        )
    if (header.height, header.width) != WORK_SIZE:
        raise PayloadError(
            "malformed",
            f"The payload's frame has {header.width}x{header.height} pixels; "
            f"{title} works at {WORK_SIZE[1]}x{WORK_SIZE[0]}.",
        )
