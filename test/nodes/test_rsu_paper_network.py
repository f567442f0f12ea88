# SPDX-License-Identifier: Apache-2.0
"""The network of GESCO's paper, narrow, behind a real RSU node."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("rclpy", reason="no ROS 2 for this Python")

from codec_ends import Sending  # noqa: E402
from ros_bench import bench, camera_image  # noqa: E402
from rsu_bench import RECEIVED  # noqa: E402
from sensor_msgs.msg import CompressedImage, Image  # noqa: E402
from tiny_gesco import shipped_beside, write_paper  # noqa: E402

from semcom_ros.datasets.scenes.drive import Drive  # noqa: E402
from semcom_ros.messages.camera import image_array  # noqa: E402
from semcom_ros.nodes.messages import payload_message  # noqa: E402
from semcom_ros.nodes.rsu_node import RsuNode  # noqa: E402
from semcom_ros.payload import pack  # noqa: E402

PAPER = {"codec": "gesco", "gesco_network": "paper", "gesco_paper_steps": 10, "max_age_s": 60.0}


def test_the_papers_network_paints_what_a_vehicle_sends_and_stays_until_configured_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_paper(shipped_beside(tmp_path))
    monkeypatch.setenv("SEMCOM_MODELS", str(tmp_path))
    encoder, street = Sending("gesco"), Drive(1).render(0)
    with bench(RsuNode, **PAPER) as b:
        b.up()
        images = b.listen(Image, "rsu/image")
        b.listened("rsu/image")
        header = camera_image(1).header
        stamp = header.stamp.sec * 10**9 + header.stamp.nanosec
        payload = encoder.encode(replace(street, stamp=stamp), 512, 1)
        message = payload_message(header, "rgb8; semcom gesco/1", pack(payload))
        b.speak(CompressedImage, RECEIVED).publish(message)
        b.until(lambda: images, "an image by the paper's network")
        assert image_array(images[0]).std() > 1
        decoder = b.node._rsu.decoder
        assert "paper" in vars(decoder) and not {"restorer", "diffusion"} & vars(decoder).keys()
        assert "gesco_network" in b.set(gesco_network="fast")
        assert b.set(gesco_sampler="ancestral") == "" and decoder.settings.sampler == "ancestral"


def test_without_its_weights_the_node_stays_unconfigured_and_says_what_makes_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SEMCOM_MODELS", str(shipped_beside(tmp_path)))
    with bench(RsuNode, **PAPER) as b:
        b.node.trigger_configure()
        assert b.state() == "unconfigured"
    assert "semcom train gesco-paper" in capfd.readouterr().err
