# SPDX-License-Identifier: Apache-2.0
"""`semcom bench`: what it times, on which device, for how many frames, and what it writes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from another_device import another_device
from settings_here import settings_here
from tiny_gesco import shipped_beside, write_paper
from tiny_gsc import TINY
from tiny_sqgan import PAPER as SQGAN

from semcom_ros.cli import main
from semcom_ros.codecs.gesco.paper.network import GescoPaperSizes
from semcom_ros.lab.evaluation import (
    bench,
    bench_papers,
    bench_plan,
    benches,
    published_networks,
    timing,
)
from semcom_ros.lab.evaluation.benches import BENCHES, Bench
from semcom_ros.lab.evaluation.published_networks import Published
from semcom_ros.lab.learned_denoiser import LearnedDenoiser
from semcom_ros.perception.perceive import Perception
from semcom_ros.perception.segmentation import Segmenter

SMALL = GescoPaperSizes(32, (1,) * 6, blocks=1, attention=(32,), head=32, hidden=8)
"""Attention at a few positions alone."""
CODEC = ("decode_labels_ms", "decode_ms")
STEPS = {
    "segmenter": ("segment_ms",),
    "perception": ("all_ms",),
    "gesco": (*CODEC, "condition_ms", "step_ms", "decode_diffusion_8_ms"),
    "sqgan": (*CODEC, "image_receiver_ms"),
    "gsc": (*CODEC, "decode_images_ms"),
}
"""Those that are timed of a batch."""
SINGLE = {
    "gesco": ("segment_ms", "encode_ms", "fast_denoising_ms"),
    "sqgan": ("segment_ms", "encode_ms", "image_sender_ms", "map_receiver_ms"),
    "gsc": ("segment_ms", "encode_ms"),
}


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every call is timed once, without a warm-up."""
    once = timing.measure
    monkeypatch.setattr(
        bench, "measure", lambda call, repeats, device, warm_up=0: once(call, 1, device, 0)
    )
    monkeypatch.setattr(bench, "convolution_rate", lambda device, batch: 1e9)


def forget() -> None:
    """Make the papers' networks anew."""
    for made in ("_gesco", "_sqgan", "_gsc"):
        getattr(published_networks, made).cache_clear()


@pytest.fixture
def fresh() -> Iterator[None]:
    forget()
    yield
    forget()


@pytest.mark.parametrize("name", STEPS)
def test_a_bench_of_networks_writes_medians_of_one_frame_and_of_several(
    name: str, quick: None, tmp_path: Path
) -> None:
    options = f"--threads 1 --batch 1 2 --json {tmp_path / 'times.json'}"
    assert main(["bench", name, *options.split()]) == 0
    found = json.loads((tmp_path / "times.json").read_text())
    for step in (*STEPS[name], *SINGLE.get(name, ())):
        assert found[step]["p99"] >= found[step]["median"] > 0
    together = found["batch_2"]
    assert {step for step in together if step.endswith("_ms")} >= set(STEPS[name])
    assert not set(SINGLE.get(name, ())) & set(together)
    assert (found["batch"], together["batch"]) == (1, 2)


def test_codecs_report_what_their_networks_need_at_least(
    quick: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the paper's, which would take a minute: a call of nothing stands for them where timed."""
    nothing = Published(list, 1)
    for name in ("published_gesco", "published_sqgan"):
        made = getattr(benches, name)

        def pretend(*where, made=made):
            return made(*where) if "meta" in where else nothing

        monkeypatch.setattr(benches, name, pretend)
    out = tmp_path / "times.json"
    assert main(["bench", "gesco", "--threads", "1", "--paper", "--json", str(out)]) == 0
    found = json.loads(out.read_text())
    assert found["floor_ms"] == pytest.approx(1e3 * found["giga_operations"], rel=0.01)
    assert found["paper_million_parameters"] == 654.0 and found["paper_giga_operations"] == 6957
    assert "paper_pass_ms" not in found  # 20 s on a processor: only where asked for
    words = f"bench sqgan --threads 1 --paper --paper-slow --json {out}"
    assert main(words.split()) == 0
    found = json.loads(out.read_text())
    for end in ("encode", "decode"):
        names = ("giga_operations", "floor_ms")
        assert {f"{end}_{name}" for name in names} < set(found)
        assert {f"paper_{end}_ms", f"paper_{end}_ratio"} < set(found)
        assert found[f"paper_{end}_million_parameters"] > 50


def test_a_codec_is_timed_by_its_settings_with_the_papers_network_too(
    quick: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SEMCOM_MODELS", str(shipped_beside(tmp_path)))
    words = "bench gesco --gesco-network paper --gesco-paper-steps 10 --threads 1 --json"
    assert main([*words.split(), str(tmp_path / "times.json")]) == 2
    assert "semcom train gesco-paper" in capsys.readouterr().err
    write_paper(tmp_path)
    assert main([*words.split(), str(tmp_path / "times.json")]) == 0
    found = json.loads((tmp_path / "times.json").read_text())
    assert found["decode_ms"]["median"] > 0 and "step_ms" not in found
    assert main([*words.split(), str(tmp_path / "times.json"), "--paper"]) == 0
    found = json.loads((tmp_path / "times.json").read_text())
    assert found["paper_million_parameters"] == 654.0 and "floor_ms" not in found
    assert main(["bench", "segmenter", "--gesco-network", "paper"]) == 2
    assert "has no option '--gesco-network'" in capsys.readouterr().err


def test_a_bench_without_networks_knows_no_batch(quick: None, tmp_path: Path) -> None:
    out = tmp_path / "times.json"
    assert main(["bench", "map", "--batch", "1", "8", "--json", str(out)]) == 0
    found = json.loads(out.read_text())
    assert found["bytes"] and not [name for name in found if "batch" in name]


def test_a_frame_over_the_radio_is_timed_to_its_delivery() -> None:
    data = benches.pack(benches.digital(bytes(64)))
    carry = benches.node(data, benches.Channel(0))
    assert carry() == carry() == [data]


def test_the_papers_networks_are_counted_and_timed_where_that_is_quick(
    quick: None,
    fresh: None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = tmp_path / "times.json"
    assert main(f"bench papers --threads 1 --json {out}".split()) == 0
    assert "Random weights" in capsys.readouterr().out
    found = json.loads(out.read_text())
    assert found["weights"] == "random" and found["gsc_decode_million_parameters"] == 679.9
    assert found["gesco_pass_giga_operations"] == 6957 and "gesco_pass_ms" not in found
    monkeypatch.setattr(published_networks, "GescoPaperSizes", lambda: SMALL)
    monkeypatch.setattr(published_networks.sqgan, "SqganPaperSizes", lambda: SQGAN)
    monkeypatch.setattr(published_networks, "PAPER", replace(TINY, linear=False))
    monkeypatch.setattr(published_networks, "WORK_SIZE", (64, 128))
    monkeypatch.setattr(bench_papers, "FRAME_STEPS", 2)
    monkeypatch.setattr("semcom_ros.cli.check_device", lambda device: None)
    monkeypatch.setattr(torch, "get_device_module", lambda device: torch.cpu)
    monkeypatch.setattr(torch, "inference_mode", torch.no_grad)
    forget()
    with another_device() as device:
        words = f"bench papers --device {device} --threads 1 --batch 1 2 --json {out}"
        assert main(words.split()) == 0
    found = json.loads(out.read_text())
    for run in (found, found["batch_2"]):
        assert {f"{name}_ms" for name in bench_papers.PUBLISHED} < set(run)
        assert run["gesco_frame_2_ms"]["median"] > 0


def test_what_stops_a_bench_leaves_what_it_has_found(
    quick: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stops() -> None:
        raise KeyboardInterrupt

    plan = bench_plan.Plan({"first_ms": list, "second_ms": stops})
    monkeypatch.setitem(BENCHES, "map", Bench("", lambda *_: plan, False))
    out = tmp_path / "times.json"
    assert main(["bench", "map", "--json", str(out)]) == 130
    assert list(json.loads(out.read_text())) == ["first_ms"]


@pytest.mark.parametrize(
    "command",
    [
        *(f"bench {name}" for name, of in BENCHES.items() if of.networks and name != "papers"),
        *(f"eval {name}" for name in ("segmenter", "denoising", "perception")),
    ],
)
def test_networks_are_made_on_the_device_that_was_asked_for(
    command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    class Stop(Exception):
        pass

    def made(path: object = None, device: str = "cpu", *_: object) -> None:
        asked.append(device)
        raise Stop

    for network in (Segmenter, Perception, LearnedDenoiser):
        monkeypatch.setattr(network, "from_pretrained", made)
    monkeypatch.setattr("semcom_ros.cli.check_device", lambda device: None)
    frames = "--data scenes:1 --frames 1" if command.startswith("eval") else ""
    with pytest.raises(Stop):
        main([*command.split(), *frames.split(), "--device", "cuda:1"])
    assert asked == ["cuda:1"]


def test_a_call_is_timed_until_its_device_has_nothing_left_to_do(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    said: list[str] = []

    class Device:
        @staticmethod
        def synchronize(device: str) -> None:
            said.append(f"waited for {device}")

    monkeypatch.setattr(torch, "get_device_module", lambda device: Device)
    times = timing.measure(lambda: said.append("called"), 2, "cuda:1", warm_up=1)
    assert said == ["waited for cuda:1", "called", "waited for cuda:1"] * 3
    assert 0 < times["median"] <= times["p99"]


def test_operations_are_counted_by_frames() -> None:
    x, w = torch.zeros(1, 4, 8, 8), torch.zeros(4, 4, 3, 3)
    one, eight = (
        timing.operations(lambda n=n: torch.conv2d(x.expand(n, -1, -1, -1), w, padding=1))
        for n in (1, 8)
    )
    assert one == 2 * 8 * 8 * 4 * 4 * 9 and eight == 8 * one


@pytest.mark.cuda
@pytest.mark.parametrize("name", STEPS)
def test_benches_run_on_a_gpu(name: str, quick: None, tmp_path: Path) -> None:
    options = f"--device cuda --threads 1 --batch 1 8 --json {tmp_path / 'times.json'}"
    for setting, value in settings_here(name).items():
        options += f" --{setting.replace('_', '-')} {value}"
    assert main(["bench", name, *options.split()]) == 0
    found = json.loads((tmp_path / "times.json").read_text())
    assert np.isfinite([found[step]["median"] for step in STEPS[name]]).all()
