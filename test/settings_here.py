# SPDX-License-Identifier: Apache-2.0
"""Settings by which codecs do without what is not installed."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any


def settings_here(codec: str) -> dict[str, Any]:
    """Without PyAV, as on a machine that is there for its GPU, GESCO sends thumbnails."""
    return {"gesco_picture": "thumbnail"} if codec == "gesco" and not find_spec("av") else {}
