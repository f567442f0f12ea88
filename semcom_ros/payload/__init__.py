# SPDX-License-Identifier: Apache-2.0
"""What crosses the air for one frame, and its bytes."""

from semcom_ros.payload.contents import MAX_PARTS, REASONS, Header, Part, Payload, PayloadError
from semcom_ros.payload.packing import (
    FORMAT_VERSION,
    MAX_BYTES,
    MAX_PAYLOAD_BYTES,
    MIN_PAYLOAD_BYTES,
    PART_OVERHEAD,
    SYMBOLS_OVERHEAD,
    coded_bytes,
    header_bytes,
    pack,
    parts_bytes,
    sealed_bytes,
    unpack,
)

__all__ = [
    "FORMAT_VERSION", "MAX_BYTES", "MAX_PARTS", "MAX_PAYLOAD_BYTES", "MIN_PAYLOAD_BYTES",
    "PART_OVERHEAD", "REASONS", "SYMBOLS_OVERHEAD", "Header", "Part", "Payload", "PayloadError",
    "coded_bytes", "header_bytes", "pack", "parts_bytes", "sealed_bytes", "unpack",
]  # fmt: skip
