# SPDX-License-Identifier: Apache-2.0
"""`semcom bench`: what it times, on which device, for how many frames, and what it writes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_gesco import shipped_beside, write_paper

from semcom_ros.cli import main
from semcom_ros.lab.evaluation import bench, benches, timing
from semcom_ros.lab.evaluation.benches import BENCHES
from semcom_ros.lab.evaluation.published_networks import Published
from semcom_ros.lab.learned_denoiser import LearnedDenoiser
from semcom_ros.perception.perceive import Perception
from semcom_ros.perception.segmentation import Segmenter

CODEC = ("decode_labels_ms", "decode_ms")
STEPS = {
    "segmenter": ("segment_ms",),
    "perception": ("all_ms",),
    "gesco": (*CODEC, "condition_ms", "step_ms", "decode_diffusion_8_ms"),
    "sqgan": (*CODEC, "image_receiver_ms"),
}
"""Those that are timed of a batch."""
SINGLE = {
    "gesco": ("segment_ms", "encode_ms", "fast_denoising_ms"),
    "sqgan": ("segment_ms", "encode_ms", "image_sender_ms", "map_receiver_ms"),
}


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every call is timed once, without a warm-up."""
    once = timing.measure
    monkeypatch.setattr(
        bench, "measure", lambda call, repeats, device, warm_up=0: once(call, 1, device, 0)
    )
    monkeypatch.setattr(bench, "convolution_rate", lambda device, batch: 1e9)


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


@pytest.mark.parametrize(
    "command",
    [
        *(f"bench {name}" for name, of in BENCHES.items() if of.networks),
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
    options = f"--device cuda --batch 1 8 --json {tmp_path / 'times.json'}"
    assert main(["bench", name, *options.split()]) == 0
    found = json.loads((tmp_path / "times.json").read_text())
    assert np.isfinite([found[step]["median"] for step in STEPS[name]]).all()
