# SPDX-License-Identifier: Apache-2.0
"""What can be set of GESCO at either end, as data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import SimpleNamespace

from semcom_ros.parameter import Parameter, Value

STEPS = (1, 2, 4, 8)
"""Passes of the diffusion to choose from."""

ENCODER = (
    Parameter(
        "gesco_map", "coded",
        "How gesco sends the label map: coded losslessly on the finest grid that fits, or as "
        "one-hot planes of uncoded symbols, which noise blurs and does not break.",
        choices=("coded", "planes"), when="at once",
    ),
    Parameter(
        "gesco_thumbnail", True,
        "Whether gesco sends a thumbnail's colours of at most 64 bytes beside the map.",
        when="at once",
    ),
)  # fmt: skip
DECODER = (
    Parameter(
        "gesco_steps", 1, "Passes of gesco's diffusion; one is nearest to the truth.",
        choices=STEPS, when="at once",
    ),
    Parameter(
        "gesco_guidance", 0.0, "Weight of gesco's classifier-free guidance; 0 halves the work.",
        0.0, 10.0, when="at once",
    ),
    Parameter(
        "gesco_fds", "auto", "Fast denoising of gesco's planes: by their noise, or as published.",
        choices=("auto", "paper"), when="at once",
    ),
    Parameter(
        "gesco_noise", "same",
        "Noise that gesco's images grow from: the same for all of a drive, which keeps it from "
        "flickering, or fresh for every frame.",
        choices=("same", "fresh"), when="at once",
    ),
)  # fmt: skip


def checked(parameters: Sequence[Parameter], values: Mapping[str, Value]) -> SimpleNamespace:
    """The `values` of all `parameters`; raises SemcomError for one that is wrong."""
    return SimpleNamespace(**{p.name: p.check(values[p.name]) for p in parameters})
