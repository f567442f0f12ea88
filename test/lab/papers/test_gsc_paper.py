# SPDX-License-Identifier: Apache-2.0
"""`semcom train gsc-paper`: the papers' optimiser, and weights that both ends load."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import tiny_gsc
import torch

from semcom_ros import cli
from semcom_ros.codecs import CODECS, create_decoder, create_encoder
from semcom_ros.codecs.gsc.sizes import CONFIGURATIONS
from semcom_ros.lab.papers.gsc import GscPaperTraining, optimiser
from semcom_ros.lab.training.gsc.link import GscLink
from semcom_ros.weights import load

pytestmark = pytest.mark.usefixtures("one_thread")


def test_the_optimiser_is_the_papers() -> None:
    made = optimiser(GscLink(tiny_gsc.TINY, 3))
    assert isinstance(made, torch.optim.AdamW)
    for group in made.param_groups:
        assert (group["lr"], group["betas"], group["weight_decay"]) == (1e-4, (0.5, 0.999), 0.01)
    assert GscPaperTraining.batch == 16 and GscPaperTraining.steps >= 200_000


def test_it_trains_goes_on_and_writes_what_both_ends_load(
    small_camvid: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(CONFIGURATIONS, "fast", tiny_gsc.TINY)
    monkeypatch.setitem(CODECS, "gsc", "semcom_ros.codecs.gsc:CODEC")
    line = f"train gsc-paper --data {small_camvid} --configuration fast --size 32 64 --batch 2"
    line += f" --workers 0 --every 4 --precision no --state {tmp_path}/state --out {tmp_path}/out"
    line += f" --log {tmp_path}/log.jsonl"

    def trained(*more: str) -> dict[str, np.ndarray]:
        assert cli.main([*line.split(), *more]) == 0
        return load(tmp_path / "out/gsc_paper_encoder.safetensors", "")[0]

    before = trained("--steps", "4")
    after = trained("--steps", "8", "--resume")
    assert any(not np.array_equal(before[name], after[name]) for name in before)
    ends = (
        create("gsc", models=tmp_path / "out", gsc_network="paper")
        for create in (create_encoder, create_decoder)
    )
    assert len({end.model for end in ends}) == 1
    study = tmp_path / "study.yaml"
    row = f"{{codec: gsc, network: paper, models: {tmp_path}/out, payload_bytes: 512}}"
    study.write_text(f"tables:\n  - {{title: Papers, metrics: [psnr], systems: [{row}]}}\n")
    words = f"eval --config {study} --data scenes:1 --frames 1 --workers 1 --out {tmp_path}/eval"
    assert cli.main(words.split()) == 0
    scores = json.loads((tmp_path / "eval/scores.json").read_text())["scores"]
    assert any(5 < one["value"] < 40 for one in scores if one["system"].startswith("gsc"))
    assert cli.main([*line.replace("32 64", "40 64").split(), "--steps", "4"]) == 2
