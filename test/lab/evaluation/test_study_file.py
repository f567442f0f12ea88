# SPDX-License-Identifier: Apache-2.0
"""A study as a user writes it: in YAML or on the command line, and what is said of mistakes."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from semcom_ros.errors import SemcomError
from semcom_ros.lab.evaluation.study import run, study_options, tables
from semcom_ros.lab.evaluation.study.links import Link, parse_links, spread
from semcom_ros.lab.evaluation.study.study_file import parse_study, read_study

STUDY = """
seed: 3
frames: 7
tables:
  - title: Fading
    data: camvid
    systems:
      - {codec: gesco, payload_bytes: [256, 512], gesco_steps: 4}
      - {system: full_image, name: pixels}
      - jpeg2000
    links: [{channel: rayleigh, snr_db: "0:20:10", speed_kmh: 120}, none]
    metrics: [psnr, bytes]
  - {title: Noise, systems: full_image, links: [{noise: poisson, psnr_db: [10, 1]}], frames: 2}
"""


def parsed(words: str):
    parser = argparse.ArgumentParser()
    run.add_arguments(parser)
    return study_options.study_of(vars(parser.parse_args(words.split())), ("scenes:1",))


def table(**more) -> dict:
    return {"tables": [{"systems": ["jpeg2000"], "data": "scenes:1", **more}]}


def test_a_study_in_yaml_is_read_as_it_is_written(tmp_path: Path) -> None:
    (tmp_path / "study.yaml").write_text(STUDY)
    study = read_study(tmp_path / "study.yaml", ("scenes:1",))
    fading, noise = study.tables
    assert study.seed == 3 and (fading.frames, noise.frames) == (7, 2)
    assert (fading.data, noise.data) == (("camvid",), ("scenes:1",))
    names = [entry.title for entry in fading.entries]
    assert names == ["gesco, 256 bytes", "gesco, 512 bytes", "pixels", "jpeg2000"]
    assert dict(fading.entries[0].options)["gesco_steps"] == 4
    assert [link.level for link in fading.links] == [
        "SNR 0 dB", "SNR 10 dB", "SNR 20 dB", "ideal"
    ]  # fmt: skip
    assert fading.links[0].model == "rayleigh, speed_kmh 120"
    assert [link.level for link in noise.links] == ["PSNR 10 dB", "PSNR 1 dB"]


def test_what_the_command_line_says_holds_for_every_table(tmp_path: Path) -> None:
    (tmp_path / "study.yaml").write_text(STUDY)
    study = parsed(f"--config {tmp_path}/study.yaml --frames 30 --seed 9 --quick --metrics lost")
    assert study.seed == 9
    assert [t.frames for t in study.tables] == [16, 16]
    assert [t.metrics for t in study.tables] == [("lost",), ("lost",)]


def test_a_quick_study_leaves_out_the_tables_that_say_so(tmp_path: Path) -> None:
    (tmp_path / "study.yaml").write_text(STUDY.replace("frames: 2}", "frames: 2, quick: false}"))
    (made,) = parsed(f"--config {tmp_path}/study.yaml --quick").tables
    assert (made.title, made.frames) == ("Fading", 7)
    assert len(parsed(f"--config {tmp_path}/study.yaml").tables) == 2


def test_the_command_line_makes_one_table_of_codecs_over_levels() -> None:
    words = "--codec jpeg2000,full_image --setting 128,256 --channel awgn --snr-db -5:30:5"
    (made,) = parsed(words).tables
    names = [e.title for e in made.entries]
    assert names == ["jpeg2000, 128 bytes", "jpeg2000, 256 bytes", "full_image"]
    assert [link.snr_db for link in made.links] == [-5, 0, 5, 10, 15, 20, 25, 30]
    assert made.across == "links"


def test_the_command_line_names_the_trace_of_the_channel(tmp_path: Path) -> None:
    (made,) = parsed(f"--channel awgn,trace --trace {tmp_path} --snr-db 3").tables
    assert [dict(link.settings).get("trace") for link in made.links] == [None, str(tmp_path)]
    with pytest.raises(SemcomError, match="give --channel trace"):
        parsed(f"--channel awgn --trace {tmp_path}")


def test_ranges_hold_their_ends_and_lists_go_on() -> None:
    assert spread("-5:5:5") == [-5, 0, 5]
    assert spread("0:1:0.25") == [0, 0.25, 0.5, 0.75, 1]
    assert spread([1, "2:3:1"]) == [1, 2, 3]
    assert study_options.read_numbers("128,1:3:1,0.5") == [128, 1, 2, 3, 0.5]
    assert spread("gesco") == ["gesco"]


def test_an_ideal_channel_is_the_ideal_link() -> None:
    assert parse_links({"channel": "none"}) == [Link()] == parse_links("none")


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (table(metrics=["psnrr"]), "There is no metric 'psnrr': did you mean 'psnr'?"),
        (table(systems=["gescoo"]), "There is no system 'gescoo'"),
        (table(systems=[{"codec": "gescoo"}]), "There is no codec 'gescoo'"),
        (table(links=["awgnn"]), "The link 'awgnn' is not known: write none"),
        (table(links=[{"channel": "awgnn"}]), "awgnn"),
        (table(links=[{"noise": "gauss"}]), "There is no noise 'gauss'"),
        (table(links=[{"channel": "awgn", "snr": 3}]), "There is no channel parameter 'snr'"),
        (table(links=[{"channel": "awgn", "snr_db": "5:1:1"}]), "The range '5:1:1' holds nothing"),
        (table(across="rows"), "There is no layout of a table 'rows'"),
        (table(sistems=[]), "There is no key of a table 'sistems'"),
        (table(systems=["jpeg2000", "jpeg2000"]), "Two rows of the table 'Study'"),
        (table(frames=0), "frames is 0"),
        ({"seed": 1}, "The study has no tables"),
        ([], "In the study, [] stands where"),
    ],
)
def test_a_mistake_in_a_study_is_told_in_a_sentence(content: object, sentence: str) -> None:
    with pytest.raises(SemcomError) as error:
        parse_study(content)
    assert sentence in str(error.value)


def test_links_without_a_level_are_told_apart() -> None:
    links = parse_links({"channel": "none", "loss": [0.1, 0.5]})
    assert [link.level for link in links] == ["none, loss 0.1", "none, loss 0.5"]
    assert Link().level == "ideal"


def test_two_places_of_one_kind_of_data_are_refused() -> None:
    with pytest.raises(SemcomError, match="Two --data are called camvid"):
        study_options.places_of(["camvid:a", "camvid:b"])
    assert list(study_options.places_of(["scenes:1", "scenes:2"])) == ["scenes:1", "scenes:2"]


def test_a_command_is_told_without_the_place_of_its_data() -> None:
    places = study_options.places_of(["camvid:here"])
    words = ["--data", "camvid:here", "--data=camvid:here", "--frames"]
    told = [run._placeless(word, places) for word in words]
    assert told == ["--data", "camvid:DIR", "--data=camvid:DIR", "--frames"]


def test_an_snr_without_a_channel_is_refused() -> None:
    with pytest.raises(SemcomError, match="give --channel"):
        parsed("--snr-db 10")


def test_a_method_without_a_size_shows_no_figure_in_its_column() -> None:
    systems = [{"codec": "jpeg2000", "payload_bytes": [256, 512]},
               {"codec": "av1", "payload_bytes": 512}, "full_image"]  # fmt: skip
    (made,) = parse_study(table(systems=systems)).tables
    assert tables._of_size(made, "av1", 256) is None
    assert tables._of_size(made, "av1", 512).title == "av1, 512 bytes"
    assert tables._of_size(made, "full_image", 256).title == "full_image"


def test_options_of_one_table_do_not_go_with_a_study_file(tmp_path: Path) -> None:
    with pytest.raises(SemcomError, match="--codec does not go with --config"):
        parsed(f"--config {tmp_path}/study.yaml --codec gesco")


def test_the_studies_that_come_with_the_package_are_read() -> None:
    folder = Path(__file__).resolve().parents[3] / "config"
    results = read_study(folder / "results.yaml", ("camvid",))
    first = results.tables[0]
    assert first.sizes == [128, 256, 512, 1024, 4096]
    assert {table.data for table in results.tables} == {("camvid",), ("scenes:1",)}
    assert read_study(folder / "gesco.yaml", ("camvid",)).tables
