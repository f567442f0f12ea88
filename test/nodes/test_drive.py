# SPDX-License-Identifier: Apache-2.0
"""What surrounds a drive: a domain of its own, nodes that need no home, and those that die."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed for this Python")

from semcom_ros.datasets.bags import BagReader  # noqa: E402
from semcom_ros.graph import NAMESPACE, VEHICLE_RSU, NodeProcess, vehicle_rsu  # noqa: E402
from semcom_ros.nodes import drive as drive_module  # noqa: E402
from semcom_ros.nodes import processes as module  # noqa: E402
from semcom_ros.nodes.drive import RESTARTS, drive, isolated  # noqa: E402
from semcom_ros.nodes.drive_recorder import DASHBOARD  # noqa: E402
from semcom_ros.nodes.processes import NodeFailure, Processes  # noqa: E402

LIGHT = {"codec": "classical", "segmentation": "none", "detection": "none", "depth": "none"}
"""A graph without networks, which starts at once."""


def test_a_full_disk_within_a_drive_is_told_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROS_DOMAIN_ID", "7")
    with pytest.raises(OSError, match="No space left"), isolated():
        assert os.environ["ROS_DOMAIN_ID"] != "7"
        raise OSError(28, "No space left on device")
    assert os.environ["ROS_DOMAIN_ID"] == "7"
    with isolated():
        first = os.environ["ROS_DOMAIN_ID"]
    with isolated():
        assert os.environ["ROS_DOMAIN_ID"] == first  # it was given back


def test_a_node_starts_for_a_user_without_a_home(tmp_path: Path) -> None:
    nowhere = ("XDG_CACHE_HOME", "ROS_HOME", "ROS_LOG_DIR")
    known = {name: value for name, value in os.environ.items() if name not in nowhere}
    with subprocess.Popen(
        [sys.executable, "-m", "semcom_ros.nodes", "channel_node"],
        env=known | {"HOME": "/proc/nohome", "TMPDIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as node:
        said = []
        for line in node.stdout:
            said.append(line)
            if "Waiting for" in line:
                node.send_signal(signal.SIGINT)
    assert node.returncode == 0 and "ROS_LOG_DIR" in said[0], said


def test_a_node_refuses_a_broken_file_of_parameters_with_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "broken.yaml").write_text("channel_node: [")
    words = ["-m", "semcom_ros.nodes", "channel_node", "--ros-args", "--params-file"]
    done = subprocess.run(
        [sys.executable, *words, tmp_path / "broken.yaml"], capture_output=True, text=True
    )
    assert done.returncode == 1 and "Traceback" not in done.stderr
    said = done.stderr.splitlines()[-1]
    assert said.startswith("ROS does not start: ") and f"{tmp_path}/broken.yaml" in said


def test_a_node_that_cannot_start_is_tried_a_few_times_and_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[NodeProcess] = []

    def command(node: NodeProcess) -> list[str]:
        said.append(node)
        code = (
            "print('no lens'); exit(3)"
            if node.name == "rsu_node"
            else "import signal; signal.pause()"
        )
        return [sys.executable, "-c", code]

    monkeypatch.setattr(module, "command", command)
    monkeypatch.setattr(module, "BACK_OFF_S", 0.01)
    nodes = [NodeProcess(name, name, "/v", {"autostart": False}) for name in ("cam", "rsu_node")]
    sentence = "(?s)rsu_node ended with status 3 after 2 restarts.*no lens.*no lens.*no lens"
    with Processes(nodes, tmp_path) as processes:
        processes.running["rsu_node"].wait()
        assert not processes.check(restarts=2)  # it waits before it starts the node anew
        with pytest.raises(NodeFailure, match=sentence):
            while True:
                processes.check(restarts=2)
        assert processes.restarts == {"rsu_node": 2}
    again = [node.parameters["autostart"] for node in said if node.name == "rsu_node"]
    assert again == [False, True, True]


@pytest.mark.parametrize("restarts", [0, RESTARTS])
def test_the_camera_is_not_started_anew(
    restarts: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "command", lambda node: [sys.executable, "-c", "exit(3)"])
    with Processes([NodeProcess("camera_node", "camera_node", "/v", {})], tmp_path) as processes:
        processes.running["camera_node"].wait()
        with pytest.raises(NodeFailure, match="camera_node ended with status 3[.]"):
            processes.check(restarts)


def kill(name: str) -> bool:
    """End the process of a node as a fault would; whether there was one."""
    for child in psutil.Process().children():
        if any(name in word for word in child.cmdline()):
            child.kill()
            return True
    return False


def drive_until(killed: dict[str, int], frames: int, folder: Path) -> dict[str, int]:
    """A drive, recorded in `folder`, in which nodes are killed, each once so many pictures came
    Returns how often each was started anew."""

    def advance(doing: str, captured: int, received: int) -> None:
        for name, pictures in list(killed.items()):
            if received >= pictures and kill(name):
                del killed[name]

    nodes = vehicle_rsu(**LIGHT, frames=frames, loop=False, autostart=False)
    return drive(nodes, frames, 10.0, folder, folder / "drive.mcap", False, advance)


@pytest.mark.timeout(180)
def test_pictures_go_on_when_a_node_was_killed_until_the_camera_is(tmp_path: Path) -> None:
    (of_one_that_was_killed := tmp_path / ".drive").mkdir()
    (of_one_that_was_killed / ".drive.mcap").touch()
    # More than can have been under way when the channel died.
    killed = {"channel_node": 3, "camera_node": 30}
    with pytest.raises(NodeFailure, match="camera_node ended with status -9"):
        drive_until(killed, 100_000, tmp_path)
    assert not killed
    # What was recorded until then is there to be looked at, and nothing beside it.
    with BagReader(tmp_path / "drive.mcap") as bag:
        assert bag.topic(f"{NAMESPACE}/rsu/image").count >= 30
    assert {path.suffix for path in tmp_path.iterdir()} == {".log", ".mcap"}


@pytest.mark.timeout(180)
def test_a_drive_tells_which_nodes_were_started_anew(tmp_path: Path) -> None:
    assert drive_until({"channel_node": 1}, 20, tmp_path) == {"channel_node": 1}
    with BagReader(tmp_path / "drive.mcap") as bag:
        assert bag.topic(f"{NAMESPACE}/camera/camera_info").count == 20


@pytest.mark.timeout(180)
def test_a_drive_begins_once_a_page_of_the_dashboard_shows_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    aiohttp = pytest.importorskip("aiohttp", reason="NiceGUI is not installed")
    monkeypatch.setattr(drive_module, "PAGE_S", 1000.0)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    seen: list[str] = []

    async def look() -> None:
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(f"http://127.0.0.1:{port}/live", max_msg_size=0) as page,
        ):
            async for message in page:
                seen.append(message.type.name)

    visitor = threading.Thread(target=lambda: asyncio.run(look()))

    def advance(doing: str, captured: int, received: int) -> None:
        if doing == "waiting for a page":
            visitor.start()

    nodes = vehicle_rsu(
        executables=(*VEHICLE_RSU, DASHBOARD), **LIGHT, frames=5, loop=False, autostart=False,
        dashboard_port=port,
    )  # fmt: skip
    drive(nodes, 5, 10.0, tmp_path, tmp_path / "drive.mcap", False, advance)
    visitor.join()  # the page lives as long as the drive
    assert "BINARY" in seen
    with BagReader(tmp_path / "drive.mcap") as bag:
        assert bag.topic(f"{NAMESPACE}/camera/camera_info").count == 5


def test_a_drive_that_is_paused_does_not_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drive_module, "QUIET_S", -1.0)
    spins: list[float] = []

    def spin(seconds: float) -> None:
        spins.append(seconds)
        if len(spins) == 3:
            recorder.told["camera_node"] = {"paused": "false"}

    recorder = SimpleNamespace(
        told={"camera_node": {"paused": "true"}}, newest_arrival=0.0, spin=spin,
        count=lambda topic: 5,
    )  # fmt: skip
    all_run = SimpleNamespace(check=lambda restarts: True)
    drive_module._play(5, 10.0, all_run, recorder, lambda *_: None, True)
    assert len(spins) == 3
