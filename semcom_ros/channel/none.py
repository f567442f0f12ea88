# SPDX-License-Identifier: Apache-2.0
"""The ideal link: what is sent arrives."""

from __future__ import annotations

from semcom_ros.channel.base import Channel
from semcom_ros.payload import Payload


class NoChannel(Channel):
    """Nothing is lost and no noise is added; no parameter matters."""

    def transmit(self, payload: Payload) -> Payload:
        """The payload itself."""
        return payload
