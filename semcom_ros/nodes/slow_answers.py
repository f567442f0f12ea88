# SPDX-License-Identifier: Apache-2.0
"""Services whose answers take long: the callbacks of other groups go on meanwhile."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from functools import partial
from typing import Any

from rclpy.callback_groups import CallbackGroup
from rclpy.node import Node
from rclpy.service import Service
from rclpy.task import Future as Done

Handle = Callable[[Callable[[Any, Any], Any], Any, Any], Awaitable[Any]]
"""Takes a service's own callback, a request and a response; the coroutine gives the response."""


def answer_slowly(service: Service, handle: Handle, group: CallbackGroup) -> None:
    """Let the coroutine `handle` answer what `service` is asked, one in `group` at a time."""
    service.callback = partial(handle, service.callback)  # type: ignore[assignment]
    service.callback_group = group
    group.add_entity(service)


async def finished(node: Node, future: Future[Any]) -> None:
    """Wait for `future`, which another thread settles, in a callback of `node`."""
    done = Done()

    def wake(_: Future[Any]) -> None:
        done.set_result(None)
        if node.executor is not None:
            node.executor.wake()

    future.add_done_callback(wake)
    await done
