# SPDX-License-Identifier: Apache-2.0
"""What is left of SQ-GAN's image as ever more of a payload's parts are lost."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from semcom_ros.codecs.sqgan.decoder import Decoder
from semcom_ros.codecs.sqgan.encoder import Encoder
from semcom_ros.codecs.sqgan.shared import IMAGE_PARTS
from semcom_ros.frame import Frame
from semcom_ros.lab.metrics.confusion import ConfusionMatrix, psnr
from semcom_ros.payload import Part, Payload
from semcom_ros.perception.segmentation import Segmenter
from semcom_ros.pipeline.single import decode, encode

SETTINGS = (256, 512, 1200)
"""Bytes of a payload."""


def lost_parts(
    models: Path, frames: list[Frame], truth: list[np.ndarray], judge: Segmenter
) -> list[dict[str, Any]]:
    """Mean PSNR, and mIoU of the image by `judge`, by payload bytes and by the image's parts that
    arrive.

    frames: with the labels that are sent. truth: labels uint8 [H, W] each. The map always arrives:
    without it the frame is refused.
    """
    encoder, decoder = Encoder(models=models), Decoder(models=models)
    rows = []
    for n_bytes in SETTINGS:
        payloads = [encode("sqgan", encoder, frame, n_bytes) for frame in frames]
        sent = max(len(payload.parts) for payload in payloads) - 1
        for arrived in range(sent, -1, -1):
            confusion, fidelity = ConfusionMatrix(folded=True), []
            for payload, frame, labels in zip(payloads, frames, truth, strict=True):
                shown = decode("sqgan", decoder, without(payload, IMAGE_PARTS[arrived:]))
                confusion.add(labels, *judge([shown.image]))
                fidelity.append(psnr(frame.image, shown.image))
            rows.append(
                {
                    "payload_bytes": n_bytes,
                    "image_parts": arrived,
                    "miou": confusion.miou(),
                    "psnr": float(np.mean(fidelity)),
                }
            )
    return rows


def without(payload: Payload, lost: tuple[str, ...]) -> Payload:
    """`payload` as it arrives when the parts named are lost."""
    parts = (
        Part(p.name, p.importance, erased=True) if p.name in lost else p for p in payload.parts
    )
    return replace(payload, parts=tuple(parts))
