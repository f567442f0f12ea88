# SPDX-License-Identifier: Apache-2.0
"""A card of the perception's weights that names no objects: a sentence, not a surprise later."""

from __future__ import annotations

import numpy as np
import pytest

from semcom_ros import weights
from semcom_ros.errors import SemcomError
from semcom_ros.perception.perceive import FILE, Perception


@pytest.mark.parametrize(
    ("detected", "text"),
    [
        (["car", "road"], "it detects 'road'"),
        (["unicorn"], "it detects 'unicorn'"),
        ([], "it detects 'nothing'"),
    ],
)
def test_a_card_that_detects_what_is_no_object_is_a_sentence(tmp_path, detected, text):
    card = {"label_space": "cityscapes19", "classes": ["road"], "detected": detected}
    weights.save(tmp_path / FILE, {"none": np.zeros(1)}, card)
    with pytest.raises(SemcomError, match=text):
        Perception.from_pretrained(tmp_path / FILE)
