# SPDX-License-Identifier: Apache-2.0
"""Many vehicles on one RSU: found as they come, each by itself, gone without a trace."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

pytest.importorskip("rclpy", reason="no ROS 2 for this Python")

from diagnostic_msgs.msg import DiagnosticArray  # noqa: E402
from rclpy.publisher import Publisher  # noqa: E402
from ros_bench import Bench, bench  # noqa: E402
from rsu_bench import RECEIVED, FakeDecoder, arrival, street  # noqa: E402
from sensor_msgs.msg import CompressedImage, Image  # noqa: E402
from std_msgs.msg import String  # noqa: E402

from semcom_ros.errors import SemcomError  # noqa: E402
from semcom_ros.lab.evaluation.bench_rsu import jain  # noqa: E402
from semcom_ros.nodes import rsu_node, served_vehicle  # noqa: E402
from semcom_ros.nodes.dashboard.fleet import Fleet  # noqa: E402
from semcom_ros.nodes.rsu_node import RsuNode  # noqa: E402
from semcom_ros.nodes.vehicle_search import VehicleSearch  # noqa: E402

NO_TASKS = dict.fromkeys(("segmentation", "detection", "depth"), "none")


@pytest.fixture
def b(monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    """An active RSU for all that come, whose decoder gives maps; it looks round often."""
    monkeypatch.setattr(rsu_node, "LOOK_ROUND_S", 0.05)
    monkeypatch.setattr(served_vehicle, "GONE_S", 0.2)
    settings = {"codec": "classical", "vehicles": "/car_*", **NO_TASKS}
    with bench(RsuNode, "/junction", **settings) as made:
        made.up().node._rsu.decoder = FakeDecoder(street())
        yield made


def come(b: Bench, name: str) -> Publisher:
    """The radio of a vehicle that the RSU listens to by now."""
    return b.speak(CompressedImage, f"{name}/{RECEIVED}")


def books(b: Bench, name: str) -> dict:
    return b.node.vehicles[name].receiver.counters.snapshot()


def statuses(b: Bench, name: str) -> list[DiagnosticArray]:
    """What /diagnostics tells of `name` from now on, value by value."""
    told = []
    b.tester.create_subscription(
        DiagnosticArray, "/diagnostics",
        lambda message: told.extend(
            {v.key: v.value for v in one.values} for one in message.status if one.name == name
        ), 100,
    )  # fmt: skip
    return told


def test_each_that_comes_has_topics_books_and_a_status_of_its_own(b: Bench) -> None:
    all_told, own_told = statuses(b, "/junction/rsu_node"), statuses(b, "/car_2/rsu")
    radios = {name: come(b, name) for name in ("/car_1", "/car_2")}
    maps = {name: b.listen(Image, f"{name}/rsu/segmentation") for name in radios}
    links = b.listen(DiagnosticArray, "/car_2/rsu/link")
    b.until(lambda: all(b.node.vehicles[n].outputs.wanted() for n in radios), "the listeners")
    sent = {"/car_1": arrival(1), "/car_2": arrival(7)}
    for name, message in sent.items():
        radios[name].publish(message)
    b.until(lambda: all(maps.values()), "a map each")
    radios["/car_2"].publish(sent["/car_2"])
    b.until(lambda: books(b, "/car_2")["rejected"]["duplicate"] == 1, "the refusal")
    assert [m.header for n in radios for m in maps[n]] == [m.header for m in sent.values()]
    assert books(b, "/car_1")["received"] == books(b, "/car_1")["decoded"] == 1
    b.until(lambda: own_told and own_told[-1]["received"] == "2", "what is told of one")
    assert own_told[-1]["rejected.duplicate"] == own_told[-1]["decoded"] == "1"
    assert own_told[-1]["node"] == "/junction/rsu_node"
    b.until(lambda: all_told and all_told[-1]["received"] == "3", "what is told of all")
    assert (all_told[-1]["decoded"], all_told[-1]["vehicles"]) == ("2", "2")
    b.until(lambda: links, "its link's report")
    assert links[-1].status[0].name == "/car_2/rsu/link"


def test_who_goes_leaves_nothing_but_the_sums_and_the_others_go_on(b: Bench) -> None:
    radios = {name: come(b, name) for name in ("/car_1", "/car_2")}
    before = len(list(b.node.publishers)), len(list(b.node.subscriptions))
    parameters = set(b.node._parameters)
    for name in radios:
        radios[name].publish(arrival(1))
        b.until(lambda name=name: books(b, name)["decoded"] == 1, "the frame")
    b.tester.destroy_publisher(radios.pop("/car_1"))
    b.until(lambda: "/car_1" not in b.node.vehicles, "the vehicle to be let go of")
    left = len(list(b.node.publishers)), len(list(b.node.subscriptions))
    assert all(0 < now < then for now, then in zip(left, before, strict=True))
    b.until(
        lambda: not [t for t, _ in b.tester.get_topic_names_and_types() if "car_1" in t], "topics"
    )
    assert set(b.node._parameters) == parameters and not [p for p in parameters if "car" in p]
    radios["/car_2"].publish(arrival(2))
    b.until(lambda: books(b, "/car_2")["decoded"] == 2, "the other's next frame")
    assert b.node.values()["decoded"] == "3" and b.node.values()["vehicles"] == "1"
    come(b, "/car_1").publish(arrival(1))
    b.until(lambda: books(b, "/car_1")["decoded"] == 1, "it to be served anew")
    assert b.node.values()["decoded"] == "4"


def test_a_change_reaches_all_and_a_task_only_whom_it_is_for(b: Bench) -> None:
    for name in ("/car_1", "/car_2"):
        come(b, name)
    b.speak(String, "/car_1/rsu/task").publish(String(data="where are the pedestrians?"))
    tasks = lambda: [one.asked.instruction for one in b.node.vehicles.values()]  # noqa: E731
    b.until(lambda: "where are the pedestrians?" in tasks(), "the task")
    assert sorted(tasks()) == ["", "where are the pedestrians?"]
    assert b.node.get_parameter("task").value == ""
    assert b.set(codec="jpeg2000", max_age_s=2.5) == ""
    assert {v.receiver.name for v in b.node.vehicles.values()} == {"jpeg2000"}
    assert {v.receiver.max_age_s for v in b.node.vehicles.values()} == {2.5}
    assert sorted(tasks()) == ["", "where are the pedestrians?"]
    assert b.set(task="the street") == "" and tasks() == ["the street"] * 2


def test_the_page_shows_each_with_the_rate_and_the_controls_of_the_rsu_that_serves_it(
    b: Bench,
) -> None:
    radios = [come(b, name) for name in ("/car_1", "/car_2")]
    fleet = Fleet(b.tester, lambda job: job())
    for radio in radios:
        radio.publish(arrival(1))

    def rates() -> list[str]:
        return [head["image_hz"] for head in fleet.look()[0]]

    b.until(lambda: len(rates()) == 2 and all(rates()), "both vehicles' rates")
    for name in ("/car_1", "/car_2"):
        assert fleet.address(name, "rsu_node") == "/junction/rsu_node"
        assert fleet.address(name, "vehicle_node") == f"{name}/vehicle_node"
        assert "rsu_node" in fleet.alive(name)
    fleet.close()


def test_vehicles_outlast_a_pause_and_not_a_cleanup(b: Bench) -> None:
    come(b, "/car_1").publish(arrival(1))
    b.until(lambda: books(b, "/car_1")["decoded"] == 1, "the frame")
    b.node.trigger_deactivate()
    assert not [s for s in b.node.subscriptions if "car" in s.topic_name]
    b.node.trigger_activate()
    radio = next(p for p in b.tester.publishers if p.topic_name.startswith("/car_1"))
    b.until(radio.get_subscription_count, "the RSU to listen again")
    radio.publish(arrival(2))
    b.until(lambda: books(b, "/car_1")["decoded"] == 2, "the next frame")
    b.node.trigger_deactivate()
    b.node.trigger_cleanup()
    assert not b.node.vehicles and not [p for p in b.node.publishers if "car" in p.topic_name]


def test_those_that_are_named_are_served_whether_they_are_there_or_not() -> None:
    with bench(RsuNode, "/junction", codec="classical", vehicles="/a,/b", **NO_TASKS) as b:
        b.up()
        assert list(b.node.vehicles) == ["/a", "/b"]
        assert {"/a/rsu/image", "/b/rsu/image"} <= {p.topic_name for p in b.node.publishers}
        assert "no payload has come yet" in b.node.trouble()


@pytest.mark.parametrize("wrong", ["vehicle_1", "/car 1", "/car_1,", "/1", "/car_[12]"])
def test_what_can_be_no_namespace_is_refused_with_what_to_write(wrong: str) -> None:
    with pytest.raises(SemcomError, match="a namespace such as /vehicle_1 or a pattern"):
        VehicleSearch(wrong)


def test_ten_that_send_at_once_are_served_alike_and_one_that_is_gone_changes_nothing(
    b: Bench,
) -> None:
    names = [f"/car_{n}" for n in range(1, 11)]
    radios = {name: come(b, name) for name in names}
    maps = {name: b.listen(Image, f"{name}/rsu/segmentation") for name in names}
    images = {name: b.listen(Image, f"{name}/rsu/image") for name in names}
    b.until(
        lambda: all({"labels", "image"} <= b.node.vehicles[n].outputs.wanted() for n in names),
        "the listeners",
    )
    for number in range(1, 9):
        if number == 5:
            b.tester.destroy_publisher(radios.pop(names[0]))
        for radio in radios.values():
            radio.publish(arrival(number))
        b.until(
            lambda: all(len(maps[name]) == number for name in radios),  # noqa: B023
            "every map",
        )
    b.until(lambda: all(not books(b, name)["in_flight"] for name in radios), "the last images")
    assert len(maps[names[0]]) == 4
    for name in radios:
        counts = books(b, name)
        assert counts["received"] == 8 == counts["decoded"] + counts["superseded"]
        assert counts["maps_only"] == counts["superseded"]
    assert jain(len(images[name]) for name in radios) >= 0.95


def test_of_vehicles_that_went_not_even_references_are_left(b: Bench) -> None:
    kept = []
    for name in ("/car_1", "/car_2", "/car_3"):
        b.node._serve(name, passing=True)
        b.node.vehicles.pop(name).close()
        gc.collect()
        kept.append(len(b.node.default_callback_group.entities))
    assert kept[2] == kept[1]
