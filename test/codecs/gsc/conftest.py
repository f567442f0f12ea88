# SPDX-License-Identifier: Apache-2.0
"""gsc with narrow untrained networks, in the registry."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import tiny_gsc

from semcom_ros.codecs import CODECS


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of weights."""
    return tiny_gsc.write(tmp_path_factory.mktemp("gsc"))


@pytest.fixture
def gsc(monkeypatch: pytest.MonkeyPatch, one_thread: None) -> Iterator[None]:
    """The one line."""
    monkeypatch.setitem(CODECS, "gsc", "semcom_ros.codecs.gsc:CODEC")
    yield
