# SPDX-License-Identifier: Apache-2.0
"""Quality over two options of one system: contours over a table's `surface`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from semcom_ros.lab.evaluation.study.links import Link
from semcom_ros.lab.evaluation.study.metrics import METRICS
from semcom_ros.lab.evaluation.study.tables import Scores


def draw_surfaces(plt: Any, scores: Scores) -> Iterator[tuple[str, Any]]:
    """A panel for each metric that has a better end, with the file's name; none without numbers."""
    table = scores.table
    if not table.surface:
        return
    options = [dict(entry.options) for entry in table.entries]
    across, up = ([one.get(name) for one in options] for name in table.surface)
    axes = [sorted({v for v in values if v is not None}) for values in (across, up)]
    panels = []
    for metric in (m for m in table.metrics if METRICS[m].better and not METRICS[m].timing):
        grid = np.full([len(values) for values in reversed(axes)], np.nan)
        for entry, x, y in zip(table.entries, across, up, strict=True):
            found = scores.number(entry, table.links[0] if table.links else Link(), metric)
            if found and x is not None and y is not None:
                grid[axes[1].index(y), axes[0].index(x)] = found.number
        if min(grid.shape) > 1 and not np.isnan(grid).any():
            panels.append((metric, grid))
    if not panels:
        return
    size = (4.2 * len(panels), 3.8)
    figure, drawn = plt.subplots(1, len(panels), figsize=size, squeeze=False, layout="constrained")
    for ax, (metric, grid) in zip(drawn[0], panels, strict=True):
        levels = ax.contourf(*axes, grid, 12, cmap="cividis")
        unit = METRICS[metric].unit
        ax.set(title=metric + (f", {unit}" if unit else ""), xlabel=table.surface[0])
        ax.set_ylabel(table.surface[1])
        figure.colorbar(levels, ax=ax)
    yield "surfaces", figure
