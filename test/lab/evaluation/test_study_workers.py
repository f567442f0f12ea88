# SPDX-License-Identifier: Apache-2.0
"""Processes that share a study: the same scores as one alone, and its sentences."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from semcom_ros.cluster import connection
from semcom_ros.errors import SemcomError
from semcom_ros.lab.evaluation.study import ray_tasks, workers
from semcom_ros.lab.evaluation.study.ray_tasks import measure_on_ray
from semcom_ros.lab.evaluation.study.runner import Runner
from semcom_ros.lab.evaluation.study.study_file import Study, parse_study
from semcom_ros.lab.evaluation.study.workers import measure_apart, workers_for


def study(metrics: str, frames: int = 2) -> Study:
    table = {
        "title": "Noise", "data": "scenes:1", "systems": "full_image", "frames": frames,
        "links": {"noise": "gaussian", "psnr_db": [20, 5]}, "metrics": metrics, "sheet": 0,
    }  # fmt: skip
    return parse_study({"tables": [table]})


def test_two_processes_find_the_scores_that_one_finds(tmp_path: Path) -> None:
    made = study("flicker")
    alone = Runner(made, {}, tmp_path / "alone")
    alone.run(lambda *_: None)
    told: list[int] = []
    shared = Runner(made, {}, tmp_path / "shared")
    measure_apart(shared, 2, lambda name, frames: told.append(frames))
    assert not shared.left()
    assert shared.records() == alone.records()
    assert sum(told) == 3 * 2  # two links and the ceiling, two frames each


def test_a_cluster_finds_the_scores_that_one_process_finds(
    ray_address: str, tmp_path: Path
) -> None:
    made = study("flicker")
    alone = Runner(made, {}, tmp_path / "alone")
    alone.run(lambda *_: None)
    spread, told = Runner(made, {}, tmp_path / "spread"), []
    measure_on_ray(spread, ray_address, lambda name, frames: told.append(frames))
    assert told == [2] * 3  # cells of two frames: two links and the ceiling
    assert spread.records() == alone.records()


def test_a_host_with_another_package_measures_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The host goes where the study began; the tests after this one stay where they are.
    monkeypatch.chdir(tmp_path)
    runner = Runner(study("flicker"), {}, tmp_path)
    with pytest.raises(SemcomError, match="bring them to one state"):
        ray_tasks._measure(pickle.dumps((str(tmp_path), runner.made_of)), "another cell", {})


def test_a_cluster_that_is_not_there_is_a_sentence(tmp_path: Path) -> None:
    pytest.importorskip("ray", reason="needs requirements/ray.txt")
    with pytest.raises(SemcomError, match="There is no Ray cluster at '127.0.0.1:1'"):
        measure_on_ray(Runner(study("flicker"), {}, tmp_path), "127.0.0.1:1", lambda *_: None)


def test_where_ray_is_missing_it_is_told_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "find_spec", lambda name: None)
    with pytest.raises(SemcomError, match=r"pip install -r requirements/ray\.txt"):
        measure_on_ray(Runner(study("flicker"), {}, tmp_path), "auto", lambda *_: None)


def test_what_is_wrong_in_a_process_is_told_here(tmp_path: Path) -> None:
    runner = Runner(study("miou"), {}, tmp_path, judge=tmp_path / "nowhere.safetensors")
    with pytest.raises(SemcomError, match="nowhere"):
        measure_apart(runner, 1, lambda *_: None)


def test_few_frames_are_not_worth_a_second_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers.os, "sched_getaffinity", lambda _: set(range(4)))
    runner = Runner(study("lost", frames=2), {}, tmp_path)
    assert workers_for(runner) == 1
    monkeypatch.setattr(workers, "WORTH", 2)
    assert workers_for(runner) == 3
    monkeypatch.setattr(workers, "WORTH", 1)
    assert workers_for(runner) == 4
