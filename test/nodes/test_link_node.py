# SPDX-License-Identifier: Apache-2.0
"""The link between two hosts as a node: what goes out as UDP, what comes back, what it tells."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

pytest.importorskip("rclpy", reason="no ROS 2 for this Python")

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue  # noqa: E402
from ros_bench import Bench, bench, camera_image  # noqa: E402
from sensor_msgs.msg import CompressedImage  # noqa: E402
from udp_bench import link, payload, until  # noqa: E402

from semcom_ros.link import udp  # noqa: E402
from semcom_ros.link.link_report import LinkReport, read  # noqa: E402
from semcom_ros.link.sockets import open_socket  # noqa: E402
from semcom_ros.nodes import link_node  # noqa: E402
from semcom_ros.nodes.link_node import LinkNode  # noqa: E402
from semcom_ros.nodes.messages import link_state, payload_message, stamp_ns  # noqa: E402

SENT, LINK = "camera/image_raw/semcom", "rsu/link"
RECEIVED = f"{SENT}/received"
REPORT = LinkReport("/rsu/link", 1, 5 * 10**9 + 7, "asking", {"snr_db": "7.5", "task": "ümläut"})


def report(*statuses: LinkReport) -> DiagnosticArray:
    made = [
        DiagnosticStatus(
            name=one.name, level=bytes([one.level]), message=one.message,
            hardware_id="semcom_ros",
            values=[KeyValue(key=key, value=value) for key, value in one.values.items()],
        )
        for one in statuses
    ]  # fmt: skip
    message = DiagnosticArray(status=made)
    message.header.stamp.sec, message.header.stamp.nanosec = divmod(statuses[0].stamp, 10**9)
    return message


@contextmanager
def vehicle_of(b: Bench) -> Iterator[udp.VehicleEnd]:
    """The end of a vehicle that sends to the node of the bench, an RSU's."""
    port = b.node._end._socket.getsockname()[1]
    socket_ = open_socket(":0", family=socket.AF_INET)
    made = udp.VehicleEnd(socket_, 1e5, print, ("127.0.0.1", port), print)
    made.start()
    try:
        yield made
    finally:
        made.stop()
        made.close()


@pytest.mark.parametrize(("with_channel", "topic"), [(False, SENT), (True, RECEIVED)])
def test_on_the_vehicles_host_payloads_go_out_as_they_are_and_reports_come_in(with_channel, topic):
    with (
        link() as far,
        bench(LinkNode, peer=f"127.0.0.1:{far.port}", with_channel=with_channel) as b,
    ):
        b.up()
        heard = b.listen(DiagnosticArray, LINK)
        sent = payload(1, 4, 700)
        b.speak(CompressedImage, topic).publish(payload_message(camera_image().header, "x", sent))
        b.until(lambda: far.got, "the payload")
        assert far.got[0][1] == sent
        b.listened(LINK)
        far.rsu.send(b"[]", 1)
        b.until(lambda: "errors" in b.node.statistics.snapshot(), "the refusal")
        far.rsu.send(REPORT.pack(), 1)
        b.until(lambda: heard, "the report")
        (own, path), (state, task) = heard[0].status, link_state(heard[0])
        assert report(REPORT).status == [own] and stamp_ns(heard[0].header) == REPORT.stamp
        assert (state.snr_db, task) == (7.5, "ümläut")
        assert path.name == "/vehicle_1/link_node/link"
        assert {pair.key for pair in path.values} >= {"rtt_ms"}
        assert b.node.status() == (DiagnosticStatus.OK, "linking")
        assert b.node.values()["sent"] == "1" and float(b.node.values()["rtt_ms"]) < 1000


def test_on_the_rsus_host_a_vehicle_gets_topics_which_go_when_it_is_silent(monkeypatch):
    node = bench(LinkNode, "/rsu", role="rsu", bind="127.0.0.1:0", frame_id="front")
    with node as b, vehicle_of(b.up()) as vehicle:
        vehicle.send(payload(1, vehicle=7))
        b.until(lambda: b.node._vehicles, "the vehicle's topics")
        assert b.node.statistics.snapshot()["unheard"] == "1"
        got = b.listen(CompressedImage, f"/vehicle_7/{RECEIVED}")
        b.until(lambda: b.node._vehicles[7][0].get_subscription_count(), "a listener")
        vehicle.send(sent := payload(2, vehicle=7))
        b.until(lambda: got, "the payload")
        assert bytes(got[0].data) == sent and got[0].format == "rgb8; semcom classical/1"
        assert (stamp_ns(got[0].header), got[0].header.frame_id) == (2 * 10**8, "front")
        vehicle._on_report = (reports := list[bytes]()).append
        rsu, warned = b.speak(DiagnosticArray, f"/vehicle_7/{LINK}"), b.warnings()
        rsu.publish(report(REPORT, REPORT))
        b.until(lambda: warned, "the complaint")
        rsu.publish(report(REPORT))
        b.until(lambda: reports, "the report")
        assert list(map(read, reports)) == [REPORT]
        vehicle.send(payload(3, vehicle=7))  # which tells what the round trip takes
        b.until(lambda: "vehicle_7.rtt_ms" in b.node.values(), "the round trip")
        assert "let each host have a ROS_DOMAIN_ID of its own" in warned[0]
        monkeypatch.setattr(udp, "SILENT_S", 0.5)
        vehicle.stop()
        b.until(lambda: not b.node._vehicles, "the vehicle to be forgotten")
        b.until(lambda: not b.tester.count_publishers(f"/vehicle_7/{RECEIVED}"), "its topic to go")
        vehicle.start()


def test_a_channel_on_the_rsus_host_gets_the_payloads_first():
    node = bench(LinkNode, "/rsu", role="rsu", bind="127.0.0.1:0", with_channel=True)
    with node as b, vehicle_of(b.up()) as vehicle:
        vehicle.send(payload(1, vehicle=3))
        b.until(lambda: b.node._vehicles, "the vehicle")
        assert b.node._vehicles[3][0].topic_name == f"/vehicle_3/{SENT}"


def test_it_goes_on_after_a_break_and_gives_its_port_back():
    with bench(LinkNode, "/rsu", role="rsu", bind="127.0.0.1:0") as b:
        with vehicle_of(b.up()) as vehicle:
            for number in (1, 2):
                vehicle.send(payload(number))
                b.until(lambda: b.node._vehicles, "the vehicle")
                b.node.trigger_deactivate()
                assert not b.node._vehicles
                b.node.trigger_activate()
        port = b.node._end._socket.getsockname()[1]
        b.node.trigger_deactivate()
        b.node.trigger_cleanup()
        open_socket(f"127.0.0.1:{port}").close()


def test_an_rsu_that_does_not_answer_is_told(monkeypatch):
    monkeypatch.setattr(link_node, "ANSWER_S", 0.3)
    with open_socket("127.0.0.1:0") as nobody:
        peer = f"127.0.0.1:{nobody.getsockname()[1]}"
        with bench(LinkNode, peer=peer) as b:
            b.up()
            # It is less than a second, but for a machine that is busy elsewhere.
            told = [f"no answer from the RSU at {peer} for {seconds} s" for seconds in range(9)]
            warnings = [(DiagnosticStatus.WARN, sentence) for sentence in told]
            until(lambda: b.node.status() in warnings, "the warning")


@pytest.mark.parametrize(
    ("parameters", "sentence"),
    [
        ({}, "peer is empty: name where the RSU's link_node is, as in peer:=192.0.2.7:47800"),
        ({"peer": "10.0.0.1"}, "peer is '10.0.0.1': it must be HOST:PORT"),
        ({"role": "rsu", "bind": "192.0.2.1:5"}, "that is no address of this host"),
    ],
)
def test_what_cannot_be_opened_is_a_sentence_and_leaves_the_node_unconfigured(parameters, sentence):
    with bench(LinkNode, **parameters) as b:
        said, logger = list[str](), b.node.get_logger()
        b.node.get_logger = lambda: logger
        logger.error = said.append
        b.node.trigger_configure()
        assert b.state() == "unconfigured" and sentence in said[0]
