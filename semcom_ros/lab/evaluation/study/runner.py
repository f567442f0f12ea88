# SPDX-License-Identifier: Apache-2.0
"""Runs a study: what is not in the cache yet is measured, each cell once for all its tables."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from semcom_ros.lab.evaluation.study.backbones import Backbones
from semcom_ros.lab.evaluation.study.cache import Cache, key_of
from semcom_ros.lab.evaluation.study.cells import Cell, cells_of, check_link, identity_of, measure
from semcom_ros.lab.evaluation.study.contact_sheet import (
    draw_strip,
    save_picture,
    shown_entries,
    shown_frames,
    shown_links,
)
from semcom_ros.lab.evaluation.study.data import Data, open_data
from semcom_ros.lab.evaluation.study.metrics import METRICS
from semcom_ros.lab.evaluation.study.pools import Score
from semcom_ros.lab.evaluation.study.readers import Readers
from semcom_ros.lab.evaluation.study.records import Record
from semcom_ros.lab.evaluation.study.study_file import Study
from semcom_ros.lab.evaluation.study.systems import System, create_system
from semcom_ros.lab.evaluation.study.view import View

_BACKBONES = ("lpips", "inception")
Progress = Callable[[str, int], None]
"""Hears the name of a cell and how many of its frames are done anew."""


@dataclass
class Job:
    """One cell and all that the tables want of it. frames: whose strips belong on sheets."""

    cell: Cell
    data: Data
    system: System
    identity: dict[str, Any]
    key: str
    metrics: dict[str, None] = field(default_factory=dict)
    frames: set[int] = field(default_factory=set)


class Runner:
    """places: where each kind of data lies, as specs that `open_source` takes, by kind."""

    def __init__(
        self, study: Study, places: Mapping[str, str], cache: Cache, readers: Readers,
        backbones: Backbones,
    ) -> None:  # fmt: skip
        self.study, self.cache = study, cache
        self.readers, self.backbones = readers, backbones
        self._data: dict[tuple[str, str, int], Data] = {}
        self._places = dict(places)
        self._systems: dict[tuple, System] = {}
        self._jobs: dict[str, Job] = {}
        self._job_of: dict[tuple[str, Cell], Job] = {}
        for table, cell in cells_of(study):
            job = self._job(cell)
            job.metrics.update(dict.fromkeys(table.metrics))
            if cell.link in shown_links(table) and cell.entry in shown_entries(table):
                job.frames.update(shown_frames(table, len(job.data)))
            self._job_of[table.title, cell] = job

    @property
    def frames(self) -> dict[str, dict[str, int]]:
        """Frames of each data set, table by table."""
        found: dict[str, dict[str, int]] = {table.title: {} for table in self.study.tables}
        for (title, cell), job in self._job_of.items():
            found[title][f"{cell.data} {cell.split}"] = len(job.data)
        return found

    @property
    def models(self) -> set[Path]:
        """The weights that the scores hang on."""
        systems = (job.system.models for job in self._jobs.values())
        return {*self.readers.models, *(path for models in systems for path in models)}

    def job(self, table: str, cell: Cell) -> Job:
        """The job that `cell` of `table` is measured by."""
        return self._job_of[table, cell]

    def left(self) -> list[tuple[Job, list[str]]]:
        """What is to be done: jobs with the metrics that the cache lacks, maybe none for strips."""
        found = []
        for job in self._jobs.values():
            known = self.cache.load(job.key)
            metrics = [m for m in job.metrics if m not in known and not self._lack(m)]
            strips = any(not self.cache.picture(job.key, i).exists() for i in job.frames)
            if metrics or strips:
                found.append((job, metrics))
        # One system's cells in a row: what it sends is the same over every link.
        order = {id(job.system): i for i, job in enumerate(self._jobs.values())}
        return sorted(found, key=lambda one: order[id(one[0].system)])

    def groups(self) -> list[list[str]]:
        """The keys of what is left, system by system."""
        found: dict[int, list[str]] = {}
        for job, _ in self.left():
            found.setdefault(id(job.system), []).append(job.key)
        return list(found.values())

    def run(self, progress: Progress, keys: Collection[str] | None = None) -> None:
        """Measure what is left, or of that the cells `keys`; `progress` hears of every frame.

        Raises SemcomError; cells that are done stay done.
        """
        left = [one for one in self.left() if keys is None or one[0].key in keys]
        for needed in {METRICS[m].needs for _, metrics in left for m in metrics}:
            if needed and needed not in _BACKBONES:
                getattr(self.readers, needed)
        for place, (job, metrics) in enumerate(left):
            self._measure(job, metrics, progress)
            if all(later.system is not job.system for later, _ in left[place + 1 :]):
                job.system.end()

    def _measure(self, job: Job, metrics: list[str], progress: Progress) -> None:
        name = f"{job.cell.data}: {job.cell.entry.title}, {job.cell.link.level}"

        def watch(view: View) -> None:
            if view.index in job.frames:
                save_picture(self.cache.picture(job.key, view.index), draw_strip(view))
            progress(name, 1)

        scores = measure(
            job.cell, job.data, job.system, metrics, self.readers, self.backbones,
            self.study.seed, watch,
        )  # fmt: skip
        self.cache.store(job.key, job.identity, scores)

    def records(self) -> list[Record]:
        """Every score of the study in the order of its tables, metric by metric of each cell."""
        found = []
        for table, cell in cells_of(self.study):
            job = self._job_of[table.title, cell]
            known = self.cache.load(job.key)
            for metric in table.metrics:
                score = known.get(metric) or Score(self._lack(metric), 0)
                found.append(
                    Record(table.title, cell, job.system.codec, job.system.setting, metric, score)
                )
        return found

    def _lack(self, metric: str) -> str:
        needs = METRICS[metric].needs
        return self.backbones.lacks(needs) if needs in _BACKBONES else ""

    def _job(self, cell: Cell) -> Job:
        where = (cell.data, cell.split, cell.frames)
        if where not in self._data:
            self._data[where] = open_data(
                cell.data, self._places, cell.split, cell.frames, self._segment
            )
        data, entry = self._data[where], cell.entry
        which = (where, entry.system, entry.options, entry.labels)
        if which not in self._systems:
            self._systems[which] = create_system(entry.system, dict(entry.options))
        system = self._systems[which]
        check_link(cell, system)
        identity = identity_of(cell, data, system, self.study.seed, self.readers.models)
        key = key_of(identity)
        return self._jobs.setdefault(key, Job(cell, data, system, identity, key))

    def _segment(self, image: Any) -> Any:
        return self.readers.vehicle(image)
