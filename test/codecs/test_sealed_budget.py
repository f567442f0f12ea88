# SPDX-License-Identifier: Apache-2.0
"""What a seal takes for each part is inside the budget, however many parts there are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tiny_gsc

from semcom_ros.codecs import create_encoder
from semcom_ros.codecs.base import Request
from semcom_ros.codecs.gsc.encoder import Encoder
from semcom_ros.frame import Frame
from semcom_ros.payload import SYMBOLS_OVERHEAD

SEAL = 8


@pytest.fixture(scope="module")
def street() -> Frame:
    rng = np.random.default_rng(3)
    labels = np.kron(rng.integers(0, 19, (8, 16)), np.ones((32, 32))).astype(np.uint8)
    return Frame(rng.integers(0, 255, (256, 512, 3), np.uint8), labels)


@pytest.mark.parametrize(
    ("codec", "settings"),
    [
        ("classical", {}),
        ("gesco", {"gesco_picture": "none"}),
        ("gesco", {"gesco_picture": "thumbnail"}),
        ("gesco", {"gesco_picture": "video"}),
        ("sqgan", {}),
    ],
)
def test_bits_leave_room_for_a_digest_a_part(
    codec: str, settings: dict, street: Frame, one_thread: None
) -> None:
    encoder = create_encoder(codec, **settings)
    for budget in (300, 480, 1100):
        request = Request.of_bytes(budget, seal_bytes=SEAL)
        parts = encoder.encode(street, request)
        assert request.bytes_of(parts) <= budget


def test_symbols_give_way_to_the_digests_of_their_parts(tmp_path: Path, one_thread: None) -> None:
    encoder = Encoder(models=tiny_gsc.write(tmp_path))
    frame = Frame(np.full((256, 512, 3), 100, np.uint8))
    for budget in (128, 512, 1100):
        request = Request.of_bytes(budget, seal_bytes=SEAL)
        parts = encoder.encode(frame, request)
        symbols = sum(len(part.symbols) for part in parts)
        assert symbols <= request.budget_symbols - 8 * (SEAL + SYMBOLS_OVERHEAD) * len(parts)
