# SPDX-License-Identifier: Apache-2.0
"""The figures about SQ-GAN: bytes of tokens, the table of the split."""

from __future__ import annotations

import json

import numpy as np
import pytest
from tiny_sqgan import tiny, write_tiny

from semcom_ros.codecs.sqgan import token_prior
from semcom_ros.codecs.sqgan.decoder import Decoder
from semcom_ros.codecs.sqgan.encoder import Encoder
from semcom_ros.codecs.sqgan.shared import LABELS_PART, MAP_TOKENS_PART
from semcom_ros.codecs.sqgan.token_prior import INDEX_START, NODES, UNKNOWN
from semcom_ros.datasets.scenes.drive import Drive
from semcom_ros.frame import Frame
from semcom_ros.lab.training.data import CAMVID_CLASSES
from semcom_ros.lab.training.sqgan import pack, split
from semcom_ros.perception.segmentation import Segmenter

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def frames():
    streets = [Drive(seed).render(0) for seed in (100, 101)]
    return [Frame(f.image, f.labels) for f in streets]


@pytest.fixture(scope="module")
def judge():
    return Segmenter.from_pretrained()


def test_statistics_of_tokens_make_a_frame_smaller_than_without(frames):
    pipelines = tiny()
    for pipeline in pipelines.values():
        pack.order(pipeline)
    pairs = [(f.image, f.labels) for f in frames]
    priors = pack.learn(pipelines, CAMVID_CLASSES, 3 * pairs, np.random.default_rng(0))
    sizes = pack.measured(pipelines, CAMVID_CLASSES, pairs, priors)
    assert sizes["image"] < sizes["image, without statistics"] < sizes["flat"] == 640
    assert sizes["image"] == pytest.approx(sum(sizes[f"layer {k}"] for k in (1, 2, 3)), abs=0.2)


def test_statistics_know_frames_whose_map_is_not_known_and_are_the_same_by_seed(frames):
    pipelines, pairs = tiny(), 4 * [(f.image, f.labels) for f in frames]
    learned, again = (
        pack.learn(pipelines, CAMVID_CLASSES, pairs, np.random.default_rng(1))["image"]
        for _ in range(2)
    )
    assert np.array_equal(learned.counters, again.counters)
    unknown = slice(INDEX_START[1] + UNKNOWN * NODES, INDEX_START[1] + (UNKNOWN + 1) * NODES)
    blank = token_prior.restored(token_prior.stored(token_prior.scratch()))
    assert (learned.counters[unknown] != blank.counters[unknown]).any()


def test_of_the_ways_to_split_the_best_is_written_and_none_that_refuses_frames(
    frames, judge, tmp_path
):
    models = write_tiny(tmp_path)
    encoder, decoder = Encoder(models=models), Decoder(models=models)
    truth = [f.labels for f in frames]
    best, rows = split.table(encoder, decoder, judge, frames, truth, (300,), (12, 150))
    assert [(r["map_part"], r["map_bytes"]) for r in rows] == [
        (part, n) for part in (LABELS_PART, MAP_TOKENS_PART) for n in (12, 150)
    ]
    assert rows[2]["refused"] == 2 and rows[2]["score"] == 0
    score = max(row["score"] for row in rows)
    assert 0 < score < 1
    assert best.of(300) in [
        (r["map_part"], r["map_bytes"]) for r in rows if r["score"] == score and not r["refused"]
    ]
    split.write(models, best, rows)
    card = json.loads((models / "sqgan_encoder.json").read_text())
    assert len(card["split_tried"]) == 4 and "--stage split" in card["split_recipe"]
    assert Encoder(models=models).split == best
