# SPDX-License-Identifier: Apache-2.0
"""The networks of SQ-GAN's paper, narrow, the whole way: three stages trained, resumed, and map and
image crossing wherever codecs do."""

from __future__ import annotations

import argparse
import json
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from accelerate.state import AcceleratorState

from semcom_ros.codecs import create_decoder, create_encoder
from semcom_ros.codecs.sqgan.paper.inference import file_of, load_network
from semcom_ros.codecs.sqgan.paper.networks import SqganPaperSizes
from semcom_ros.datasets.scenes.drive import Drive
from semcom_ros.errors import SemcomError
from semcom_ros.lab.evaluation.study import run as study
from semcom_ros.lab.papers import sqgan_losses as losses
from semcom_ros.lab.papers.sqgan import SqganPaperTraining
from semcom_ros.payload import pack, unpack
from semcom_ros.pipeline.single import decode, encode
from semcom_ros.weights import models_dir

pytestmark = pytest.mark.usefixtures("one_thread")
PAPER = {"sqgan_network": "paper"}
STAGES = ("map", "image", "tune")


class NarrowTraining(SqganPaperTraining):
    """The command with sizes that it has no options for."""

    sizes = partial(SqganPaperSizes, dims=32, depth=1, blocks=1, hidden=8)


@pytest.fixture(scope="module")
def models(small_camvid: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shipped files, and beside them networks of 50 updates a stage, the last 10 resumed."""
    folder = tmp_path_factory.mktemp("models")
    for file in models_dir().iterdir():
        (folder / file.name).symlink_to(file)
    parser = argparse.ArgumentParser()
    NarrowTraining.add_arguments(parser)
    words = f"--data {small_camvid} --width 32 --multipliers 1 1 1 1 1 --batch 1 --size 32 64"
    words += f" --workers 0 --every 40 --precision no --out {folder} --state {folder / 'state'}"
    judge = partial(losses.PatchDiscriminator, width=8)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(losses, "PatchDiscriminator", judge)
        for stage in STAGES:
            own = f"{words} --stage {stage} --log {folder / stage}.jsonl --steps"
            for more in (["40"], ["50", "--resume"]):
                NarrowTraining.run(parser.parse_args([*own.split(), *more]))
                AcceleratorState._reset_state(reset_partial_state=True)
        with pytest.raises(SemcomError, match="go on with it by --resume"):
            NarrowTraining.run(parser.parse_args([*own.split(), "60"]))
        with pytest.raises(SemcomError, match="is at step 50"):
            NarrowTraining.run(parser.parse_args([*own.split(), "50", "--resume"]))
    return folder


def test_each_stage_learns_and_its_card_says_what_made_it(models: Path) -> None:
    for stage in STAGES:
        lines = [json.loads(line) for line in (models / f"{stage}.jsonl").read_text().splitlines()]
        assert [line["step"] for line in lines] == [40, 50]
        assert all(np.isfinite(list(line.values())).all() for line in lines)
        assert stage != "map" or lines[-1]["error"] < lines[0]["error"]
        assert all(("unseen_error" in line) == (stage == "tune") for line in lines)
    card = json.loads((models / file_of("tune")).with_suffix(".json").read_text())
    assert card["perceptual"] == "features of our own segmenter"
    assert "--data camvid:DIR" in card["recipe"] and "--stage tune --form text" in card["recipe"]
    # Of tuning the best on frames unseen are kept.
    best = min(lines, key=lambda line: line["unseen_error"])
    assert card["updates"] == best["step"]
    assert card["scores"]["error"] == best["unseen_error"]


def test_another_size_or_another_kind_of_network_is_a_sentence(models: Path, tmp_path) -> None:
    assert load_network(models, "tune", size=(32, 64)).receiver.decoder.last.out_channels == 3
    frozen = load_network(models, "map", size=(32, 64))
    assert not frozen.training and not any(p.requires_grad for p in frozen.parameters())
    with pytest.raises(SemcomError, match="were trained at 32x64, not 256x512"):
        create_decoder("sqgan", models=models, **PAPER)
    name = file_of("tune")
    (tmp_path / name).write_bytes((models / name).read_bytes())
    card = json.loads((models / name).with_suffix(".json").read_text()) | {"pipeline": "sound"}
    (tmp_path / name).with_suffix(".json").write_text(json.dumps(card))
    with pytest.raises(SemcomError, match="names no pipeline"):
        load_network(tmp_path, "tune", size=(32, 64))


@pytest.fixture(scope="module")
def launched(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with cards of the codec's size: updates at it would take minutes."""
    folder = tmp_path_factory.mktemp("launched")
    for file in models.iterdir():
        if file.suffix in (".json", ".safetensors"):
            (folder / file.name).symlink_to(file)
    for stage in ("map", "tune"):
        card = (folder / file_of(stage)).with_suffix(".json")
        content = json.loads(card.read_text()) | {"size": [256, 512]}
        card.unlink()
        card.write_text(json.dumps(content))
    return folder


def test_a_study_has_them_in_a_row_with_the_papers_rate_beside_the_bytes(
    launched: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEMCOM_MODELS", str(launched))
    config = tmp_path / "study.yaml"
    config.write_text(
        "tables:\n  - title: The paper's networks\n    metrics: [psnr, bpp, paper_bpp, "
        "paper_bpp_positions]\n    systems:\n      - {codec: sqgan, name: tokens, network: paper, "
        "payload_bytes: 512, labels: truth}\n"
    )
    parser = argparse.ArgumentParser()
    study.add_arguments(parser)
    words = f"--config {config} --data scenes:1 --frames 1 --workers 1 --out {tmp_path / 'out'}"
    study.run(parser.parse_args(words.split()))
    scores = json.loads((tmp_path / "out" / "scores.json").read_text())["scores"]
    own = (row for row in scores if row["system"].startswith("tokens"))
    found = {row["metric"]: row["value"] for row in own}
    assert 5 < found["psnr"] < 40
    frame = Drive(1).render(0)
    encoder, decoder = (
        make("sqgan", models=launched, **PAPER) for make in (create_encoder, create_decoder)
    )
    data = pack(encode("sqgan", encoder, frame, 512))
    assert len(data) <= 512
    shown = decode("sqgan", decoder, unpack(data))
    assert shown.image.shape == (256, 512, 3) and np.unique(shown.labels).max() <= 255
    m_s, m_x = encoder.told(unpack(data).parts)["kept"]
    assert found["paper_bpp"] == pytest.approx(10 * (m_s + m_x) / 512 / 256, rel=0.2)
    assert found["paper_bpp"] <= found["paper_bpp_positions"] and found["bpp"] > 0
