# SPDX-License-Identifier: Apache-2.0
"""Loads Sionna, which is optional, without a trace on torch's generators and devices."""

from __future__ import annotations

from functools import cache
from types import ModuleType

from semcom_ros.errors import SemcomError


@cache
def load_sionna() -> ModuleType:
    """The module `sionna.phy`, on the CPU; takes seconds the first time.

    Its import seeds torch's global generators anew and picks a GPU if there is one: the generators
    are put back and the CPU is chosen. Raises SemcomError where it is not installed.
    """
    import torch

    with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
        try:
            import sionna.phy
        except ImportError as error:
            raise SemcomError(
                "coding exact and the channels cdl_* need Sionna, which is not installed: "
                "pip install sionna-no-rt==2.2.0, or set coding to abstraction and channel to "
                "another model, such as tdl_a."
            ) from error
        sionna.phy.config.device = "cpu"
    return sionna.phy
