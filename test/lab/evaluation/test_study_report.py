# SPDX-License-Identifier: Apache-2.0
"""The report of scores set by hand: who is best, and what is said where nothing is known."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from semcom_ros.frame import Frame
from semcom_ros.lab.evaluation.study.contact_sheet import GAP, TILE, draw_strip
from semcom_ros.lab.evaluation.study.frame_metrics import View
from semcom_ros.lab.evaluation.study.outcome import Outcome
from semcom_ros.lab.evaluation.study.plots import draw_plots
from semcom_ros.lab.evaluation.study.pools import Score
from semcom_ros.lab.evaluation.study.study_file import CEILING, Cell, Table, parse_study
from semcom_ros.lab.evaluation.study.tables import Record, Scores, best, grids
from semcom_ros.reconstruction import Reconstruction

BANDS = ["miss_rate_0_20", "miss_rate_20_40", "miss_rate_40_60", "miss_rate_60_100"]
Values = dict[tuple[str, str], float | str]


def table(**more) -> Table:
    content = {
        "title": "T", "data": "scenes:1", "metrics": ["psnr", "lost"], "across": "payload_bytes",
        "systems": [{"codec": name, "payload_bytes": [128, 512]} for name in ("gesco", "av1")],
    }  # fmt: skip
    return parse_study({"tables": [{**content, **more}]}).tables[0]


def scores(made: Table, values: Values) -> Scores:
    """values: by title of the row and metric; each with an interval of 1 to either side."""
    records = []
    rows = (entry for row in made.entries for entry in row.measured)
    for entry in (*rows, CEILING):
        for link in made.links:
            for metric in made.metrics:
                value = values.get((entry.title, metric))
                ends = (value - 1, value + 1) if isinstance(value, float) else None
                cell = Cell(made, "scenes:1", entry, link)
                records.append(Record(cell, "", None, metric, Score(value, 2, ends)))
    return Scores(made, "scenes:1", records)


def test_the_best_method_of_every_size_is_named_with_those_not_told_from_it() -> None:
    values: Values = {
        ("gesco, 128 bytes", "psnr"): 18.0, ("av1, 128 bytes", "psnr"): 15.0,
        ("gesco, 512 bytes", "psnr"): 19.5, ("av1, 512 bytes", "psnr"): 20.0,
        ("gesco, 128 bytes", "lost"): 0.0, ("av1, 128 bytes", "lost"): 1.0,
        ("gesco, 512 bytes", "lost"): 0.0, ("av1, 512 bytes", "lost"): 0.0,
    }  # fmt: skip
    (grid,) = best(scores(table(), values))
    assert grid.columns == ["128 bytes", "512 bytes"]
    assert grid.rows[0][1] == ["gesco 18.00", "av1 20.00 (gesco)"]
    # Less is better, its interval reaches the other, and a draw is nobody's.
    assert grid.rows[1][1] == ["gesco 0.000 (av1)", "–"]
    assert grid.notes[0] == "Best of 3 comparisons: gesco 2, av1 1."


def test_over_levels_methods_of_one_size_are_compared_level_by_level() -> None:
    links = [{"channel": "awgn", "snr_db": [0, 10]}]
    systems = [{"codec": name, "payload_bytes": 512} for name in ("gesco", "av1")]
    made = table(across="links", links=links, systems=[*systems, "full_image"], metrics=["psnr"])
    values: Values = {
        ("gesco, 512 bytes", "psnr"): 18.0,
        ("av1, 512 bytes", "psnr"): 22.0,
        ("full_image", "psnr"): 40.0,
    }
    (grid,) = best(scores(made, values))
    assert grid.columns == ["SNR 0 dB", "SNR 10 dB"]
    assert grid.rows == [("psnr, dB ↑, 512 bytes", ["av1 22.00", "av1 22.00"])]


def test_one_method_alone_is_not_the_best() -> None:
    made = table(systems=[{"codec": "gesco", "payload_bytes": [128, 512]}])
    assert not list(best(scores(made, {("gesco, 128 bytes", "psnr"): 18.0})))


def test_a_metric_without_a_number_says_why_once() -> None:
    made = table(metrics=["miss_rate_0_20"])
    reason = "not measured: no distances known"
    values: Values = {(e.title, "miss_rate_0_20"): reason for e in made.entries}
    (grid,) = grids(scores(made, values))
    assert grid.markdown()[2:] == [f"- miss_rate_0_20: {reason}"]


@pytest.mark.parametrize(("metrics", "drawn"), [(BANDS, True), (["lost"], False)])
def test_pedestrians_by_distance_are_drawn_where_they_are_known(
    tmp_path: Path, metrics: list[str], drawn: bool
) -> None:
    made = table(metrics=metrics)
    rates = {m: 0.1 * (i + 1) for i, m in enumerate(metrics)}
    values: Values = {(e.title, m): rate for e in made.entries for m, rate in rates.items()}
    files = draw_plots(tmp_path, scores(made, values))
    named = [f.name for f in files if "pedestrians-missed-in-image" in f.name]
    assert bool(named) == drawn


def test_on_a_sheet_the_map_is_dark_where_nothing_was_received() -> None:
    picture, labels = np.zeros((256, 512, 3), np.uint8), np.zeros((256, 512), np.uint8)
    support = np.arange(512) < 256
    shown = Reconstruction(picture, labels, support=np.broadcast_to(support, labels.shape))
    data = SimpleNamespace(frames=[Frame(picture)])
    strip = draw_strip(View(data, 0, Outcome(shown), None, None))
    left, right = (strip[60, 2 * (TILE[1] + GAP) + x].astype(int) for x in (60, 190))
    assert left.sum() > 2 * right.sum() > 0
