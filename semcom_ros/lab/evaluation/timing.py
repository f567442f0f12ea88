# SPDX-License-Identifier: Apache-2.0
"""How long calls take on a device, what they ask of it, and what it can do at most."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import TypeVar

import numpy as np
import torch
import torch.nn.functional as F
from torch.utils.flop_counter import FlopCounterMode

CONVOLUTIONS = ((160, 16, 32), (160, 32, 64), (256, 64, 128))
"""Channels, height and width of those that are tried for the device's rate."""

T = TypeVar("T")


def timed(call: Callable[[], T], device: str = "cpu") -> tuple[T, float]:
    """What `call` returns, and the milliseconds until nothing is left to do on its device."""
    wait = partial(torch.get_device_module(device).synchronize, device)
    wait()
    started = time.perf_counter()
    result = call()
    wait()
    return result, 1e3 * (time.perf_counter() - started)


def measure(
    call: Callable[[], object], repeats: int, device: str = "cpu", warm_up: int = 5
) -> dict[str, float]:
    """Milliseconds of wall time that `call` takes: {median, p99} of `repeats` after a warm-up."""
    times = [timed(call, device)[1] for _ in range(warm_up + repeats)]
    median, p99 = np.percentile(times[warm_up:], (50, 99))
    return {"median": float(median), "p99": float(p99)}


def operations(call: Callable[[], object]) -> int:
    """Additions and multiplications in the convolutions and matrix products of one `call`."""
    with FlopCounterMode(display=False) as counter:
        call()
    return counter.get_total_flops()


@torch.inference_mode()
def convolution_rate(device: str = "cpu", batch: int = 1, repeats: int = 20) -> float:
    """Operations a second of a dense 3x3 convolution in bfloat16, channels last: the best shape's.

    Additions and multiplications count one each, as in `operations`.
    """
    rates = []
    for channels, height, width in CONVOLUTIONS:
        x, w = (
            torch.randn(shape, dtype=torch.bfloat16, device=device).contiguous(
                memory_format=torch.channels_last
            )
            for shape in ((batch, channels, height, width), (channels, channels, 3, 3))
        )

        def convolve(x: torch.Tensor = x, w: torch.Tensor = w) -> torch.Tensor:
            return F.conv2d(x, w, padding=1)

        rates.append(1e3 * operations(convolve) / measure(convolve, repeats, device)["median"])
    return max(rates)
