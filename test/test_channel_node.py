# SPDX-License-Identifier: Apache-2.0
"""The emulated radio as a node."""

from __future__ import annotations

import math
import re
import time
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="no ROS 2 for this Python")

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue  # noqa: E402
from ros_bench import Bench, bench, camera_image  # noqa: E402
from sensor_msgs.msg import CompressedImage  # noqa: E402

from semcom_ros.nodes.channel_node import ChannelNode  # noqa: E402
from semcom_ros.nodes.messages import payload_message  # noqa: E402
from semcom_ros.payload import Header, Part, Payload, pack, unpack  # noqa: E402

SENT, RECEIVED = "camera/image_raw/semcom", "camera/image_raw/semcom/received"
BITS = Part("image", 0, bits=bytes(40))
SYMBOLS = Part("planes", 0, symbols=np.ones(64, np.complex64))


def payload(sequence: int, part: Part = BITS) -> bytes:
    header = Header("classical", 1, b"", 256, 512, "cityscapes19", sequence, sequence + 1)
    return pack(Payload(header, (part,)))


def message(number: int, part: Part = BITS) -> CompressedImage:
    return payload_message(camera_image(number).header, "semcom", payload(number, part))


def frames(got: list[CompressedImage]) -> list[str]:
    return [m.header.frame_id for m in got]


def shown(b: Bench) -> dict[str, str]:
    """What the node shows in diagnostics."""
    return b.node.diagnose()[2]


def count(b: Bench, name: str) -> int:
    return int(shown(b)[name])


def test_what_arrives_keeps_its_header_and_what_is_lost_arrives_erased():
    with bench(ChannelNode) as b:
        b.up()
        got = b.listen(CompressedImage, RECEIVED)
        sender = b.speak(CompressedImage, SENT)
        sent = payload_message(camera_image(7).header, "rgb8; semcom classical/1", payload(1))
        sender.publish(sent)
        b.until(lambda: got, "the payload")
        assert got[0] == sent
        assert b.set(loss=1.0) == ""
        sender.publish(payload_message(sent.header, sent.format, payload(2)))
        b.until(lambda: len(got) == 2, "the lost payload")
        lost = unpack(bytes(got[1].data))
        assert lost.header.sequence == 2
        assert lost.part("image").erased


def test_bytes_that_are_no_payload_are_carried_as_they_are_and_share_the_air():
    with bench(ChannelNode) as b:
        b.up()
        got = b.listen(CompressedImage, RECEIVED)
        sender = b.speak(CompressedImage, SENT)
        noise = payload_message(camera_image().header, "noise", b"no payload")
        sender.publish(noise)
        b.until(lambda: got, "the bytes")
        assert bytes(got[0].data) == b"no payload"
        assert b.set(blackout_every_s=5.0, blackout_s=5.0) == ""
        sender.publish(noise)
        b.until(lambda: count(b, "dropped.blackout"), "the loss")


def test_a_payload_that_the_radio_cannot_carry_is_counted_and_the_next_goes_out():
    # Below 4 MiB as it is sent, above once every symbol has its noise variance beside it.
    long = Part("planes", 0, symbols=np.ones(450_000, np.complex64))
    with bench(ChannelNode, channel="awgn", snr_db=10.0) as b:
        b.up()
        got = b.listen(CompressedImage, RECEIVED)
        sender = b.speak(CompressedImage, SENT)
        sender.publish(message(1, long))
        b.until(lambda: b.node.statistics.snapshot().get("errors") == "1", "the error")
        sender.publish(message(2, SYMBOLS))
        b.until(lambda: got, "the next payload")
        assert frames(got) == ["camera_2"]


def test_nothing_is_listened_to_while_nobody_listens():
    with bench(ChannelNode) as b:
        b.up()
        assert not b.node.subscribed
        b.listen(CompressedImage, RECEIVED)
        b.until(lambda: b.node.subscribed, "the node to listen")
        b.tester.destroy_subscription(next(s for s in b.tester.subscriptions))
        b.until(lambda: not b.node.subscribed, "the node to fall idle")


def test_a_delayed_payload_arrives_when_its_time_has_come():
    with bench(ChannelNode, delay_ms=200) as b:
        b.up()
        got = b.listen(CompressedImage, RECEIVED)
        sender = b.speak(CompressedImage, SENT)
        began = time.monotonic()
        sender.publish(message(1))
        b.until(lambda: count(b, "in_flight"), "the payload on its way")
        sender.publish(message(2))
        b.until(lambda: len(got) == 2, "the payloads")
        assert time.monotonic() - began >= 0.2
        assert frames(got) == ["camera_1", "camera_2"]
        assert (count(b, "delivered"), count(b, "in_flight")) == (2, 0)


def test_a_duplicated_payload_arrives_twice():
    with bench(ChannelNode, duplicate=1.0) as b:
        b.up()
        got = b.listen(CompressedImage, RECEIVED)
        b.speak(CompressedImage, SENT).publish(message(1))
        b.until(lambda: len(got) == 2, "both")
        assert got[0] == got[1]
        assert (count(b, "offered"), count(b, "delivered"), count(b, "duplicated")) == (1, 1, 1)


def test_blackouts_come_by_the_frames_of_the_drive_and_are_counted():
    # At 10 Hz, frames 8 s to 10 s after the first are lost, however fast they come here.
    with bench(ChannelNode, blackout_s=2.0, blackout_every_s=10.0) as b:
        b.up()
        got = b.listen(CompressedImage, RECEIVED)
        sender = b.speak(CompressedImage, SENT)
        for offered, number in enumerate((0, 79, 80, 99, 100), start=1):
            sender.publish(message(number))
            b.until(lambda n=offered: count(b, "offered") == n, "the payload")
        b.until(lambda: len(got) == 3, "the payloads")
        assert frames(got) == ["camera_0", "camera_79", "camera_100"]
        assert count(b, "dropped.blackout") == 2


def test_what_is_in_flight_is_dropped_and_counted_when_the_node_is_deactivated():
    with bench(ChannelNode, delay_ms=10_000, rate_kbps=1.0) as b:
        b.up()
        got = b.listen(CompressedImage, RECEIVED)
        sender = b.speak(CompressedImage, SENT)
        for number in (1, 2):
            sender.publish(message(number))
            b.until(lambda n=number: count(b, "in_flight") == n, "the payload")
        b.node.trigger_deactivate()
        assert (count(b, "dropped.stopped"), count(b, "in_flight")) == (2, 0)
        assert b.set(delay_ms=0.0, rate_kbps=0.0) == ""
        b.node.trigger_activate()
        b.until(lambda: b.node.subscribed, "the node to listen")
        b.until(sender.get_subscription_count, "a match")
        sender.publish(message(3))
        b.until(lambda: got, "the payload")
        assert frames(got) == ["camera_3"]


def test_more_vehicles_cost_airtime():
    with bench(ChannelNode, access="802.11p", snr_db=8.0) as b:
        b.up()
        got = b.listen(CompressedImage, RECEIVED)
        b.speak(CompressedImage, SENT).publish(message(1))
        b.until(lambda: got, "the payload")
        alone = shown(b)
        assert b.set(vehicles=30) == ""
        crowded = shown(b)
        assert crowded["airtime_ms"] == alone["airtime_ms"]
        ratio = float(crowded["channel_busy"]) / float(alone["channel_busy"])
        assert ratio == pytest.approx(30, rel=0.1)


def test_a_script_drives_the_snr_over_the_frames(tmp_path: Path):
    script = tmp_path / "drive.csv"
    script.write_text("time_s,snr_db\n0,0\n10,20\n", "utf-8")
    with bench(ChannelNode, channel="awgn") as b:
        b.up()
        got = b.listen(CompressedImage, RECEIVED)
        sender = b.speak(CompressedImage, SENT)
        assert b.set(script=str(script)) == ""
        seen = []
        for arrived, number in enumerate((0, 50, 100, 150), start=1):
            sender.publish(message(number, SYMBOLS))
            b.until(lambda n=arrived: len(got) == n, "the payload")
            seen.append(float(shown(b)["snr_db"]))
        assert seen == [0.0, 10.0, 20.0, 20.0]
        noise = unpack(bytes(got[-1].data)).part("planes").noise_variance
        assert noise == pytest.approx(0.01, rel=0.05)


def test_the_snr_that_the_rsu_reports_reaches_the_channel():
    def report(snr_db: str) -> DiagnosticArray:
        return DiagnosticArray(
            status=[DiagnosticStatus(values=[KeyValue(key="snr_db", value=snr_db)])]
        )

    with bench(ChannelNode) as b:
        b.up()
        b.listen(CompressedImage, RECEIVED)
        heard = []
        b.node._channel.report_snr = heard.append
        rsu = b.speak(DiagnosticArray, "rsu/link")
        for number, snr_db in enumerate(("7.5", "", "-3.0"), start=1):
            rsu.publish(report(snr_db))
            b.until(lambda n=number: len(heard) == n, "the report")
        assert heard == [7.5, None, -3.0]


def test_a_refused_value_gets_a_sentence_and_channel_and_delivery_stay_as_they_were(tmp_path: Path):
    (tmp_path / "drive.csv").write_text("time_s,snr\n0,0\n", "utf-8")
    with bench(ChannelNode, burst=2.0) as b:
        b.up()
        before = vars(b.node.settings).copy()
        taken = b.node._channel.settings
        for sentence, values in {
            "did you mean 'awgn'": {"channel": "awgm"},
            "longer burst": {"loss": 0.9},
            "out of range": {"snr_db": math.nan},
            "delay_ms out of range": {"delay_ms": -1.0},
            "does not fit": {"blackout_s": 61.0},
            "must be of type int": {"vehicles": 1.5},
            "must be of type bool": {"reorder": "yes"},
            "cannot be read": {"script": str(tmp_path / "missing.yaml")},
            "line 2, column 2: .*did you mean 'snr_db'": {"script": str(tmp_path / "drive.csv")},
            "no trace is named": {"channel": "trace"},
        }.items():
            assert re.search(sentence, b.set(**values)), sentence
        assert vars(b.node.settings) == before
        assert b.node._channel.settings is taken and b.node._delivery._settings is taken
