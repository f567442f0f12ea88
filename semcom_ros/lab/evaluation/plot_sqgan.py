# SPDX-License-Identifier: Apache-2.0
"""Plots of SQ-GAN: quality over the fractions kept of map and image, and as parts are lost."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from semcom_ros.lab.evaluation.shared import pyplot, save

STYLES = ("o-", "s--", "^-.", "D:")
QUALITIES = {"miou": "mIoU of the image", "psnr": "PSNR of the image, dB"}


def plot_surfaces(path: Path, found: dict[str, list]) -> None:
    """PSNR and mIoU of the image over m_x and m_s, and mIoU of the map over m_s, as
    `evaluate_sqgan.surfaces` found them."""
    fractions = found["fractions"]
    figure, panels = pyplot().subplots(1, 3, figsize=(13, 4), layout="constrained")
    *surfaces, curve = panels
    for axes, key, title in zip(surfaces, ("image", "psnr"), QUALITIES.values(), strict=True):
        levels = axes.contourf(fractions, fractions, np.array(found[key]), 12, cmap="cividis")
        axes.set(title=title, xlabel="$m_x$: share of the image kept")
        axes.set_ylabel("$m_s$: share of the map kept")
        figure.colorbar(levels, ax=axes)
    curve.plot(fractions, found["map"], "o-", color="#0072B2")
    curve.set(title="mIoU of the map", xlabel="$m_s$: share of the map kept")
    curve.grid(alpha=0.3)
    save(figure, path)


def plot_lost_parts(path: Path, rows: list[dict[str, Any]]) -> None:
    """mIoU and PSNR of the image by the parts that arrived, as `lost_parts` found them."""
    figure, panels = pyplot().subplots(1, 2, figsize=(9, 3.6), layout="constrained")
    sizes = sorted({row["payload_bytes"] for row in rows})
    for axes, (key, title) in zip(panels, QUALITIES.items(), strict=True):
        for n_bytes, style in zip(sizes, STYLES, strict=False):
            of_size = [row for row in rows if row["payload_bytes"] == n_bytes]
            arrived, values = zip(*((row["image_parts"], row[key]) for row in of_size), strict=True)
            axes.plot(arrived, values, style, label=f"{n_bytes} bytes")
        axes.set(xlabel="parts of the image that arrive", ylabel=title)
        axes.set_xticks(sorted({row["image_parts"] for row in rows}))
        axes.grid(alpha=0.3)
    panels[0].legend(fontsize=8)
    save(figure, path)
