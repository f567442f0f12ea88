# SPDX-License-Identifier: Apache-2.0
"""`semcom demo`: play a drive through camera, vehicle, channel and RSU, and write what came of it.

The nodes are the same processes, from the same description, that the launch file starts.
"""

from __future__ import annotations

import argparse
import shutil
import signal
import sys
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from semcom_ros.channel import PARAMETERS
from semcom_ros.codecs import codec_of
from semcom_ros.datasets import Source, is_bag, open_source
from semcom_ros.datasets.bags import BagReader
from semcom_ros.graph import VEHICLE_RSU, arguments, codec_parameters, table, vehicle_rsu
from semcom_ros.lab.demo.pictures import choose_rows, draw_strip, video
from semcom_ros.lab.demo.record import DriveRecord, moments, read_drive
from semcom_ros.lab.demo.summary import DriveScores, Summary, show_summary, summarise
from semcom_ros.lab.evaluation.shared import write_json
from semcom_ros.lab.picture import save_picture
from semcom_ros.link.keys_command import make_street
from semcom_ros.link.security_parameters import NO_SECURITY, SECURITY
from semcom_ros.nodes.processes import NodeFailure
from semcom_ros.parameter import Value
from semcom_ros.runtime import check_ros

DEFAULTS = {"detection": "none"}
"""Those that begin otherwise. The demo listens to detections: a detector in every picture is more
than two cores have left at 10 Hz, so that they come from the received map alone."""
_PORT = replace(table("dashboard_node")["dashboard_port"], minimum=1)  # it is told beforehand
ENDLESS_FRAMES = 100
"""Frames played of the procedural drive, which has no end."""
BAG, KEYS = "drive.mcap", "keys"
VEHICLE = 1
"""The number that the graph's namespace ends with."""
RESULTS = ("summary.json", "strip.png", "drive.mp4", BAG, "payload.bin")


def options() -> tuple[str, ...]:
    """The parameters of the graph that the demo lets one set."""
    codec = (p.name for p in codec_parameters())
    return ("data", "split", "frames", "payload_bytes", *codec, "device", "detection",
            *(p.name for p in SECURITY), *PARAMETERS, "seed")  # fmt: skip


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `semcom demo`: parameters of the nodes, and where the results go."""
    for name in options():
        parameter = arguments()[name]
        allowed = f" Allowed: {parameter.range}." if parameter.range else ""
        if name == "keys":
            allowed += " Empty: new ones, beside the results."
        if name == "frames":
            allowed += f" The procedural drive has no end: all are {ENDLESS_FRAMES}."
        parser.add_argument(
            "--" + name.replace("_", "-"),
            default=str(DEFAULTS.get(name, parameter.default)),
            help=(parameter.text + allowed).replace("%", "%%"),
        )
    parser.add_argument(
        "--respawn",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="Start a node anew that ends amid the drive.",
    )
    parser.add_argument(
        "--dashboard",
        nargs="?",
        const=str(_PORT.default),
        metavar="PORT",
        help="Show the drive in the browser, on this port of this machine. It begins once the page "
        "is open, or after a minute; the page lives as long as the demo.",
    )
    parser.add_argument("--out", type=Path, default=Path("out/demo"), help="Folder of the results.")


def run(args: argparse.Namespace) -> int:
    """Play, record, score and draw; 0 when the drive came to its end, 1 when a node failed or
    nothing was sent."""
    values = {name: arguments()[name].parse(getattr(args, name)) for name in options()}
    page = {} if args.dashboard is None else {_PORT.name: _PORT.parse(args.dashboard)}
    source = open_source(values["data"], values["split"])
    endless = values["data"].startswith("scenes:")
    values["frames"] = values["frames"] or (ENDLESS_FRAMES if endless else len(source))
    sends_labels = codec_of(values["codec"]).sends_labels
    check_ros()
    make_folder(args.out)
    if values["security"] != NO_SECURITY and not values["keys"]:
        shutil.rmtree(args.out / KEYS, ignore_errors=True)
        make_street(args.out / KEYS, VEHICLE)
        values["keys"] = str(args.out / KEYS)
    # What ends the demo from outside must end its nodes too: leave by way of every `finally`.
    signal.signal(signal.SIGTERM, _leave)
    try:
        with Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("frames, {task.fields[received]} pictures at the RSU"),
            TimeElapsedColumn(),
        ) as progress:
            restarts = _drive(values, page, sends_labels, args, progress)
        with BagReader(args.out / BAG) as bag:
            record = read_drive(bag, sends_labels, restarts)
            summary = _report(record, source, values, args.out)
    except NodeFailure as failure:
        print(f"semcom: {failure}", file=sys.stderr)
        return 1
    for sentence in losses(summary):
        print(f"semcom: {sentence} See {args.out / 'logs'}.", file=sys.stderr)
    return 0 if summary["frames_sent"] else 1


def losses(summary: Summary) -> list[str]:
    """What a user must hear of images that never became payloads, sentence by sentence."""
    lost, of = summary["frames_lost_before_vehicle"], summary["frames_captured"]
    said = [f"{lost} of {of} images were lost before the vehicle."] if lost else []
    return said + ([] if summary["frames_sent"] else [f"Nothing was sent of {of} images."])


def make_folder(out: Path) -> None:
    """Make the folder of the results, without those of a run before."""
    out.mkdir(parents=True, exist_ok=True)
    for name in RESULTS:
        (out / name).unlink(missing_ok=True)


def _drive(
    values: dict[str, Value], page: dict[str, Value], sends_labels: bool, args: argparse.Namespace,
    progress: Progress,
) -> dict[str, int]:  # fmt: skip
    """page: parameters of the dashboard, empty where there is to be none."""
    # Here and not above: it needs ROS, and without ROS the user is told so by then.
    from semcom_ros.nodes.drive import PAGE_S, drive

    executables = VEHICLE_RSU
    if page:
        executables = (*VEHICLE_RSU, "dashboard_node")
        progress.console.print(
            f"Dashboard: http://127.0.0.1:{page[_PORT.name]} (the drive begins once it is open, or "
            f"in {PAGE_S:.0f} s)",
            soft_wrap=True,
        )

    task = progress.add_task("starting", total=values["frames"], received=0)

    def advance(doing: str, captured: int, received: int) -> None:
        progress.update(task, description=doing, completed=captured, received=received)

    # Where a bag tells the time, its frames are of now.
    clock = {"use_sim_time": is_bag(str(values["data"]))}
    nodes = [
        replace(node, parameters=node.parameters | clock)
        for node in vehicle_rsu(
            executables=executables, **values, **page, loop=False, autostart=False
        )
    ]
    played = (values["frames"], values["rate_hz"])
    out = args.out
    return drive(nodes, *played, out / "logs", out / BAG, sends_labels, advance, args.respawn)


def _report(record: DriveRecord, source: Source, values: dict[str, Value], out: Path) -> Summary:
    """Go through the drive once for scores and video, and write every result."""
    scores, rows, shown = DriveScores(), [], choose_rows(record.complete())
    with video(out / "drive.mp4", values["rate_hz"], record.map_caption) as append:
        for index, moment in moments(record, source):
            scores.add(moment)
            append(moment)
            if index in shown:
                rows.append(moment)
    save_picture(out / "strip.png", draw_strip(rows, record.map_caption))
    summary = summarise(record, scores, values)
    write_json(out / "summary.json", summary)
    payload = next(iter(record.payloads.values()), None)
    if payload is not None:
        (out / "payload.bin").write_bytes(payload)
    show_summary(summary)
    Console().print(f"Written to {out}: {', '.join(RESULTS)}, logs", soft_wrap=True)
    return summary


def _leave(signum: int, stack: object) -> NoReturn:
    sys.exit(128 + signum)
