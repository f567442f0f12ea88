# SPDX-License-Identifier: Apache-2.0
"""Which packets the air loses, whatever the SNR: each by itself, or in bursts."""

from __future__ import annotations

import numpy as np

from semcom_ros.errors import SemcomError

_MEMORY = 10_000


class PacketLoss:
    """A seeded loss process over the frames of a drive.

    Each frame has a random number of its own, so that those that were skipped change nothing about
    the independent losses of the others, and let a burst go on as if they had been sent.

    loss: share of packets that are lost, 0 to 1. burst: 0 loses each packet by itself; 1 or more
    is the mean number of packets lost in a row, by a two-state Markov chain that loses all packets
    in its bad state and none in its good one (Gilbert, "Capacity of a burst-noise channel", 1960,
    and Elliott, 1963). Leaving the bad state with probability r = 1 / burst and entering it with
    q = loss r / (1 - loss) gives the mean loss q / (q + r) and bursts of 1 / r packets on average.
    Raises SemcomError where the two do not go together.
    """

    def __init__(self, loss: float, burst: float, seed: int) -> None:
        self._seed = seed
        self._last_lost: bool | None = None
        self._frame = -1
        self.configure(loss, burst)

    def configure(self, loss: float, burst: float) -> None:
        """Go on from the state reached with other values; on SemcomError with the old ones."""
        check_loss(loss, burst)
        self._loss, self._burst = loss, burst

    def lost(self, frame: int) -> bool:
        """Whether the packet of `frame` is lost; frames come in rising order."""
        # Behind a long gap nothing is left of the burst before it.
        for skipped in range(max(self._frame + 1, frame - _MEMORY), frame):
            self._step(skipped)
        self._frame = frame
        return self._step(frame)

    def _step(self, frame: int) -> bool:
        independent = self._burst == 0 or self._loss == 0 or self._last_lost is None
        if independent:
            probability = self._loss
        elif self._last_lost:
            probability = 1 - 1 / self._burst
        else:
            probability = self._loss / (self._burst * (1 - self._loss))
        draw = np.random.default_rng((self._seed, 2, frame)).random()
        self._last_lost = bool(draw < probability)
        return self._last_lost


def check_loss(loss: float, burst: float) -> None:
    """Raise SemcomError unless bursts of mean length `burst` can lose the share `loss`.

    A good packet lies between any two bursts: they lose at most burst / (burst + 1) of all.
    """
    if not 0 <= loss <= 1:
        raise SemcomError(f"loss is {loss}; it must be 0 to 1.")
    if burst == 0:
        return
    if not burst >= 1:
        raise SemcomError(
            f"burst is {burst}; it must be 0, which loses each packet by itself, or 1 or more."
        )
    most = burst / (1 + burst)
    if loss > most:
        raise SemcomError(
            f"Bursts of {burst:g} packets lose at most {most:.3f} of all, not {loss:g}: give a "
            "longer burst or a smaller loss."
        )
