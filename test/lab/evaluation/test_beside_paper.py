# SPDX-License-Identifier: Apache-2.0
"""A paper's figures beside ours: read, held against scores, written, and what is trained first."""

from __future__ import annotations

import argparse
import csv
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from semcom_ros.errors import SemcomError
from semcom_ros.lab.evaluation.study import made_first, run, study_options
from semcom_ros.lab.evaluation.study.beside_paper import ours
from semcom_ros.lab.evaluation.study.links import Link
from semcom_ros.lab.evaluation.study.pools import Score
from semcom_ros.lab.evaluation.study.study_file import (
    CEILING,
    Cell,
    Entry,
    Study,
    parse_study,
    read_study,
)
from semcom_ros.lab.evaluation.study.tables import Record, Scores
from semcom_ros.runtime import shipped_folder

LEVELS = [{"noise": "gaussian", "psnr_db": [100, 30, 20, 5, 1]}]
CLAIM = {"source": "Table I", "what": "PSNR", "paper": "30", "why": "other data", "metric": "psnr"}


def study(*claims: dict[str, str], **more: Any) -> Study:
    systems = [{"system": "gesco_planes", "name": "planes"}, {"system": "full_image"}]
    paper = [{**CLAIM, **claim} for claim in claims]
    table = {"title": "T", "data": "scenes:1", "systems": systems, "links": LEVELS,
             "metrics": "psnr", "paper": paper}  # fmt: skip
    return parse_study({"tables": [{**table, **more}]})


def held(claim: dict[str, str], values: dict[str, list[float | str]]) -> str:
    """What is told beside `claim`; values: of each row, level by level."""
    (table,) = study(claim).tables
    records = [
        Record(Cell(table, "scenes:1", entry, link), "", None, "psnr", Score(value, 2))
        for entry in (*table.entries, CEILING)
        for link, value in zip(table.links, values.get(entry.title, [None] * 5), strict=True)
    ]
    return ours(Scores(table, "scenes:1", records), table.claims[0])


PLANES, PIXELS = [20.0, 20.0, 19.0, 18.0, 15.0], [40.0, 30.0, 18.0, 10.0, 8.0]


@pytest.mark.parametrize(
    ("claim", "told"),
    [
        ({"row": "planes", "level": "PSNR 5 dB"}, "18.00"),
        ({"row": "planes", "level": "PSNR 1 dB", "to": "PSNR 100 dB"}, "0.75 (15.00 over 20.00)"),
        ({"row": "planes", "than": "full_image"}, "ahead at 3 of 5, by -2.80 in the mean"),
        ({"row": "planes", "than": "full_image", "level": "PSNR 20 dB"},
         "ahead at 1 of 1, by +1.00 in the mean"),
        ({"row": "real image", "level": "PSNR 20 dB"}, "not in this run"),
    ],
)  # fmt: skip
def test_ours_is_a_score_or_its_share_of_another_or_who_is_ahead(
    claim: dict[str, str], told: str
) -> None:
    assert held(claim, {"planes": PLANES, "full_image": PIXELS}) == told


def test_beside_a_claim_of_a_row_whose_weights_are_missing_stands_the_command() -> None:
    lacks: list[float | str] = ["not made: make it with `semcom train a`"] * 5
    assert held({"row": "planes"}, {"planes": lacks}) == lacks[0]
    told = held({"row": "full_image", "than": "planes"}, {"planes": lacks, "full_image": PIXELS})
    assert told == lacks[0]


@pytest.mark.parametrize(
    ("claim", "sentence"),
    [
        ({"row": "plains"}, "did you mean 'planes'"),
        ({"row": "planes", "level": "PSNR 7 dB"}, "no level to hold a paper against"),
        ({"row": "planes", "metric": "psnrr"}, "did you mean 'psnr'"),
        ({"row": "planes", "whi": "x"}, "no key of a claim 'whi'"),
        ({"row": ""}, "lacks 'row'"),
        ({"row": "planes", "why": ""}, "lacks 'why'"),
    ],
)
def test_a_claim_that_no_score_can_meet_is_a_sentence(claim: dict[str, str], sentence: str) -> None:
    with pytest.raises(SemcomError, match=sentence):
        study(claim)


@pytest.mark.parametrize("paper", study_options.PAPERS)
def test_every_paper_has_its_study_and_says_why_each_figure_differs(paper: str) -> None:
    made = read_study(shipped_folder("config") / f"{paper}.yaml", ("camvid", "kitti"))
    assert len(made.claims) > 5 and made.title != "Study"
    assert all(table.data == ("camvid", "kitti") for table in made.tables)


def options(words: str) -> dict[str, Any]:
    parser = argparse.ArgumentParser()
    run.add_arguments(parser)
    return vars(parser.parse_args(words.split()))


def test_a_quick_paper_takes_few_frames_and_ends_and_middle_of_each_axis() -> None:
    whole = study_options.study_of(options("--paper gesco"), ("camvid",))
    quick = study_options.study_of(options("--paper gesco --quick"), ("camvid",))
    assert [link.level_db for link in quick.tables[0].links] == [100, 15, 1]
    rate = next(t for t in quick.tables if t.title == "Quality against rate")
    # What a figure of the paper is held against stays.
    assert {e.size for e in rate.families["map alone"]} == {128, 328, 512, 1200}
    assert max(table.frames for table in quick.tables) == 8 and quick.claims[:3] == whole.claims[:3]
    with pytest.raises(SemcomError, match="--codec does not go with --paper"):
        study_options.study_of(options("--paper gesco --codec av1"), ("camvid",))


def test_a_paper_is_held_on_cityscapes_where_it_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CITYSCAPES_DATASET", "/sets/cityscapes")
    assert study_options.data_of(options("--paper gesco")) == ["cityscapes:/sets/cityscapes"]
    assert study_options.data_of(options("--paper gesco --data camvid:x")) == ["camvid:x"]
    assert study_options.data_of(options("")) == ["scenes:1"]


def test_a_paper_end_to_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`semcom eval --paper`: what is missing is made first, and all is written side by side."""
    missing = tmp_path / "trace"
    link = {"channel": "trace", "trace": str(missing),
            "made_by": f"semcom channel make-trace --out {missing}"}  # fmt: skip
    table = {
        "title": "T", "frames": 1, "sheet": 0, "metrics": ["bpp", "psnr"],
        "systems": [{"codec": "jpeg2000", "payload_bytes": 512}], "links": ["none", link],
        "paper": [{**CLAIM, "row": "jpeg2000, 512 bytes", "level": "ideal", "metric": "bpp"}],
    }  # fmt: skip
    unheld = {k: CLAIM[k] for k in ("source", "what", "paper", "why")}
    content = {"title": "Paper", "paper": [unheld], "tables": [table]}
    (tmp_path / "gsc.yaml").write_text(yaml.safe_dump(content))
    monkeypatch.setattr(study_options, "shipped_folder", lambda name: tmp_path)
    asked: list[list[str]] = []

    def ran(words: list[str]) -> SimpleNamespace:
        asked.append(words[3:])
        return SimpleNamespace(returncode=2)

    monkeypatch.setattr(made_first, "subprocess", SimpleNamespace(run=ran))
    words = f"--paper gsc --quick --train --out {tmp_path}/out"
    run.run(argparse.Namespace(**options(words)))
    assert asked == [["channel", "make-trace", "--out", str(missing)]]
    header, score, held = csv.reader((tmp_path / "out/paper.csv").open())
    assert header[2:4] == ["paper", "table here"]
    assert score[:5] == ["Table I", "PSNR", "30", "T", "scenes:1"] and 0.02 < float(score[5]) < 0.04
    assert held[3:6] == ["–"] * 3 and held[6] == score[6] == "other data"
    report = (tmp_path / "out/report.md").read_text()
    assert report.startswith("# Paper\n") and f"| {score[5]} | other data |" in report
    assert f"not made: make it with `{link['made_by']}`" in report


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("semcom train gesco --camvid DIR --steps 2", "train gesco --camvid /a/camvid --steps 2"),
        ("semcom train x --data camvid:DIR", "train x --data camvid:/a/camvid"),
        ("semcom train pack --data DIR", "train pack --data /a"),
    ],
)
def test_a_command_gets_the_places_of_its_data(command: str, words: str) -> None:
    placed = made_first._placed(command, {"scenes:1": "scenes:1", "camvid": "camvid:/a/camvid"})
    assert " ".join(placed) == f"semcom {words}"


def test_a_command_whose_data_is_nowhere_is_a_sentence() -> None:
    with pytest.raises(SemcomError, match="add --data camvid:DIR"):
        list(made_first._placed("semcom train gesco --camvid DIR", {"scenes:1": "scenes:1"}))


def test_what_cannot_be_trained_here_is_told_and_leaves_its_rows_empty(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    """No data, no GPU for the full width, or already there: nothing is run, nothing stops."""
    commands = [
        "semcom train gesco --camvid DIR",
        "semcom train gesco-paper --data scenes:1",
        f"semcom train x --out {tmp_path}",
    ]
    (table,), lacking = study().tables, SimpleNamespace(lacks="weights")
    cells = [Cell(table, "", Entry(c, c, "x", made_by=(c,)), Link()) for c in commands]
    runner = SimpleNamespace(jobs=dict.fromkeys(cells, lacking))
    monkeypatch.setattr(made_first, "subprocess", None)
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    assert made_first.make_missing(runner, {"scenes:1": "scenes:1"}) == 0
    told = capsys.readouterr().out
    assert "add --data camvid:DIR" in told and "wants a CUDA GPU" in told
    assert "train x" not in told
