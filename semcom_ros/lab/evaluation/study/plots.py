# SPDX-License-Identifier: Apache-2.0
"""Plots of a study: quality against bytes and SNR, pedestrians by distance, and time."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import chain, cycle
from pathlib import Path
from typing import Any, NamedTuple

from semcom_ros.lab.evaluation.shared import pyplot
from semcom_ros.lab.evaluation.study.contact_sheet import shown_links
from semcom_ros.lab.evaluation.study.links import Link
from semcom_ros.lab.evaluation.study.metrics import METRICS
from semcom_ros.lab.evaluation.study.plot_surfaces import draw_surfaces
from semcom_ros.lab.evaluation.study.study_file import CEILING
from semcom_ros.lab.evaluation.study.tables import Record, Scores
from semcom_ros.lab.metrics.pedestrians import BANDS

# Okabe and Ito's colours, from dark to light and back, so that neighbours differ in grey as well.
STYLES = tuple(
    zip(
        "#000000 #E69F00 #0072B2 #56B4E9 #D55E00 #009E73 #CC79A7 #7A6A00 #5C2D91 #B0B0B0 #A50026 "
        "#9ACD32".split(),
        "osD^vPX*<>hd",
        ("-", "--", "-.", ":") * 3,
        strict=True,
    )
)
MOST_PANELS = 5
Lines = list[tuple[str, list[tuple[float, Record]]]]
"""Methods by name, each with its points: where on the axis, and a record that is a number."""


class PlotPanels(NamedTuple):
    """Panels side by side on one scale: a title and lines each.

    name: of the file. width: of a panel, inches. ticks: where on the axis, and what stands there.
    """

    name: str
    panels: list[tuple[str, Lines]]
    xlabel: str
    ylabel: str
    ceiling: Record | None = None
    ticks: tuple[list[float], list[str]] | None = None
    log: bool = False
    span: tuple[float, float] | None = None
    width: float = 3.4


def draw_plots(folder: Path, scores: Scores) -> list[Path]:
    """Draw all that the scores of one table on one data set give; the files written."""
    plt = pyplot()
    folder.mkdir(parents=True, exist_ok=True)
    stem = slug(f"{scores.table.title} {scores.data}")
    drawn = ((figure.name, _draw(plt, figure)) for figure in _figures(scores) if figure.panels)
    files = []
    for name, figure in chain(drawn, _latency(plt, scores), draw_surfaces(plt, scores)):
        files.append(folder / f"{stem}-{slug(name)}.png")
        figure.savefig(files[-1], dpi=110, metadata={"Software": None})
        plt.close(figure)
    return files


def slug(text: str) -> str:
    """`text` as a file's name."""
    signed = re.sub(r"-(?=\d)", "minus ", text.lower())
    return re.sub(r"[^a-z0-9]+", "-", signed).strip("-")


def _figures(scores: Scores) -> Iterator[PlotPanels]:
    """All figures of lines, some of them perhaps without panels."""
    table = scores.table
    told: list[int] = []
    for size in table.sizes:
        # On a logarithmic axis labels need room.
        if not told or size > 1.4 * told[-1]:
            told.append(size)
    models: dict[str, list[Link]] = {}
    for link in table.links:
        if link.place is not None:
            models.setdefault(link.model, []).append(link)
    for metric in table.metrics:
        m = METRICS[metric]
        if not m.better or m.timing or m.detail:
            continue
        ylabel = f"{metric}{', ' if m.unit else ''}{m.unit} ({m.better} is better)"
        ceiling = scores.number(CEILING, Link(), metric)
        yield PlotPanels(
            f"{metric} against bytes", _by_bytes(scores, metric), "bytes a frame (mean)", ylabel,
            ceiling, (told, [str(size) for size in told]), log=True,
        )  # fmt: skip
        for model, links in models.items():
            axis, several = links[0].axis, len(links) > 1
            points = [(link.place, link, metric) for link in links]
            panels, ends = _by_size(scores, points, "") if several else [], (ylabel, ceiling)
            if axis == model:  # parts, which are counted
                places = sorted(link.place for link in links)
                ticks = places, [f"{place:g}" for place in places]
                along = f"{axis} that arrive, beside the first"
                yield PlotPanels(f"{metric} against {axis}", panels, along, *ends, ticks)
            else:
                name = f"{metric} against {axis} {model}"
                yield PlotPanels(name, panels, f"{axis} over {model}, dB", *ends)
    for suffix, where in (("", "image"), ("_map", "map")):
        points = [
            (i, table.links[0], f"miss_rate{suffix}_{near}_{far}")
            for i, (near, far) in enumerate(BANDS)
        ]
        yield PlotPanels(
            f"pedestrians missed in {where} against distance",
            _by_size(scores, points, table.links[0].words, CEILING),
            "distance, m",
            f"share of pedestrians missed in the {where}",
            ticks=(list(range(len(BANDS))), [f"{near}–{far}" for near, far in BANDS]),
            span=(-0.03, 1.03),
            width=2.8,
        )


def _by_bytes(scores: Scores, metric: str) -> list[tuple[str, Lines]]:
    """A panel for each link shown: quality by the bytes of each method's sizes."""
    panels = []
    for link in shown_links(scores.table):
        lines: Lines = []
        for family, entries in scores.table.families.items():
            pairs = [[scores.number(e, link, m) for m in ("bytes", metric)] for e in entries]
            points = [(size.number, r) for size, r in pairs if size and size.number and r]
            if len(entries) > 1 and points:
                lines.append((family, sorted(points, key=lambda p: p[0])))
        if lines:
            panels.append((link.words, lines))
    return panels


def _by_size(
    scores: Scores, points: list[tuple[float, Link, str]], unsized: str, *more: Any
) -> list[tuple[str, Lines]]:
    """A panel for each size, or one called `unsized`, of all methods and of `more` entries.

    points: where on the axis the score of which link and metric belongs.
    """
    panels = []
    for size in scores.table.sizes[:MOST_PANELS] or [None]:
        lines: Lines = []
        for entry in (*scores.table.entries, *more):
            if entry.size in (size, None):
                found = [(x, scores.number(entry, link, metric)) for x, link, metric in points]
                there = sorted([(x, r) for x, r in found if r], key=lambda p: p[0])
                lines += [(entry.family, there)] if there else []
        if lines:
            panels.append((f"{size} bytes" if size else unsized, lines))
    return panels


def _draw(plt: Any, figure: PlotPanels) -> Any:
    """The panels, the ceiling a grey line across, and one legend for all beside them."""
    n = len(figure.panels)
    # One panel alone is wider, with room for the legend.
    size = (max(7.5, 2.2 + figure.width * n), 4.2)
    canvas, axes = plt.subplots(
        1, n, figsize=size, sharey=True, squeeze=False, layout="constrained"
    )
    names = dict.fromkeys(name for _, lines in figure.panels for name, _ in lines)
    styles = dict(zip(names, cycle(STYLES), strict=False))
    handles: dict[str, Any] = {}
    for ax, (title, lines) in zip(axes[0], figure.panels, strict=True):
        for name, points in lines:
            colour, marker, dashes = styles[name]
            y = [r.number for _, r in points]
            spread = [[max(0, r.number - r.ends[0]) for _, r in points],
                      [max(0, r.ends[1] - r.number) for _, r in points]]  # fmt: skip
            ax.errorbar(
                [x for x, _ in points], y, spread, color=colour, marker=marker, linestyle=dashes,
                markersize=5, capsize=2, linewidth=1.4, elinewidth=0.8, label=name,
            )  # fmt: skip
        if figure.ceiling:
            ax.axhline(figure.ceiling.number, color="0.55", linewidth=1, label=CEILING.title)
        if figure.log:
            ax.set_xscale("log", base=2)
        if figure.ticks:
            ax.set_xticks(*figure.ticks)
        if figure.span:
            ax.set_ylim(figure.span)
        ax.set_xlabel(figure.xlabel)
        ax.set_title(title, fontsize=10)
        ax.grid(alpha=0.3)
        handles.update((t, h) for h, t in zip(*ax.get_legend_handles_labels(), strict=True))
    axes[0][0].set_ylabel(figure.ylabel)
    canvas.legend(handles.values(), handles.keys(), fontsize=8, loc="outside right center")
    return canvas


def _latency(plt: Any, scores: Scores) -> Iterator[tuple[str, Any]]:
    """Bars of encode and decode time, one after the other, a row for each method."""
    rows = []
    for entry in scores.table.entries:
        for link in scores.table.links:
            pair = [scores.number(entry, link, m) for m in ("encode_ms", "decode_ms")]
            if all(pair):
                rows.append((entry.title, *(r.number for r in pair)))
                break
    if not rows:
        return
    names, encode, decode = zip(*rows, strict=True)
    figure, ax = plt.subplots(figsize=(8, 1.4 + 0.3 * len(rows)), layout="constrained")
    ax.barh(names, encode, color="#0072B2", label="encode")
    ax.barh(names, decode, left=encode, color="#E69F00", hatch="//", label="decode")
    ax.invert_yaxis()
    ax.set(xlabel="ms a frame (mean)")
    ax.grid(axis="x", alpha=0.3)
    ax.legend(fontsize=8)
    yield "latency", figure
