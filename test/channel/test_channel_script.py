# SPDX-License-Identifier: Apache-2.0
"""Scripted drives: what they set when, and the sentence for every file that cannot be one."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from semcom_ros.channel.script import Script
from semcom_ros.errors import SemcomError

EXAMPLE = Path(__file__).resolve().parents[2] / "config" / "drive_past_rsu.yaml"


@pytest.fixture
def load(tmp_path: Path):
    def load(text: str, name: str = "drive.yaml") -> Script:
        path = tmp_path / name
        path.write_text(text, "utf-8")
        return Script.load(path)

    return load


def test_a_csv_file_sets_its_columns_over_time_linearly_and_holds_the_ends(load) -> None:
    script = load("time_s,snr_db,loss\n2,0,0\n4,10,0.5\n\n8,-10,1\n", "drive.csv")
    assert script.at(0.0) == script.at(2.0) == {"snr_db": 0.0, "loss": 0.0}
    assert script.at(3.0) == {"snr_db": 5.0, "loss": 0.25}
    assert script.at(6.0) == {"snr_db": 0.0, "loss": 0.75}
    assert script.at(99.0) == {"snr_db": -10.0, "loss": 1.0}


def test_a_point_need_not_set_everything(load) -> None:
    script = load("time_s, snr_db, speed_kmh\n0,0,\n5,,50\n10,10,\n15,20,70\n", "drive.csv")
    assert script.at(5.0) == {"snr_db": 5.0, "speed_kmh": 50.0}
    assert script.at(10.0) == {"snr_db": 10.0, "speed_kmh": 60.0}


def test_a_csv_file_from_a_spreadsheet_is_read(load) -> None:
    assert load("\ufefftime_s,snr_db\r\n0,7\r\n", "DRIVE.CSV").at(3.0) == {"snr_db": 7.0}


def test_yaml_points_say_the_same_as_csv_columns(load) -> None:
    script = load("points:\n- {time_s: 0, snr_db: 0}\n- {time_s: 4, snr_db: 8, k_db: -3}\n")
    assert script.at(1.0) == {"snr_db": 2.0, "k_db": -3.0}


def test_a_looped_drive_begins_again_after_its_last_point(load) -> None:
    script = load("loop: true\npoints:\n- {time_s: 0, snr_db: 0}\n- {time_s: 4, snr_db: 8}\n")
    assert [script.at(t)["snr_db"] for t in (3.0, 4.0, 5.0, 43.0)] == [6.0, 0.0, 2.0, 6.0]


def test_a_straight_drive_passes_the_rsu_at_its_offset_and_starts_again_behind_it(load) -> None:
    # The SNR is the distance itself. 36 km/h are 10 m/s.
    script = load(
        "loop: true\n"
        "drive: {start_m: 30, speed_kmh: 36, offset_m: 4}\n"
        "points: [{distance_m: 0, snr_db: 0}, {distance_m: 50, snr_db: 50}]\n"
    )
    for time_s, along_m in ((0.0, 30), (3.0, 0), (4.0, -10), (5.9, -29), (6.5, 25)):
        assert script.at(time_s)["snr_db"] == pytest.approx(math.hypot(along_m, 4))
    assert script.at(1.0)["speed_kmh"] == 36.0


def test_a_drive_by_a_table_of_distances_over_time(load) -> None:
    script = load(
        "drive:\n- {time_s: 0, distance_m: 40}\n- {time_s: 4, distance_m: 0}\n"
        "- {time_s: 12, distance_m: 80}\n"
        "points:\n- {distance_m: 20, snr_db: 20}\n- {distance_m: 60, snr_db: 0}\n"
    )
    assert [script.at(t)["snr_db"] for t in (0, 2, 4, 6, 12)] == [10.0, 20.0, 20.0, 20.0, 0.0]
    assert "speed_kmh" not in script.at(0.0)


def test_whole_numbers_are_rounded_between_points(load) -> None:
    script = load("time_s,vehicles_in_range,queue\n0,1,4\n10,30,4\n", "drive.csv")
    met = script.at(5.0)
    assert met == {"vehicles_in_range": 16, "queue": 4}
    assert [type(value) for value in met.values()] == [int, int]


def test_a_tilde_in_the_path_is_the_home_folder(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "drive.csv").write_text("time_s,snr_db\n0,7\n", "utf-8")
    assert Script.load("~/drive.csv").at(0.0) == {"snr_db": 7.0}


def refuse_short_bursts(values: dict[str, float]) -> None:
    if 0 < values["burst"] < 1:
        raise SemcomError("burst must be 0 or 1 or more.")


def test_values_are_checked_at_and_between_the_points_of_all_settings(load) -> None:
    script = load("time_s,burst,snr_db\n0,2,\n3,,0\n10,4,5\n", "drive.csv")
    checked: list[dict[str, float]] = []
    script.check(checked.append)
    assert all(script.at(t) in checked for t in (0.0, 3.0, 6.5, 10.0))
    script.check(refuse_short_bursts)


@pytest.mark.parametrize("loop", ["", "loop: true\n"])
def test_values_that_do_not_go_together_are_refused_with_file_and_time(load, loop: str) -> None:
    points = "points:\n- {time_s: 0, burst: 3}\n- {time_s: 4, burst: 0}\n"
    script = load(loop + points + "- {time_s: 8, burst: 1000}\n")
    with pytest.raises(SemcomError, match=r"drive\.yaml: At 4 s: burst must be"):
        script.check(refuse_short_bursts)


def test_values_that_do_not_go_together_are_refused_with_the_distance(load) -> None:
    script = load(
        "drive: {start_m: 30, speed_kmh: 36}\n"
        "points:\n- {distance_m: 20, burst: 0.5}\n- {distance_m: 25, burst: 2}\n"
    )
    with pytest.raises(SemcomError, match=r"drive\.yaml: At 20 m from the RSU: burst must be"):
        script.check(refuse_short_bursts)


def test_the_example_is_an_snr_bump_while_passing_the_rsu() -> None:
    script = Script.load(EXAMPLE)
    passing_s = 300 / (50 / 3.6)
    snrs = [script.at(t)["snr_db"] for t in (0.0, passing_s / 2, passing_s, 1.5 * passing_s)]
    assert snrs[0] == pytest.approx(-4.0, abs=0.1) and snrs[2] == 27.0
    assert snrs[1] == pytest.approx(snrs[3]) == pytest.approx(2.3, abs=0.1)
    assert script.at(2 * passing_s + 1.0) == script.at(1.0)


POINT = "- {time_s: 0, snr_db: 0}"


@pytest.mark.parametrize(
    ("text", "place", "sentence"),
    [
        ("time_s,snr_db\n", "", "no points"),
        ("", "", "no points"),
        ("time_s,snr\n0,1\n", "line 2, column 2", "did you mean 'snr_db'"),
        ("time_s,snr_db\n0,high\n", "line 2, column 2", "it must be a number"),
        ("time_s,snr_db\n0,nan\n", "line 2, column 2", "it must be a number"),
        ("time_s,snr_db\n0,1\n1,99\n", "line 3, column 2", "must be -20.0 to 60.0"),
        (
            "time_s,vehicles_in_range\n0,0.4\n",
            "line 2, column 2",
            "vehicles_in_range is 0; it must be 1 to 1000",
        ),
        ("time_s,reorder\n0,1\n", "line 2, column 2", "no setting for a script 'reorder'"),
        ("time_s,snr_db\n0,1\n0,2\n", "line 3, column 1", "must grow from the 0 before"),
        ("time_s,snr_db\n-1,1\n", "line 2, column 1", "0 or more"),
        ("time_s,snr_db\n0,1,2\n", "line 2, column 3", "one cell for each"),
        ("time_s,snr_db,snr_db\n0,1,2\n", "line 1, column 3", "named twice"),
        ("time_s,channel\n0,1\n", "line 2, column 2", "no setting for a script 'channel'"),
        ("time_s,rate_hz\n0,1\n", "line 2, column 2", "no setting for a script 'rate_hz'"),
        ("time_s\n0\n", "line 2, column 1", "set nothing"),
        ("distance_m,snr_db\n0,1\n", "line 2, column 1", "need a drive"),
    ],
)
def test_a_csv_file_that_is_no_script_gets_a_sentence_with_its_place(
    load, text: str, place: str, sentence: str
) -> None:
    with pytest.raises(SemcomError, match=rf"drive\.csv.*{place}.*{sentence}"):
        load(text, "drive.csv")


@pytest.mark.parametrize(
    ("text", "place", "sentence"),
    [
        ("", "", "is empty"),
        ("points: [\n", "line 2, column 1", "no YAML"),
        ("points: \x00\n", "", "no YAML"),
        ("points: {time_s: 0}\n", "line 1, column 9", "must be a list of points"),
        ("points: []\n", "line 1, column 9", "must be a list of points"),
        (f"point:\n{POINT}\n", "line 1, column 1", "did you mean 'points'"),
        ("loop: true\n", "line 1, column 1", "no points"),
        (f"loop: often\npoints:\n{POINT}\n", "line 1, column 7", "true or false"),
        (f"loop: true\npoints:\n{POINT}\n", "", "lasts 0 s"),
        ("points:\n- {time_s: 0, snr_db: [1]}\n", "line 2, column 23", "a single value"),
        ("points:\n- {time_s: 0, time_s: 1}\n", "line 2, column 15", "named twice"),
        ("points:\n- {snr_db: 1}\n", "line 2, column 12", "no time_s"),
        (f"drive: {{start_m: 1}}\npoints:\n{POINT}\n", "", "no distance_m"),
        ("drive: [1]\npoints:\n- {distance_m: 0, snr_db: 0}\n", "line 1, column 9", "mapping"),
        *(
            (f"drive: {drive}\npoints:\n- {{distance_m: 0, snr_db: 0}}\n", place, sentence)
            for drive, place, sentence in (
                ("{start_m: 1}", "line 1, column 18", "no speed_kmh"),
                ("{speed_kmh: 1}", "line 1, column 20", "no start_m"),
                ("{start_m: 1, speed_kmh: 0}", "line 1, column 32", "must move"),
                ("{start_m: 1, speed_kmh: 900}", "line 1, column 32", "must be 0.0 to 500.0"),
                ("{start_m: -1, speed_kmh: 9}", "line 1, column 18", "0 or more"),
                ("{start_m: 1, speed: 9}", "line 1, column 28", "did you mean 'speed_kmh'"),
                ("[{time_s: 0}]", "line 1, column 18", "no distance_m"),
                ("[{time_s: 0, distance_m: 1, snr_db: 1}]", "line 1", "no part of a drive"),
            )
        ),
    ],
)
def test_a_yaml_file_that_is_no_script_gets_a_sentence_with_its_place(
    load, text: str, place: str, sentence: str
) -> None:
    with pytest.raises(SemcomError, match=rf"drive\.yaml.*{place}.*{sentence}"):
        load(text)


def test_a_file_that_cannot_be_read_gets_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(SemcomError, match="cannot be read: No such file"):
        Script.load(tmp_path / "missing.csv")
    with pytest.raises(SemcomError, match="neither a .csv nor a .yaml"):
        Script.load(tmp_path / "drive.txt")
    (tmp_path / "drive.csv").write_bytes(b"time_s,snr_db\n0,\xff\n")
    with pytest.raises(SemcomError, match="not text in UTF-8"):
        Script.load(tmp_path / "drive.csv")
