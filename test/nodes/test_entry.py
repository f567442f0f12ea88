# SPDX-License-Identifier: Apache-2.0
"""A node's process ends by either signal, at any moment, with nothing left of it."""

from __future__ import annotations

import gc
import signal
import subprocess
import sys
import weakref

import pytest

pytest.importorskip("rclpy", reason="no ROS 2 for this Python")

from ros_bench import PATIENCE_S, bench, isolated_domain  # noqa: E402

from semcom_ros.nodes.channel_node import ChannelNode  # noqa: E402

PROGRAM = """
import glob, os, signal, sys, time
from semcom_ros.nodes import node_parameters, rsu_node
from semcom_ros.pipeline import rsu
moment, number = sys.argv.pop(1), int(sys.argv.pop(1))

def kill(*_):
    os.kill(os.getpid(), number)

def kill_first(owner, name):
    call = getattr(owner, name)
    setattr(owner, name, lambda *args, **options: (kill(), call(*args, **options))[1])

def never_warm(self):
    kill()
    while True:  # until it is stopped
        time.sleep(0.001)
        yield

def spinning(self):
    self.create_timer(0.01, lambda: (kill(), kill()))

if moment == "being made":
    kill_first(node_parameters.NodeParameters, "__init__")
elif moment == "being configured":
    kill_first(rsu_node, "create_decoder")
elif moment == "warming up":
    rsu.Rsu.warm_up = never_warm
elif moment == "spinning":
    rsu_node.RsuNode.listen = spinning
elif moment == "being closed":
    rsu_node.RsuNode.listen = spinning
    kill_first(rsu_node.RsuNode, "close")
elif moment == "failing":
    rsu_node.RsuNode.listen = lambda self: self.create_timer(0.01, lambda: 1 // 0)
rsu_node.main()
"""
LEFT = """
names = {open(name).read().strip() for name in glob.glob("/proc/self/task/*/comm")}
# Fast DDS's watchdog of shared memory belongs to the library, and not to a participant.
sys.exit(f"left: {names}" if [n for n in names - {"dds.shm.wdog"} if n.startswith("dds.")] else 0)
"""


def ended(moment: str, number: signal.Signals = signal.SIGINT) -> subprocess.CompletedProcess:
    """An RSU that is told to end at `moment`, which afterwards looks for threads of DDS."""
    line = [sys.executable, "-c", PROGRAM + LEFT, moment, str(int(number)), "--ros-args"]
    line += ["-p", "autostart:=true", "-p", "codec:=classical", "--disable-external-lib-logs"]
    for task in ("segmentation", "detection", "depth"):
        line += ["-p", f"{task}:=none"]
    with isolated_domain():
        return subprocess.run(line, capture_output=True, text=True, timeout=3 * PATIENCE_S)


@pytest.mark.parametrize(
    ("moment", "number"),
    [
        ("being made", signal.SIGTERM),
        ("being configured", signal.SIGINT),
        ("warming up", signal.SIGINT),
        ("warming up", signal.SIGTERM),
        ("spinning", signal.SIGINT),
        ("being closed", signal.SIGTERM),
    ],
)
def test_a_signal_ends_a_node_with_nothing_left(moment: str, number: signal.Signals) -> None:
    run = ended(moment, number)
    assert run.returncode == 0, run.stderr
    assert "Traceback" not in run.stderr and "terminate called" not in run.stderr, run.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_node_that_is_still_being_imported_without_a_word(number) -> None:
    kill = f"os.kill(os.getpid(), {int(number)})"
    code = (
        "import importlib, os, sys; from semcom_ros.nodes.__main__ import main; "
        f"importlib.import_module = lambda name: ({kill}, print('went on')); "
        "sys.argv = ['lib/semcom_ros/camera_node']; main()"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (run.returncode, run.stdout, run.stderr) == (0, "", "")


def test_another_name_than_a_nodes_is_a_sentence() -> None:
    line = [sys.executable, "-m", "semcom_ros.nodes", "camera"]
    run = subprocess.run(line, capture_output=True, text=True)
    assert run.returncode == 1
    assert "'camera' is no node of semcom_ros: they are autoware_node, bag_node" in run.stderr


def test_a_node_that_is_told_to_end_while_it_is_configured_is_not_activated() -> None:
    assert "Active." not in ended("being configured").stderr


def test_a_node_that_fails_tells_why_and_ends() -> None:
    run = ended("failing")
    assert run.returncode == 1
    assert "ZeroDivisionError" in run.stderr


class Ring:
    """What only the garbage collector lets go of."""

    def __init__(self) -> None:
        self.itself = self


def test_what_a_node_held_before_its_cleanup_is_let_go_of_though_it_was_frozen():
    with bench(ChannelNode) as b:
        rings, setup = [], b.node.setup
        b.node.owns_process = True
        b.node.setup = lambda: (setup(), rings.append(weakref.ref(Ring())))
        gc.disable()
        try:
            b.node.trigger_configure()
            assert rings[0]() is not None
            b.node.trigger_cleanup()
        finally:
            gc.enable()
            gc.unfreeze()
        assert rings[0]() is None
