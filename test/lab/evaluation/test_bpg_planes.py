# SPDX-License-Identifier: Apache-2.0
"""A map by BPG's intra coder: one-hot planes, with loss, and what they take."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from semcom_ros.coding import map_coder
from semcom_ros.coding.map_prior import load_prior
from semcom_ros.errors import SemcomError
from semcom_ros.frame import Frame
from semcom_ros.lab.evaluation.bpg_planes import compress, restore
from semcom_ros.lab.evaluation.study.links import Link
from semcom_ros.lab.evaluation.study.systems import create_system
from semcom_ros.labels import VOID
from semcom_ros.weights import models_dir


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


def test_by_the_strongest_setting_a_map_comes_nearly_as_it_was_and_takes_more_than_without_loss():
    """So that the paper's .005 bits a pixel are of no such map: docs/gesco.md."""
    cells = street()[::2, ::2]
    code = compress(cells)
    found = restore(code, *cells.shape)
    assert 0.97 < (found == cells).mean() < 1 and (found[123:] == VOID).all()
    exact = map_coder.encode(cells, load_prior(models_dir())[0])
    assert len(exact) < len(code)


def test_a_study_sends_it_on_the_finest_grid_that_fits():
    system = create_system("label_map", {"coder": "bpg", "payload_bytes": 700})
    system.begin(Link(), 1)
    outcome = system.run(Frame(np.zeros((256, 512, 3), np.uint8), stamp=5), street(), 0)
    assert 0 < outcome.bytes <= 700 and not outcome.lost
    assert (outcome.reconstruction.labels == street()).mean() > 0.8


@pytest.mark.parametrize("data", [b"\1\0\0\2ab", b"\2\0\1\0\0\0\0"])
def test_what_is_no_map_of_that_kind_is_refused(data: bytes):
    with pytest.raises(SemcomError, match="no picture"):
        restore(data, 64, 128)
