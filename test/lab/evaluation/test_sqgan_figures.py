# SPDX-License-Identifier: Apache-2.0
"""The figures about SQ-GAN: shares by class, bytes of tokens, the table of the split."""

from __future__ import annotations

import json
from copy import copy

import cv2
import numpy as np
import pytest
from tiny_sqgan import SIZES, tiny, write_tiny

from semcom_ros import weights
from semcom_ros.codecs.sqgan import token_prior
from semcom_ros.codecs.sqgan.decoder import Decoder
from semcom_ros.codecs.sqgan.encoder import Encoder
from semcom_ros.codecs.sqgan.shared import LABELS_PART, MAP_TOKENS_PART
from semcom_ros.codecs.sqgan.token_prior import INDEX_START, NODES, UNKNOWN
from semcom_ros.datasets.scenes.drive import Drive
from semcom_ros.frame import Frame
from semcom_ros.lab.evaluation import evaluate_sqgan
from semcom_ros.lab.evaluation.evaluate_sqgan import Ends, area, kept_by_class, lost_parts, surfaces
from semcom_ros.lab.evaluation.loopback import Loopback
from semcom_ros.lab.evaluation.plot_sqgan import plot_lost_parts, plot_surfaces
from semcom_ros.lab.training.data import CAMVID_CLASSES, Samples
from semcom_ros.lab.training.judge import FILE as JUDGE
from semcom_ros.lab.training.judge import Judge
from semcom_ros.lab.training.sqgan import pack, split
from semcom_ros.labels import LABEL_SPACE, NAMES, VOID
from semcom_ros.perception.segmentation import Segmenter
from semcom_ros.weights import models_dir

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def frames():
    streets = [Drive(seed).render(0) for seed in (100, 101)]
    return [Frame(f.image, f.labels) for f in streets]


@pytest.fixture(scope="module")
def ends(tmp_path_factory):
    """Pipelines as a training step leaves them: "map", "image", and "random", for comparison."""
    folder, found = tmp_path_factory.mktemp("work"), {}
    for name, kind, mask in (
        ("map", "map", "samm"),
        ("image", "image", "samm"),
        ("random", "image", "random"),
    ):
        card = {
            "label_space": LABEL_SPACE,
            "classes": [NAMES[c] for c in CAMVID_CLASSES],
            "networks": {kind: SIZES},
            "mask": mask,
            "score": "conditioned",
        }
        path = folder / f"{name}.safetensors"
        weights.save(path, weights.tensors_of(tiny()[kind]), card)
        found[name] = Ends(path, kind)
    return found


@pytest.fixture(scope="module")
def judge():
    return Segmenter.from_pretrained()


@pytest.fixture(scope="module")
def panel(frames, judge):
    """The frames as `semcom eval sqgan` judges them."""
    samples = Samples.of((f.image, f.labels) for f in frames)
    return Judge(models_dir() / JUDGE, samples, judge)


def test_all_cells_hold_the_classes_by_their_area_and_some_cells_others(ends, panel):
    shares = area(panel.truth)
    assert sum(shares.values()) == pytest.approx(1)
    assert kept_by_class(ends["image"], 1.0, panel)[0] == pytest.approx(shares)
    kept, scores = kept_by_class(ends["image"], 0.2, panel)
    assert sum(kept.values()) == pytest.approx(1) and kept != pytest.approx(shares)
    assert 0 <= scores["miou"] <= 1 and scores["psnr"] > 0


def test_what_is_void_in_truth_is_neither_scored_nor_counted(ends, panel):
    road = copy(panel)
    road.truth = np.where(panel.truth == 0, panel.truth, VOID)
    assert area(road.truth) == {"road": 1.0}
    kept, scores = kept_by_class(ends["image"], 0.3, road)
    assert kept == {"road": 1.0}
    assert scores["miou"] != kept_by_class(ends["image"], 0.3, panel)[1]["miou"]


def test_a_pipeline_trained_with_a_random_mask_keeps_at_random_but_the_same_by_seed(ends):
    scores = np.linspace(0, 1, 512, dtype=np.float32).reshape(16, 32)
    assert ends["image"].kept(scores, 0.5, 0).ravel()[256:].all()
    random = ends["random"].kept(scores, 0.5, 0)
    assert random.sum() == 256 and not random.ravel()[256:].all()
    assert np.array_equal(random, ends["random"].kept(scores, 0.5, 0))


def test_surfaces_have_a_value_for_every_pair_of_fractions(ends, panel, monkeypatch):
    monkeypatch.setattr(evaluate_sqgan, "FRACTIONS", (0.1, 1.0))
    found = surfaces(ends["map"], ends["image"], panel)
    assert len(found["map"]) == 2
    assert np.shape(found["image"]) == np.shape(found["psnr"]) == (2, 2)


def test_with_every_lost_part_less_of_the_payload_is_scored(panel, tmp_path, monkeypatch):
    monkeypatch.setattr(evaluate_sqgan, "SETTINGS", (256, 1200))
    rows = lost_parts(Loopback("sqgan", models=write_tiny(tmp_path)), panel)
    arrived = {n: [r["image_parts"] for r in rows if r["payload_bytes"] == n] for n in (256, 1200)}
    assert arrived[1200] == [3, 2, 1, 0] and arrived[256][-1] == 0
    whole = {r["image_parts"]: r["psnr"] for r in rows if r["payload_bytes"] == 1200}
    assert len(set(whole.values())) == 4
    plot_lost_parts(tmp_path / "lost.png", rows)
    assert cv2.imread(str(tmp_path / "lost.png")) is not None


def test_surfaces_are_drawn(tmp_path):
    grid = np.linspace(0, 1, 4).reshape(2, 2).tolist()
    found = {"fractions": [0.1, 0.9], "map": [0.2, 0.7], "image": grid, "psnr": grid}
    plot_surfaces(tmp_path / "surfaces.png", found)
    assert cv2.imread(str(tmp_path / "surfaces.png")) is not None


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
