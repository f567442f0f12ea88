# SPDX-License-Identifier: Apache-2.0
"""The processes of the package, every parameter of theirs as data, and how they start.

Nodes, launch file, demo and README all read it here.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass, replace

from semcom_ros import channel
from semcom_ros.cluster.parameters import BACKEND
from semcom_ros.codecs import CODECS, codec_of
from semcom_ros.codecs.base import End
from semcom_ros.errors import SemcomError, choose
from semcom_ros.link.link_parameters import FRAME_ID, LINK
from semcom_ros.link.security_parameters import SECURITY
from semcom_ros.parameter import Parameter, Value
from semcom_ros.payload import MAX_BYTES, MAX_PAYLOAD_BYTES, MIN_PAYLOAD_BYTES
from semcom_ros.perception.fusion import MIN_AREA
from semcom_ros.perception.parameters import PERCEPTION

VEHICLE_RSU = ("camera_node", "vehicle_node", "channel_node", "rsu_node")
PACKAGE, NAMESPACE = "semcom_ros", "/vehicle_1"
CAMERA, CAMERA_INFO = "camera/image_raw", "camera/camera_info"
PAYLOADS, SENT_LABELS = f"{CAMERA}/semcom", "vehicle/segmentation"
RECEIVED = f"{PAYLOADS}/received"
LABELS, IMAGES, BOXES = "rsu/segmentation", "rsu/image", "rsu/detections"
"""Topics of a frame on its way, below the namespace."""
_DEVICE = Parameter("device", "cpu", "Where networks run: cpu, cuda or cuda:N, as torch names it.")
_THREADS = Parameter(
    "threads", 1, "Threads a network may use; more than one slows the other nodes down.", 1, 64
)
_WAIT = Parameter(
    "wait_for_subscribers", 1, "Begin when so many listen to the images; 0 begins at once.", 0, 100
)  # fmt: skip
_PAUSED = Parameter("paused", False, "Play nothing until this is false again.", when="at once")
COMMON = (
    Parameter(
        "autostart", False, "Configure and activate without waiting for a lifecycle manager.",
        when="at start",
    ),
)  # fmt: skip

_TABLES: dict[str, tuple[Parameter, ...]] = {
    "camera_node": (
        Parameter(
            "data", "scenes:1",
            "Where frames come from: scenes:SEED, camvid:DIR, cityscapes:DIR, "
            "cityscapes_sequence:DIR, coco:DIR, voc:DIR, div2k:DIR, kitti:DIR, folder:DIR, "
            "video:FILE, bag:PATH or a path.",
        ),
        Parameter("split", "val", "Part of a data set that has parts: train, val or test."),
        channel.PARAMETERS["rate_hz"],
        Parameter("loop", True, "Begin again after the last frame."),
        Parameter("first_frame", 0, "Number of the frame that it begins with.", 0, 1_000_000_000),
        Parameter("frames", 0, "Stop after so many frames; 0 plays all.", 0, 1_000_000_000),
        _WAIT,
        _PAUSED,
        FRAME_ID,
        *COMMON,
    ),
    "vehicle_node": (
        Parameter(
            "payload_bytes", 512,
            "Most bytes a frame may take on the air, but of gesco's planes and gsc_symbols.",
            MIN_PAYLOAD_BYTES, MAX_PAYLOAD_BYTES, when="at once",
        ),
        Parameter(
            "refresh_every", 30,
            "One frame in so many stands alone and tells the camera's intrinsics, for a receiver "
            "that missed what came before.",
            1, 10_000, when="at once",
        ),
        Parameter(
            "vehicle_id", 0,
            "The vehicle's number in its payloads; 0: the one that the namespace ends with.",
            0, 2**32 - 1,
        ),
        Parameter(
            "mounting", "",
            "Where the camera is: x,y,z in metres (ahead, left, up from the road) and, where it is "
            "turned, roll,pitch,yaw in degrees (clockwise, down, left); empty: not known.",
        ),
        Parameter(
            "input_transport", "raw",
            "Type of the camera topic: raw is Image, compressed is CompressedImage (jpeg, png).",
            choices=("raw", "compressed"),
        ),
        Parameter(
            "rectified", False,
            "Whether the images are rectified: no distortion, and the P of camera_info; those on a "
            "topic image_rect, image_rect_color or the like are taken to be.",
        ),
        *SECURITY,
        _DEVICE,
        _THREADS,
        *COMMON,
    ),
    "channel_node": (
        *channel.PARAMETERS.values(),
        Parameter(
            "seed", 1, "Seed of the radio's random numbers; each namespace has its own luck.",
            0, 2**31 - 1,
        ),
        *COMMON,
    ),
    "rsu_node": (
        Parameter(
            "vehicles", "",
            "Whom it serves: namespaces or patterns such as /vehicle_*, with commas between; empty:"
            " the vehicle of its own namespace.",
        ),
        Parameter(
            "deadline_ms", 200,
            "How long after its payload a picture is of use, where several vehicles want one: what "
            "would be later is not begun; 0, or less than one takes: whenever it is done.",
            0, 60_000, when="at once",
        ),
        Parameter(
            "batch", 0,
            "Most pictures painted together, each of another vehicle; 0: 1 on the CPU, else 32.",
            0, 256,
        ),
        Parameter(
            "max_age_s", 1.0, "Payloads older than this are stale; 0 never looks at the clock.",
            0.0, 3600.0, when="at once",
        ),
        Parameter(
            "max_payload_bytes", MAX_PAYLOAD_BYTES,
            "Longest payload that is let in, but for uncoded symbols: one radio packet by default.",
            MIN_PAYLOAD_BYTES, MAX_BYTES, when="at once",
        ),
        Parameter(
            "task", "",
            "What the RSU asks its vehicle for, with the link's report; empty: everything.",
            when="at once",
        ),
        Parameter(
            "base_frame", "base_link",
            "Frame of the vehicle, on the road, in which /tf_static places the camera where its "
            "mounting is known; with `vehicles` it is below the name of each.",
        ),
        Parameter(
            "min_area", MIN_AREA,
            "Fewest pixels of the received map that make a detection which no detector confirms.",
            1, 131072, when="at once",
        ),
        *PERCEPTION,
        *BACKEND,
        *SECURITY,
        _DEVICE,
        _THREADS,
        *COMMON,
    ),
    "link_node": (*LINK, *COMMON),
    "autoware_node": COMMON,
    "bag_node": (
        Parameter("bag", "", "What is played: the folder of a bag, or its .mcap or .db3 file."),
        Parameter("bag_topics", "", "Topics that are played, with commas between; empty: all."),
        Parameter(
            "bag_camera", "",
            "Pictures of the bag that become the vehicle's; empty: those of its only camera.",
        ),
        Parameter("bag_start_s", 0.0, "Seconds from the bag's begin that are left out.", 0.0, 1e6),
        Parameter("bag_rate", 1.0, "Pace: at 2 the bag takes half its time.", 0.01, 100.0),
        Parameter(
            "bag_repeat", "no",
            "What follows the last message: nothing, or the first again, while the time goes on "
            "and the stamps of headers with it, or at its own time, so that the time goes back.",
            choices=("no", "onward", "rewind"),
        ),
        Parameter("clock_hz", 40.0, "How often /clock tells the time between messages.", 1.0, 1e3),
        _WAIT,
        _PAUSED,
        *COMMON,
    ),
    "dashboard_node": (
        Parameter(
            "dashboard_address", "127.0.0.1",
            "Where the page is: this machine alone, or an address that others reach, with a token.",
        ),
        Parameter("dashboard_port", 8080, "TCP port of the page; 0 takes a free one.", 0, 65535),
        Parameter("dashboard_token", "", "What a visitor brings, as ?token=...; empty: nothing."),
        Parameter("pictures_hz", 5.0, "Pictures a second, of all vehicles together.", 0.5, 20.0),
        Parameter(
            "foxglove_port", 0, "Port of a server for Foxglove and Lichtblick, on this machine "
            "alone; 0: none.", 0, 65535,
        ),
        *COMMON,
    ),
}  # fmt: skip


_ENDS: dict[str, End] = {"vehicle_node": "encoder", "rsu_node": "decoder"}
"""The nodes that run an end of a codec."""
EXECUTABLES = tuple(_TABLES)


def codec_parameters(end: End | None = None) -> tuple[Parameter, ...]:
    """Which codec, and the settings that every codec of the registry has at `end`, or at both."""
    which = Parameter(
        "codec", "gesco", "System that turns a frame into a payload and back.",
        choices=tuple(CODECS), when="at once",
    )  # fmt: skip
    own = (codec_of(name).settings.parameters(name, end) for name in CODECS)
    return which, *(parameter for parameters in own for parameter in parameters)


def table(executable: str) -> dict[str, Parameter]:
    """The parameters of one node by name. Raises SemcomError for an unknown executable."""
    choose(executable, EXECUTABLES, "node")
    end = _ENDS.get(executable)
    shown = (*(codec_parameters(end) if end else ()), *_TABLES[executable])
    return {p.name: p for p in shown}


@dataclass(frozen=True)
class NodeProcess:
    """One node in a process of its own; `parameters` lists every parameter of ours.

    name: unlike that of any other that is started with it. package: ours, or another's program with
    its own command line `words`. parameter_files: win
    over `parameters`. respawn: whether it is started anew when it ended by itself.
    """

    executable: str
    name: str
    namespace: str
    parameters: dict[str, Value]
    package: str = PACKAGE
    words: tuple[str, ...] = ()
    parameter_files: tuple[str, ...] = ()
    remappings: tuple[tuple[str, str], ...] = ()
    log_level: str = ""
    respawn: bool = False


def arguments(executables: Iterable[str] = VEHICLE_RSU) -> dict[str, Parameter]:
    """What can be set about a graph: the parameters of all its nodes by name.

    A name that several nodes share is one argument and reaches all of them. Unlike a node by
    itself, the graph starts by itself.
    """
    found = {name: p for node in executables for name, p in table(node).items()}
    return found | {"autostart": replace(found["autostart"], default=True)}


def vehicle_rsu(
    namespace: str = NAMESPACE, executables: Iterable[str] = VEHICLE_RSU, **values: Value
) -> tuple[NodeProcess, ...]:
    """Camera, vehicle, channel and RSU of one vehicle, or other `executables`, started without a
    lifecycle manager.

    values: any of `arguments()`, such as codec="gesco", channel="loss", loss=0.1, data="scenes:1",
    rate_hz=10.0, payload_bytes=512, autostart=False. Raises SemcomError for an unknown name or a
    value out of range.
    """
    if not re.fullmatch(r"(/[A-Za-z_][A-Za-z0-9_]*)+", namespace):
        raise SemcomError(
            f"The namespace is '{namespace}'; it must be like '{NAMESPACE}': a slash, then letters,"
            " digits and underscores, no digit first."
        )
    known = arguments(EXECUTABLES)
    for name in values:
        choose(name, known, "parameter")
    return tuple(
        NodeProcess(
            executable,
            executable,
            namespace,
            {n: p.check(values.get(n, known[n].default)) for n, p in table(executable).items()},
        )
        for executable in executables
    )


def command(process: NodeProcess) -> list[str]:
    """The command line that starts `process`, ours with this Python, for `subprocess`."""
    line = [process.executable, *process.words, "--ros-args", "-r", f"__ns:={process.namespace}"]
    if process.package == PACKAGE:
        line[:1] = [sys.executable, "-m", "semcom_ros.nodes", process.executable]
        # Another's program may be several nodes, which must not get one name.
        line += ["-r", f"__node:={process.executable}"]
    for old, new in process.remappings:
        line += ["-r", f"{old}:={new}"]
    for name, value in process.parameters.items():
        # A JSON scalar is a YAML scalar, and the quotes keep a path such as "1e3" a string.
        line += ["-p", f"{name}:={json.dumps(value, ensure_ascii=False)}"]
    for file in process.parameter_files:
        line += ["--params-file", file]
    return line + (["--log-level", process.log_level] if process.log_level else [])
