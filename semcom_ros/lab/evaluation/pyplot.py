# SPDX-License-Identifier: Apache-2.0
"""Matplotlib's pyplot, for pictures that go into files."""

from __future__ import annotations

from types import ModuleType

from semcom_ros.errors import SemcomError


def pyplot() -> ModuleType:
    """Pyplot, drawing without a screen. Raises SemcomError where matplotlib is not installed."""
    try:
        import matplotlib
    except ImportError as error:
        raise SemcomError(
            "Plots need matplotlib, which is not installed: pip install matplotlib."
        ) from error
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    return plt
