# SPDX-License-Identifier: Apache-2.0
"""`semcom bench NAME`: how long this machine takes for what the package does.

Of networks it also says the least that their operations take at the device's rate.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from semcom_ros.errors import SemcomError, choose
from semcom_ros.graph import codec_parameters
from semcom_ros.lab.evaluation import bench_rsu
from semcom_ros.lab.evaluation.bench_plan import End, Plan, Times
from semcom_ros.lab.evaluation.benches import BENCHES
from semcom_ros.lab.evaluation.published_networks import Call
from semcom_ros.lab.evaluation.shared import device_option, show, write_json
from semcom_ros.lab.evaluation.timing import convolution_rate, measure, operations
from semcom_ros.parameter import Parameter

REPEATS = Parameter("repeats", 50, "timed calls", 1)
RSU = "vehicles that one RSU serves in time"
BATCH = Parameter("batch", 1, "frames at once, where a network is timed", 1, 1024)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `semcom bench`."""
    parser.add_argument("name", metavar="NAME", help="what to time; one of those below")
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="of the networks")
    parser.add_argument("--data", default="scenes:1", help="frames to work on")
    device_option(parser)
    parser.add_argument("--batch", type=int, nargs="+", help=f"{BATCH.text}; 1 unless given")
    parser.add_argument("--repeats", type=int, default=REPEATS.default, help=REPEATS.text)
    parser.add_argument("--payload-bytes", type=int, help="512 unless given, of sqgan 1024")
    paper = "count a codec's networks as published; on a GPU, time them with random weights"
    parser.add_argument("--paper", action="store_true", help=paper)
    slow = "with --paper, time them on a processor too: a minute, 4 GB"
    parser.add_argument("--paper-slow", action="store_true", help=slow)
    eager = "networks of papers are not compiled on a GPU, which takes minutes"
    parser.add_argument("--eager", action="store_true", help=eager)
    for setting in codec_parameters()[1:]:
        told = (setting.text + f" {setting.range}").replace("%", "%%")
        parser.add_argument(_option(setting.name), default=argparse.SUPPRESS, help=told)
    parser.add_argument("--json", type=Path, help="write the figures to this file as well")
    bench_rsu.add_arguments(parser)
    helps = {name: bench.help for name, bench in BENCHES.items()} | {"rsu": RSU}
    parser.epilog = "\n".join(f"  {name:12}{text}" for name, text in helps.items())


def _option(name: str) -> str:
    return "--" + name.replace("_", "-")


def run(args: argparse.Namespace) -> None:
    """Print a table for each size of batch; the JSON file holds the first, and the others in it.

    Raises SemcomError.
    """
    choose(args.name, [*BENCHES, "rsu"], "bench")
    REPEATS.check(args.repeats)
    torch.set_num_threads(args.threads)
    batches = [BATCH.check(batch) for batch in args.batch or []]
    known = {p.name: p for p in codec_parameters()[1:]}
    args.settings = {n: known[n].parse(v) for n, v in vars(args).items() if n in known}
    codec = args.codec if args.name == "rsu" else args.name
    for name in args.settings:
        if not name.startswith(f"{codec}_"):
            raise SemcomError(f"The bench '{args.name}' has no option '{_option(name)}'.")
    if args.name == "rsu":
        bench_rsu.run(args)
        return
    bench = BENCHES[args.name]
    found: dict[str, Any] = {}
    for batch in batches if batches and bench.networks else [BATCH.default]:
        about: dict[str, Any] = {}
        if bench.networks:
            about = {"threads": args.threads, "device": args.device, "batch": batch}
        before = found
        for figures, told, sentences in _measured(bench.plan(args, batch), args, batch):
            context, notes = about | told, sentences
            own = context | figures
            found = before | {f"batch_{batch}": own} if before else own
            if args.json:  # what stops a bench leaves what it has found
                write_json(args.json, found)
        rows = [(name, f"{t['median']:.2f}", f"{t['p99']:.2f}") for name, t in figures.items()]
        title = f"{args.name}, {batch} at once" if bench.networks else args.name
        line = ", ".join(f"{name} {value}" for name, value in context.items())
        show(title, ("step", "median ms", "p99 ms"), rows, line, *notes)


def _measured(
    plan: Plan, args: argparse.Namespace, batch: int
) -> Iterator[tuple[dict[str, Times], dict[str, Any], list[str]]]:
    """Times by step, what else is to be reported of them, and sentences about them: after every
    step what is known by then."""
    calls = plan.single | plan.calls if batch == 1 else plan.calls
    figures: dict[str, Times] = {}
    context, notes = dict(plan.context), list(plan.notes)
    with torch.inference_mode():
        for name, call in calls.items():
            figures[name] = measure(call, args.repeats, args.device)
            yield figures, context, notes
        for name, call in plan.long.items():
            figures[name] = measure(call, 1, args.device, warm_up=0)
            yield figures, context, notes
        context |= plan.derived(figures)
        ends = [end for end in plan.ends if f"{end.step}_ms" in figures]
        rate = convolution_rate(args.device, batch) / 1e9 if any(e.parts for e in ends) else 0
        for end in ends:
            if end.parts:
                _floor(end, calls, rate, figures, context, notes)
            if args.paper:
                _published(end, args, batch, figures, context, notes)
            yield figures, context, notes
    yield figures, context, notes


def _floor(
    end: End, calls: dict[str, Call], rate: float,
    figures: dict[str, Times], context: dict[str, Any], notes: list[str],
) -> None:  # fmt: skip
    """Operations of the networks that ship, and the least time that they take."""
    needed = sum(operations(calls[part]) for part in end.parts) / 1e9
    floor, spent = 1e3 * needed / rate, figures[f"{end.step}_ms"]["median"]
    context |= {
        "giga_operations_per_s": round(rate, 1),
        f"{end.prefix}giga_operations": round(needed, 2),
        f"{end.prefix}floor_ms": round(floor, 2),
    }
    notes.append(
        f"To {end.step} takes {needed:.2f} G operations of convolutions and products; at "
        f"the {rate:.0f} G/s of a dense convolution here that is {floor:.1f} ms. "
        f"{end.step}_ms is {spent / floor:.1f} times that."
    )


def _published(
    end: End, args: argparse.Namespace, batch: int,
    figures: dict[str, Times], context: dict[str, Any], notes: list[str],
) -> None:  # fmt: skip
    """Parameters and operations of a paper's networks; on a GPU, or where asked for, their time."""
    counted = end.paper("meta", 1, False)
    needed = operations(counted.call) / 1e9
    context |= {
        f"paper_{end.prefix}million_parameters": round(counted.parameters / 1e6, 1),
        f"paper_{end.prefix}giga_operations": round(needed),
    }
    notes.append(
        f"To {end.step} the paper's networks have {counted.parameters / 1e6:.1f} M parameters and "
        f"take {needed:.0f} G operations a pass."
    )
    if args.device == "cpu" and not args.paper_slow:
        return
    took = measure(end.paper(args.device, batch, not args.eager).call, 1, args.device, warm_up=1)
    figures[f"paper_{end.name}_ms"] = took
    spent = figures[f"{end.step}_ms"]["median"]
    context[f"paper_{end.prefix}ratio"] = round(end.passes[-1][1] * took["median"] / spent)
    times = [f"{n * took['median'] / 1e3:.1f} s in {words}" for words, n in end.passes]
    notes.append(
        f"With random weights they take {', '.join(times)} to {end.step} {batch} at once: "
        f"{context[f'paper_{end.prefix}ratio']} times {end.step}_ms."
    )
