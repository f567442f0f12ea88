# SPDX-License-Identifier: Apache-2.0
"""Cells of a study: one system over one link on one data set, frame by frame to its scores."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from semcom_ros.errors import SemcomError
from semcom_ros.lab.evaluation.study.backbones import Backbones
from semcom_ros.lab.evaluation.study.cache import file_hash
from semcom_ros.lab.evaluation.study.code import code_hash
from semcom_ros.lab.evaluation.study.data import Data
from semcom_ros.lab.evaluation.study.links import Link
from semcom_ros.lab.evaluation.study.metrics import METRICS
from semcom_ros.lab.evaluation.study.pools import Score
from semcom_ros.lab.evaluation.study.provenance import versions
from semcom_ros.lab.evaluation.study.readers import Readers, digest
from semcom_ros.lab.evaluation.study.study_file import CEILING, Entry, Study, Table
from semcom_ros.lab.evaluation.study.systems import DriveSystem, System
from semcom_ros.lab.evaluation.study.view import View

Watch = Callable[[View], None]


@dataclass(frozen=True)
class Cell:
    """What is measured at once. `data`, `split` and `frames` say on which frames."""

    data: str
    split: str
    frames: int
    entry: Entry
    link: Link


def cells_of(study: Study) -> Iterator[tuple[Table, Cell]]:
    """Every cell of every table, each system over its links one after the other."""
    for table in study.tables:
        for data in table.data:
            for entry in table.entries:
                for link in table.links:
                    yield table, Cell(data, table.split, table.frames, entry, link)
            yield table, Cell(data, table.split, table.frames, CEILING, Link())


def check_link(cell: Cell, system: System) -> None:
    """Raise SemcomError where the system does not go over the link."""
    if cell.link.kind not in system.links:
        raise SemcomError(
            f"The system '{cell.entry.title}' does not go over {cell.link.model}, which is of the "
            f"kind '{cell.link.kind}'; it goes over: {', '.join(sorted(system.links))}. Put it in "
            "a table of its own."
        )


def identity_of(cell: Cell, data: Data, system: System, seed: int, models: Sequence[Path]) -> dict:
    """Everything that the cell's scores hang on, as JSON; `models` are the readers'."""
    entry = cell.entry
    return {
        "data": data.name,
        "content": data.hash,
        "rate_hz": data.rate_hz,
        "system": entry.system,
        "options": [list(option) for option in entry.options],
        "labels": entry.labels if system.uses_labels else "",
        "link": [cell.link.kind, *(list(setting) for setting in cell.link.settings)],
        "files": [[path.name, file_hash(path)] for path in cell.link.files],
        "seed": seed,
        "models": [[path.name, file_hash(path)] for path in (*models, *system.models)],
        "code": code_hash(),
        "versions": versions(),
    }


def measure(
    cell: Cell,
    data: Data,
    system: System,
    metrics: Sequence[str],
    readers: Readers,
    backbones: Backbones,
    seed: int,
    watch: Watch,
) -> dict[str, Score]:
    """Send all frames and score them by `metrics`; `watch` sees each view when it is measured.

    Where the vehicle could send none of the frames, the scores say why.
    """
    if isinstance(system, DriveSystem):
        system.prepare(data.frames)
    system.begin(cell.link, seed)
    values: dict[str, list[Any]] = {name: [] for name in metrics}
    before: np.ndarray | None = None
    refusals = []
    for index, frame in enumerate(data.frames):
        labels = data.labels(cell.entry.labels, index) if system.uses_labels else None
        outcome = system.run(frame, labels, index)
        refusals.append(outcome.refusal)
        view = View(data, index, outcome, before, readers, backbones)
        found: dict[Callable[[View], Any], Any] = {}
        for name in metrics:
            look = METRICS[name].measure
            if look not in found:
                found[look] = _measured(name, view)
            values[name].append(found[look])
        before = view.image
        watch(view)
    if all(refusals):
        return {name: Score(f"not sent: {refusals[0]}", 0) for name in metrics}
    return {name: METRICS[name].pool(values[name], seed) for name in metrics}


def _measured(name: str, view: View) -> Any:
    """One frame's measurement; what hangs on the image alone is found once for each image."""
    metric = METRICS[name]
    if not metric.image_only:
        return metric.measure(view)
    key = (name, view.index, digest(view.image))
    return view.data.once(*key, call=lambda: metric.measure(view))
