# SPDX-License-Identifier: Apache-2.0
"""The demo: what its summary says of a drive, its pictures, and one run of the whole graph."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from mcap.reader import make_reader

from semcom_ros.cli import main
from semcom_ros.datasets import open_source
from semcom_ros.datasets.bags import BagReader
from semcom_ros.frame import WORK_SIZE, Frame
from semcom_ros.graph import NAMESPACE, NodeProcess
from semcom_ros.lab.demo.pictures import ROWS, TILE, choose_rows, draw_strip, video
from semcom_ros.lab.demo.record import DriveRecord, Moment, moments, read_drive
from semcom_ros.lab.demo.run import losses
from semcom_ros.lab.demo.summary import DriveScores, count_frames, show_summary, summarise
from semcom_ros.lab.evaluation.shared import NOTHING
from semcom_ros.labels import TRAIN_ID
from semcom_ros.messages.camera import image_array
from semcom_ros.nodes.clock_history import ClockHistory
from semcom_ros.nodes.processes import NodeFailure, Processes
from semcom_ros.payload import Header, Part, Payload, pack
from semcom_ros.perception.detection import Detection

MS = 1_000_000
STAMPS = [100 * MS * i for i in range(4)]
SETTINGS = {"data": "scenes:1", "codec": "gesco", "channel": "loss", "payload_bytes": 512}


def labels_of(name: str) -> np.ndarray:
    return np.full(WORK_SIZE, TRAIN_ID[name], np.uint8)


def a_moment() -> Moment:
    image = np.zeros((*WORK_SIZE, 3), np.uint8)
    road, sky = labels_of("road"), labels_of("sky")
    return Moment(0.0, image, road, road, sky, image + 1, [Detection("car", 1, 5, 5, 4, 4)], 2)


def packed(size: int) -> bytes:
    """A payload that takes so many bytes."""
    header = Header("gesco", 1, b"", *WORK_SIZE, "cityscapes19", 1, 1)

    def of(count: int) -> bytes:
        return pack(Payload(header, (Part("map", 1, bits=bytes(count)),)))

    return of(2 * size - len(of(size)))


@pytest.fixture
def record() -> DriveRecord:
    """Four frames: one superseded in the vehicle, one lost on the air, two decoded."""
    road = labels_of("road")
    image = np.zeros((*WORK_SIZE, 3), np.uint8)
    arrived = STAMPS[1:3]
    return DriveRecord(
        captured=STAMPS,
        payloads=dict(zip(STAMPS[1:], map(packed, (100, 300, 500)), strict=True)),
        sent_labels=dict.fromkeys(STAMPS[1:], road),
        labels=dict.fromkeys(arrived, road),
        images=dict.fromkeys(arrived, image),
        label_arrivals={stamp: stamp + 30 * MS for stamp in arrived},
        image_arrivals={stamp: stamp + 50 * MS for stamp in arrived},
        status={
            "vehicle_node": {"received": "4", "superseded": "1", "rate_hz": "10.00"},
            "rsu_node": {"received": "3", "decoded": "2", "rejected.lost": "1"},
        },
    )


def test_every_frame_is_accounted_for_when_the_stations_add_up(record: DriveRecord) -> None:
    counted = count_frames(record)
    assert counted["every_frame_accounted"] and counted["frames_unaccounted"] == []
    assert counted["frames_captured"] == 4 and counted["frames_superseded_at_vehicle"] == 1
    assert counted["frames_sent"] == counted["frames_received"] == 3
    assert counted["frames_decoded"] == 2 and counted["frames_rejected"]["lost"] == 1
    knows = {"received": "2", "decoded": "2", "missing": "1"}
    counted = count_frames(replace(record, status={**record.status, "rsu_node": knows}))
    assert counted["every_frame_accounted"] and counted["frames_missing"] == 1


def test_what_the_channel_dropped_or_sent_twice_is_accounted_for(record: DriveRecord) -> None:
    knows = {"received": "3", "decoded": "2", "rejected.duplicate": "1"}
    channel = {"dropped.queue": "1", "dropped.blackout": "0", "duplicated": "1"}
    status = {**record.status, "rsu_node": knows, "channel_node": channel}
    counted = count_frames(replace(record, status=status))
    assert counted["every_frame_accounted"]
    assert counted["frames_dropped"] == {"queue": 1, "blackout": 0}
    assert counted["frames_duplicated"] == 1


def test_a_node_that_was_started_anew_is_told(
    record: DriveRecord, capsys: pytest.CaptureFixture
) -> None:
    settings = {**SETTINGS, "rate_hz": 10.0}
    summary = summarise(replace(record, restarts={"rsu_node": 2}), DriveScores(), settings)
    assert summary["node_restarts"] == {"rsu_node": 2}
    show_summary(summary)
    assert "rsu_node died and was started anew, 2 in all" in capsys.readouterr().out


def test_frames_lost_where_the_trace_has_no_path_are_told(
    record: DriveRecord, capsys: pytest.CaptureFixture
) -> None:
    status = {**record.status, "channel_node": {"packets_without_path": "2"}}
    settings = {**SETTINGS, "rate_hz": 10.0}
    show_summary(summarise(replace(record, status=status), DriveScores(), settings))
    told = "2 of 3 frames were lost at positions that no path of the trace reaches: trace_start"
    assert told in capsys.readouterr().out
    show_summary(summarise(record, DriveScores(), settings))
    assert "trace_start" not in capsys.readouterr().out


def test_a_frame_that_the_vehicle_could_not_send_is_accounted_for(record: DriveRecord) -> None:
    vehicle = {"received": "4", "errors": "1"}
    counted = count_frames(replace(record, status={**record.status, "vehicle_node": vehicle}))
    assert counted["every_frame_accounted"] and counted["frames_refused_at_vehicle"] == 1


def test_a_drive_of_which_images_are_lost_before_the_vehicle_says_so(record: DriveRecord) -> None:
    vehicle = {"received": "3"}
    few = replace(record, status={**record.status, "vehicle_node": vehicle})
    assert losses(count_frames(few)) == ["1 of 4 images were lost before the vehicle."]
    assert losses(count_frames(record)) == []
    # One that was started anew has forgotten what came before.
    assert losses(count_frames(replace(few, restarts={"vehicle_node": 1}))) == []
    nothing = losses(count_frames(DriveRecord(captured=STAMPS)))
    assert nothing[1] == "Nothing was sent of 4 images."


def test_moments_keep_the_place_of_their_frame_where_one_is_too_small() -> None:
    sizes = [(64, 128), (8, 8), (64, 128)]
    frames = [Frame(np.full((*size, 3), i, np.uint8)) for i, size in enumerate(sizes)]
    found = list(moments(DriveRecord(captured=STAMPS), frames))
    assert [index for index, _ in found] == [0, 2]
    assert [moment.original.max() for _, moment in found] == [0, 2]


def test_frames_that_vanish_are_named_with_the_place_where_they_did(record: DriveRecord) -> None:
    rsu = {"received": "2", "decoded": "2"}
    counted = count_frames(replace(record, status={**record.status, "rsu_node": rsu}, repeated=1))
    assert not counted["every_frame_accounted"]
    assert counted["frames_unaccounted"] == ["1 between vehicle and RSU", "1 published twice"]


def test_the_summary_measures_bytes_latency_and_rate(
    record: DriveRecord, capsys: pytest.CaptureFixture
) -> None:
    summary = summarise(record, DriveScores(), {**SETTINGS, "rate_hz": 10.0})
    assert (summary["bytes_median"], summary["bytes_max"]) == (300, 500)
    assert summary["kbit_per_s"] == 24.0
    assert summary["label_latency_ms"] == {"p50": 30.0, "p99": 30.0}
    assert summary["image_latency_ms"] == {"p50": 50.0, "p99": 50.0}
    assert summary["rsu_rate_hz"] == 10.0
    assert summary["miou_received_vs_truth"] is None
    json.dumps(summary, allow_nan=False)
    show_summary(summary)
    printed = capsys.readouterr().out
    assert "scenes:1 by gesco over loss" in printed
    assert "30 / 30 ms" in printed and "10.00 Hz" in printed


def test_scores_compare_received_with_truth_and_with_sent() -> None:
    scores = DriveScores()
    scores.add(a_moment())
    scores.add(replace(a_moment(), labels=labels_of("road"), truth=None))
    assert scores.received_vs_truth.miou() == 0.0
    assert scores.received_vs_sent.miou() == 0.5
    assert scores.psnr == pytest.approx([20 * np.log10(255)] * 2)


def test_a_drive_of_which_nothing_arrived_has_a_summary_without_numbers(
    capsys: pytest.CaptureFixture,
) -> None:
    summary = summarise(DriveRecord(captured=STAMPS), DriveScores(), {**SETTINGS, "rate_hz": 10.0})
    assert summary["frames_decoded"] == 0 and not summary["every_frame_accounted"]
    assert summary["image_latency_ms"] == {"p50": None, "p99": None}
    assert summary["rsu_rate_hz"] is None
    show_summary(summary)
    assert f"{NOTHING} / {NOTHING} ms" in capsys.readouterr().out


def test_the_strip_shows_complete_moments_spread_over_the_drive() -> None:
    assert choose_rows([False] + [True] * 101) == [1, 26, 51, 76, 101]
    assert choose_rows([False, True, True]) == [1, 2]
    assert len(choose_rows([False] * 9)) == ROWS
    assert choose_rows([]) == []


def test_the_strip_has_a_row_a_moment_and_says_what_was_not_received() -> None:
    whole = a_moment()
    lost = replace(whole, labels=None, image=None)
    one, two = (draw_strip(rows, "received map") for rows in ([whole], [whole, lost]))
    assert two.shape[0] - one.shape[0] == pytest.approx(TILE[0], abs=8)
    assert two.shape[1] > 5 * TILE[1]
    assert draw_strip([], "received map").shape[1] == two.shape[1]


def test_the_video_plays_frame_by_frame_at_the_drives_rate(tmp_path: Path) -> None:
    import av

    with video(tmp_path / "drive.mp4", 12.5, "received map") as append:
        for _ in range(5):
            append(a_moment())
    with av.open(str(tmp_path / "drive.mp4")) as played:
        assert float(played.streams.video[0].average_rate) == 12.5
        frames = list(played.decode(video=0))
    assert len(frames) == 5 and frames[0].width == 3 * WORK_SIZE[1]


def test_a_node_that_ends_is_reported_with_its_last_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = [sys.executable, "-c", "print('the lens is dirty'); raise SystemExit(3)"]
    monkeypatch.setattr("semcom_ros.nodes.processes.command", lambda node: words)
    node = NodeProcess("camera_node", "camera_node", "/vehicle_1", {})
    with Processes([node], tmp_path) as processes:
        processes.running["camera_node"].wait()
        with pytest.raises(NodeFailure, match="(?s)camera_node ended with status 3.*lens is dirty"):
            processes.check()


def test_nodes_are_stopped_when_the_demo_leaves_early(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = [sys.executable, "-c", "import time; print('up', flush=True); time.sleep(60)"]
    monkeypatch.setattr("semcom_ros.nodes.processes.command", lambda node: words)
    node = NodeProcess("camera_node", "camera_node", "/vehicle_1", {})
    with pytest.raises(KeyboardInterrupt), Processes([node], tmp_path) as processes:
        raise KeyboardInterrupt
    assert processes.running["camera_node"].wait() != 0


@pytest.mark.timeout(180)
def test_one_command_takes_a_drive_through_the_whole_graph(tmp_path: Path) -> None:
    pytest.importorskip("rclpy", reason="the graph needs ROS 2")
    words = "demo --codec classical --frames 10 --data scenes:1 --payload-bytes 1200".split()
    assert main([*words, "--out", str(tmp_path)]) == 0
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert summary["frames_captured"] == 10
    assert summary["frames_sent"] >= summary["frames_received"] > 0
    assert summary["frames_received"] == (
        summary["frames_decoded"]
        + summary["frames_superseded"]
        + sum(summary["frames_rejected"].values())
    )
    assert summary["frames_decoded"] >= 1
    assert summary["bytes_max"] <= summary["payload_bytes"] == 1200
    assert summary["frames_lost_before_vehicle"] == 0
    for name in ("strip.png", "drive.mp4", "payload.bin", "logs/rsu_node.log"):
        assert (tmp_path / name).stat().st_size
    assert main(["inspect", str(tmp_path / "payload.bin")]) == 0
    with BagReader(tmp_path / "drive.mcap") as bag:
        record = read_drive(bag, sends_labels=False, restarts={})
        assert count_frames(record).items() <= summary.items()
        assert record.payloads[min(record.payloads)] == (tmp_path / "payload.bin").read_bytes()
        camera = f"{NAMESPACE}/camera/image_raw"
        pictures = [bag.deserialize(camera, cdr) for _, _, cdr in bag.messages([camera])]
        source = open_source("scenes:1")
        assert len(pictures) == 10
        assert all((image_array(p) == source[i].image).all() for i, p in enumerate(pictures))
    # Foxglove reads the same file by itself, without metadata beside it.
    with (tmp_path / "drive.mcap").open("rb") as file:
        topics = {channel.topic for _, channel, _ in make_reader(file).iter_messages()}
    assert {"/diagnostics", camera, f"{NAMESPACE}/rsu/link", f"{NAMESPACE}/rsu/image"} <= topics


def test_latencies_are_by_the_steady_clock_where_a_bag_tells_the_time(record: DriveRecord) -> None:
    clock, later = ClockHistory(None), 10**18
    for stamp in STAMPS:
        clock.tick(stamp, later + 2 * stamp)
    arrivals = {stamp: later + 2 * stamp + 30 * MS for stamp in STAMPS}
    assert replace(record, clock=clock).latencies_ms(arrivals) == [30.0] * 4


@pytest.mark.timeout(180)
def test_a_drive_of_which_nothing_can_be_sent_does_not_end_well(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    pytest.importorskip("rclpy", reason="the graph needs ROS 2")
    pictures, out = tmp_path / "pictures", tmp_path / "out"
    pictures.mkdir()
    for i in range(3):
        cv2.imwrite(str(pictures / f"{i}.png"), np.full((8, 8, 3), i, np.uint8))
    words = ["demo", "--codec", "classical", "--data", f"folder:{pictures}", "--out", str(out)]
    assert main(words) == 1
    assert "Nothing was sent of 3 images. See" in capsys.readouterr().err
    assert json.loads((out / "summary.json").read_text())["frames_refused_at_vehicle"] == 3
