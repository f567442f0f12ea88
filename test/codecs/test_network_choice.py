# SPDX-License-Identifier: Apache-2.0
"""Codecs whose networks both ends must have: those that ship, or those of a paper."""

from __future__ import annotations

from pathlib import Path

import pytest
import tiny_gsc
import tiny_sqgan
from codec_ends import Reading, Sending

from semcom_ros.codecs import settings_of
from semcom_ros.datasets.scenes.drive import Drive
from semcom_ros.frame import Frame
from semcom_ros.payload import PayloadError

pytestmark = [
    pytest.mark.usefixtures("one_thread"),
    pytest.mark.parametrize("codec", ["sqgan", "gsc"]),
]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The networks that ship, narrow, and those of the papers beside them."""
    folder = tiny_gsc.write(tmp_path_factory.mktemp("models"))
    tiny_gsc.write(folder, networks="paper")
    return tiny_sqgan.write_paper(tiny_sqgan.write_tiny(folder))


@pytest.fixture(scope="module")
def frame() -> Frame:
    return Drive(1).render(20)


@pytest.mark.parametrize(("sends", "reads"), [("paper", "fast"), ("fast", "paper")])
def test_ends_of_different_networks_refuse_each_other(
    models: Path, frame: Frame, codec: str, sends: str, reads: str
) -> None:
    setting = f"{codec}_network"
    payload = Sending(codec, models=models, **{setting: sends}).encode(frame, 512)
    with pytest.raises(PayloadError) as refusal:
        Reading(codec, models=models, **{setting: reads}).labels(payload)
    assert refusal.value.reason == "model"


def test_an_end_takes_other_networks_when_its_settings_change(
    models: Path, frame: Frame, codec: str
) -> None:
    encoder, decoder = (end(codec, models=models) for end in (Sending, Reading))
    narrow = encoder.model
    for end in (encoder.encoder, decoder.decoder):
        end.settings = settings_of(codec, {f"{codec}_network": "paper"})
    assert encoder.model == decoder.model != narrow
    assert decoder.decode(encoder.encode(frame, 512)).image.shape == (256, 512, 3)
