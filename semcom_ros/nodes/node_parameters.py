# SPDX-License-Identifier: Apache-2.0
"""A node's parameters as ROS sees them: declared from the table, checked by it, taken over."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from types import SimpleNamespace
from typing import Any

from rcl_interfaces.msg import (
    FloatingPointRange,
    IntegerRange,
    ParameterDescriptor,
    SetParametersResult,
)
from rcl_interfaces.srv import SetParameters, SetParametersAtomically
from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from rclpy.node import Node
from rclpy.parameter import Parameter as RosParameter

from semcom_ros.codecs import CODECS
from semcom_ros.errors import SemcomError
from semcom_ros.graph import table
from semcom_ros.nodes.reporting import in_full
from semcom_ros.nodes.slow_answers import answer_slowly, finished
from semcom_ros.parameter import Parameter


def codec_options(settings: SimpleNamespace) -> dict[str, Any]:
    """What of a node's settings an end of its codec is created with."""
    own = {k: v for k, v in vars(settings).items() if k.startswith(f"{settings.codec}_")}
    return {**own, "device": settings.device}


class NodeParameters:
    """Holds the parameters of `table(executable)` on `node`.

    load: gives what another codec in the settings takes; who asks for it by a service waits, and
    the node goes on meanwhile. change: called with the settings that a configured node is to go on
    with, and what was loaded for them. Both may raise SemcomError, and then nothing is changed.
    read: what the codec at work makes of a task in words.
    """

    def __init__(
        self,
        node: Node,
        executable: str,
        load: Callable[[SimpleNamespace], Any],
        change: Callable[[SimpleNamespace, Any], None],
        read: Callable[[str], Any],
    ):
        self._node = node
        self._table = table(executable)
        self._load, self._change, self._read = load, change, read
        self._codecs = CODECS if "codec" in self._table else ()
        self._tasks = [name for name in self._table if name == "task" or name.endswith("_task")]
        self._loader = ThreadPoolExecutor(1, "load")
        # By codec: one that was loaded stays at hand, so that going back and forth costs no frame.
        self._loads: dict[str, Future[Any]] = {}
        self._settings: SimpleNamespace | None = None
        self._refused: dict[str, str] = {}
        for parameter in self._table.values():
            self._declare(parameter)
        node.add_on_set_parameters_callback(self._on_set)
        group = MutuallyExclusiveCallbackGroup()
        for service in node.services:
            if service.srv_type in (SetParameters, SetParametersAtomically):
                answer_slowly(service, self._on_request, group)

    def fix(self) -> SimpleNamespace:
        """The settings to configure with; until `release` only run-time parameters may change.

        Raises SemcomError if a value that the process was started with is wrong and has not been
        put right since.
        """
        for sentence in self._refused.values():
            raise SemcomError(sentence)
        values = {n: p.check(self._node.get_parameter(n).value) for n, p in self._table.items()}
        self._settings = SimpleNamespace(**values)
        return self._settings

    def release(self) -> None:
        """Let every parameter change again, once what is loading is loaded."""
        wait(self._loads.values())
        self._settings = None
        self._loads.clear()

    def end(self) -> None:
        """Nothing is loaded elsewhere any more."""
        self._loader.shutdown()

    async def _on_request(
        self, serve: Callable[[Any, Any], Any], request: Any, response: Any
    ) -> Any:
        """Load the codec that is asked for, if any, then serve as ever."""
        for codec in [p.value.string_value for p in request.parameters if p.name == "codec"]:
            settings = self._settings
            if settings is not None and codec in self._codecs and codec != settings.codec:
                wanted = SimpleNamespace(**{**vars(settings), "codec": codec})
                await finished(self._node, self._begin_load(wanted))
        for words in [p.value.string_value for p in request.parameters if p.name in self._tasks]:
            await self.foresee(words)
        return serve(request, response)

    async def foresee(self, words: str) -> None:
        """Let the codec read a task in another thread: what reads it may have to be loaded first,
        and knows the words when the change comes."""
        if self._settings is not None:
            await finished(self._node, self._loader.submit(self._read, words))

    def _begin_load(self, settings: SimpleNamespace) -> Future[Any]:
        if settings.codec not in self._loads:
            self._loads[settings.codec] = self._loader.submit(self._load, settings)
        return self._loads[settings.codec]

    def _loaded(self, settings: SimpleNamespace) -> Any:
        """What `load` gives for the codec of new `settings`; None where it is that of the old."""
        if not self._codecs or settings.codec == self._settings.codec:
            return None
        try:
            return self._begin_load(settings).result()
        except Exception:
            del self._loads[settings.codec]
            raise

    def _declare(self, p: Parameter) -> None:
        """Declare `p`; a wrong value from command line or file is remembered, not fatal."""
        # Dynamic typing lets `rate_hz:=10` stand for 10.0; Parameter.check holds the type.
        descriptor = ParameterDescriptor(
            description=p.text,
            additional_constraints=p.range,
            dynamic_typing=True,
            read_only=p.when == "at start",
        )
        if p.minimum is not None and isinstance(p.default, float):
            limits = FloatingPointRange(from_value=p.minimum, to_value=p.maximum)
            descriptor.floating_point_range = [limits]
        elif p.minimum is not None:
            descriptor.integer_range = [IntegerRange(from_value=p.minimum, to_value=p.maximum)]
        given = self._node.declare_parameter(
            p.name, p.default, ParameterDescriptor(dynamic_typing=True)
        )
        try:
            p.check(given.value)
        except SemcomError as error:
            self._refused[p.name] = str(error)
            self._node.set_parameters([RosParameter(p.name, value=p.default)])
        self._node.set_descriptor(p.name, descriptor)

    def _on_set(self, changed: list[RosParameter]) -> SetParametersResult:
        try:
            self._take_over({p.name: p.value for p in changed if p.name in self._table})
        except SemcomError as error:
            return SetParametersResult(successful=False, reason=str(error))
        except Exception as error:
            self._node.get_logger().error(in_full(error))
            return SetParametersResult(successful=False, reason=f"It failed: {error!r}.")
        return SetParametersResult(successful=True)

    def _take_over(self, values: dict[str, Any]) -> None:
        checked = {name: self._table[name].check(value) for name, value in values.items()}
        if self._settings is not None and checked:
            for name in checked:
                if self._table[name].when == "at configure":
                    node = self._node.get_fully_qualified_name()
                    raise SemcomError(
                        f"{name} is read when the node is configured: `ros2 lifecycle set {node} "
                        "deactivate` if it is active, then `cleanup`; then set it, `configure` "
                        "and `activate`."
                    )
            settings = SimpleNamespace(**{**vars(self._settings), **checked})
            self._change(settings, self._loaded(settings))
            self._settings = settings
        for name in checked:
            self._refused.pop(name, None)
