# SPDX-License-Identifier: Apache-2.0
"""The emulated radio between vehicle and RSU, and all that can be set about it."""

from semcom_ros.channel.parameters import PARAMETERS
from semcom_ros.channel.radio import Channel

__all__ = ["PARAMETERS", "Channel"]
