# SPDX-License-Identifier: Apache-2.0
"""A link by UDP between two network namespaces, as between two hosts; needs root."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

RSU = """
from udp_bench import link, until
with link("0.0.0.0") as b:
    print(b.port, flush=True)
    input()
    print(b.sequences(), dict(b.rsu.counts))
"""
VEHICLE = """
import sys
from udp_bench import payload, until
from semcom_ros.link.sockets import open_socket, resolve
from semcom_ros.link.udp import VehicleEnd
family, to = resolve(sys.argv[1], "peer")
made = VehicleEnd(open_socket(":0", family=family), 1e5, print, to, print)
made.start()
for number in range(1, 4):
    made.send(payload(number, 4, 900))
    until(lambda: made.counts["sent"] == number and not made._sending[2], "its turn")
    until(lambda: made.counts["unsent"] or made.peers()[0].rtt_ms is not None, "an answer")
made.stop()
made.close()
print(made.counts["unsent"], made.trouble)
"""


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True, text=True)


@pytest.fixture
def hosts() -> Iterator[tuple[str, str]]:
    """Names of two namespaces with a cable between them: 10.231.0.1 and 10.231.0.2."""
    names = (f"semcom_a{os.getpid()}", f"semcom_b{os.getpid()}")
    try:
        for name in names:
            ip("netns", "add", name)
        ip(
            "-n",
            names[0],
            "link",
            "add",
            "cable",
            "type",
            "veth",
            "peer",
            "cable",
            "netns",
            names[1],
        )
        for i, name in enumerate(names, start=1):
            ip("-n", name, "address", "add", f"10.231.0.{i}/24", "dev", "cable")
            ip("-n", name, "link", "set", "cable", "up")
    except (OSError, subprocess.CalledProcessError) as error:
        said = getattr(error, "stderr", "") or error
        pytest.skip(f"no network namespaces here: {said}")
    else:
        yield names
    finally:
        for name in names:
            subprocess.run(["ip", "netns", "delete", name], capture_output=True)


@pytest.mark.parametrize(("mtu", "crosses"), [(1280, True), (1000, False)])
def test_datagrams_cross_whole_or_not_at_all(hosts: tuple[str, str], mtu: int, crosses: bool):
    ip("-n", hosts[0], "link", "set", "cable", "mtu", str(mtu))
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[1]), *sys.path])}
    within = [["ip", "netns", "exec", name, sys.executable, "-c"] for name in hosts]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "env": env}
    with subprocess.Popen([*within[1], RSU], **pipes) as rsu:
        address = f"10.231.0.2:{rsu.stdout.readline().strip()}"
        sent = subprocess.run(
            [*within[0], VEHICLE, address], capture_output=True, text=True, env=env
        )
        said, _ = rsu.communicate("\n")
    if crosses:
        assert sent.stdout == "0 \n" and said.startswith("[1, 2, 3]"), (sent.stderr, said)
    else:
        assert "Message too long" in sent.stdout and not said.startswith("[1"), sent.stderr
