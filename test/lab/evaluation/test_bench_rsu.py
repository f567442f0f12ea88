# SPDX-License-Identifier: Apache-2.0
"""`semcom bench rsu`: a record for each number of vehicles, whose books add up."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from semcom_ros.cli import main
from semcom_ros.lab.evaluation import bench_rsu
from semcom_ros.lab.evaluation.bench_rsu import jain, payloads_of


def test_every_frame_of_every_vehicle_is_in_the_record(tmp_path: Path) -> None:
    out = tmp_path / "rsu.json"
    options = "--codec jpeg2000 --vehicles 3 --seconds 1 --threads 1 --deadline-ms 0"
    assert main(["bench", "rsu", *options.split(), "--json", str(out)]) == 0
    (record,) = json.loads(out.read_text())
    assert (record["vehicles"], record["received"]) == (3, 30)
    assert record["decoded"] + record["superseded"] + record["rejected"] == 30
    assert record["in_time"] == record["decoded"] > 0 and record["rejected"] == 0
    assert record["image_ms"]["p99"] >= record["image_ms"]["p50"] > 0
    # What sends no map has none to be late.
    assert record["label_ms"] == {"p50": None, "p99": None}


@pytest.mark.parametrize(
    ("shares", "index"), [([5, 5, 5, 5], 1.0), ([8, 0, 0, 0], 0.25), ([0, 0], 1.0)]
)
def test_jains_index_is_one_for_equals_and_a_share_for_a_single_winner(shares, index) -> None:
    assert jain(shares) == pytest.approx(index)


@pytest.mark.parametrize("options", ["--vehicles 4,x", "--vehicles 0", "--seconds 0"])
def test_numbers_that_are_none_are_refused(options: str, capsys: pytest.CaptureFixture) -> None:
    assert main(["bench", "rsu", *options.split()]) == 2
    assert "give numbers from 1" in capsys.readouterr().err


def test_what_stops_it_leaves_the_records_that_are_done(tmp_path: Path, monkeypatch) -> None:
    drive = bench_rsu.Traffic.drive

    def once(traffic: bench_rsu.Traffic) -> dict[str, Any]:
        if len(traffic._receivers) > 1:
            raise RuntimeError("stopped")
        return drive(traffic)

    monkeypatch.setattr(bench_rsu.Traffic, "drive", once)
    out = tmp_path / "rsu.json"
    options = "--codec jpeg2000 --vehicles 1,2 --seconds 1 --threads 1"
    with pytest.raises(RuntimeError, match="stopped"):
        main(["bench", "rsu", *options.split(), "--json", str(out)])
    assert [record["vehicles"] for record in json.loads(out.read_text())] == [1]


def test_of_batches_no_number_of_images_is_expected(tmp_path: Path) -> None:
    out = tmp_path / "rsu.json"
    options = "--codec jpeg2000 --vehicles 1 --seconds 1 --threads 1 --batch 4"
    assert main(["bench", "rsu", *options.split(), "--json", str(out)]) == 0
    assert json.loads(out.read_text())[0]["expected_in_time"] is None


def test_settings_of_the_codec_reach_what_vehicles_send_and_others_are_refused(
    capsys: pytest.CaptureFixture,
) -> None:
    pictured, bare = (
        payloads_of("gesco", "scenes:1", 1, gesco_picture=how)[0] for how in ("thumbnail", "none")
    )
    assert len(bare.parts) < len(pictured.parts)
    assert main(["bench", "rsu", "--codec", "sqgan", "--gesco-picture", "none"]) == 2
    assert "has no option '--gesco-picture'" in capsys.readouterr().err
