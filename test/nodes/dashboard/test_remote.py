# SPDX-License-Identifier: Apache-2.0
"""What a page that asks a node is told when an answer is lost, or the last page goes meanwhile."""

from __future__ import annotations

import asyncio

import pytest

pytest.importorskip("rclpy", reason="no ROS 2 for this Python")

from rcl_interfaces.msg import ParameterType, ParameterValue  # noqa: E402
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


def test_what_a_node_answers_into_the_void_is_asked_again_and_what_is_set_is_set_once(monkeypatch):
    monkeypatch.setattr(remote, "Tap", NoTap)
    monkeypatch.setattr(remote, "REPEAT_S", 0.01)
    node = Asker(True)

    async def ask() -> None:
        known = Remote(node, lambda job: job())
        writing = asyncio.create_task(known.write("/n", {"codec": "sqgan"}))
        reading = asyncio.create_task(known.read("/n", ["codec"]))
        while len(node.asked) < 4:
            await asyncio.sleep(0.01)
        value = ParameterValue(type=ParameterType.PARAMETER_STRING, string_value="gesco")
        node.asked[-1][1].set_result(GetParameters.Response(values=[value]))
        assert await reading == {"codec": "gesco"}
        assert sum(isinstance(r, SetParametersAtomically.Request) for r, _ in node.asked) == 1
        known.close()
        with pytest.raises(SemcomError):
            await writing

    asyncio.run(ask())
    assert node.clients == []
