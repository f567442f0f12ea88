# SPDX-License-Identifier: Apache-2.0
"""The label map by itself: exact on its own grid, coarser where bytes are few, lost as a whole."""

from __future__ import annotations

import numpy as np
import pytest

from semcom_ros.errors import SemcomError
from semcom_ros.frame import Frame
from semcom_ros.lab.evaluation.lossless import CONTAINER_BYTES, compress, restore
from semcom_ros.lab.evaluation.study.links import Link, parse_links
from semcom_ros.lab.evaluation.study.plain_systems import CODERS, LOSSLESS
from semcom_ros.lab.evaluation.study.systems import System, create_system
from semcom_ros.labels import VOID, colorize

FRAME = Frame(np.zeros((256, 512, 3), np.uint8), stamp=5)


def street(shift: int = 0) -> np.ndarray:
    """Sky, a row of houses, a road with cars and a few pixels of void."""
    labels = np.full((256, 512), 10, np.uint8)
    heights = np.random.default_rng(3).integers(40, 110, 16)
    for i, height in enumerate(heights):
        labels[height:140, 32 * i : 32 * (i + 1)] = 2
    labels[140:] = 0
    labels[130:180, 60 + shift : 130 + shift] = 13
    labels[250:] = VOID
    return labels


def system(**options) -> System:
    made = create_system("label_map", options)
    made.begin(Link(), 1)
    return made


@pytest.mark.parametrize("coder", LOSSLESS)
def test_on_its_own_grid_the_map_arrives_as_it_was_sent(coder: str) -> None:
    outcome = system(coder=coder).run(FRAME, street(), 0)
    assert np.array_equal(outcome.reconstruction.labels, street())
    assert np.array_equal(outcome.reconstruction.image, colorize(street()))
    assert outcome.bytes and not outcome.lost and outcome.encode_ms and outcome.decode_ms


@pytest.mark.parametrize("coder", LOSSLESS)
def test_a_budget_is_met_on_a_coarser_grid(coder: str) -> None:
    outcome = system(coder=coder, payload_bytes=160).run(FRAME, street(), 0)
    assert outcome.bytes <= 160 == outcome.budget
    assert (outcome.reconstruction.labels == street()).mean() > 0.9


def test_at_equal_bytes_the_map_coder_sends_the_finest_grid() -> None:
    found = {
        coder: system(coder=coder, payload_bytes=160).run(FRAME, street(), 0) for coder in LOSSLESS
    }
    wrong = {c: (o.reconstruction.labels != street()).mean() for c, o in found.items()}
    assert wrong["context"] <= wrong["webp"] <= wrong["png"]


@pytest.mark.parametrize("coder", CODERS)
def test_what_fits_on_no_grid_is_not_sent_and_says_the_least(coder: str) -> None:
    outcome = system(coder=coder, payload_bytes=30).run(FRAME, street(), 0)
    assert outcome.lost and outcome.bytes is None
    assert "the setting is 30: raise payload_bytes" in outcome.refusal


def test_a_lost_map_leaves_the_last_good_one_concealed() -> None:
    good, bad = (parse_links({"channel": "awgn", "snr_db": s})[0] for s in (40.0, -15.0))
    one = system(coder="webp")
    one.begin(good, 1)
    first = one.run(FRAME, street(), 0)
    one._channel = bad.channel(1)
    second = one.run(FRAME, street(40), 1)
    assert second.lost and second.bytes
    assert np.array_equal(second.reconstruction.labels, first.reconstruction.labels)
    one.begin(bad, 1)
    assert (one.run(FRAME, street(), 0).reconstruction.labels == VOID).all()


@pytest.mark.parametrize("coder", ["png", "webp"])
def test_only_the_container_is_left_out(coder: str) -> None:
    cells = street()[::4, ::4]
    bits = compress(coder, np.ascontiguousarray(cells))
    assert np.array_equal(restore(coder, bits, *cells.shape), cells)
    sign = {"png": b"IHDR", "webp": b"RIFF"}[coder]
    assert sign not in bits and CONTAINER_BYTES[coder] < 64
    with pytest.raises(SemcomError):
        restore(coder, bits[: len(bits) // 2], *cells.shape)


def test_a_wrong_option_gets_a_sentence() -> None:
    for options, said in (
        ({"coder": "gif"}, "png"),
        ({"rows": 77}, "no grid of 77 rows"),
        ({"rows": 96, "payload_bytes": 128}, "give one"),
    ):
        with pytest.raises(SemcomError, match=said):
            create_system("label_map", options)
