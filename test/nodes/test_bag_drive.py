# SPDX-License-Identifier: Apache-2.0
"""From a data set to a bag, through every node, to a bag, and once more from there."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed for this Python")

from tiny_cityscapes import calibration  # noqa: E402
from tiny_images import picture  # noqa: E402

from semcom_ros.cli import main  # noqa: E402
from semcom_ros.codecs import create_decoder  # noqa: E402
from semcom_ros.codecs.base import Memory, Received  # noqa: E402
from semcom_ros.datasets.bags import BagReader  # noqa: E402
from semcom_ros.graph import NAMESPACE, NodeProcess, table, vehicle_rsu  # noqa: E402
from semcom_ros.lab.demo import run as demo  # noqa: E402
from semcom_ros.lab.demo.record import DriveRecord, read_drive  # noqa: E402
from semcom_ros.nodes.drive import drive  # noqa: E402
from semcom_ros.payload import unpack  # noqa: E402

FRAMES, MS = 4, 10**6
CAMERA = {"/camera/image_raw": "camera/image_raw", "/camera/camera_info": "camera/camera_info"}
NO_NETWORKS = {"segmentation": "none", "depth": "none"}


def make_cityscapes(root: Path) -> Path:
    """A snippet of a drive in the layout of the archives, a frame every 400 ms."""
    calibration(root / "camera/val/bonn/bonn_000000_000019_camera.json")
    for i in range(FRAMES):
        name = f"val/bonn/bonn_000000_{i:06}"
        picture(root / f"leftImg8bit_sequence/{name}_leftImg8bit.png", 40 * i + 10, (64, 128))
        time = root / f"timestamp_sequence/{name}_timestamp.txt"
        time.parent.mkdir(parents=True, exist_ok=True)
        time.write_text(f"{400 * MS * i}\n")
    return root


def serialized(bag: BagReader, topic: str) -> list[bytes]:
    return [cdr for _, _, cdr in bag.messages([topic])]


def check_pictures(record: DriveRecord) -> None:
    """What was recorded of the RSU is what its payloads hold, under the stamps that they tell."""
    assert record.images and record.images.keys() <= record.payloads.keys() <= {*record.captured}
    assert max(record.captured) in record.images
    assert not any(int(n) for k, n in record.status["rsu_node"].items() if "rejected" in k)
    decoder = create_decoder("classical", device="cpu")
    for stamp, data in record.payloads.items():
        payload = unpack(data)
        assert payload.header.stamp == stamp
        if stamp in record.images:
            (image,) = decoder.decode_images([Received(payload, Memory())], [None])
            assert (image == record.images[stamp]).all()


@pytest.mark.timeout(180)
def test_a_data_set_goes_by_bag_through_every_node_into_a_bag_under_its_own_stamps(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(demo, "vehicle_rsu", partial(vehicle_rsu, **NO_NETWORKS))
    cityscapes, bag = str(make_cityscapes(tmp_path / "data")), str(tmp_path / "bag")
    assert not main(["bag", "cityscapes", cityscapes, bag, "--raw", "--storage", "sqlite3"])
    nodes = [
        NodeProcess(p.executable, p.executable, NAMESPACE, p.parameters | {"use_sim_time": True})
        for p in vehicle_rsu(codec="classical", detection="none", **NO_NETWORKS, autostart=False)
    ]
    player = {p.name: p.default for p in table("bag_node").values()} | {"bag": bag}
    nodes[0] = NodeProcess("bag_node", "bag_node", NAMESPACE, player)
    recorded = tmp_path / "drive.mcap"
    drive(nodes, FRAMES, 2.5, tmp_path, recorded, False, lambda *_: None, respawn=False)
    with BagReader(bag) as played, BagReader(recorded) as heard:
        for theirs, ours in CAMERA.items():
            came = serialized(heard, f"{NAMESPACE}/{ours}")
            assert len(came) == FRAMES
            # DDS fills up what it carries to whole words.
            for message, sent in zip(came, serialized(played, theirs), strict=True):
                assert message == sent + bytes(-len(sent) % 4)
        record = read_drive(heard, False, {})
        check_pictures(record)
        # And once more from there, as another kind of bag, by the camera.
        out = tmp_path / "out"
        words = ["demo", "--codec", "classical", "--data", f"bag:{recorded}", "--out", str(out)]
        assert main(words) == 0
        summary = json.loads((out / "summary.json").read_text())
        assert summary["frames_captured"] == FRAMES and summary["every_frame_accounted"]
        # Years old, and yet not late.
        assert 0 < summary["image_latency_ms"]["p50"] < 60_000
        with BagReader(out / "drive.mcap") as again:
            other = read_drive(again, False, {})
            assert other.captured == record.captured
            check_pictures(other)
            both = record.images.keys() & other.images.keys()
            assert both and all((record.images[s] == other.images[s]).all() for s in both)
