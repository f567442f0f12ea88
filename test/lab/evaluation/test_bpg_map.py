# SPDX-License-Identifier: Apache-2.0
"""A map by BPG's intra coder: one-hot planes, with loss, and what they take."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from semcom_ros.errors import SemcomError
from semcom_ros.frame import Frame
from semcom_ros.lab.evaluation.study.links import Link
from semcom_ros.lab.evaluation.study.systems import System, create_system
from semcom_ros.labels import VOID, colorize
from semcom_ros.payload import Header, Part, Payload, PayloadError

FRAME = Frame(np.zeros((256, 512, 3), np.uint8), stamp=5)


def street() -> np.ndarray:
    labels = np.full((256, 512), 10, np.uint8)
    heights = np.random.default_rng(3).integers(40, 110, 16)
    for i, height in enumerate(heights):
        labels[height:140, 32 * i : 32 * (i + 1)] = 2
    labels[140:] = 0
    labels[130:180, 60:130] = 13
    for x in range(20, 500, 40):  # people, and a slanted pole beside each
        cv2.ellipse(labels, (x, 150), (4, 11), 10, 0, 360, 11, -1)
        cv2.line(labels, (x + 11, 170), (x + 19, 60), 5, 2)
    labels[240:] = VOID
    return labels


def system(name: str = "bpg_map", **options: object) -> System:
    made = create_system(name, options)
    made.begin(Link(), 1)
    return made


def test_by_the_strongest_setting_the_map_arrives_nearly_as_it_was_sent() -> None:
    outcome = system().run(FRAME, street(), 0)
    labels = outcome.reconstruction.labels
    assert 0.98 < (labels == street()).mean() < 1
    assert (labels[245:] == VOID).all()
    assert np.array_equal(outcome.reconstruction.image, colorize(labels))


def test_a_finer_quantiser_takes_more_and_errs_less_and_both_take_more_than_the_map_coder() -> None:
    """So that the paper's .005 bits a pixel are of no such map: docs/gesco.md."""
    coarse, fine = (system(rows=128, quantiser=q).run(FRAME, street(), 0) for q in (51, 40))
    exact = system("label_map", rows=128).run(FRAME, street(), 0)
    assert exact.bytes < coarse.bytes < fine.bytes
    wrong = [(o.reconstruction.labels != street()).mean() for o in (coarse, fine, exact)]
    assert wrong[0] > wrong[1] >= wrong[2]


def test_a_budget_is_met_by_the_finest_quantiser_that_fits_or_the_frame_is_not_sent() -> None:
    fitting = system(rows=64, payload_bytes=900).run(FRAME, street(), 0)
    assert 0 < fitting.bytes <= 900
    short = system(rows=64, payload_bytes=60).run(FRAME, street(), 0)
    assert short.lost and "raise payload_bytes" in short.refusal


def test_what_is_no_map_of_that_kind_is_refused() -> None:
    for options in ({"rows": 100}, {"quantiser": 60}):
        with pytest.raises(SemcomError, match="no grid of 100|must be 10 to 51"):
            create_system("bpg_map", options)
    codec = system().encoder
    parts = (Part("classes", 0, bits=b"\0\0\3"), Part("labels", 1, bits=b"\0\2ab"))
    with pytest.raises(PayloadError, match="no picture"):
        codec.labels(Payload(Header("bpg", 1, b"", 256, 512, "cityscapes19", 1, 5), parts))
