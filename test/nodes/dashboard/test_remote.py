# SPDX-License-Identifier: Apache-2.0
"""What a page that asks a node is told when an answer is lost, or the last page goes meanwhile."""

from __future__ import annotations

import asyncio

import pytest

pytest.importorskip("rclpy", reason="no ROS 2 for this Python")

from rcl_interfaces.msg import (  # noqa: E402
    ParameterType,
    ParameterValue,
    SetParametersResult,
)
from rcl_interfaces.srv import GetParameters, SetParametersAtomically  # noqa: E402
from rclpy.task import Future  # noqa: E402

from semcom_ros.errors import SemcomError  # noqa: E402
from semcom_ros.nodes.dashboard import remote  # noqa: E402
from semcom_ros.nodes.dashboard.remote import Remote  # noqa: E402


class Asker:
    """In a node's and in a client's place. clients: those that have not been destroyed. asked: what
    each call has asked and where its answer goes."""

    def __init__(self, found: bool) -> None:
        self.found, self.clients, self.asked = found, [], []

    def create_client(self, kind, service):
        self.clients.append(service)
        return self

    def destroy_client(self, client):
        self.clients.pop()

    def service_is_ready(self):
        return self.found

    def call_async(self, request):
        self.asked.append((request, Future()))
        return self.asked[-1][1]


class NoTap:
    def __init__(self, *topic):
        pass

    def close(self):
        pass


@pytest.mark.parametrize("found", [True, False])
def test_who_waits_for_an_answer_is_told_and_nothing_stays(monkeypatch, found):
    monkeypatch.setattr(remote, "Tap", NoTap)
    node = Asker(found)

    async def ask() -> None:
        known = Remote(node, lambda job: job())
        reading = asyncio.create_task(known.read("/vehicle_1/rsu_node", ["codec"]))
        while not node.clients:
            await asyncio.sleep(0)
        known.close()
        with pytest.raises(SemcomError, match="/vehicle_1/rsu_node does not answer"):
            await asyncio.wait_for(reading, remote.FIND_S)

    asyncio.run(ask())
    assert node.clients == []


def test_a_visitor_who_leaves_is_no_silent_node(monkeypatch):
    monkeypatch.setattr(remote, "Tap", NoTap)

    async def leave() -> None:
        reading = asyncio.create_task(Remote(Asker(True), lambda job: job()).read("/n", ["codec"]))
        await asyncio.sleep(0)
        reading.cancel()
        await reading

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(leave())


def codec(name: str) -> GetParameters.Response:
    value = ParameterValue(type=ParameterType.PARAMETER_STRING, string_value=name)
    return GetParameters.Response(values=[value])


def of_kind(node: Asker, kind: type) -> list[Future]:
    return [future for request, future in node.asked if isinstance(request, kind)]


def test_what_a_node_answers_into_the_void_is_asked_again(monkeypatch):
    monkeypatch.setattr(remote, "Tap", NoTap)
    monkeypatch.setattr(remote, "REPEAT_S", 0.01)
    node = Asker(True)

    async def ask() -> None:
        known = Remote(node, lambda job: job())
        reading = asyncio.create_task(known.read("/n", ["codec"]))
        while len(node.asked) < 3:
            await asyncio.sleep(0.01)
        node.asked[-1][1].set_result(codec("gesco"))
        assert await reading == {"codec": "gesco"}
        known.close()

    asyncio.run(ask())
    assert node.clients == []


def test_what_is_set_is_set_once_and_had_is_answer_enough(monkeypatch):
    monkeypatch.setattr(remote, "Tap", NoTap)
    monkeypatch.setattr(remote, "REPEAT_S", 0.01)
    node, unheard = Asker(True), []

    async def ask() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, told: unheard.append(told))
        known = Remote(node, lambda job: job())
        refused = asyncio.create_task(known.write("/n", {"codec": "sqgan"}))
        for looks in (1, 2):  # it is still loading
            while len(of_kind(node, GetParameters.Request)) < looks:
                await asyncio.sleep(0.01)
            of_kind(node, GetParameters.Request)[-1].set_result(codec("gesco"))
        [answer] = of_kind(node, SetParametersAtomically.Request)
        said = SetParametersResult(successful=False, reason="There is no such codec.")
        answer.set_result(SetParametersAtomically.Response(result=said))
        with pytest.raises(SemcomError, match="no such codec"):
            await refused

        node.asked.clear()
        taken = asyncio.create_task(known.write("/n", {"codec": "sqgan"}))
        while not of_kind(node, GetParameters.Request):
            await asyncio.sleep(0.01)
        of_kind(node, GetParameters.Request)[-1].set_result(codec("sqgan"))
        await taken
        assert len(of_kind(node, SetParametersAtomically.Request)) == 1

        leaving = asyncio.create_task(known.write("/n", {"codec": "gesco"}))
        await asyncio.sleep(0.05)
        leaving.cancel()
        known.close()
        with pytest.raises(asyncio.CancelledError):
            await leaving

    asyncio.run(asyncio.wait_for(ask(), 10))
    assert node.clients == [] and not unheard
