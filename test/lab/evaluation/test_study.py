# SPDX-License-Identifier: Apache-2.0
"""Studies from end to end: they resume, repeat themselves, and write what a reader needs."""

from __future__ import annotations

import argparse
import csv
import json
from pathlib import Path

import numpy as np
import pytest

from semcom_ros.errors import SemcomError
from semcom_ros.frame import Frame
from semcom_ros.lab.evaluation.study import run, runner, study_options, systems
from semcom_ros.lab.evaluation.study.links import Link, parse_links
from semcom_ros.lab.evaluation.study.outcome import Outcome, rate_of
from semcom_ros.lab.evaluation.study.study_file import parse_study
from semcom_ros.lab.evaluation.study.systems import GREY, create_system
from semcom_ros.payload import Header, Part, Payload, pack
from semcom_ros.reconstruction import Reconstruction

OPTIONS = "--codec speckled --channel awgn --snr-db 0,10 --metrics bytes,lost,flicker"


class Speckled:
    """Flips labels and brightens the image, more the worse the link; every third frame is lost."""

    codec, setting, uses_labels, models, lacks = "speckled", None, False, (), ""
    links = frozenset({"none", "channel"})
    runs = 0

    def __init__(self, shift: int = 1) -> None:
        self.shift = shift

    def prepare(self, frames: object) -> None: ...

    def begin(self, link: Link, seed: int) -> None:
        self.snr_db, self.seed = link.snr_db or 0.0, seed

    def run(self, frame: Frame, labels: np.ndarray | None, index: int) -> Outcome:
        Speckled.runs += 1
        flipped = np.random.default_rng([self.seed, index]).random(frame.labels.shape)
        received = np.where(flipped < 0.1 / (1 + self.snr_db), 0, frame.labels).astype(np.uint8)
        image = frame.image // 2 + self.shift * (index % 2)
        shown = Reconstruction(image=image.astype(np.uint8), labels=received)
        return Outcome(shown, frame.labels, bytes=100 + index, lost=index % 3 == 2)

    def end(self) -> None: ...


@pytest.fixture(autouse=True)
def known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(systems.SYSTEMS, "speckled", f"{__name__}:Speckled")
    Speckled.runs = 0


def evaluate(out: Path, options: str = OPTIONS, frames: int = 4) -> Path:
    parser = argparse.ArgumentParser()
    run.add_arguments(parser)
    words = f"--data scenes:1 {options} --frames {frames} --out {out}".split()
    run.run(parser.parse_args(words))
    return out / "scores.csv"


def study_runner(out: Path, **table) -> runner.Runner:
    content = {"title": "T", "data": "scenes:1", "systems": "speckled", "frames": 3, "sheet": 0}
    study = parse_study({"tables": [{**content, **table}]})
    return runner.Runner(study, {}, out / "cells")


def test_a_stopped_study_resumes_to_the_same_scores(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = evaluate(tmp_path / "whole")
    Speckled.runs = 0

    def stop(self, frame: Frame, labels: object, index: int, go_on=Speckled.run) -> Outcome:
        if Speckled.runs == 6:
            raise KeyboardInterrupt
        return go_on(self, frame, labels, index)

    with monkeypatch.context() as patch:
        patch.setattr(Speckled, "run", stop)
        with pytest.raises(KeyboardInterrupt):
            evaluate(tmp_path / "stopped")
    assert not (tmp_path / "stopped" / "scores.csv").exists()
    resumed = evaluate(tmp_path / "stopped")
    assert resumed.read_bytes() == whole.read_bytes()
    assert Speckled.runs == 6 + 4  # of two cells of four frames the first was there already


def test_shards_together_leave_what_one_run_leaves(tmp_path: Path) -> None:
    whole = evaluate(tmp_path / "whole", frames=1).with_suffix(".json")
    Speckled.runs = 0
    for shard in ("2/2", "1/2"):
        evaluate(tmp_path / "parts", f"{OPTIONS} --shard {shard}", frames=1)
        assert Speckled.runs == 1  # of two cells of one frame each
        Speckled.runs = 0
    assert [path.name for path in (tmp_path / "parts").iterdir()] == ["cells"]
    parts = evaluate(tmp_path / "parts", frames=1).with_suffix(".json")
    assert parts.read_bytes() == whole.read_bytes() and not Speckled.runs


@pytest.mark.parametrize("shard", ["0/2", "3/2", "2", "a/b", "1/-1"])
def test_what_is_no_shard_is_a_sentence(shard: str) -> None:
    with pytest.raises(SemcomError, match="is no shard: write 2/8"):
        study_options.read_shard(shard)


def test_the_results_of_a_study_are_complete(tmp_path: Path) -> None:
    scores = evaluate(tmp_path)
    rows = list(csv.DictReader(scores.open()))
    content = json.loads((tmp_path / "scores.json").read_text())
    fields = {"table", "data", "split", "system", "codec", "setting", "channel", "snr_db",
              "level", "metric", "value", "unit", "n", "ci95"}  # fmt: skip
    assert all(record.keys() == fields for record in content["scores"])
    assert len(rows) == len(content["scores"]) == 3 * 3
    assert content["provenance"].keys() >= {"command", "commit", "models", "seed", "versions"}
    first = rows[0]
    assert (first["data"], first["channel"], first["snr_db"]) == ("scenes:1", "awgn", "0")
    assert (first["metric"], first["value"], first["n"]) == ("bytes", "101.5", "4")
    assert float(first["ci95_low"]) < 101.5 < float(first["ci95_high"])
    report = (tmp_path / "report.md").read_text()
    assert "| system | SNR 0 dB | SNR 10 dB |" in report and "| real image |" in report
    pictures = [line.split("(")[1][:-1] for line in report.splitlines() if line[:2] == "!["]
    assert {Path(name).parent.name for name in pictures} == {"plots", "sheets"}
    assert all((tmp_path / name).stat().st_size > 1000 for name in pictures)


def test_a_metric_more_is_measured_without_the_others_again(tmp_path: Path) -> None:
    study_runner(tmp_path, metrics="bytes").run(lambda *_: None)
    more = study_runner(tmp_path, metrics=["bytes", "miou_received_vs_sent"])
    assert all(metrics == ["miou_received_vs_sent"] for _, metrics in more.left())
    more.run(lambda *_: None)
    assert not more.left()


def test_a_cell_is_measured_anew_when_what_it_hangs_on_changes(tmp_path: Path) -> None:
    study_runner(tmp_path, metrics="bytes").run(lambda *_: None)
    assert not study_runner(tmp_path, metrics="bytes", title="of another name").left()
    for change in ({"systems": {"system": "speckled", "shift": 2}}, {"frames": 2},
                   {"data": "scenes:2"}, {"links": {"channel": "awgn"}}):  # fmt: skip
        assert study_runner(tmp_path, **{"metrics": "bytes", **change}).left(), change


def test_a_cell_is_measured_anew_when_a_file_of_its_link_changes(tmp_path: Path) -> None:
    script = tmp_path / "drive.csv"
    script.write_text("time_s,snr_db\n0,20\n1,10\n")
    table = {"metrics": "bytes", "links": {"channel": "awgn", "script": str(script)}}
    study_runner(tmp_path, **table).run(lambda *_: None)
    assert not study_runner(tmp_path, **table).left()
    script.write_text("time_s,snr_db\n0,20\n1,-10\n")
    assert study_runner(tmp_path, **table).left()


def test_data_that_lies_nowhere_and_links_that_do_not_fit_are_sentences(tmp_path: Path) -> None:
    with pytest.raises(SemcomError, match="add --data camvid:DIR"):
        study_runner(tmp_path, data="camvid")
    with pytest.raises(SemcomError, match="'speckled' does not go over gaussian"):
        study_runner(tmp_path, links={"noise": "gaussian"})
    with pytest.raises(SemcomError, match="There is no option of system 'speckled' 'shfit'"):
        study_runner(tmp_path, systems={"system": "speckled", "shfit": 2})


def test_what_training_makes_is_not_asked_of_a_clean_clone(tmp_path: Path) -> None:
    row = {"system": "gesco_planes", "labels": "truth", "weights": f"{tmp_path}/w.safetensors"}
    command = "semcom channel make-trace"
    trace = {"channel": "trace", "trace": f"{tmp_path}/trace", "made_by": command}
    made = study_runner(
        tmp_path,
        systems=[{**row, "made_by": ["semcom train a", "semcom train b"]}, "full_image"],
        links=["none", {"noise": "gaussian"}],
    )
    made_links = study_runner(tmp_path, systems="full_image", links=["none", trace], metrics="psnr")
    lacking = {job.cell.link.kind: job.lacks for job in made_links.jobs.values()}
    assert lacking == {"none": "", "channel": f"make it with `{command}`"}
    assert {job.cell.entry.title for job, _ in made.left()} == {"full_image", "real image"}
    empty = {str(r.score.value) for r in made.records() if r.cell.entry.system == "gesco_planes"}
    assert empty == {"not made: make it with `semcom train a`, then `semcom train b`"}


def test_a_wrong_path_that_no_command_makes_is_told_before_anything_is_measured(
    tmp_path: Path,
) -> None:
    trace = {"channel": "trace", "trace": f"{tmp_path}/nowhere"}
    with pytest.raises(SemcomError, match="nowhere"):
        study_runner(tmp_path, links=["none", trace])
    assert not Speckled.runs


def drive(system: systems.System, link: object, seed: int = 1) -> list[Outcome]:
    grey = Frame(np.full((256, 512, 3), 100, np.uint8))
    frames = [Frame(grey.image + 5 * i) for i in range(6)]
    labels = np.zeros((256, 512), np.uint8) if system.uses_labels else None
    system.begin(*parse_links(link), seed)
    return [system.run(frame, labels, i) for i, frame in enumerate(frames)]


def test_a_lost_frame_leaves_the_last_good_one_concealed() -> None:
    system = create_system("codec", {"codec": "jpeg2000", "payload_bytes": 400})
    outcomes = drive(system, {"channel": "awgn", "loss": 0.5})
    assert {outcome.lost for outcome in outcomes} == {False, True}
    shown = np.full((256, 512, 3), GREY, np.uint8)
    for outcome in outcomes:
        image = outcome.reconstruction.image
        assert np.array_equal(image, shown) == outcome.lost
        shown = image


@pytest.mark.parametrize("name", ["full_image", "gesco_planes"])
def test_symbols_that_are_lost_leave_the_last_good_image_concealed(name: str) -> None:
    options = {} if name == "full_image" else {"rows": 64}
    system = create_system(name, options)
    outcomes = drive(system, {"channel": "awgn", "loss": 0.5})
    assert {outcome.lost for outcome in outcomes} == {False, True}
    shown = np.full((256, 512, 3), GREY, np.uint8)
    for outcome in outcomes:
        image = outcome.reconstruction.image
        if outcome.lost:
            assert np.array_equal(image, shown)
        elif name == "gesco_planes":
            assert outcome.channel_uses > 0 and outcome.reconstruction.labels is not None
        shown = image
    if name == "gesco_planes":
        assert {o.channel_uses for o in outcomes if o.lost} == {None}


def test_uncoded_symbols_count_as_two_bits_and_coded_payloads_by_their_bytes() -> None:
    frame = Frame(np.zeros((256, 512, 3), np.uint8))
    header = Header("gesco", 1, b"", 256, 512, "", 0, 0)
    coded = Part("map", 0, bits=bytes(100))
    symbols = Part("planes", 1, symbols=np.ones(4096, np.complex64))
    rate = rate_of(Payload(header, (coded, symbols)), frame)
    assert rate == (None, (2 * 4096 + 800) / (256 * 512), 4096)
    payload = Payload(header, (coded,))
    n = len(pack(payload))
    assert rate_of(payload, frame) == (n, 8 * n / (256 * 512), 8 * n)


def test_a_frame_that_does_not_fit_is_refused_and_lost() -> None:
    system = create_system("codec", {"codec": "jpeg2000", "payload_bytes": 40})
    outcomes = drive(system, "none")
    assert all(o.lost and o.bytes is None and "raise payload_bytes" in o.refusal for o in outcomes)


class Moved:
    """Somebody's codec of nothing, which remembers where it was sent."""

    places: list[str] = []

    def to(self, device: str) -> None:
        self.places.append(device)

    def encode(self, frame: Frame, request: object) -> tuple[Part, ...]:
        return (Part("nothing", 0, bits=b"0"),)

    def decode_images(self, batch: list, known: list) -> list[np.ndarray]:
        return [np.zeros((256, 512, 3), np.uint8) for _ in batch]


def test_both_ends_of_a_codec_run_on_the_device_of_the_study() -> None:
    system = create_system("codec", {"codec": f"{__name__}:Moved"}, device="meta")
    assert Moved.places == ["meta", "meta"] and not drive(system, "none")[0].lost


def test_the_noise_on_a_full_image_has_the_power_that_its_psnr_says() -> None:
    image = np.full((256, 512, 3), 128, np.uint8)
    system = create_system("full_image", {})
    system.begin(*parse_links({"noise": "gaussian", "psnr_db": 20}), 1)
    shown = system.run(Frame(image), None, 0).reconstruction.image
    power = 3 * (128 / 255) ** 2
    error = np.mean(np.square(shown / 255 - image / 255))
    assert error == pytest.approx(power / 100, rel=0.02)
