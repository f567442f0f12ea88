# SPDX-License-Identifier: Apache-2.0
"""Packet loss: a frame is one packet, and a lost packet loses all of its parts."""

from __future__ import annotations

from dataclasses import replace

from semcom_ros.channel.base import Channel, erase
from semcom_ros.errors import SemcomError
from semcom_ros.payload import Payload


class PacketLoss(Channel):
    """Base of the loss processes: draws once a frame whether it is lost."""

    def transmit(self, payload: Payload) -> Payload:
        """The payload, with all parts erased where its packet is lost."""
        if not self._draw_loss():
            return payload
        return replace(payload, parts=tuple(erase(part) for part in payload.parts))

    def _draw_loss(self) -> bool:
        raise NotImplementedError


class IndependentLoss(PacketLoss):
    """Each packet is lost with probability `loss`, whatever happened to the one before."""

    def _draw_loss(self) -> bool:
        return bool(self._random.random() < self.parameters["loss"])


class GilbertElliott(PacketLoss):
    """Bursts of loss: a two-state Markov chain, all lost in the bad state, none in the good.

    Gilbert, "Capacity of a burst-noise channel", 1960. Leaving the bad state with probability
    r = 1 / burst and entering it with q = loss r / (1 - loss) gives the mean loss q / (q + r) and
    bursts of 1 / r packets on average.
    """

    _bad: bool | None = None

    def _check_together(self, parameters: dict[str, float]) -> None:
        most = parameters["burst"] / (1 + parameters["burst"])
        if parameters["loss"] > most:
            raise SemcomError(
                f"Bursts of {parameters['burst']:g} packets lose at most {most:.3f} of all, not "
                f"{parameters['loss']:g}: give a longer burst or a smaller loss."
            )

    def _draw_loss(self) -> bool:
        loss = self.parameters["loss"]
        leave = 1 / self.parameters["burst"]
        draw = self._random.random()
        if self._bad is None:
            self._bad = draw < loss
        elif self._bad:
            self._bad = draw >= leave
        else:
            self._bad = draw < loss * leave / (1 - loss)
        return bool(self._bad)
