# SPDX-License-Identifier: Apache-2.0
"""What a planner asks for in words, from the RSU to what crosses."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="no ROS 2 for this Python")

import tiny_gsc
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from ros_bench import bench, camera_image
from rsu_bench import RECEIVED, arrival
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import String

from semcom_ros.codecs import CODECS
from semcom_ros.codecs.gsc import task
from semcom_ros.codecs.gsc.task import IMAGE, MAP
from semcom_ros.nodes.rsu_node import RsuNode
from semcom_ros.nodes.vehicle_node import VehicleNode
from semcom_ros.payload import unpack

WORDS = {"show me the street": 0, "where are the pedestrians?": 1, "turn left": 2}


class Sentences:
    """In place of Sentence-BERT: it knows three sentences."""

    def encode(self, words: str, normalize_embeddings: bool) -> np.ndarray:
        return np.eye(3, dtype=np.float32)[WORDS[words]]


@pytest.fixture
def gsc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The codec with tiny networks in the registry."""
    monkeypatch.setitem(CODECS, "gsc", "semcom_ros.codecs.gsc:CODEC")
    monkeypatch.setenv("SEMCOM_MODELS", str(tiny_gsc.write(tmp_path)))
    owners = np.array([IMAGE, MAP, "none of these"])
    known = (Sentences(), np.eye(3, dtype=np.float32), owners)
    monkeypatch.setattr(task, "sentence_model", lambda folder: known)


def rsu(codec: str):
    return bench(RsuNode, codec=codec, segmentation="none", detection="none", depth="none")


def asked(links: list[DiagnosticArray]) -> str:
    """The task in the newest report."""
    if not links:
        return "none yet"
    return {pair.key: pair.value for pair in links[-1].status[0].values}["task"]


def test_any_codecs_rsu_passes_on_what_it_hears_and_the_parameter_says_so() -> None:
    with rsu("classical") as b:
        b.up()
        links = b.listen(DiagnosticArray, "rsu/link")
        b.speak(String, "rsu/task").publish(String(data="where are the pedestrians?"))
        b.until(lambda: asked(links) == "where are the pedestrians?", "the words")
        assert b.node.get_parameter("task").value == "where are the pedestrians?"
        # What was sent before the vehicle heard of it is counted.
        b.listen(Image, "rsu/image")
        b.listened("rsu/image")
        b.speak(CompressedImage, RECEIVED).publish(arrival(1))
        b.until(lambda: b.node.statistics.snapshot().get("other_task") == "1", "the count")
        assert b.set(task="") == ""
        b.until(lambda: asked(links) == "", "the parameter's turn")


def test_a_task_that_no_header_holds_is_refused_at_either_end_and_frames_go_on() -> None:
    with rsu("classical") as b:
        b.up()
        assert "at most 1024 bytes" in b.set(task="x" * 1025)
    with bench(VehicleNode, codec="classical") as b:
        b.up()
        said, payloads = b.warnings(), b.listen(CompressedImage, "camera/image_raw/semcom")
        b.listened("camera/image_raw/semcom")
        pair = KeyValue(key="task", value="x" * 1025)
        report = DiagnosticArray(status=[DiagnosticStatus(values=[pair])])
        b.speak(DiagnosticArray, "rsu/link").publish(report)
        b.until(lambda: said, "the sentence")
        b.speak(Image, "camera/image_raw").publish(camera_image(1))
        b.until(lambda: payloads, "a payload")
        assert "at most 1024 bytes" in said[0]
        assert unpack(bytes(payloads[0].data)).header.task == ""


def test_gsc_asks_for_what_the_words_mean_and_leaves_what_means_nothing(gsc: None) -> None:
    with rsu("gsc") as b:
        b.up()
        said, links = b.warnings(), b.listen(DiagnosticArray, "rsu/link")
        planner = b.speak(String, "rsu/task")
        planner.publish(String(data="where are the pedestrians?"))
        b.until(lambda: asked(links) == MAP, "the map to be asked for")
        planner.publish(String(data="turn left"))
        b.until(lambda: said, "the warning")
        assert "'turn left' asks for nothing that gsc sends" in said[0] and "1.00" in said[0]
        heard = len(links)
        b.until(lambda: len(links) > heard, "the next report")
        assert asked(links) == MAP
        assert b.node.get_parameter("task").value == "where are the pedestrians?"
        assert b.node.values()["task_margin"] == "1.00"


def test_words_are_read_for_another_codec_while_the_node_goes_on(
    gsc: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads, known = [], task.sentence_model(None)

    def load(folder: Path | None) -> object:
        threads.append(threading.current_thread().name)
        return known

    monkeypatch.setattr(task, "sentence_model", load)
    with rsu("classical") as b:
        b.up()
        assert b.set(task="where are the pedestrians?") == ""
        assert b.set(codec="gsc") == ""
        b.until(lambda: b.node.values()["task"] == MAP, "what the words mean to gsc")
    assert len(threads) == 1 and threads[0].startswith("load")


def test_the_vehicles_own_task_changes_what_crosses_while_it_runs(gsc: None) -> None:
    with bench(VehicleNode, codec="gsc") as b:
        b.up()
        got, camera = b.listen(CompressedImage, "camera/image_raw/semcom"), None
        camera = b.speak(Image, "camera/image_raw")
        tasks = []
        for words in ("", "where are the pedestrians?", "show me the street"):
            assert b.set(gsc_task=words) == ""
            before = len(got)
            camera.publish(camera_image(len(tasks)))
            b.until(lambda n=before: len(got) > n, "a payload")
            tasks.append(unpack(bytes(got[-1].data)).header.task)
        assert tasks == ["", MAP, IMAGE]
        assert "asks for nothing that gsc sends" in b.set(gsc_task="turn left")
        assert b.node.get_parameter("gsc_task").value == "show me the street"
