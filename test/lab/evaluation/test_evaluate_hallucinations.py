# SPDX-License-Identifier: Apache-2.0
"""What is published of maps that lie."""

from __future__ import annotations

import argparse

import numpy as np
import pytest

from semcom_ros.errors import SemcomError
from semcom_ros.lab.evaluation import evaluate_hallucinations
from semcom_ros.lab.evaluation.evaluate_hallucinations import cases, received_share, without
from semcom_ros.labels import TRAIN_ID, VOID
from semcom_ros.perception.detection import Detection
from semcom_ros.percepts import Percepts
from semcom_ros.pipeline import rsu

ROAD, CAR, TRUCK, PERSON = (TRAIN_ID[name] for name in ("road", "car", "truck", "person"))


def test_what_is_taken_out_of_a_map_gives_way_to_what_is_nearest():
    labels = np.full((8, 12), ROAD, np.uint8)
    labels[:, 6:] = VOID
    labels[2:5, 3:6] = CAR
    labels[:, 11] = PERSON
    found = without(["car"], labels)
    assert (found[:, :6][labels[:, :6] == ROAD] == ROAD).all() and (found[2:5, 3] == ROAD).all()
    assert not (found == CAR).any() and (found[:, 11] == PERSON).all()
    assert (without(["car", "person"], labels)[:, 9:] == VOID).all()


def test_a_share_is_of_pixels_that_rest_on_something_received():
    labels = np.full((10, 20), TRUCK, np.uint8)
    support = np.zeros((10, 20), bool)
    support[:, :10] = True
    known = Percepts(labels=labels, support=support)
    # A truck's pixels bear out a car: they are of one superclass.
    assert received_share(Detection("car", 0.9, 5, 0, 10, 10), known) == 0.5
    assert received_share(Detection("person", 0.9, 5, 0, 10, 10), known) == 0.0
    assert received_share(Detection("car", 0.9, 12, 0, 8, 10), known) == 0.0
    assert received_share(Detection("car", 0.9, 30, 0, 8, 10), known) == 0.0


def ran(capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch, *words: str) -> tuple:
    monkeypatch.setenv("COLUMNS", "160")
    parser = argparse.ArgumentParser()
    evaluate_hallucinations.add_arguments(parser)
    status = evaluate_hallucinations.run(parser.parse_args(words))
    lines = [one for one in capsys.readouterr().out.splitlines() if one.startswith("│ ")]
    return status, [[cell.strip() for cell in line.strip("│").split("│")] for line in lines]


def test_an_empty_road_that_a_video_contradicts_shows_nothing_and_a_bare_detector_is_found_out(
    capsys, monkeypatch
):
    lies = [one for one in cases() if one.name == "empty road and video"]
    monkeypatch.setattr(evaluate_hallucinations, "cases", lambda: lies)
    status, [row] = ran(capsys, monkeypatch, "--frames", "2", "--data", "scenes:3")
    name, frames, lost, seen, published, *_, invented, absent = row
    assert (name, frames, lost, published, invented, absent) == (
        "empty road and video", "2", "0", "0", "0", "0"
    )  # fmt: skip
    assert int(seen) > 0 and status == 0

    monkeypatch.setattr(rsu, "fuse", lambda found, *_: found)
    status, [row] = ran(capsys, monkeypatch, "--frames", "2", "--data", "scenes:3")
    assert row[4] == row[6] == row[7] == seen and status == 1

    def broken(*batch: object) -> None:
        raise RuntimeError("no detector")

    monkeypatch.setattr(evaluate_hallucinations, "create_perception", lambda **_: broken)
    with pytest.raises(RuntimeError, match="no detector"):
        ran(capsys, monkeypatch, "--frames", "1", "--data", "scenes:3")


def test_every_lie_has_a_name_of_its_own():
    names = [one.name for one in cases()]
    assert len(set(names)) == len(names) == 9


def test_no_frames_are_a_sentence(capsys, monkeypatch):
    with pytest.raises(SemcomError, match="Give --frames from 1"):
        ran(capsys, monkeypatch, "--frames", "0")
