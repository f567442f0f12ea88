# SPDX-License-Identifier: Apache-2.0
"""`semcom bench papers`: the networks of the papers at full width, none of which ship."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import cache, partial

from semcom_ros.lab.evaluation.bench_plan import Plan
from semcom_ros.lab.evaluation.published_networks import (
    Published,
    published_frame,
    published_gesco,
    published_gsc,
    published_sqgan,
)
from semcom_ros.lab.evaluation.timing import operations

FRAME_STEPS = 50
PUBLISHED: dict[str, Callable[[str, int, bool], Published]] = {
    "gesco_pass": published_gesco,
    "sqgan_encode": partial(published_sqgan, 0),
    "sqgan_decode": partial(published_sqgan, 1),
    "gsc_encode": partial(published_gsc, 0),
    "gsc_decode": partial(published_gsc, 1),
}


def papers(args: argparse.Namespace, batch: int) -> Plan:
    """On a GPU a pass of each is timed, and a frame of GESCO's; on a processor they are counted,
    and passes timed where that is asked for."""
    on_gpu = args.device != "cpu"
    plan = Plan({}, context={"weights": "random"})
    if on_gpu or args.paper_slow:
        for name, make in PUBLISHED.items():
            plan.calls[f"{name}_ms"] = make(args.device, batch, not args.eager).call
    else:
        plan.notes.append("On a processor they are counted; --paper-slow times them there.")
    if on_gpu:
        frame = published_frame(args.device, batch, not args.eager, FRAME_STEPS)
        plan.long[f"gesco_frame_{FRAME_STEPS}_ms"] = frame
    else:
        plan.context |= _counts()
    how = "compiled" if on_gpu and not args.eager else "as they are"
    plan.notes.append(
        f"Random weights, full width, bfloat16, {how}: to be timed and counted, never to be looked "
        f"at. Operations are of one frame; one of {FRAME_STEPS} steps takes two passes a step."
    )
    return plan


@cache
def _counts() -> dict[str, float]:
    """Parameters that a pass reads, and its operations on one frame."""
    found: dict[str, float] = {}
    for name, make in PUBLISHED.items():
        counted = make("meta", 1, False)
        found |= {
            f"{name}_million_parameters": round(counted.parameters / 1e6, 1),
            f"{name}_giga_operations": round(operations(counted.call) / 1e9),
        }
    return found
