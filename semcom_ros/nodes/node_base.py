# SPDX-License-Identifier: Apache-2.0
"""What the nodes share: guarded transitions, diagnostics and main."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import ExitStack
from types import SimpleNamespace
from typing import Any

import cv2
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from rclpy.impl.implementation_singleton import rclpy_implementation
from rclpy.lifecycle import LifecycleState, TransitionCallbackReturn
from rclpy.timer import Timer

from semcom_ros.errors import SemcomError
from semcom_ros.nodes.entry import run
from semcom_ros.nodes.node_parameters import NodeParameters
from semcom_ros.nodes.reporting import LOOK_S, ReportingNode, in_full
from semcom_ros.nodes.slow_answers import answer_slowly, finished
from semcom_ros.nodes.topics import overriding, reliable
from semcom_ros.runtime import check_device, keep_freed_memory


class SemcomNode(ReportingNode):
    """A lifecycle node with the parameters of its table, a guard, statistics and diagnostics.

    A node offers `setup`, `start`, `listen`, `free`, `change` and `values`. It makes publishers in
    `setup` and subscriptions in `listen`; both are dropped for it. What `start` began is ended by
    what it put on the stack `ends`. For another codec, what `load` gives is given to `change`.
    executable: its name.
    """

    executable: str

    def __init__(self) -> None:
        super().__init__(self.executable)
        self.settings = SimpleNamespace()
        self.owns_process, self.ends = False, ExitStack()
        self._node_parameters = NodeParameters(
            self, self.executable, self.load, self._on_change, self.read
        )
        self._report_timer: Timer | None = None
        self.warm: Future[None] | None = None
        group = MutuallyExclusiveCallbackGroup()
        answer_slowly(self._service_change_state, self._on_change_state, group)

    def setup(self) -> None:
        """Load what `self.settings` asks for, make the publishers. May raise SemcomError."""

    def start(self) -> None:
        """Begin to work; `warm` is done once nothing is late any more. May raise SemcomError."""

    def free(self) -> None:
        """Drop what `setup` loaded; may be called when there is nothing."""

    def load(self, settings: SimpleNamespace) -> Any:
        """What another codec takes, made while the node goes on, in another thread. May raise
        SemcomError."""

    def change(self, settings: SimpleNamespace, loaded: Any) -> None:
        """Go on with new run-time `settings`, or raise SemcomError and go on with the old.

        loaded: what `load` gave, where the codec is another."""

    def read(self, words: str) -> Any:
        """What the codec at work makes of a task in words. May raise SemcomError."""

    def prepare_compute(self) -> None:
        """Set up threads and memory for networks; raise SemcomError if there is no such device."""
        keep_freed_memory()
        cv2.setNumThreads(self.settings.threads)
        # torch reads the variable when it is loaded, which happens only where a codec needs it.
        os.environ["OMP_NUM_THREADS"] = str(self.settings.threads)
        if "torch" in sys.modules:
            sys.modules["torch"].set_num_threads(self.settings.threads)
        check_device(self.settings.device)

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        return self._guard(self._configure, undo=self._release)

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        super().on_activate(state)
        return self._guard(self._activate, undo=self._halt)

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        return self._guard(self._halt)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        return self._guard(self._release)

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        return self._guard(self.close)

    on_error = on_shutdown

    def close(self) -> None:
        """Stop and free everything, from any state."""
        self._halt()
        self._release()

    def destroy_node(self) -> None:
        self._node_parameters.end()
        super().destroy_node()

    def start_by_itself(self, ending: Callable[[], bool]) -> None:
        """Configure and, unless it is `ending` by then, activate if `autostart` says so; if that
        fails, wait unconfigured."""
        name = self.get_fully_qualified_name()
        if not self.get_parameter("autostart").value:
            self.get_logger().info(f"Waiting for `ros2 lifecycle set {name} configure`.")
        elif self.trigger_configure() == TransitionCallbackReturn.SUCCESS:
            if not ending():
                self.trigger_activate()
        else:
            self.get_logger().error(
                f"{name} is not configured: put it right with `ros2 param set {name} ...`, then "
                f"`ros2 lifecycle set {name} configure` and `ros2 lifecycle set {name} activate`."
            )

    def _configure(self) -> None:
        self.settings = self._node_parameters.fix()
        self.setup()
        self._diagnostics = self.create_publisher(
            DiagnosticArray, "/diagnostics", reliable(), qos_overriding_options=overriding()
        )
        self._report_timer = self.steady_timer(LOOK_S, self._report)
        self._freeze()

    def _freeze(self) -> None:
        if self.owns_process:  # elsewhere, frozen nodes would never be collected
            gc.freeze()  # looking through a network's objects takes longer than a frame

    def _thaw(self) -> None:
        """Let go of what was frozen and is not used any more: each turn would leave 0.2 MiB."""
        if self.owns_process:
            gc.unfreeze()
            gc.collect()

    def _activate(self) -> None:
        self.active = True
        self.watch()
        self.start()
        if self.warm is not None:
            self.warm.add_done_callback(lambda _: self._freeze())
        self.follow_demand()
        self.get_logger().info("Active.")

    def _halt(self) -> None:
        self.active = False
        self.follow_demand()
        self.ends.close()
        super().on_deactivate(None)
        self._thaw()

    def _release(self) -> None:
        self._node_parameters.release()
        if self._report_timer is not None:
            self.destroy_timer(self._report_timer)
            self.destroy_publisher(self._diagnostics)
            self._report_timer = None
        self.drop_publishers()
        self.free()
        self._thaw()

    def _guard(
        self, step: Callable[[], None], undo: Callable[[], None] | None = None
    ) -> TransitionCallbackReturn:
        """Run `step` and log its exception, which rclpy would swallow without a word."""
        try:
            step()
            return TransitionCallbackReturn.SUCCESS
        except Exception as error:
            user = isinstance(error, SemcomError)
            self.get_logger().error(in_full(error))
            result = TransitionCallbackReturn.FAILURE if user else TransitionCallbackReturn.ERROR
        if undo is not None:
            undo()
        return result

    async def _on_change_state(
        self, change: Callable[[Any, Any], Any], request: Any, response: Any
    ) -> Any:
        """Refuse an impossible transition; in rclpy 7.1 the request of one ends the process.

        Who activates the node hears of it when it is warm."""
        try:
            response = change(request, response)
        except rclpy_implementation.RCLError as error:
            self.get_logger().error(f"The transition is not possible now: {error}")
            response.success = False
        if self.warm is not None:
            await finished(self, self.warm)
        return response

    def _on_change(self, settings: SimpleNamespace, loaded: Any) -> None:
        self.change(settings, loaded)
        self.settings = settings

    def _report(self) -> None:
        self.follow_publishers()
        active = self.active
        level, sentence = self.status() if active else (DiagnosticStatus.OK, "inactive")
        if self.is_news(sentence, level != DiagnosticStatus.OK):
            values = self.statistics.snapshot() | (self.values() if active else {})
            self.tell(self._diagnostics, level, sentence, values)

    @classmethod
    def main(cls) -> None:
        """Entry point of every node: spin until SIGINT or SIGTERM, then end with status 0."""
        run(cls)
