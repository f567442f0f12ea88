# SPDX-License-Identifier: Apache-2.0
"""A drive that `semcom launch` keeps running, and what there is to be measured of it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from argparse import Namespace
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np

from semcom_ros.codecs import codec_of
from semcom_ros.errors import SemcomError
from semcom_ros.graph import CAMERA_INFO, IMAGES, LABELS, NAMESPACE, PAYLOADS, RECEIVED
from semcom_ros.lab.ground_truth import frames_with_truth
from semcom_ros.nodes.drive import isolated
from semcom_ros.nodes.observer import Observer, Status, observing

IMAGE, PAYLOAD = "sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage"
SOURCES = {CAMERA_INFO: "sensor_msgs/msg/CameraInfo", PAYLOADS: PAYLOAD, RECEIVED: PAYLOAD}
"""What a frame has been before it is seen at the RSU: of a node that has just come, the observer
may miss some, but not of all of them at once."""
BOOKS = ("decoded", "rejected", "superseded", "in_flight")
"""What becomes of a payload that came."""
QUIET = ("segmentation:=none", "detection:=none", "depth:=none")
START_S = 120.0
FRAMES = 20


class Measured(NamedTuple):
    """What was measured, and the most, or the least, that it may be."""

    what: str
    measured: float
    most: float = float("inf")
    least: float = float("-inf")

    @property
    def holds(self) -> bool:
        """Whether it is within its limits."""
        return bool(self.least <= self.measured <= self.most)

    @property
    def limit(self) -> str:
        """Its limits in words."""
        bounds = ((self.least, "at least"), (self.most, "at most"))
        return ", ".join(f"{word} {bound:g}" for bound, word in bounds if np.isfinite(bound))


class Use(NamedTuple):
    """What a process holds: resident memory in MiB, threads, open files."""

    mib: float
    threads: int
    files: int


class LiveDrive:
    """A graph under supervision. observer: beside it. output: the topic on which a frame is first
    seen at the RSU. log: what its processes write."""

    def __init__(self, observer: Observer, output: str, log: Path) -> None:
        self.observer, self.output, self._log = observer, output, log

    def wait(self, ready: Callable[[], Any]) -> None:
        """Spin until it is up. Raises SemcomError where it does not come, with its log's end."""
        if not self.observer.spin(START_S, ready):
            end = "\n".join(self._log.read_text(errors="replace").splitlines()[-12:])
            raise SemcomError(f"No start within {START_S:.0f} s. '{self._log}' ends: {end}")

    def last(self, node: str) -> Status:
        """What a node told last."""
        return self.observer.told[node][-1]

    def pid(self, node: str) -> int:
        """Of a node's process, as the supervisor tells."""
        told = lambda: re.search(r"process (\d+)", self.last("launch").values[node])  # noqa: E731
        self.observer.spin(5.0, told)  # it may have ended a moment ago
        return int(told()[1])

    def use(self, node: str) -> Use:
        """What its process holds now."""
        proc = Path("/proc", str(self.pid(node)))
        fields = dict(line.split(":", 1) for line in (proc / "status").read_text().splitlines())
        mib = int(fields["VmRSS"].split()[0]) / 1024
        return Use(mib, int(fields["Threads"]), len(os.listdir(proc / "fd")))

    def cpu_s(self, node: str) -> float:
        """Seconds of processor time that its process has taken."""
        fields = Path(f"/proc/{self.pid(node)}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def runs(self) -> bool:
        """Whether the RSU and the supervisor have told of themselves."""
        return self.observer.told.keys() >= {"rsu_node", "launch"}

    def seen(self, topic: str, since: float) -> int:
        """Messages on `topic` since a monotonic time."""
        return sum(at > since for at, _ in self.observer.arrived[topic])

    def rate(self, topic: str, seconds: float) -> float:
        """Messages a second on `topic` while it spins for `seconds`."""
        began = time.monotonic()
        self.observer.spin(seconds)
        return self.seen(topic, began) / seconds

    def returns(self, topic: str, patience_s: float) -> float:
        """Seconds until something comes on `topic`; infinite where nothing does in that time."""
        began = time.monotonic()
        came = self.observer.spin(patience_s, lambda: self.seen(topic, began))
        return time.monotonic() - began if came else float("inf")

    def taken_since(self, topic: str, began: float, began_ns: int) -> float:
        """Seconds from a monotonic time to the first on `topic` that was taken after it, which was
        then `began_ns` of the epoch: what was under way does not count. Infinite where none was."""
        came = (at - began for at, stamp in self.observer.arrived[topic] if stamp > began_ns)
        return min(came, default=float("inf"))

    def warned(self, since: float, nodes: tuple[str, ...] = ()) -> float:
        """Seconds from a monotonic time until one of `nodes`, or any, warned; infinite if none."""
        told = (s for n, all in self.observer.told.items() if not nodes or n in nodes for s in all)
        return min((s.at - since for s in told if s.level and s.at > since), default=float("inf"))

    def invariants(self) -> Iterator[Measured]:
        """What must hold whatever happens: books, and outputs of frames that came, in order."""
        books = [s.values for s in self.observer.told["rsu_node"] if "received" in s.values]
        off = [int(b["received"]) - sum(int(b[one]) for one in BOOKS) for b in books]
        yield Measured("payloads not accounted for", max(map(abs, off), default=0), 0)
        sent = {stamp for topic in SOURCES for _, stamp in self.observer.arrived[topic]}
        for topic in (LABELS, IMAGES):
            arrived = self.observer.arrived[topic]
            stamps = [stamp for _, stamp in arrived]
            when = [f", {at - arrived[0][0]:.1f} s in" for at, one in arrived if one not in sent]
            yield Measured(f"{topic} of what was never sent{''.join(when[:9])}", len(when), 0)
            yield Measured(f"{topic} twice or back", int((np.diff(stamps) <= 0).sum()), 0)


@contextmanager
def drive(args: Namespace, camera: bool = True) -> Iterator[LiveDrive]:
    """What `semcom launch vehicle_rsu` starts, once frames go through.

    args: of `semcom soak`. camera: whether camera_node plays a street, over and over.
    Raises SemcomError where it does not start, with the end of its log.
    """
    words = [f"rate_hz:={args.rate_hz}", f"camera:={str(camera).lower()}"]
    words += [f"data:=folder:{_street(args.log.parent / 'street')}"]
    with launched(args, "vehicle_rsu", *words) as up:
        for topic, kind in (SOURCES | {LABELS: IMAGE, IMAGES: IMAGE}).items():
            up.observer.hear(topic, kind)
        up.wait(lambda: up.seen(up.output, 0) if camera else up.runs())
        up.observer.spin(3.0)  # until all have told of themselves
        yield up


@contextmanager
def launched(args: Namespace, description: str, *words: str) -> Iterator[LiveDrive]:
    """What `semcom launch` starts of a description, in a domain of its own, none of it up yet."""
    line = [sys.executable, "-m", "semcom_ros.cli", "launch", description, f"codec:={args.codec}"]
    output = LABELS if codec_of(args.codec).sends_labels else IMAGES
    with isolated(), observing(NAMESPACE) as observer, args.log.open("wb") as log:
        launcher = subprocess.Popen(
            [*line, *QUIET, *words], stdout=log, stderr=log, start_new_session=True
        )
        try:
            yield LiveDrive(observer, output, args.log)
        finally:
            launcher.send_signal(signal.SIGINT)
            launcher.wait()


def _street(folder: Path) -> Path:
    """Pictures of the procedural drive, which itself goes on to fill its caches for minutes."""
    folder.mkdir(parents=True, exist_ok=True)
    for index, frame in enumerate(frames_with_truth("scenes:1", "val", range(FRAMES), exact=False)):
        cv2.imwrite(str(folder / f"{index:03}.png"), frame.image[:, :, ::-1])
    return folder
