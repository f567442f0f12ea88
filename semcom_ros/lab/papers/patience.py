# SPDX-License-Identifier: Apache-2.0
"""When a run ends early: as what it is judged by on frames unseen gets no better."""

from __future__ import annotations

import math
from typing import Any


class Patience:
    """most: scores in a row without a better one. Lower is better."""

    def __init__(self, most: int):
        self.most, self.best, self.waited = most, math.inf, 0

    def better(self, score: float) -> bool:
        """Whether `score` is the best so far."""
        found = score < self.best
        self.best, self.waited = min(score, self.best), 0 if found else self.waited + 1
        return found

    @property
    def over(self) -> bool:
        return self.waited >= self.most

    def state_dict(self) -> dict[str, Any]:
        """For the state that a run goes on from."""
        return {"best": self.best, "waited": self.waited}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.best, self.waited = state["best"], state["waited"]
