# SPDX-License-Identifier: Apache-2.0
"""The package's codecs under study: settings reach the end that they are of."""

from __future__ import annotations

import pytest

from semcom_ros.lab.evaluation.study.systems import create_system


@pytest.mark.parametrize("prefix", ["", "gesco_"])
def test_settings_reach_the_end_that_they_are_of_by_either_name(prefix: str) -> None:
    options = {"picture": "none", "generator": "diffusion", "steps": 2}
    system = create_system(
        "codec", {"codec": "gesco", **{prefix + k: v for k, v in options.items()}}
    )
    assert system.encoder.settings.picture == "none"
    assert (system.decoder.settings.generator, system.decoder.settings.steps) == ("diffusion", 2)
