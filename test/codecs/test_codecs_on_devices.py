# SPDX-License-Identifier: Apache-2.0
"""Both ends of the codecs with networks compute where they are told to, and give the same."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from another_device import another_device
from settings_here import settings_here

from semcom_ros.codecs import create_decoder, create_encoder
from semcom_ros.codecs.foreign import Foreign
from semcom_ros.datasets.scenes.drive import Drive
from semcom_ros.pipeline.single import decode, encode

pytestmark = pytest.mark.usefixtures("one_thread")
DIFFUSION = {"gesco_generator": "diffusion", "gesco_steps": 2, "gesco_guidance": 1.0}


class Theirs(torch.nn.Linear):
    encode = decode_images = torch.nn.Linear.forward


CODECS = pytest.mark.parametrize(
    ("codec", "settings"), [("gesco", {}), ("gesco", DIFFUSION), ("sqgan", {})]
)


def through(codec: str, settings: dict, device: str) -> np.ndarray:
    """The image of a frame through both ends on `device`."""
    encoder = create_encoder(codec, device=device, **settings_here(codec))
    decoder = create_decoder(codec, device=device, **settings)
    networks = (
        [decoder.diffusion if settings else decoder.restorer]
        if codec == "gesco"
        else [
            *(encoder.map_transmitter, encoder.image_transmitter),
            *(decoder.map_receiver, decoder.image_receiver),
        ]
    )
    places = {t.device.type for one in networks for t in one.network.state_dict().values()}
    assert places == {device}
    return decode(codec, decoder, encode(codec, encoder, Drive(1).render(20), 512)).image


@CODECS
def test_both_ends_run_on_another_device(codec: str, settings: dict) -> None:
    here = through(codec, settings, "cpu")
    with another_device() as device:
        there = through(codec, settings, device)
    assert np.abs(here.astype(int) - there).mean() < 0.5


@pytest.mark.cuda
@CODECS
def test_both_ends_run_on_a_gpu(codec: str, settings: dict) -> None:
    here, there = (through(codec, settings, device).astype(int) for device in ("cpu", "cuda"))
    difference = np.abs(here - there)
    assert difference.mean() < 4


def test_somebody_elses_network_is_moved_to_the_device(monkeypatch: pytest.MonkeyPatch) -> None:
    theirs = Theirs(1, 1)
    monkeypatch.setattr("semcom_ros.codecs.foreign.made", lambda place: theirs)
    Foreign("their_model:Theirs", device="meta")
    assert theirs.weight.device.type == "meta"
