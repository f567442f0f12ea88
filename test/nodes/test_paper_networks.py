# SPDX-License-Identifier: Apache-2.0
"""A street crosses from vehicle to RSU by the networks of a paper, which both ends must have."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("rclpy", reason="no ROS 2 for this Python")

import tiny_gsc
from ros_bench import bench, camera_image
from rsu_bench import RECEIVED
from sensor_msgs.msg import CompressedImage, Image
from tiny_sqgan import write_paper

from semcom_ros.nodes.rsu_node import RsuNode
from semcom_ros.nodes.vehicle_node import VehicleNode
from semcom_ros.payload import unpack
from semcom_ros.weights import models_dir

PATIENT = {"detection": "none", "depth": "none", "max_age_s": 60.0, "deadline_ms": 60_000}


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The networks of the papers, narrow, beside the shipped files."""
    for file in models_dir().iterdir():
        (tmp_path / file.name).symlink_to(file)
    tiny_gsc.write(write_paper(tmp_path), networks="paper")
    monkeypatch.setenv("SEMCOM_MODELS", str(tmp_path))
    for codec in ("sqgan", "gsc"):
        for end in ("encoder", "decoder"):
            monkeypatch.setattr(f"semcom_ros.codecs.{codec}.{end}.WARM_UPS", 1)
    return tmp_path


@pytest.mark.parametrize(("codec", "part"), [("sqgan", "map_tokens"), ("gsc", "symbols_1")])
def test_a_frame_crosses_between_nodes_that_both_have_the_papers_networks(
    models: Path, codec: str, part: str
) -> None:
    paper = {"codec": codec, f"{codec}_network": "paper"}
    with bench(VehicleNode, **paper) as b:
        b.up()
        payloads = b.listen(CompressedImage, "camera/image_raw/semcom")
        b.listened("camera/image_raw/semcom")
        b.speak(Image, "camera/image_raw").publish(camera_image(1))
        b.until(lambda: payloads, "a payload")
    sent = payloads[0]
    assert unpack(bytes(sent.data)).parts[0].name == part
    with bench(RsuNode, **paper, **PATIENT) as b:
        b.up()
        images, maps = b.listen(Image, "rsu/image"), b.listen(Image, "rsu/segmentation")
        for topic in ("rsu/image", "rsu/segmentation"):
            b.listened(topic)
        b.speak(CompressedImage, RECEIVED).publish(sent)
        b.until(lambda: images and maps, "map and image")
        assert (images[0].height, images[0].width) == (256, 512) and maps[0].encoding
        assert "configure" in b.set(**{f"{codec}_network": "fast"})
