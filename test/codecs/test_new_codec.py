# SPDX-License-Identifier: Apache-2.0
"""A codec is one folder and one line; somebody else's needs not even that."""

from __future__ import annotations

import argparse
import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest

from semcom_ros import graph
from semcom_ros.codecs import CODECS, codec_of, create_decoder, create_encoder
from semcom_ros.errors import SemcomError
from semcom_ros.frame import Frame
from semcom_ros.lab.demo.run import add_arguments
from semcom_ros.lab.evaluation.study import run as study
from semcom_ros.lab.parameter_tables import config, markdown
from semcom_ros.payload import PayloadError, pack
from semcom_ros.pipeline.receiver import Receiver
from semcom_ros.pipeline.transmitter import Transmitter

TOY = Path(__file__).resolve().parents[1] / "toy_codec.py"


@pytest.fixture
def toy(monkeypatch: pytest.MonkeyPatch) -> None:
    """The one line."""
    monkeypatch.setitem(CODECS, "toy", "toy_codec:CODEC")


def frames(n: int) -> list[Frame]:
    rng = np.random.default_rng(0)
    return [Frame(rng.integers(0, 255, (256, 512, 3), np.uint8), stamp=i + 1) for i in range(n)]


def evaluate(out: Path, codec: str) -> list[dict]:
    """Scores of a study of two frames of the procedural drive."""
    parser = argparse.ArgumentParser()
    study.add_arguments(parser)
    line = f"--data scenes:1 --frames 2 --codec {codec} --setting 1024 --metrics bytes,lost,psnr"
    study.run(parser.parse_args([*line.split(), "--workers", "1", "--out", str(out)]))
    scores = json.loads((out / "scores.json").read_text())["scores"]
    return [row for row in scores if row["codec"] == codec]


def test_a_codec_takes_less_than_60_lines() -> None:
    assert len(TOY.read_text().splitlines()) < 60


def test_its_settings_are_parameters_of_the_nodes_arguments_of_the_launch_and_docs(
    toy: None,
) -> None:
    assert graph.table("vehicle_node")["toy_step"].range == "1 to 64"
    assert "toy_smooth" in graph.table("rsu_node") and "toy_step" not in graph.table("rsu_node")
    assert {"toy_step", "toy_smooth"} <= graph.arguments().keys()
    assert "toy" in graph.arguments()["codec"].choices
    vehicle = graph.vehicle_rsu(codec="toy", toy_step=8)[1]
    assert vehicle.parameters["toy_step"] == 8
    with pytest.raises(SemcomError, match="toy_step is 65; it must be 1 to 64"):
        graph.vehicle_rsu(toy_step=65)
    assert "| `toy_step` | `16` | 1 to 64 | at once | Grey levels" in markdown("vehicle_node")
    assert "    toy_smooth: true" in config()


def test_the_demo_offers_it(toy: None) -> None:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    help_text = " ".join(parser.format_help().split())
    assert "--toy-step" in help_text and "Grey levels from one of toy's" in help_text


def test_a_node_runs_it_and_its_settings_change_while_it_runs(toy: None) -> None:
    pytest.importorskip("rclpy", reason="no ROS 2 for this Python")
    from ros_bench import bench

    from semcom_ros.nodes.vehicle_node import VehicleNode

    with bench(VehicleNode, codec="toy", toy_step=4) as b:
        b.up()
        assert b.node._transmitter.encoder.settings.step == 4
        assert b.set(toy_step=32) == "" and b.node._transmitter.encoder.settings.step == 32
        assert "Max: 64" in b.set(toy_step=65)


def test_a_study_runs_it(toy: None, tmp_path: Path) -> None:
    rows = {row["metric"]: row["value"] for row in evaluate(tmp_path, "toy")}
    assert rows["lost"] == 0 and rows["psnr"] > 12 and 384 < rows["bytes"] <= 600


def test_a_frame_that_leans_on_a_lost_one_is_refused_until_one_stands_alone(toy: None) -> None:
    transmitter = Transmitter("toy", create_encoder("toy"))
    receiver, decoder = Receiver("toy", codec_of("toy"), max_age_s=0), create_decoder("toy")
    seen = []
    for number, frame in enumerate(frames(6)):
        payload = transmitter.transmit(frame, 1200, refresh_every=100).payload
        if number == 2:
            continue  # lost on the air
        try:
            arrival = receiver.receive(pack(payload), frame.stamp)
        except PayloadError as error:
            seen.append(error.reason)
            transmitter.report(receiver.link_state(frame.stamp))
            continue
        (known,) = decoder.decode_labels([arrival])
        arrival.memory.keep(payload.header.sequence, known)
        seen.append(payload.header.reference)
    # What is refused asks for a refresh, and what leans on that is taken.
    assert seen == [0, 1, "reference", 0, 5]
    assert not receiver.link_state(0).refresh


def test_somebody_elses_autoencoder_as_documented_is_studied_by_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = (TOY.parents[1] / "docs" / "architecture.md").read_text()
    (example,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    (tmp_path / "their_model.py").write_text(example)
    monkeypatch.syspath_prepend(tmp_path)
    rows = {r["metric"]: r["value"] for r in evaluate(tmp_path / "out", "their_model:Autoencoder")}
    assert rows["lost"] == 0 and 128 < rows["bytes"] < 192 and rows["psnr"] > 3
    sys.modules.pop("their_model")


@pytest.mark.parametrize(
    ("name", "sentence"),
    [("no_such_module:Codec", "cannot be loaded"), ("json:loads", "has no method encode")],
)
def test_what_is_no_codec_is_refused_with_a_sentence(name: str, sentence: str) -> None:
    with pytest.raises(SemcomError, match=sentence):
        codec_of(name)
