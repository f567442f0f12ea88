# SPDX-License-Identifier: Apache-2.0
"""The text that `semcom inspect FILE` prints for one packed payload."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from semcom_ros.errors import SemcomError, printable
from semcom_ros.lab.rates import rates
from semcom_ros.payload import FORMAT_VERSION, Part, PayloadError, unpack


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `semcom inspect`."""
    parser.add_argument("file", type=Path, help="file that holds the bytes of one payload")
    parser.add_argument("--rate-hz", type=float, default=10.0, help="frames a second, for the rate")


def run(args: argparse.Namespace) -> None:
    """Print what `args.file` holds. Raises SemcomError where it is no payload, and OSError."""
    try:
        print(describe(args.file.read_bytes(), args.rate_hz))
    except PayloadError as error:
        raise SemcomError(f"'{args.file}' is rejected ({error.reason}): {error}") from error


def describe(data: bytes, rate_hz: float = 10.0) -> str:
    """Lines about a packed payload, its rate told for `rate_hz` frames a second.

    Raises PayloadError as `unpack` does.
    """
    payload = unpack(data)
    h = payload.header
    carried = sum(len(part.bits) for part in payload.parts if part.bits is not None)
    carried += sum(8 * len(part.symbols) for part in payload.parts if part.symbols is not None)
    lines = [
        f"payload   wire format {FORMAT_VERSION}, {len(data)} bytes, "
        f"{len(data) - carried} of them overhead",
        f"codec     {h.codec}/{h.codec_version}, model {h.model.hex() or 'none'}",
        f"frame     {h.height}x{h.width} (height x width), labels in {h.label_space or 'none'}",
        f"vehicle   {h.vehicle}, source {h.source_height}x{h.source_width}, "
        + ("with intrinsics" if h.camera else "intrinsics as before"),
        f"sequence  {h.sequence}, {f'leans on {h.reference}' if h.reference else 'stands alone'}, "
        f"captured at {h.stamp // 10**9}.{h.stamp % 10**9:09d} s",
        f"task      {h.task or 'none'}",
        f"seal      {len(payload.seal)} bytes",
        f"link SNR  {'not measured' if payload.snr_db is None else f'{payload.snr_db:.1f} dB'}",
    ]
    lines += [_describe_part(part) for part in payload.parts]
    lines = [printable(line) for line in lines]
    lines.append(f"rate      {rates(len(data), h.height, h.width, rate_hz)}")
    return "\n".join(lines)


def _describe_part(part: Part) -> str:
    if part.erased:
        content = "lost on the air"
    elif part.bits is not None:
        content = f"{len(part.bits)} bytes"
    else:
        content = f"{len(part.symbols)} symbols"
        if part.noise_variance is not None and len(part.symbols):
            content += f", mean noise variance {np.mean(part.noise_variance):.3g}"
    return f"part      '{part.name}', importance {part.importance}: {content}"
