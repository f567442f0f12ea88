# SPDX-License-Identifier: Apache-2.0
"""SQ-GAN's class enhancement: what is pasted between frames, and where."""

from __future__ import annotations

import numpy as np

from semcom_ros.lab.training.sqgan.enhancement import Pasting, enhance, find_objects
from semcom_ros.labels import TRAIN_ID


def boxes(*drawn):
    """Maps of road with a box [top, left, height, width] of a class on each, and images alike."""
    labels = np.zeros((len(drawn), 32, 64), np.uint8)
    for map_, (name, top, left, height, width) in zip(labels, drawn, strict=True):
        map_[top : top + height, left : left + width] = TRAIN_ID[name]
    return np.repeat(labels[..., None] * 10, 3, -1), labels


def test_objects_are_pasted_at_their_place_with_their_pixels_and_never_overlap():
    images, labels = boxes(
        ("traffic sign", 2, 2, 8, 8), ("person", 6, 6, 20, 10), ("car", 20, 40, 8, 16)
    )
    assert [(o.frame, len(o.pixels)) for o in find_objects(labels)] == [(1, 200), (0, 64)]
    pasted = set()
    for seed in range(30):
        seen, maps = enhance(images, labels, np.random.default_rng(seed))
        assert np.array_equal(seen[..., 0], maps * 10), "image and map change alike"
        for before, after in zip(labels, maps, strict=True):
            objects = np.isin(before, [TRAIN_ID["traffic sign"], TRAIN_ID["person"]])
            assert np.array_equal(after[objects], before[objects]), "what stands there stays"
        # The person's place overlaps the sign's: neither frame takes the other's.
        assert np.array_equal(maps[:2], labels[:2])
        pasted |= set(np.unique(maps[2]))
    assert {TRAIN_ID["traffic sign"], TRAIN_ID["person"]} <= pasted


def test_published_pasting_takes_lights_and_signs_alone_turned_the_largest_first():
    sign, person, light = ("traffic sign", 3, 8, 26, 4), ("person", 12, 30, 16, 10), (
        "traffic light", 2, 50, 1, 3)  # fmt: skip
    images, labels = boxes(sign, person, light, ("car", 20, 40, 8, 16))
    published = Pasting((("traffic light",), ("traffic sign",)), least=1, largest=True, turn=5.0)
    assert [len(o.pixels) for o in find_objects(labels, published)] == [104, 3]
    shapes = set()
    for seed in range(20):
        _, maps = enhance(images, labels, np.random.default_rng(seed), published)
        assert not (maps[3] == TRAIN_ID["person"]).any()
        pasted = maps[3] == TRAIN_ID["traffic sign"]
        # The largest comes first: no light without it.
        assert pasted.any() or np.array_equal(maps[3], labels[3])
        assert not pasted.any() or pasted[12:20, 9:11].all(), "it is turned about its middle"
        shapes.add(pasted.tobytes())
    assert len(shapes) > 3
