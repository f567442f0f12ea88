# SPDX-License-Identifier: Apache-2.0
"""A short run of the fuzzing, whose counts docs/reliability.md has; it would find faults."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from functools import partial
from pathlib import Path

import pytest

from semcom_ros.cli import main
from semcom_ros.codecs import CODECS
from semcom_ros.lab.fuzz import corpus, run
from semcom_ros.lab.fuzz.mutate import Mutator
from semcom_ros.payload import pack, unpack

CORPUS = Path(__file__).resolve().parent.parent / "corpus"


def test_the_corpus_has_payloads_of_every_codec_and_is_small() -> None:
    assert corpus.load(CORPUS).keys() == CODECS.keys()
    assert sum(path.stat().st_size for path in CORPUS.iterdir()) < 60_000


def test_no_packet_surprises_who_unpacks_it(tmp_path: Path) -> None:
    line = ["fuzz", "unpack", "--corpus", str(CORPUS), "--out", str(tmp_path)]
    assert main([*line, "--executions", "5000"]) == 0


def test_no_payload_surprises_a_decoder(tmp_path: Path) -> None:
    line = ["fuzz", "decode", "--corpus", str(CORPUS), "--out", str(tmp_path)]
    assert main([*line, "--executions", "20"]) == 0


def test_the_same_seed_tampers_alike_and_parts_keep_their_checksums() -> None:
    payloads = [one for of_codec in corpus.load(CORPUS).values() for one in of_codec]
    one, other = Mutator(payloads, 7), Mutator(payloads, 7)
    for _ in range(50):
        data = pack(one.payload())
        assert data == pack(other.payload())
        unpack(data)


@pytest.mark.parametrize(
    ("does", "what"),
    [
        (lambda: 1 / 0, "ZeroDivisionError('division by zero')"),
        (lambda: "ALTERED", "ALTERED"),
        (lambda: "map", "took 0.0 s"),
        (lambda: "map", "took 2 MiB"),
    ],
)
def test_a_fault_is_told_and_what_shows_it_is_kept(
    does, what, tmp_path, capsys, monkeypatch
) -> None:
    monkeypatch.setattr(run, "MOST_S", -1.0 if what.endswith(" s") else 60.0)
    monkeypatch.setattr(run, "_peak_bytes", iter([0, *[2 << 20] * 9]).__next__)
    monkeypatch.setattr(run, "MOST_BYTES", 1 << 20 if "MiB" in what else 1 << 40)
    found = run.Trial(tmp_path).run(1, lambda: (b"shows it", does))
    assert found["faults"] == 1
    assert (tmp_path / "fault_1.bin").read_bytes() == b"shows it"
    assert what in capsys.readouterr().out


def works_for_ever() -> str:
    while True:
        pass


def waits(seconds: float) -> str:
    threading.Event().wait(seconds)
    return "map"


@pytest.mark.parametrize(
    ("limits", "does", "status", "told"),
    [
        ((0.05, 600.0), works_for_ever, -signal.SIGPROF, "works_for_ever"),
        ((60.0, 0.05), partial(waits, 600.0), 1, "waits"),
        # As on a machine that is busy with other things.
        ((0.05, 600.0), partial(waits, 0.2), 0, ""),
    ],
)
def test_what_never_ends_ends_the_run_and_is_kept(
    limits, does, status, told, tmp_path, monkeypatch
) -> None:
    monkeypatch.setattr(run, "HANGS_S", limits[0])
    monkeypatch.setattr(run, "SLEEPS_S", limits[1])

    def fuzz() -> None:
        os.dup2(os.open(tmp_path / "told", os.O_WRONLY | os.O_CREAT), 2)
        run.Trial(tmp_path).run(1, lambda: (b"shows it", does))

    process = multiprocessing.get_context("fork").Process(target=fuzz)
    process.start()
    process.join(60)
    assert process.exitcode == status
    assert (tmp_path / "current.bin").read_bytes() == b"shows it"
    assert told in (tmp_path / "told").read_text()


def test_without_payloads_the_sentence_says_how_to_get_some(tmp_path, capsys) -> None:
    assert main(["fuzz", "unpack", "--corpus", str(tmp_path), "--out", str(tmp_path)]) == 2
    assert "`semcom fuzz corpus` writes some there" in capsys.readouterr().err
