# SPDX-License-Identifier: Apache-2.0
"""What users rely on in the label space."""

from __future__ import annotations

import numpy as np

from semcom_ros.label_spaces import CAMVID_NAMES
from semcom_ros.labels import CLASSES, NAMES, SUPERCLASS, TRAIN_ID, VOID, colorize, fold


def test_train_ids_are_those_of_cityscapes() -> None:
    known = {"road": 0, "building": 2, "traffic light": 6, "sky": 10, "person": 11, "bicycle": 18}
    assert len(NAMES) == 19
    assert {name: TRAIN_ID[name] for name in known} == known


def test_every_class_has_its_own_colour_and_void_is_black() -> None:
    labels = np.array([[*range(len(CLASSES)), VOID]], np.uint8)
    colours = colorize(labels)
    assert colours.shape == (1, len(CLASSES) + 1, 3) and colours.dtype == np.uint8
    assert len({tuple(c) for c in colours[0].tolist()}) == len(CLASSES) + 1
    assert not colours[0, -1].any()


def test_folding_leaves_camvids_classes_and_void_and_gives_every_other_class_its_superclass() -> (
    None
):
    folded = fold(np.array([*range(len(CLASSES)), VOID], np.uint8))
    assert folded.dtype == np.uint8 and folded[-1] == VOID
    for name, label in zip(NAMES, folded.tolist(), strict=False):
        assert NAMES[label] == (name if name in CAMVID_NAMES else SUPERCLASS[name])
    assert set(folded[:-1].tolist()) == {TRAIN_ID[name] for name in CAMVID_NAMES}
