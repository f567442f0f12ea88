# SPDX-License-Identifier: Apache-2.0
"""Plots of SQ-GAN: quality over the fractions kept of map and image, and as parts are lost."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from semcom_ros.lab.evaluation.pyplot import pyplot

STYLES = ("o-", "s--", "^-.", "D:")


def plot_surfaces(path: Path, found: dict[str, list]) -> None:
    """PSNR and mIoU of the image over m_x and m_s, and mIoU of the map over m_s, as
    `evaluate_sqgan.surfaces` found them."""
    plt = pyplot()
    fractions = found["fractions"]
    figure, panels = plt.subplots(1, 3, figsize=(13, 4), layout="constrained")
    for axes, (what, key) in zip(
        panels, (("mIoU of the image", "image"), ("PSNR of the image, dB", "psnr")), strict=False
    ):
        levels = axes.contourf(fractions, fractions, np.array(found[key]), 12, cmap="cividis")
        axes.set(title=what, xlabel="$m_x$: share of the image kept")
        axes.set_ylabel("$m_s$: share of the map kept")
        figure.colorbar(levels, ax=axes)
    panels[2].plot(fractions, found["map"], "o-", color="#0072B2")
    panels[2].set(title="mIoU of the map", xlabel="$m_s$: share of the map kept")
    panels[2].grid(alpha=0.3)
    _save(plt, figure, path)


def plot_lost_parts(path: Path, rows: list[dict[str, Any]]) -> None:
    """mIoU and PSNR of the image by the parts that arrived, as `lost_parts` found them."""
    plt = pyplot()
    figure, panels = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
    sizes = sorted({row["payload_bytes"] for row in rows})
    for n_bytes, style in zip(sizes, STYLES, strict=False):
        of_size = [row for row in rows if row["payload_bytes"] == n_bytes]
        arrived = [row["image_parts"] for row in of_size]
        for axes, what in zip(panels, ("miou", "psnr"), strict=True):
            values = [row[what] for row in of_size]
            axes.plot(arrived, values, style, label=f"{n_bytes} bytes")
    for axes, what in zip(panels, ("mIoU of the image", "PSNR of the image, dB"), strict=True):
        axes.set(xlabel="parts of the image that arrive", ylabel=what)
        axes.set_xticks(sorted({row["image_parts"] for row in rows}))
        axes.grid(alpha=0.3)
    panels[0].legend(fontsize=8)
    _save(plt, figure, path)


def _save(plt: Any, figure: Any, path: Path) -> None:
    figure.savefig(path, dpi=110, metadata={"Software": None})
    plt.close(figure)
