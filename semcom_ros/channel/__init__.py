# SPDX-License-Identifier: Apache-2.0
"""The channels by name."""

from __future__ import annotations

from semcom_ros.channel.awgn import Awgn
from semcom_ros.channel.base import PARAMETERS, Channel
from semcom_ros.channel.none import NoChannel
from semcom_ros.channel.packets import GilbertElliott, IndependentLoss
from semcom_ros.errors import choose

CHANNELS: dict[str, type[Channel]] = {
    "none": NoChannel,
    "awgn": Awgn,
    "iid": IndependentLoss,
    "gilbert_elliott": GilbertElliott,
}

__all__ = ["CHANNELS", "PARAMETERS", "Channel", "create_channel"]


def create_channel(name: str, *, seed: int = 0, **parameters: float) -> Channel:
    """The channel called `name`, set by `PARAMETERS`; raises SemcomError for anything unknown."""
    return CHANNELS[choose(name, CHANNELS, "channel")](seed=seed, **parameters)
