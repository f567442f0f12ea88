# SPDX-License-Identifier: Apache-2.0
"""Maps flow while the RSU loads a codec or warms up, and whoever asked gets a true answer."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

pytest.importorskip("rclpy", reason="no ROS 2 for this Python")

from lifecycle_msgs.msg import Transition  # noqa: E402
from lifecycle_msgs.srv import ChangeState  # noqa: E402
from rcl_interfaces.srv import SetParameters, SetParametersAtomically  # noqa: E402
from rclpy.parameter import Parameter  # noqa: E402
from rclpy.task import Future  # noqa: E402
from ros_bench import Bench, bench  # noqa: E402
from rsu_bench import RECEIVED, FakeDecoder, arrival, street  # noqa: E402
from sensor_msgs.msg import CompressedImage, Image  # noqa: E402

from semcom_ros.errors import SemcomError  # noqa: E402
from semcom_ros.nodes.rsu_node import RsuNode  # noqa: E402
from semcom_ros.pipeline.rsu import Rsu  # noqa: E402

NO_TASKS = dict.fromkeys(("segmentation", "detection", "depth"), "none")


@pytest.fixture
def b() -> Iterator[Bench]:
    """An active RSU whose decoder gives maps."""
    with bench(RsuNode, codec="classical", **NO_TASKS) as made:
        made.up()
        made.node._rsu.decoder = FakeDecoder(street())
        yield made


def ask(b: Bench, kind: type = SetParameters, **values: object) -> Future:
    """Set parameters by the service of `kind`."""
    name = "set_parameters" + ("_atomically" if kind is SetParametersAtomically else "")
    client = b.tester.create_client(kind, f"rsu_node/{name}")
    b.until(client.service_is_ready, "the service")
    parameters = [Parameter(name, value=value).to_parameter_msg() for name, value in values.items()]
    return client.call_async(kind.Request(parameters=parameters))


def maps_flow(b: Bench, first: int = 1) -> None:
    maps = b.listen(Image, "rsu/segmentation")
    b.listened("rsu/segmentation")
    payloads = b.speak(CompressedImage, RECEIVED)
    for number in range(3):
        payloads.publish(arrival(first + number))
        b.until(lambda n=number: len(maps) == n + 1, f"map {number}")


class Held:
    """The RSU's loading, in whose stead `load` comes once `go_on` is set."""

    def __init__(self, b: Bench, load=None) -> None:
        self.begun, self.go_on = threading.Event(), threading.Event()
        self._load = load or b.node.load
        b.node._node_parameters._load = self

    def __call__(self, settings):
        self.begun.set()
        self.go_on.wait()
        return self._load(settings)


@pytest.mark.parametrize("kind", [SetParameters, SetParametersAtomically])
def test_maps_flow_while_another_codec_loads_and_then_it_is_the_codec(b, kind):
    held, before = Held(b), b.node._rsu
    answer = ask(b, kind, codec="jpeg2000", min_area=7)
    try:
        b.until(held.begun.is_set, "the load")
        later = ask(b, max_age_s=2.5)
        maps_flow(b)
        assert b.node._rsu is before and b.node.settings.codec == "classical"
        assert not answer.done() and not later.done()
    finally:
        held.go_on.set()
    b.until(lambda: answer.done() and later.done(), "the answers")
    results = answer.result().results if kind is SetParameters else [answer.result().result]
    assert all(result.successful for result in results)
    assert b.node._rsu is not before and b.node.vehicles[""].receiver.name == "jpeg2000"
    s = b.node.settings
    assert (s.codec, s.min_area, s.max_age_s) == ("jpeg2000", 7, 2.5)


def test_a_codec_that_does_not_load_is_refused_with_its_sentence_and_changes_nothing(b):
    def fail(settings):
        raise SemcomError("The weights are at home.")

    Held(b, fail).go_on.set()
    before, settings = b.node._rsu, b.node.settings
    answer = ask(b, codec="hevc")
    b.until(answer.done, "the refusal")
    (result,) = answer.result().results
    assert (result.successful, result.reason) == (False, "The weights are at home.")
    assert b.node._rsu is before and b.node.settings is settings
    assert b.node.get_parameter("codec").value == "classical"
    maps_flow(b)


def test_a_codec_that_was_loaded_is_at_hand_and_one_that_failed_is_tried_anew(b):
    asked = []

    def load(settings):
        asked.append(settings.codec)
        if len(asked) == 1:
            raise SemcomError("Not yet.")
        return b.node.load(settings)

    Held(b, load).go_on.set()
    said = []
    for codec in ("hevc", "hevc", "classical", "hevc", "classical"):
        answer = ask(b, codec=codec)
        b.until(answer.done, "the answer")
        said.append(answer.result().results[0].reason)
        assert b.node.vehicles[""].receiver.name == b.node.settings.codec
    assert said == ["Not yet.", "", "", "", ""]
    assert asked == ["hevc", "hevc", "classical"]


def test_what_was_loaded_for_a_node_that_was_configured_anew_is_not_taken(b):
    held = Held(b)
    answer = ask(b, codec="jpeg2000")
    try:
        b.until(held.begun.is_set, "the load")
    finally:
        held.go_on.set()
    b.node.trigger_deactivate()
    b.node.trigger_cleanup()
    b.until(answer.done, "the answer")
    assert answer.result().results[0].successful and b.state() == "unconfigured"
    assert b.up().node.vehicles[""].receiver.name == "jpeg2000"


def test_the_first_maps_do_not_wait_for_the_networks_of_images(monkeypatch):
    go_on = threading.Event()

    def warm_up(self):
        go_on.wait()
        yield

    monkeypatch.setattr(Rsu, "warm_up", warm_up)
    with bench(RsuNode, codec="classical", **NO_TASKS) as b:
        b.node.trigger_configure()
        b.node._rsu.decoder = FakeDecoder(street())
        client = b.tester.create_client(ChangeState, "rsu_node/change_state")
        b.until(client.service_is_ready, "the service")
        request = ChangeState.Request()
        request.transition.id = Transition.TRANSITION_ACTIVATE
        answer = client.call_async(request)
        try:
            b.until(lambda: b.state() == "active", "the activation")
            images = b.listen(Image, "rsu/image")
            b.listened("rsu/image")
            maps_flow(b)
            counts = b.node.vehicles[""].receiver.counters.snapshot
            b.until(lambda: counts()["maps_only"] == 2, "all images but the newest to give way")
            # Whoever activates is told once the newest can be made.
            assert not images and not answer.done()
        finally:
            go_on.set()
        b.until(lambda: answer.done() and images, "answer and image")
        assert answer.result().success
