# SPDX-License-Identifier: Apache-2.0
"""The paper's network, narrow, the whole way: trained, resumed, and painting wherever codecs do."""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from tiny_gesco import shipped_beside

from semcom_ros.codecs import create_decoder, create_encoder
from semcom_ros.codecs.gesco import GescoSettings
from semcom_ros.codecs.gesco.decoder import strength
from semcom_ros.codecs.gesco.paper.network import GescoPaperSizes
from semcom_ros.codecs.gesco.shared import PAPER_FILE
from semcom_ros.datasets.scenes.drive import Drive
from semcom_ros.errors import SemcomError
from semcom_ros.frame import Frame
from semcom_ros.lab.evaluation.study import run as study
from semcom_ros.lab.papers.gesco import GescoPaperTraining
from semcom_ros.pipeline.single import decode, encode

pytestmark = pytest.mark.usefixtures("one_thread")
NARROW = partial(GescoPaperSizes, blocks=1, attention=(), head=32, hidden=8)
PAPER = {"gesco_network": "paper", "gesco_paper_steps": 10}


class NarrowTraining(GescoPaperTraining):
    """The command with sizes that it has no options for."""

    sizes = NARROW


@pytest.fixture(scope="module")
def models(small_camvid: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shipped files, and beside them a network of 50 updates, of which the last 10 resumed."""
    folder = shipped_beside(tmp_path_factory.mktemp("models"))
    parser = argparse.ArgumentParser()
    NarrowTraining.add_arguments(parser)
    words = f"--data {small_camvid} --space cityscapes19 --width 32 --multipliers 1 2 --batch 1"
    words += " --size 16 32 --workers 0 --every 40 --rate 2e-3 --precision no"
    words += f" --out {folder / PAPER_FILE}"
    words += f" --state {folder / 'state'} --log {folder / 'log.jsonl'} --steps"
    for more in (["40"], ["50", "--resume"]):
        NarrowTraining.run(parser.parse_args([*words.split(), *more]))
    return folder


@pytest.fixture(scope="module")
def frame() -> Frame:
    return Drive(1).render(0)


def test_it_learns_and_its_card_counts_the_updates_of_both_runs(models: Path) -> None:
    lines = [json.loads(line) for line in (models / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [40, 50]
    assert lines[-1]["error"] < lines[0]["error"] < 1
    assert json.loads((models / PAPER_FILE).with_suffix(".json").read_text())["updates"] == 50


def test_the_decoder_paints_with_it_by_settings(models: Path, frame: Frame) -> None:
    sent = encode("gesco", create_encoder("gesco"), frame, 512)
    decoder = create_decoder("gesco", models=models, **PAPER)
    shown = {}
    for name, more in {
        "ddim": {},
        "ancestral": {"sampler": "ancestral"},
        "guided": {"guidance": 2.0},
        # The released code's s is the paper's and 1.
        "released": {"guidance": 3.0, "guidance_rule": "released"},
    }.items():
        decoder.settings = GescoSettings(network="paper", paper_steps=10, **more)
        shown[name] = decode("gesco", decoder, sent).image
        assert shown[name].shape == (256, 512, 3) and shown[name].std() > 1
    assert np.array_equal(shown["guided"], shown["released"])
    assert len({image.tobytes() for image in shown.values()}) == 3


def test_it_paints_of_noisy_planes_too(models: Path, frame: Frame) -> None:
    sent = encode("gesco", create_encoder("gesco", gesco_map="planes"), frame, 512)
    decoder = create_decoder("gesco", models=models, **PAPER, gesco_fds="paper")
    assert decode("gesco", decoder, sent).image.std() > 1


def test_released_guidance_up_to_1_is_none() -> None:
    """The released code makes no second pass for them."""
    for guidance, wanted in ((0.0, 0.0), (1.0, 0.0), (2.0, 1.0)):
        told = GescoSettings(guidance=guidance)
        assert strength(told) == guidance
        assert strength(replace(told, guidance_rule="released")) == wanted


def test_without_its_file_the_decoder_says_what_makes_it(tmp_path: Path) -> None:
    shipped_beside(tmp_path)
    with pytest.raises(SemcomError, match=f"{PAPER_FILE}.*semcom train gesco-paper"):
        create_decoder("gesco", models=tmp_path, gesco_network="paper")


def test_a_study_has_it_in_a_row(
    models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEMCOM_MODELS", str(models))
    config = tmp_path / "study.yaml"
    row = "labels: truth, network: paper, paper_steps: 10}"
    config.write_text(
        "tables:\n  - title: The paper's network\n    metrics: [psnr, miou_received_vs_sent]\n"
        f"    systems:\n      - {{system: gesco_planes, name: planes, rows: 64, {row}\n"
        f"      - {{codec: gesco, name: coded, payload_bytes: 512, {row}\n"
    )
    parser = argparse.ArgumentParser()
    study.add_arguments(parser)
    words = f"--config {config} --data scenes:1 --frames 1 --workers 1 --out {tmp_path / 'out'}"
    study.run(parser.parse_args(words.split()))
    scores = json.loads((tmp_path / "out" / "scores.json").read_text())["scores"]
    found = {row["system"]: row for row in scores if row["metric"] == "psnr"}
    assert all(5 < found[name]["value"] < 40 for name in ("planes", "coded, 512 bytes"))
