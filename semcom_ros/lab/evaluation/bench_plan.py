# SPDX-License-Identifier: Apache-2.0
"""What a bench times, and what it says of networks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from semcom_ros.lab.evaluation.published_networks import Call, Published

Times = dict[str, float]


class End(NamedTuple):
    """An end of a learned codec: the timed step `STEP_ms` and the timed parts of it that are
    networks, none where it runs the paper's own.

    prefix: of what is reported of it. paper: makes, on a device, for a batch and compiled or not, a
    call of the published networks, timed as `paper_NAME_ms`. passes: how many of it a frame takes,
    by what it is then made in; the paper's own comes last.
    """

    step: str
    parts: tuple[str, ...]
    prefix: str
    paper: Callable[[str, int, bool], Published]
    name: str
    passes: tuple[tuple[str, int], ...] = (("one pass", 1),)


@dataclass
class Plan:
    """What is timed, by the name that it is reported under.

    calls: of a batch. single: of one frame, as the vehicle has it, however many the RSU takes
    together. long: of a batch, last and once, without a warm-up. context: reported beside the
    times. notes: sentences about them. derived: what is reported of them.
    """

    calls: dict[str, Call]
    single: dict[str, Call] = field(default_factory=dict)
    long: dict[str, Call] = field(default_factory=dict)
    context: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    ends: tuple[End, ...] = ()
    derived: Callable[[dict[str, Times]], dict[str, Any]] = lambda figures: {}
