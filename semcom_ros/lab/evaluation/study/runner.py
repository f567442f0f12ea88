# SPDX-License-Identifier: Apache-2.0
"""Runs a study: what is not on disk yet is measured, each cell once for all its tables.

A cell is known by everything that its scores hang on, so that a stopped study goes on.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from itertools import groupby
from pathlib import Path
from typing import Any

from semcom_ros.errors import SemcomError
from semcom_ros.lab.evaluation.study.cells import measure
from semcom_ros.lab.evaluation.study.contact_sheet import (
    draw_strip,
    shown_cells,
    shown_frames,
)
from semcom_ros.lab.evaluation.study.data import Data
from semcom_ros.lab.evaluation.study.frame_metrics import View
from semcom_ros.lab.evaluation.study.metrics import METRICS
from semcom_ros.lab.evaluation.study.pools import Score
from semcom_ros.lab.evaluation.study.provenance import code_hash, file_hash, versions
from semcom_ros.lab.evaluation.study.readers import Readers
from semcom_ros.lab.evaluation.study.study_file import Cell, Study
from semcom_ros.lab.evaluation.study.systems import System, create_system
from semcom_ros.lab.evaluation.study.tables import Record
from semcom_ros.lab.picture import save_picture

STRIPS = "semcom_ros.lab.evaluation.study.contact_sheet"
"""Draws the pictures of a cell."""
DRAFT = ".part"
"""Ends the name of a file that is not whole yet."""
Progress = Callable[[str, int], None]
"""Hears the name of a cell and how many of its frames are done anew."""


@dataclass
class Job:
    """One cell and all that the tables want of it.

    identity: everything that its scores hang on. folder: of its files. lacks: what it cannot be
    measured without, "" where all is there. frames: whose strips belong on sheets.
    """

    cell: Cell
    data: Data
    system: System
    identity: dict[str, Any]
    folder: Path
    lacks: str = ""
    metrics: dict[str, None] = field(default_factory=dict)
    frames: set[int] = field(default_factory=set)

    @cached_property
    def key(self) -> str:
        """Names the files."""
        text = json.dumps(self.identity, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:32]

    def strip(self, index: int) -> Path:
        """The picture of one frame, as it is drawn now."""
        return self.folder / f"{self.key}-{index}-{code_hash(STRIPS)[:8]}.png"

    def load(self) -> dict[str, Score]:
        """What is known so far; nothing where the file is missing or damaged."""
        try:
            content = json.loads((self.folder / f"{self.key}.json").read_text())["scores"]
            return {
                name: Score(s["value"], s["n"], tuple(s["ci95"]) if s["ci95"] else None)
                for name, s in content.items()
            }
        except (OSError, ValueError, KeyError, TypeError):
            return {}

    def store(self, scores: Mapping[str, Score]) -> None:
        """Add `scores` to the file, at once or not at all."""
        merged = {name: s._asdict() for name, s in sorted({**self.load(), **scores}.items())}
        text = json.dumps({"cell": self.identity, "scores": merged}, indent=1) + "\n"
        self.write({f"{self.key}.json": text.encode()})

    def read(self) -> dict[str, bytes]:
        """Its files by name: scores and strips."""
        return {
            path.name: path.read_bytes()
            for path in self.folder.glob(f"{self.key}*")
            if path.suffix != DRAFT
        }

    def write(self, files: Mapping[str, bytes]) -> None:
        """Put its `files` in place, each at once or not at all."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            draft = self.folder / f"{name}{DRAFT}"
            draft.write_bytes(content)
            os.replace(draft, self.folder / name)


class Runner:
    """places: where each kind of data lies, as specs that `open_source` takes, by kind.

    folder: of the cells' files. The rest as `Readers` takes it. jobs: by cell, one for all cells
    whose scores hang on the same.
    """

    def __init__(
        self, study: Study, places: Mapping[str, str], folder: Path,
        judge: str | Path | None = None, backbones: Path | None = None, device: str = "cpu",
        *others: Any,
    ) -> None:  # fmt: skip
        self.made_of = (study, dict(places), folder, judge, backbones, device, *others)
        self.study = study
        self.readers = Readers(judge, backbones, device, *others)
        self._data = cache(self._open)
        self._hash = cache(file_hash)
        self._system = cache(
            lambda data, name, options, labels, made_by: create_system(
                name, dict(options), device, made_by
            )
        )
        self.jobs: dict[Cell, Job] = {}
        self._once: dict[str, Job] = {}
        for cell in study.cells():
            made = self._job(cell)
            job = self.jobs[cell] = self._once.setdefault(made.key, made)
            job.metrics.update(dict.fromkeys(cell.table.metrics))
            if any(cell in cells for cells in shown_cells(cell.table, cell.data)):
                job.frames.update(shown_frames(cell.table, len(job.data)))

    @property
    def frames(self) -> dict[str, dict[str, int]]:
        """Frames of each data set, table by table."""
        found: dict[str, dict[str, int]] = {}
        for cell, job in self.jobs.items():
            of_table = found.setdefault(cell.table.title, {})
            of_table[f"{cell.data} {cell.table.split}"] = len(job.data)
        return found

    @property
    def models(self) -> set[Path]:
        """The weights that the scores hang on."""
        systems = (job.system.models for job in self._once.values())
        return {*self.readers.models, *(path for models in systems for path in models)}

    def shard(self, index: int, shards: int) -> set[str]:
        """The cells, by key, of shard `index`, from 1, whatever is measured already.

        Every shard has some of each system: systems take seconds or milliseconds a frame.
        """
        return set(list(self._once)[index - 1 :: shards])

    def left(self, keys: Collection[str] | None = None) -> list[tuple[Job, list[str]]]:
        """What is to be done, or of that the cells `keys`: jobs with the metrics not on disk, maybe
        none for strips.

        One system's cells in a row: what it sends is the same over every link.
        """
        found = []
        for job in self._once.values():
            if keys is not None and job.key not in keys:
                continue
            known = job.load()
            metrics = [m for m in job.metrics if m not in known and not self._lack(job, m)]
            shown = job.lacks or all(job.strip(i).exists() for i in job.frames)
            if metrics or not shown:
                found.append((job, metrics))
        order = {id(job.system): i for i, job in enumerate(self._once.values())}
        return sorted(found, key=lambda one: order[id(one[0].system)])

    def groups(self, keys: Collection[str] | None = None) -> list[list[tuple[Job, list[str]]]]:
        """What is left, or of that the cells `keys`, system by system."""
        return [list(group) for _, group in groupby(self.left(keys), lambda one: id(one[0].system))]

    def run(self, progress: Progress, keys: Collection[str] | None = None) -> None:
        """Measure what is left, or of that the cells `keys`; `progress` hears of every frame.

        Raises SemcomError; cells that are done stay done.
        """
        groups = self.groups(keys)
        # What is missing among the readers is told before the first cell is measured.
        needs = (METRICS[m].needs for group in groups for _, metrics in group for m in metrics)
        for needed in dict.fromkeys(filter(None, needs)):
            getattr(self.readers, needed)
        for group in groups:
            for job, metrics in group:
                self._measure(job, metrics, progress)
            group[0][0].system.end()

    def records(self) -> list[Record]:
        """Every score of the study in the order of its tables, metric by metric of each cell."""
        found = []
        for cell, job in self.jobs.items():
            known, system = job.load(), job.system
            for metric in cell.table.metrics:
                score = known.get(metric) or Score(self._lack(job, metric), 0)
                found.append(Record(cell, system.codec, system.setting, metric, score))
        return found

    def _measure(self, job: Job, metrics: list[str], progress: Progress) -> None:
        _, data, entry, link = job.cell

        def watch(view: View) -> None:
            if view.index in job.frames:
                save_picture(job.strip(view.index), draw_strip(view))
            progress(f"{data}: {entry.title}, {link.level}", 1)

        scores = measure(
            job.data, entry.labels, job.system, link, metrics, self.readers, self.study.seed, watch
        )
        job.store(scores)

    def _lack(self, job: Job, metric: str) -> str:
        made = f"not made: {job.lacks}" if job.lacks else ""
        return made or self.readers.lacks(METRICS[metric].needs)

    def _open(self, name: str, split: str, most: int) -> Data:
        """The data that the study calls `name`. Raises SemcomError where there is none."""
        places = self.made_of[1]
        spec = name if name.startswith("scenes:") else places.get(name)
        if spec is None:
            raise SemcomError(
                f"The study needs {name} and does not know where it lies: add --data {name}:DIR."
            )
        data = Data(name, spec, split, most, lambda image: self.readers.vehicle([image])[0])
        if not data.frames:
            raise SemcomError(f"{name} has no frames in its split '{split}'.")
        return data

    def _job(self, cell: Cell) -> Job:
        """Raises SemcomError where the system does not go over the link."""
        table, name, entry, link = cell
        data = self._data(name, table.split, table.frames)
        system = self._system(data, entry.system, entry.options, entry.labels, entry.made_by)
        if link.kind not in system.links:
            raise SemcomError(
                f"The system '{entry.title}' does not go over {link.model}, which is of the kind "
                f"'{link.kind}'; it goes over: {', '.join(sorted(system.links))}. Put it in a "
                "table of its own."
            )
        models = (*self.readers.models, *system.models)
        codec, colon, _ = dict(entry.options).get("codec", "").partition(":")
        foreign = [codec] if colon else []
        identity = {
            "data": data.name,
            "content": data.hash,
            "rate_hz": data.rate_hz,
            "system": entry.system,
            "options": [list(option) for option in entry.options],
            "labels": entry.labels if system.uses_labels else "",
            "link": [link.kind, *(list(setting) for setting in link.settings)],
            "files": [[path.name, self._hash(path)] for path in link.files],
            "seed": self.study.seed,
            "models": [[path.name, self._hash(path)] for path in models],
            "code": [code_hash(), *(code_hash(one) for one in foreign)],
            "versions": versions(),
            "device": self.readers.device.partition(":")[0],
        }
        return Job(cell, data, system, identity, self.made_of[2], system.lacks or link.lacks)
