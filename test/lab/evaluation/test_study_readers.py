# SPDX-License-Identifier: Apache-2.0
"""Who reads pictures for a study: on the device asked for, and each picture once."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import huggingface_hub.constants
import numpy as np
import pytest
import torch
from tiny_checkpoints import STREET, detr, dpt, mask2former, metric_depth_anything, segformer

from semcom_ros.errors import SemcomError
from semcom_ros.lab.evaluation.study import run
from semcom_ros.lab.evaluation.study.published import to_batch
from semcom_ros.lab.evaluation.study.readers import Readers
from semcom_ros.lab.evaluation.study.runner import Runner
from semcom_ros.lab.evaluation.study.study_file import parse_study
from semcom_ros.labels import TRAIN_ID, VOID

IMAGE = np.random.default_rng(3).integers(0, 256, (256, 512, 3)).astype(np.uint8)


def test_networks_and_images_are_on_the_device_asked_for() -> None:
    readers = Readers(device="meta")
    perception = readers.perception._shipped()
    assert readers.vehicle.device == readers.judge.device == perception.device == "meta"
    pixels = [*readers.pyramid(IMAGE), to_batch(IMAGE, readers.device)]
    pixels += [*readers.judge.network.parameters(), *perception.network.parameters()]
    assert {one.device.type for one in pixels} == {"meta"}


def test_scores_of_one_device_are_not_taken_for_those_of_another(tmp_path: Path) -> None:
    table = {"data": "scenes:1", "systems": "full_image", "frames": 1, "metrics": "bytes"}
    study = parse_study({"tables": [table]})
    on_cpu, on_gpu = (Runner(study, {}, tmp_path, device=d) for d in ("cpu", "cuda:1"))
    on_cpu.run(lambda *_: None)
    assert not on_cpu.left() and on_gpu.left()
    assert on_gpu.made_of[5] == on_gpu.readers.device == "cuda:1"


def test_a_picture_that_comes_again_is_not_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    readers = Readers()
    labels = readers.judged(IMAGE)
    monkeypatch.setattr(readers.judge, "read", None)
    assert readers.judged(IMAGE.copy()) is labels


def test_checkpoints_read_a_study_by_their_folders(
    checkpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SegFormer, DETR and DPT in the places of the shipped networks, without any download."""
    monkeypatch.chdir(tmp_path)
    words = "--codec full_image --frames 1 --metrics miou,map,depth_rmse,segmenter_distance --out o"
    words += f" --judge {checkpoint(segformer, STREET)} --detection {checkpoint(detr)}"
    words += f" --depth {checkpoint(metric_depth_anything)}"
    parser = argparse.ArgumentParser()
    run.add_arguments(parser)
    run.run(parser.parse_args(words.split()))
    told = json.loads(Path("o/scores.json").read_text())
    found = {one["metric"]: one["value"] for one in told["scores"] if one["system"] != "original"}
    assert all(isinstance(found[name], float) for name in ("miou", "map", "depth_rmse"))
    assert found["segmenter_distance"].startswith("not measured: needs a judge with features")
    assert sum(name.endswith("/model.safetensors") for name in told["provenance"]["models"]) == 3


def test_readers_of_other_checkpoints_are_other_readers(checkpoint) -> None:
    readers = Readers(judge=str(checkpoint(mask2former, STREET)), depth=str(checkpoint(dpt)))
    assert set(np.unique(readers.judged(IMAGE))) <= {TRAIN_ID["road"], TRAIN_ID["sky"], VOID}
    # Relative depth needs a road and a camera that is calibrated: here is no camera.
    seen = readers.seen(IMAGE, None)
    assert seen.depth is None and seen.problem and seen.detections is not None
    assert {"config.json", "model.safetensors"} <= {path.name for path in readers.models}
    with pytest.raises(SemcomError, match="no folder 'nowhere'"):
        Readers(judge="nowhere")


def test_a_hub_id_that_is_not_at_hand_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(SemcomError, match="`hf download owner/absent --local-dir DIR`"):
        Readers(detection="owner/absent")


@pytest.mark.cuda
def test_a_study_on_a_gpu_finds_what_it_finds_on_the_cpu(tmp_path: Path) -> None:
    parser = argparse.ArgumentParser()
    run.add_arguments(parser)
    found = []
    for device in ("cpu", "cuda"):
        words = "--codec jpeg2000 --frames 4 --metrics psnr,ms_ssim,miou,segmenter_distance,"
        words += f"segmenter_frechet,map50,depth_rmse --device {device} --out {tmp_path / device}"
        run.run(parser.parse_args(words.split()))
        scores = json.loads((tmp_path / device / "scores.json").read_text())["scores"]
        found.append([one["value"] for one in scores if isinstance(one["value"], float)])
    assert torch.cuda.is_available() and len(found[0]) > 8
    assert found[1] == pytest.approx(found[0], rel=0.05, abs=0.05)
