# SPDX-License-Identifier: Apache-2.0
"""The entry point of every node: spun until SIGINT or SIGTERM, then ended with status 0."""

from __future__ import annotations

import gc
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from typing import Any

import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.impl.implementation_singleton import rclpy_implementation
from rclpy.signals import SignalHandlerOptions

from semcom_ros.nodes.fast_dds import announce_often
from semcom_ros.runtime import find_log_folder

SIGNALS = (signal.SIGINT, signal.SIGTERM)


def run(make: Callable[[], Any]) -> None:
    """Spin the `SemcomNode` that `make` gives until a signal, and leave nothing of it behind.

    A signal interrupts nothing: what is at work returns, then the node ends, and a second signal
    does not cut that short. A node that fails is ended as well; its error is told, the status 1.
    """
    told: list[int] = []
    ended, end = os.pipe()
    os.set_blocking(end, False)
    # Before the handlers: none of their signals may go unheard.
    signal.set_wakeup_fd(end, warn_on_full_buffer=False)
    for number in SIGNALS:
        signal.signal(number, lambda number, _: told.append(number))

    def spin() -> None:
        # What is made here is let go of with the return.
        node, executor = make(), SingleThreadedExecutor()
        executor.add_node(node)
        wake = node.create_guard_condition(lambda: None)
        # A signal's handler has its turn when the executor stops waiting for messages.
        waker = threading.Thread(target=lambda: (os.read(ended, 1), wake.trigger()), name="signals")
        waker.start()
        try:
            node.owns_process = True
            node.start_by_itself(lambda: bool(told))
            while not told:
                executor.spin_once()
        finally:
            os.write(end, b"\0")
            waker.join()
            node.close()
            node.destroy_node()
            executor.shutdown()

    failure = ""
    find_log_folder()
    announce_often()
    try:
        rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
    except rclpy_implementation.RCLError as error:  # as for a file of parameters that is none
        sys.exit(f"ROS does not start: {str(error).splitlines()[0]}.")
    try:
        spin()
    except Exception:
        failure = traceback.format_exc()
    # Fast DDS now and then hangs in exit() with a participant that is still there.
    gc.unfreeze()
    gc.collect()
    gc.freeze()  # what is left is not looked through again
    rclpy.try_shutdown()
    for number in SIGNALS:  # until the process is gone
        signal.signal(number, signal.SIG_IGN)
    if failure:
        sys.exit(failure)
