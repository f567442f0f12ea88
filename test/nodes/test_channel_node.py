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

from channel_bench import RECEIVED, SENT, SYMBOLS, count, frames, message, payload, shown  # noqa: E402
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue  # noqa: E402
from ros_bench import bench, camera_image  # noqa: E402
from sensor_msgs.msg import CompressedImage  # noqa: E402

from semcom_ros.lab.evaluation.synthetic_trace import trace_street, write_v4  # noqa: E402
from semcom_ros.nodes.channel_node import ChannelNode  # noqa: E402
from semcom_ros.nodes.messages import payload_message  # noqa: E402
from semcom_ros.payload import unpack  # noqa: E402


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


def test_two_vehicles_of_the_same_seed_meet_different_losses():
    def lost(namespace: str) -> list[bool]:
        with bench(ChannelNode, namespace, loss=0.5) as b:
            b.up()
            carried = [unpack(b.node._carry(payload(number))) for number in range(64)]
            return [frame.part("image").erased for frame in carried]

    first, again, second = lost("/vehicle_1"), lost("/vehicle_1"), lost("/vehicle_2")
    assert first == again != second
    assert 16 < sum(second) < 48


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


def test_more_vehicles_cost_airtime():
    with bench(ChannelNode, access="802.11p", snr_db=8.0) as b:
        b.up()
        got = b.listen(CompressedImage, RECEIVED)
        b.speak(CompressedImage, SENT).publish(message(1))
        b.until(lambda: got, "the payload")
        alone = shown(b)
        assert b.set(vehicles_in_range=30) == ""
        crowded = shown(b)
        assert crowded["airtime_ms"] == alone["airtime_ms"]
        ratio = float(crowded["channel_busy"]) / float(alone["channel_busy"])
        assert ratio == pytest.approx(30, rel=0.1)


def test_airtime_is_that_of_the_access_and_without_one_the_time_of_the_symbols_is_shown():
    with bench(ChannelNode, channel="awgn", symbol_rate_mhz=10.0, snr_db=8.0) as b:
        b.up()
        got = b.listen(CompressedImage, RECEIVED)
        sender = b.speak(CompressedImage, SENT)
        sender.publish(message(1, SYMBOLS))
        b.until(lambda: got, "the payload")
        # 64 symbols of a tenth of a microsecond.
        assert shown(b)["symbols_ms"] == "0.006" and "airtime_ms" not in shown(b)
        assert b.set(access="c-v2x") == ""
        assert shown(b)["airtime_ms"] == "2.000" and "symbols_ms" not in shown(b)


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
        taken = vars(b.node._channel.settings).copy()
        for sentence, values in {
            "did you mean 'awgn'": {"channel": "awgm"},
            "longer burst": {"loss": 0.9},
            "out of range": {"snr_db": math.nan},
            "delay_ms out of range": {"delay_ms": -1.0},
            "does not fit": {"blackout_s": 61.0},
            "must be of type int": {"vehicles_in_range": 1.5},
            "must be of type bool": {"reorder": "yes"},
            "cannot be read": {"script": str(tmp_path / "missing.yaml")},
            "line 2, column 2: .*did you mean 'snr_db'": {"script": str(tmp_path / "drive.csv")},
            "no trace is named": {"channel": "trace"},
        }.items():
            assert re.search(sentence, b.set(**values)), sentence
        assert vars(b.node.settings) == before
        assert vars(b.node._channel.settings) == vars(b.node._delivery._settings) == taken


def test_a_position_without_a_path_is_a_warning_of_the_node(tmp_path: Path):
    street = trace_street(5, 1)
    street.power[2:], street.delay_s[2:], street.phase_rad[2:] = np.nan, np.nan, np.nan
    write_v4(street, tmp_path)
    trace = {"channel": "trace", "trace": str(tmp_path), "snr_db": 60.0}
    with bench(ChannelNode, **trace, trace_start=2) as b:
        b.up()
        got = b.listen(CompressedImage, RECEIVED)
        sender = b.speak(CompressedImage, SENT)
        sender.publish(message(1))
        b.until(lambda: got, "the lost payload")
        assert unpack(bytes(got[0].data)).part("image").erased
        (level, sentence), values = b.node.status(), b.node.values()
        assert (level, sentence) == (DiagnosticStatus.WARN, "no path at this position")
        assert (values["position"], values["packets_without_path"]) == ("2", "1")
        assert b.set(trace_start=0) == ""
        sender.publish(message(2))
        b.until(lambda: len(got) == 2, "the payload")
        assert b.node.status()[1] == "carrying"
