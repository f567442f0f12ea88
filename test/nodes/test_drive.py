# SPDX-License-Identifier: Apache-2.0
"""What surrounds a drive: a domain of its own, and nodes that need no home."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed for this Python")

from semcom_ros.nodes.drive import isolated  # noqa: E402


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


def test_a_node_starts_for_a_user_without_a_home(tmp_path) -> None:
    nowhere = ("XDG_CACHE_HOME", "ROS_HOME", "ROS_LOG_DIR")
    known = {name: value for name, value in os.environ.items() if name not in nowhere}
    with subprocess.Popen(
        [sys.executable, "-m", "semcom_ros.nodes.channel_node"],
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
