# SPDX-License-Identifier: Apache-2.0
"""A cell of a study: one system over one link on one data set, frame by frame to its scores."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from semcom_ros.lab.evaluation.study.data import Data
from semcom_ros.lab.evaluation.study.frame_metrics import Measure, View
from semcom_ros.lab.evaluation.study.links import Link
from semcom_ros.lab.evaluation.study.metrics import METRICS
from semcom_ros.lab.evaluation.study.pools import Score
from semcom_ros.lab.evaluation.study.readers import Readers, digest
from semcom_ros.lab.evaluation.study.systems import System


def measure(
    data: Data, labels: str, system: System, link: Link, metrics: Sequence[str], readers: Readers,
    seed: int, watch: Callable[[View], None],
) -> dict[str, Score]:  # fmt: skip
    """Send all frames of `data` over `link` and score them by `metrics`.

    labels: of `LABELS`, the map at the vehicle. watch: sees each view when it is measured. Where
    the vehicle could send none of the frames, the scores say why.
    """
    system.prepare(data.frames)
    system.begin(link, seed)
    values: dict[str, list[Any]] = {name: [] for name in metrics}
    before: np.ndarray | None = None
    refusals = []
    for index, frame in enumerate(data.frames):
        sent = data.labels(labels, index) if system.uses_labels else None
        outcome = system.run(frame, sent, index)
        refusals.append(outcome.refusal)
        view = View(data, index, outcome, before, readers)
        found: dict[Measure, Any] = {}
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
