# SPDX-License-Identifier: Apache-2.0
"""Learned links under study: channel uses, unit power, what they are told, what is missing."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from semcom_ros import weights
from semcom_ros.channel.phy.mcs import MCS_TABLE, symbols_needed
from semcom_ros.codecs.base import LinkState, Request
from semcom_ros.errors import SemcomError
from semcom_ros.frame import Frame
from semcom_ros.lab.evaluation.study import runner
from semcom_ros.lab.evaluation.study.links import parse_links
from semcom_ros.lab.evaluation.study.study_file import parse_study
from semcom_ros.lab.evaluation.study.systems import GREY, System, create_system
from semcom_ros.lab.evaluation.study.tables import NOTHING, Scores, grids
from semcom_ros.lab.jscc import networks
from semcom_ros.lab.jscc.convolutional import ConvolutionalJscc
from semcom_ros.lab.jscc.deeplab import DeeplabJscc
from semcom_ros.lab.jscc.transformer import SwinJscc
from semcom_ros.labels import LABEL_SPACE, NAMES, VOID

pytestmark = pytest.mark.usefixtures("one_thread")
TINY = {
    "adjscc": partial(
        ConvolutionalJscc, 8, (16, 16, 16, 16), (3,) * 5, (2, 2, 2, 2, 1), attends=True
    ),
    "swinjscc": partial(SwinJscc, (8, 8, 8, 16), depths=(1,) * 4, heads=(1,) * 4),
    "deeplab_jscc": partial(DeeplabJscc, 4, (8, 8, 8, 8), 8, 2, len(NAMES)),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights drawn at random, as no study takes them: what is tested hangs on no training."""
    place = tmp_path_factory.mktemp("jscc")
    for name, make in TINY.items():
        torch.manual_seed(0)
        card = {"label_space": LABEL_SPACE, "classes": list(NAMES)}
        weights.save(place / f"{name}.safetensors", weights.tensors_of(make()), card)
    return place


@pytest.fixture(autouse=True)
def tiny(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(networks, "TWINS", {**networks.TWINS, **TINY})
    monkeypatch.setattr(networks, "FOLDER", folder)


FRAMES = [Frame(np.full((256, 512, 3), 100 + 20 * i, np.uint8)) for i in range(3)]


def symbols(system: System, snr_db: float | None = None) -> np.ndarray:
    link = None if snr_db is None else LinkState(snr_db)
    parts = system.encoder.encode(FRAMES[0], Request(0, link=link))
    return next(part.symbols for part in parts if part.symbols is not None)


@pytest.mark.parametrize("payload_bytes", [128, 256])
def test_every_payload_takes_the_channel_uses_allowed_at_unit_mean_power(
    payload_bytes: int,
) -> None:
    sent = symbols(create_system("adjscc", {"payload_bytes": payload_bytes}))
    assert len(sent) == 8 * payload_bytes
    assert np.mean(np.abs(sent) ** 2) == pytest.approx(1, abs=1e-5)


def test_a_shorter_payload_is_a_prefix_of_a_longer_one_but_for_its_scale() -> None:
    few, many = (symbols(create_system("adjscc", {"payload_bytes": n})) for n in (64, 192))
    ratio = many[: len(few)] / few
    np.testing.assert_allclose(ratio, ratio[0].real, rtol=1e-3)


def test_the_choice_of_planes_is_counted_and_without_it_a_frame_is_lost() -> None:
    system = create_system("swinjscc", {"payload_bytes": 128})
    system.prepare(FRAMES)
    told = symbols_needed(2, MCS_TABLE[0])
    for snr_db, lost in ((20, False), (-10, True)):
        system.begin(*parse_links({"channel": "awgn", "snr_db": snr_db}), 1)
        outcome = system.run(FRAMES[0], None, 0)
        assert outcome.channel_uses == 512 + told <= 1024
        assert outcome.lost == lost == (outcome.reconstruction.image == GREY).all()


def test_an_encoder_is_told_the_snr_of_its_link_or_what_the_study_says() -> None:
    truth, wrong = create_system("adjscc", {}), create_system("adjscc", {"told_snr_db": 10.0})
    for system in (truth, wrong):
        system.prepare(FRAMES)
    seen = {}
    for system in (truth, wrong):
        for snr_db in (0, 20, 0):
            system.begin(*parse_links({"channel": "awgn", "snr_db": snr_db}), 1)
            system.run(FRAMES[0], None, 0)
            payload, _ = system._sent[0]
            seen.setdefault(id(system), []).append(payload.parts[0].symbols)
    at_0, at_20, again = seen[id(truth)]
    assert np.array_equal(at_0, again) and not np.array_equal(at_0, at_20)
    np.testing.assert_allclose(at_0, symbols(truth, 0.0), rtol=1e-5)
    # Told one thing over all links, it encodes once.
    assert all(one is seen[id(wrong)][0] for one in seen[id(wrong)])
    np.testing.assert_allclose(seen[id(wrong)][0], symbols(truth, 10.0), rtol=1e-5)


def test_a_link_of_maps_gives_a_map_and_void_where_it_is_lost() -> None:
    system = create_system("deeplab_jscc", {"payload_bytes": 64})
    system.prepare(FRAMES)
    system.begin(*parse_links({"channel": "awgn", "loss": 1.0}), 1)
    assert (system.run(FRAMES[0], None, 0).reconstruction.labels == VOID).all()
    system.begin(*parse_links("none"), 1)
    shown = system.run(FRAMES[0], None, 0).reconstruction
    assert shown.labels.shape == (256, 512) and shown.labels.max() < len(NAMES)
    assert (shown.image == GREY).all()


def test_fewer_channel_uses_than_one_plane_takes_are_a_sentence() -> None:
    with pytest.raises(SemcomError, match="give payload_bytes from 64"):
        create_system("adjscc", {"payload_bytes": 63})


def test_missing_weights_leave_a_row_empty_and_name_the_command(
    small_camvid: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(networks, "FOLDER", tmp_path)
    systems = [{"system": "witt", "payload_bytes": 128}, {"codec": "jpeg2000"}]
    table = {"title": "T", "data": "camvid", "systems": systems, "frames": 1, "sheet": 1,
             "metrics": "psnr"}  # fmt: skip
    places = {"camvid": small_camvid}
    made = runner.Runner(parse_study({"tables": [table]}), places, tmp_path / "cells")
    assert {job.cell.entry.title for job, _ in made.left()} == {"jpeg2000", "real image"}
    (grid,) = grids(Scores(made.study.tables[0], "camvid", made.records()))
    (note,) = (note for note in grid.notes if note.startswith("witt: not made: "))
    assert networks.recipe("witt") in note
    assert ("witt, 128 bytes", [NOTHING]) in grid.rows
