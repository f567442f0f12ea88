# SPDX-License-Identifier: Apache-2.0
"""Parameters and lifecycles of the other nodes, asked for and set from the server's thread."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import Any

from rcl_interfaces.msg import ParameterEvent
from rcl_interfaces.srv import GetParameters, SetParametersAtomically
from rclpy.client import Client
from rclpy.node import Node
from rclpy.parameter import Parameter, parameter_value_to_python
from rclpy.task import Future

from semcom_ros.errors import SemcomError
from semcom_ros.nodes.dashboard.taps import Tap
from semcom_ros.parameter import Value

RunSoon = Callable[[Callable[[], None]], None]
SERVICES = {GetParameters: "get_parameters", SetParametersAtomically: "set_parameters_atomically"}
FIND_S, ANSWER_S = 3.0, 60.0
"""How long a node may take to be found, and to answer: it may be loading another codec."""
REPEAT_S = 2.0
"""How long an answer is waited for before the node is asked again: who has not found this one yet
answers into the void."""


class Remote:
    """What is known of other nodes' parameters, through `node`, until it is closed.

    run_soon: runs a function in the executor's thread. values: by node (its full name) and
    parameter, as last heard. read_at: when each node was last asked for all (monotonic, s).
    """

    def __init__(self, node: Node, run_soon: RunSoon) -> None:
        self._node, self._run_soon = node, run_soon
        self._clients: dict[str, dict[type, Client]] = {}
        self._tap = Tap(node, ParameterEvent, "/parameter_events", 100)
        self._asked: set[Future] = set()
        self._is_closed = False
        self.values: dict[str, dict[str, Value]] = {}
        self.read_at: dict[str, float] = {}

    def take(self) -> None:
        """Hear what has been set since the last call, by whomever."""
        for event, _ in self._tap.take():
            known = self.values.get(event.node)
            if known is not None:
                for one in (*event.new_parameters, *event.changed_parameters):
                    known[one.name] = parameter_value_to_python(one.value)

    def close(self) -> None:
        """Forget everything; who waits for an answer is told that none comes."""
        self._is_closed = True
        self._tap.close()
        for asked in list(self._asked):
            asked.cancel()
        while self._clients:
            for client in self._clients.popitem()[1].values():
                self._node.destroy_client(client)

    async def read(self, of: str, names: Iterable[str]) -> dict[str, Value]:
        """Values of the node's parameters of these names. Raises SemcomError."""
        self.values[of] = await self._values(of, list(names))
        self.read_at[of] = time.monotonic()
        return self.values[of]

    async def write(self, of: str, values: Mapping[str, Value]) -> None:
        """Set parameters of a node, all or none. Raises SemcomError with the node's reason.

        They are set once, for it may take long, and twice might undo what another sets meanwhile;
        where the answer is lost, that the node has the values is answer enough.
        """
        request = SetParametersAtomically.Request()
        request.parameters = [
            Parameter(name, value=value).to_parameter_msg() for name, value in values.items()
        ]
        tasks = [asyncio.ensure_future(self._ask(SetParametersAtomically, of, request))]
        try:
            while not (await asyncio.wait(tasks[:1], timeout=REPEAT_S))[0]:
                tasks[1:] = [asyncio.ensure_future(self._values(of, list(values)))]
                await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
                with suppress(SemcomError, asyncio.InvalidStateError):
                    if tasks[1].result() == values:
                        return
            result = tasks[0].result().result
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        if not result.successful:
            raise SemcomError(result.reason)

    async def _values(self, of: str, names: list[str]) -> dict[str, Value]:
        response = await self._ask(GetParameters, of, GetParameters.Request(names=names))
        values = (parameter_value_to_python(value) for value in response.values)
        return dict(zip(names, values, strict=False))

    async def _ask(self, kind: type, of: str, request: Any) -> Any:
        """The answer of a node's service."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Any] = loop.create_future()
        silent = SemcomError(f"{of} does not answer: it has gone, or hangs.")

        def in_loop(call: Callable[..., Any], *args: Any) -> None:
            with suppress(RuntimeError):  # the server has ended meanwhile
                loop.call_soon_threadsafe(call, *args)

        def settle(done: Future | None = None) -> None:
            if answer.done():
                return
            if done is None or done.cancelled():
                answer.set_exception(silent)
            else:
                answer.set_result(done.result())

        def told(done: Future) -> None:
            self._asked.discard(done)
            in_loop(settle, done)

        def ask() -> None:
            if self._is_closed:
                in_loop(settle)
                return
            client = self._client(kind, of)
            if client.service_is_ready():
                asked = client.call_async(request)
                self._asked.add(asked)
                asked.add_done_callback(told)
                if kind is GetParameters:
                    in_loop(loop.call_later, REPEAT_S, repeat)
            else:
                in_loop(loop.call_later, 0.1, again)

        def repeat() -> None:
            if not answer.done():
                self._run_soon(ask)

        def again() -> None:
            if not answer.done() and loop.time() < until:
                self._run_soon(ask)
            else:
                settle()

        until = loop.time() + FIND_S
        self._run_soon(ask)
        try:
            return await asyncio.wait_for(answer, ANSWER_S)
        except TimeoutError:
            raise silent from None

    def _client(self, kind: type, of: str) -> Client:
        """That of a node's service; all are made at once, so that the node has found them when
        something is to be set."""
        if of not in self._clients:
            self._clients[of] = {
                each: self._node.create_client(each, f"{of}/{name}")
                for each, name in SERVICES.items()
            }
        return self._clients[of][kind]
