# SPDX-License-Identifier: Apache-2.0
"""gsc's networks and the learned links on frames of other sizes than that of work."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from semcom_ros import cli, weights
from semcom_ros.lab.jscc import networks
from semcom_ros.labels import NAMES

pytestmark = pytest.mark.usefixtures("one_thread")


def test_links_are_scored_at_sizes_of_ones_own_and_those_without_weights_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(networks, "FOLDER", tmp_path)
    card = {"classes": list(NAMES), "label_space": "cityscapes19"}
    tensors = weights.tensors_of(networks.create("deepjscc"))
    weights.save(tmp_path / "deepjscc.safetensors", tensors, card)
    line = f"eval sizes --data scenes:1 --frames 1 --planes 2 24 --json {tmp_path}/found.json"
    assert cli.main([*line.split(), "--snr-db", "0", "20", "--sizes", "96x160"]) == 0
    assert "semcom train jscc --system witt" in capsys.readouterr().out
    found = json.loads((tmp_path / "found.json").read_text())["96x160"]
    assert {row.split(",")[0] for row in found} == {"gsc", "deepjscc"}
    few, many = found["gsc, 2 planes"], found["gsc, 24 planes"]
    # More noise and fewer channel uses cost something; networks without training show nothing.
    assert 12 < few[0] < few[1] < many[1] and found["deepjscc, 24 planes"][1] < few[0]
    assert 0 < found["gsc, map, 2 planes"][0] < 1


@pytest.mark.parametrize("words", ["--planes 49", "--planes 0", "--frames 0"])
def test_what_no_link_has_is_refused(words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["eval", "sizes", *words.split()]) == 2
    assert "--planes from 1 to 48" in capsys.readouterr().err


@pytest.mark.parametrize("size", ["224", "100x200", "0x32", "axb"])
def test_other_than_multiples_of_the_coarsest_cell_are_refused(
    size: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["eval", "sizes", "--frames", "1", "--sizes", size]) == 2
    assert f"'{size}' is no size" in capsys.readouterr().err
