# SPDX-License-Identifier: Apache-2.0
"""`semcom launch` as a user meets it: its processes, its diagnostics, its exit status."""

from __future__ import annotations

import signal
import subprocess
import sys

import psutil
import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed for this Python")

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus  # noqa: E402
from ros_bench import PATIENCE_S, graph_tester, isolated_domain, run_until  # noqa: E402

from semcom_ros.cli import main  # noqa: E402
from semcom_ros.nodes.topics import reliable  # noqa: E402

LIGHT = (
    "vehicle_rsu",
    "camera:=false",
    "codec:=classical",
    *(f"{task}:=none" for task in ("segmentation", "detection", "depth")),
)
NODES = ("vehicle_node", "channel_node", "rsu_node")
LINE = [sys.executable, "-m", "semcom_ros.cli", "launch", *LIGHT]


def started(launcher: psutil.Process) -> list[psutil.Process]:
    """The processes of the nodes, once there are all of them."""
    found: list[psutil.Process] = []
    while len(found) < len(NODES):
        found = [
            one for one in launcher.children() if "semcom_ros.nodes" in " ".join(one.cmdline())
        ]
    return found


def test_a_node_that_was_killed_comes_back_and_ctrl_c_ends_all_with_status_0(tmp_path) -> None:
    told: list[DiagnosticStatus] = []
    children: list[psutil.Process] = []

    def done() -> bool:
        of_launch = [one for one in told if one.name == "/vehicle_1/launch"]
        channels = [one for one in told if one.name == "/vehicle_1/channel_node"]
        if not children:
            if channels and of_launch:
                assert of_launch[-1].message == "all nodes run"
                # Other tests leave children of their own, such as a tracker of resources.
                mine = [c for c in psutil.Process().children() if LIGHT[0] in c.cmdline()]
                children.extend(child for c in mine for child in c.children(recursive=True))
                assert children
                killed = {pair.key: pair.value for pair in of_launch[-1].values}["channel_node"]
                psutil.Process(int(killed.rpartition(" ")[2])).kill()
                told.clear()
            return False
        warned = [one.message for one in of_launch if one.level == DiagnosticStatus.WARN]
        again = [one for one in of_launch if "started anew 1 times" in str(one.values)]
        return bool(
            "channel_node ended with status -9, is started anew in 0.5 s" in warned
            and again
            and again[-1].level == DiagnosticStatus.OK
            and channels
        )

    with graph_tester() as tester:
        listen = lambda message: told.extend(message.status)  # noqa: E731
        tester.create_subscription(DiagnosticArray, "/diagnostics", listen, reliable(99))
        statuses, logs = run_until(done, tester, {"launch": LINE}, signal.SIGINT, tmp_path)
        assert done(), logs
    assert statuses == [0], logs
    assert not any(child.is_running() for child in children)
    assert "Traceback" not in logs["launch"]


def test_no_node_is_left_when_the_launcher_is_killed() -> None:
    with isolated_domain(), subprocess.Popen(LINE, stderr=subprocess.DEVNULL) as launcher:
        nodes = started(psutil.Process(launcher.pid))
        launcher.kill()
        _, left = psutil.wait_procs(nodes, PATIENCE_S)
    assert not left


def test_it_ends_when_all_nodes_have_ended_for_good() -> None:
    line = [*LINE, "respawn:=false"]
    with (
        isolated_domain(),
        subprocess.Popen(line, stderr=subprocess.PIPE, text=True) as launcher,
    ):
        for node in started(psutil.Process(launcher.pid)):
            node.kill()
        _, said = launcher.communicate(timeout=PATIENCE_S)
    assert launcher.returncode == 0
    for name in NODES:
        assert f"{name} ended with status -9." in said


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["vehicle_rsu", "payload_byts:=300"], "did you mean 'payload_bytes'?"),
        (["vehicle_rsu", "payload_bytes"], "'payload_bytes' is no launch argument: they are wri"),
        (["vehicle_rsu", ":=300"], "':=300' is no launch argument"),
        (["vehicle_rsu", "image_topic:="], "'image_topic:=' is no launch argument"),
        (["vehicle_rsu.launch.py"], "did you mean 'vehicle_rsu'?"),
    ],
)
def test_what_is_wrong_is_one_sentence_and_the_status_of_ros2_launch(
    words: list[str], sentence: str, capsys: pytest.CaptureFixture
) -> None:
    assert main(["launch", *words]) == 1
    said = capsys.readouterr().err
    assert said.startswith("semcom: ") and sentence in said and said.count("\n") == 1


def test_the_arguments_are_shown_as_ros2_launch_shows_them(capsys: pytest.CaptureFixture) -> None:
    assert main(["launch", "vehicle_rsu", "--show-args"]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith(
        "Arguments (pass arguments as '<name>:=<value>'):\n\n    'namespace':\n"
    )
    assert (
        "\n    'respawn':\n        Start a node anew, a while after it ended by itself. "
        "Valid choices are: ['true', 'false']\n        (default: 'true')\n" in shown
    )
