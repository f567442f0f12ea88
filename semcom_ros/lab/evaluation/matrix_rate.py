# SPDX-License-Identifier: Apache-2.0
"""What this machine's matrix units can do at most, and what a call asks of them."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch.utils.flop_counter import FlopCounterMode

from semcom_ros.lab.evaluation.timing import measure

SHAPES = ((160, 16, 32), (160, 32, 64), (256, 64, 128))
"""Channels, height and width of the convolutions that are tried."""


@torch.inference_mode()
def convolution_rate(repeats: int = 20) -> float:
    """Operations a second of a dense 3x3 convolution in bfloat16, channels last: the best shape's.

    Additions and multiplications count one each, as in `operations`; on torch's threads.
    """
    rates = []
    for channels, height, width in SHAPES:
        x = torch.randn(1, channels, height, width, dtype=torch.bfloat16)
        w = torch.randn(channels, channels, 3, 3, dtype=torch.bfloat16)
        x, w = (t.contiguous(memory_format=torch.channels_last) for t in (x, w))

        def convolve(x: torch.Tensor = x, w: torch.Tensor = w) -> torch.Tensor:
            return F.conv2d(x, w, padding=1)

        seconds = measure(convolve, repeats)["median"] / 1e3
        rates.append(operations(convolve) / seconds)
    return max(rates)


def operations(call: Callable[[], object]) -> int:
    """Additions and multiplications in the convolutions and matrix products of one `call`."""
    with FlopCounterMode(display=False) as counter:
        call()
    return counter.get_total_flops()
