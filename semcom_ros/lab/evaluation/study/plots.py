# SPDX-License-Identifier: Apache-2.0
"""Plots of a study: quality against bytes and SNR, pedestrians by distance, and time."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import cycle
from pathlib import Path
from typing import Any

from semcom_ros.lab.evaluation.pyplot import pyplot
from semcom_ros.lab.evaluation.study.contact_sheet import shown_links
from semcom_ros.lab.evaluation.study.links import Link
from semcom_ros.lab.evaluation.study.metrics import METRICS
from semcom_ros.lab.evaluation.study.study_file import CEILING, SIZE, Entry, sizes_of
from semcom_ros.lab.evaluation.study.tables import Scores
from semcom_ros.lab.metrics.pedestrians import BANDS

# Okabe and Ito's colours, from dark to light and back, so that neighbours differ in grey as well.
STYLES = tuple(
    zip(
        (
            "#000000",
            "#E69F00",
            "#0072B2",
            "#56B4E9",
            "#D55E00",
            "#009E73",
            "#CC79A7",
            "#7A6A00",
            "#5C2D91",
            "#B0B0B0",
            "#A50026",
            "#9ACD32",
        ),
        "osD^vPX*<>hd",
        ("-", "--", "-.", ":") * 3,
        strict=True,
    )
)
MOST_PANELS = 5
Line = tuple[str, list[tuple[float, Any]]]
"""A method's name, and its points: where on the axis, and the record."""


def draw_plots(folder: Path, scores: Scores) -> list[Path]:
    """Draw all that the scores of one table on one data set give; the files written."""
    plt = pyplot()
    folder.mkdir(parents=True, exist_ok=True)
    stem = slug(f"{scores.table.title} {scores.data}")
    files = []

    def save(figure: Any, name: str) -> None:
        files.append(folder / f"{stem}-{slug(name)}.png")
        figure.savefig(files[-1], dpi=110, metadata={"Software": None})
        plt.close(figure)

    for metric in scores.table.metrics:
        m = METRICS[metric]
        if m.better and not m.timing and not m.detail:
            panels = list(_against_bytes(scores, metric))
            if panels:
                figure = _figure(plt, panels, scores, metric, "bytes a frame (mean)", log=True)
                save(figure, f"{metric} against bytes")
            for model, panels in _against_level(scores, metric):
                kind = "SNR" if panels[0][2].kind == "channel" else "PSNR"
                figure = _figure(
                    plt, [p[:2] for p in panels], scores, metric, f"{kind} over {model}, dB"
                )
                save(figure, f"{metric} against {kind} {model}")
    for suffix, where in (("", "image"), ("_map", "map")):
        figure = _against_distance(plt, scores, suffix)
        if figure is not None:
            save(figure, f"pedestrians missed in {where} against distance")
    times = _latency(plt, scores)
    if times is not None:
        save(times, "latency")
    return files


def slug(text: str) -> str:
    """`text` as a file's name."""
    signed = re.sub(r"-(?=\d)", "minus ", text.lower())
    return re.sub(r"[^a-z0-9]+", "-", signed).strip("-")


def _against_bytes(scores: Scores, metric: str) -> Iterator[tuple[str, list[Line]]]:
    """A panel for each link shown: quality by the bytes of each method's sizes."""
    table = scores.table
    for link in shown_links(table):
        lines: list[Line] = []
        for family, entries in _families(table.entries).items():
            points = []
            for entry in entries:
                size, quality = (scores.of(entry, link, m) for m in ("bytes", metric))
                if size and quality and size.number and quality.number is not None:
                    points.append((size.number, quality))
            if len(entries) > 1 and points:
                lines.append((family, sorted(points, key=lambda p: p[0])))
        if lines:
            yield link.words, lines


def _against_level(
    scores: Scores, metric: str
) -> Iterator[tuple[str, list[tuple[str, list[Line], Link]]]]:
    """For each model of link at several levels: a panel for each size, quality by level."""
    table = scores.table
    models: dict[str, list[Link]] = {}
    for link in table.links:
        if link.level_db is not None:
            models.setdefault(link.model, []).append(link)
    sizes = sizes_of(table)
    for model, links in models.items():
        panels = []
        for size in sizes[:MOST_PANELS] or [None]:
            lines: list[Line] = []
            for entry in table.entries:
                if dict(entry.options).get(SIZE, size) != size:
                    continue
                found = [(link.level_db, scores.of(entry, link, metric)) for link in links]
                points = [(x, r) for x, r in found if r and r.number is not None]
                if points:
                    lines.append((entry.family, sorted(points, key=lambda p: p[0])))
            if lines:
                panels.append((f"{size} bytes" if size else "", lines, links[0]))
        if len(links) > 1 and panels:
            yield model, panels


def _figure(
    plt: Any, panels: list[tuple[str, list[Line]]], scores: Scores, metric: str, axis: str,
    log: bool = False,
) -> Any:  # fmt: skip
    """Panels side by side on one scale of quality, the ceiling a grey line across."""
    unit = METRICS[metric].unit
    figure, axes = _panels(plt, len(panels), 3.4)
    style = _styles(lines for _, lines in panels)
    for ax, (title, lines) in zip(axes[0], panels, strict=True):
        _draw(ax, lines, style)
        ceiling = scores.of(CEILING, Link(), metric)
        if ceiling and ceiling.number is not None:
            ax.axhline(ceiling.number, color="0.55", linewidth=1, label=CEILING.title)
        if log:
            ax.set_xscale("log", base=2)
            told = _apart(sizes_of(scores.table))
            ax.set_xticks(told, [str(size) for size in told])
        ax.set(xlabel=axis, title=title)
        ax.title.set_fontsize(10)
        ax.grid(alpha=0.3)
    better = f"{METRICS[metric].better} is better"
    axes[0][0].set_ylabel(f"{metric}, {unit} ({better})" if unit else f"{metric} ({better})")
    _legend(figure, axes[0])
    return figure


def _against_distance(plt: Any, scores: Scores, suffix: str) -> Any | None:
    """The miss rate of pedestrians by band of distance, a panel for each size, at the first link.

    None where the table does not ask for it, or where no distance is known.
    """
    table = scores.table
    metrics = [f"miss_rate{suffix}_{near}_{far}" for near, far in BANDS]
    panels: list[tuple[str, list[Line]]] = []
    for size in sizes_of(table)[:MOST_PANELS] or [None]:
        lines: list[Line] = []
        for entry in (*table.entries, CEILING):
            if dict(entry.options).get(SIZE, size) != size:
                continue
            found = [scores.of(entry, table.links[0], metric) for metric in metrics]
            points = [(i, r) for i, r in enumerate(found) if r and r.number is not None]
            if points:
                lines.append((entry.family, points))
        if lines:
            panels.append((f"{size} bytes" if size else table.links[0].words, lines))
    if not panels:
        return None
    figure, axes = _panels(plt, len(panels), 2.8)
    style = _styles(lines for _, lines in panels)
    for ax, (title, lines) in zip(axes[0], panels, strict=True):
        _draw(ax, lines, style)
        ax.set_xticks(range(len(BANDS)), [f"{near}–{far}" for near, far in BANDS])
        ax.set(xlabel="distance, m", title=title, ylim=(-0.03, 1.03))
        ax.title.set_fontsize(10)
        ax.grid(alpha=0.3)
    where = "in the map" if suffix else "in the image"
    axes[0][0].set_ylabel(f"share of pedestrians missed {where}")
    _legend(figure, axes[0])
    return figure


def _panels(plt: Any, n: int, width: float) -> tuple[Any, Any]:
    """Figure and axes for `n` panels of `width` inches, one alone wider, with room for a legend."""
    size = (max(7.5, 2.2 + width * n), 4.2)
    return plt.subplots(1, n, figsize=size, sharey=True, squeeze=False, layout="constrained")


def _styles(panels: Iterable[list[Line]]) -> dict[str, tuple[str, str, str]]:
    """Colour, marker and dashes of each method, the same in every panel."""
    names = dict.fromkeys(name for lines in panels for name, _ in lines)
    return dict(zip(names, cycle(STYLES), strict=False))


def _draw(ax: Any, lines: list[Line], style: dict[str, tuple[str, str, str]]) -> None:
    """The lines with their confidence intervals."""
    for name, points in lines:
        colour, marker, dashes = style[name]
        x, y = [p for p, _ in points], [r.number for _, r in points]
        ends = [r.score.ci95 or (r.number, r.number) for _, r in points]
        spread = [[max(0, v - e[0]) for v, e in zip(y, ends, strict=True)],
                  [max(0, e[1] - v) for v, e in zip(y, ends, strict=True)]]  # fmt: skip
        ax.errorbar(
            x, y, spread, color=colour, marker=marker, linestyle=dashes, markersize=5,
            capsize=2, linewidth=1.4, elinewidth=0.8, label=name,
        )  # fmt: skip


def _legend(figure: Any, axes: Iterable[Any]) -> None:
    """One legend for all panels, beside them."""
    by_name = {
        text: handle
        for ax in axes
        for handle, text in zip(*ax.get_legend_handles_labels(), strict=True)
    }
    figure.legend(by_name.values(), by_name.keys(), fontsize=8, loc="outside right center")


def _latency(plt: Any, scores: Scores) -> Any | None:
    """Bars of encode and decode time, one after the other, a row for each method."""
    rows = []
    for entry in scores.table.entries:
        for link in scores.table.links:
            pair = [scores.of(entry, link, m) for m in ("encode_ms", "decode_ms")]
            if all(r and r.number is not None for r in pair):
                rows.append((entry.title, *(r.number for r in pair)))
                break
    if not rows:
        return None
    names, encode, decode = zip(*rows, strict=True)
    figure, ax = plt.subplots(figsize=(8, 1.4 + 0.3 * len(rows)), layout="constrained")
    ax.barh(names, encode, color="#0072B2", label="encode")
    ax.barh(names, decode, left=encode, color="#E69F00", hatch="//", label="decode")
    ax.invert_yaxis()
    ax.set(xlabel="ms a frame (mean)")
    ax.grid(axis="x", alpha=0.3)
    ax.legend(fontsize=8)
    return figure


def _families(entries: tuple[Entry, ...]) -> dict[str, list[Entry]]:
    families: dict[str, list[Entry]] = {}
    for entry in entries:
        families.setdefault(entry.family, []).append(entry)
    return families


def _apart(sizes: list[int]) -> list[int]:
    """Those of `sizes`, which rise, whose labels leave one another room on a logarithmic axis."""
    told: list[int] = []
    for size in sizes:
        if not told or size > 1.4 * told[-1]:
            told.append(size)
    return told
