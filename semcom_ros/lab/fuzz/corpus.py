# SPDX-License-Identifier: Apache-2.0
"""The payloads that fuzzing begins with: a few of every codec, as files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from semcom_ros.channel import Channel
from semcom_ros.codecs import CODECS, create_encoder
from semcom_ros.codecs.gesco import planes, shared
from semcom_ros.codecs.sqgan.shared import MAP_TOKENS_PART
from semcom_ros.codecs.sqgan.split import Split
from semcom_ros.errors import SemcomError
from semcom_ros.frame import WORK_SIZE
from semcom_ros.lab.ground_truth import frames_with_truth
from semcom_ros.payload import MAX_PAYLOAD_BYTES, Part, Payload, pack, unpack
from semcom_ros.pipeline.transmitter import Transmitter

OPTIONS: dict[str, tuple[dict[str, Any], ...]] = {
    "gesco": ({}, {"gesco_picture": "thumbnail"}),
    "sqgan": ({}, {"split": Split((MAX_PAYLOAD_BYTES,), (300,), (MAP_TOKENS_PART,))}),
}
"""Of codecs that send more than one kind of payload: the options of their encoder for each. Those
beside the first are of one size."""
BYTES = (256, 512, MAX_PAYLOAD_BYTES)
FEW_BYTES = {"gsc": (128, 200)}
"""Of codecs whose symbols take far more room in a file than they do on the air."""
FRAMES = 2
"""Of each size: the second may lean on the first."""


def make(folder: Path) -> int:
    """Write payloads of the procedural drive to `folder`, the same at every call; their bytes."""
    frames = frames_with_truth("scenes:1", "val", range(0, 5 * FRAMES, 5), exact=False)
    written = 0
    folder.mkdir(parents=True, exist_ok=True)
    for name in CODECS:
        sizes = FEW_BYTES.get(name, BYTES)
        for kind, options in enumerate(OPTIONS.get(name, ({},))):
            for size in sizes[-1:] if kind else sizes:
                sender = Transmitter(name, create_encoder(name, **options), vehicle=1)
                for frame in frames:
                    path = folder / f"{name}_{kind}_{size}_{sender.sequence}.bin"
                    written += path.write_bytes(pack(sender.transmit(frame, size).payload))
    return written


def load(folder: Path) -> dict[str, list[Payload]]:
    """The payloads in `folder` by codec, in the order of their files' names, and of gesco one of
    noisy planes, which are too large for a file. Raises SemcomError."""
    found: dict[str, list[Payload]] = {}
    for path in sorted(folder.glob("*.bin")):
        payload = unpack(path.read_bytes())
        found.setdefault(payload.header.codec, []).append(payload)
    if not found:
        raise SemcomError(
            f"There are no payloads in '{folder}': `semcom fuzz corpus` writes some there."
        )
    if coded := found.get("gesco"):
        coded.append(_planes(coded[0]))
    return found


def _planes(beside: Payload) -> Payload:
    labels = np.repeat(np.arange(2, dtype=np.uint8), WORK_SIZE[0] // 2)[:, None]
    classes, symbols = planes.encode(np.broadcast_to(labels, WORK_SIZE), planes.ROWS[-1])
    sent = Part(shared.CLASSES_PART, 0, bits=classes), Part(shared.PLANES_PART, 1, symbols=symbols)
    return Channel(1, channel="awgn", snr_db=5.0).transmit(Payload(beside.header, sent))
