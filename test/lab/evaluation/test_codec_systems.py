# SPDX-License-Identifier: Apache-2.0
"""The package's codecs under study: settings reach the end that they are of."""

from __future__ import annotations

from pathlib import Path

import pytest

from semcom_ros.channel.phy.mcs import MCS_TABLE
from semcom_ros.lab.evaluation.study import codec_systems
from semcom_ros.lab.evaluation.study.study_file import read_study
from semcom_ros.lab.evaluation.study.systems import create_system

CONFIG = Path(__file__).resolve().parents[3] / "config"


@pytest.mark.parametrize("prefix", ["", "gesco_"])
def test_settings_reach_the_end_that_they_are_of_by_either_name(prefix: str) -> None:
    options = {"picture": "none", "generator": "diffusion", "steps": 2}
    system = create_system(
        "codec", {"codec": "gesco", **{prefix + k: v for k, v in options.items()}}
    )
    assert system.encoder.settings.picture == "none"
    assert (system.decoder.settings.generator, system.decoder.settings.steps) == ("diffusion", 2)


def test_a_codec_whose_weights_are_missing_lacks_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEMCOM_MODELS", str(tmp_path))
    codec_systems._ends.cache_clear()
    assert "semcom train map" in create_system("codec", {"codec": "sqgan"}).lacks


def test_the_study_of_gsc_is_read_and_holds_every_rate_and_scheme() -> None:
    study = read_study(CONFIG / "gsc.yaml", ("camvid",))
    uses = {8 * size for table in study.tables for size in table.sizes}
    assert uses == {512, 1024, 2048, 4096, 8192, 24576}
    schemes = {cell.entry.scheme for cell in study.cells()} - {""}
    assert schemes == {mcs.name for mcs in MCS_TABLE}
    models = {link.name for table in study.tables for link in table.links}
    assert models == {"awgn", "rayleigh", "tdl_c"}
