# SPDX-License-Identifier: Apache-2.0
"""Fixtures that many tests share."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def camvid() -> Path:
    """The CamVid frames beside the repository, or a skip where they are not there."""
    path = Path(__file__).resolve().parents[2] / "shared" / "data" / "camvid"
    if not (path / "images" / "val").is_dir():
        pytest.skip("needs the CamVid frames in ../shared/data/camvid beside the repository")
    return path
