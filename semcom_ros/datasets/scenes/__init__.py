# SPDX-License-Identifier: Apache-2.0
"""The procedural drive: a street that never repeats, as images with exact labels."""

from semcom_ros.datasets.scenes.drive import Drive

__all__ = ["Drive"]
