# SPDX-License-Identifier: Apache-2.0
"""Draws docs/concept.png, the picture at README's head, around pictures of docs/strip.png."""

from __future__ import annotations

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Arc, Circle, FancyBboxPatch
from PIL import Image

DOCS = Path(__file__).resolve().parent.parent / "docs"
INK, AIR, BOX = "#1e293b", "#0369a1", "#f1f5f9"
PICTURES = {"camera frame": 0, "its meaning": 1, "meaning as received": 2, "image made of it": 3}
"""What stands under a picture, and its column in the strip's first row."""
LEFT = (0.35, 3.65, 9.15, 12.45)


def picture(ax: Axes, strip: np.ndarray, column: int, left: float, text: str) -> None:
    width = (strip.shape[1] - 16) // 5
    at = column * (width + 4)
    ax.imshow(strip[24:158, at : at + width], extent=(left, left + 3, 1.7, 3.04), zorder=2)
    ax.text(left + 1.5, 1.42, text, ha="center", va="center", size=11, color=INK)


def arrow(ax: Axes, *points: tuple[float, float], dashed: bool = False) -> None:
    line = dict(color=INK, lw=1.8, ls=(0, (5, 3)) if dashed else "-")
    ax.plot(*zip(*points, strict=True), solid_capstyle="butt", **line)
    head = dict(arrowstyle="-|>", color=INK, lw=1.8, shrinkA=0, shrinkB=0)
    ax.annotate("", points[-1], points[-2], arrowprops=head | {"ls": line["ls"]})


def main() -> None:
    strip = np.asarray(Image.open(DOCS / "strip.png").convert("RGB"))
    figure, ax = plt.subplots(figsize=(15.8, 3.8), dpi=90)
    for left, name in ((0.1, "Vehicle"), (8.9, "Roadside unit")):
        ax.add_patch(FancyBboxPatch((left + 0.1, 0.8), 6.6, 3.0, "round,pad=0.1", fc=BOX, ec=INK))
        ax.text(left + 0.25, 3.5, name, size=15, weight="bold", color=INK, va="center")
    for (text, column), left in zip(PICTURES.items(), LEFT, strict=True):
        picture(ax, strip, column, left, text)
    ax.text(5.15, 1.02, "128 to 1200 bytes, or symbols", ha="center", size=11, color=INK)
    ax.text(10.65, 1.02, "with its confidence", ha="center", size=11, color=INK)
    ax.text(13.95, 1.02, "objects, depth, points", ha="center", size=11, color=INK)
    ax.text(7.9, 3.5, "Radio", size=15, weight="bold", color=INK, ha="center", va="center")
    ax.add_patch(Circle((7.9, 2.35), 0.07, color=AIR))
    for r in (0.35, 0.6, 0.85):
        for turn in (0, 180):
            ax.add_patch(Arc((7.9, 2.35), r, r, angle=turn, theta1=-40, theta2=40, color=AIR, lw=3))
    ax.text(7.9, 1.25, "noise, fading,\nloss, delay", ha="center", size=11, color=INK, va="center")
    arrow(ax, (3.35, 2.35), (3.65, 2.35))
    arrow(ax, (6.65, 2.35), (7.4, 2.35))
    arrow(ax, (8.4, 2.35), (9.15, 2.35))
    arrow(ax, (12.15, 2.35), (12.45, 2.35))
    arrow(ax, (12.3, 0.7), (12.3, 0.3), (3.5, 0.3), (3.5, 0.7), dashed=True)
    report = "link report: SNR, loss, last frame, task"
    ax.text(7.9, 0.43, report, ha="center", size=11, color=INK)
    ax.set(xlim=(0, 15.8), ylim=(0.2, 4.0), aspect="equal")
    ax.axis("off")
    figure.subplots_adjust(0, 0, 1, 1)
    figure.canvas.draw()
    drawn = Image.fromarray(np.asarray(figure.canvas.buffer_rgba())[..., :3])
    drawn.quantize(256, dither=Image.Dither.NONE).save(DOCS / "concept.png", optimize=True)


if __name__ == "__main__":
    main()
