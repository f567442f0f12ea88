# SPDX-License-Identifier: Apache-2.0
"""When a run ends early: as what it is judged by on frames unseen gets no better."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any


@dataclass
class Patience:
    """most: scores in a row without a better one, which is a lower one. A run's state holds it."""

    most: int
    best: float = math.inf
    waited: int = 0

    def better(self, score: float) -> bool:
        """Whether `score` is the best so far."""
        found = score < self.best
        self.best, self.waited = min(score, self.best), 0 if found else self.waited + 1
        return found

    @property
    def over(self) -> bool:
        return self.waited >= self.most

    def state_dict(self) -> dict[str, Any]:
        return asdict(self)

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
