# SPDX-License-Identifier: Apache-2.0
"""Both ends of the codecs with networks compute where they are told to, and give the same."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from another_device import another_device

from semcom_ros.codecs import create_decoder, create_encoder
from semcom_ros.codecs.foreign import Foreign
from semcom_ros.datasets.scenes.drive import Drive
from semcom_ros.pipeline.single import decode, encode

pytestmark = pytest.mark.usefixtures("one_thread")
SLOWEST = {"gesco_steps": 2, "gesco_guidance": 1.0}


class Theirs(torch.nn.Linear):
    encode = decode_images = torch.nn.Linear.forward


def through(codec: str, device: str) -> np.ndarray:
    """The image of a frame through both ends on `device`."""
    encoder = create_encoder(codec, device=device)
    decoder = create_decoder(codec, device=device, **(SLOWEST if codec == "gesco" else {}))
    networks = (
        [decoder.diffusion]
        if codec == "gesco"
        else [
            *(encoder.map_transmitter, encoder.image_transmitter),
            *(decoder.map_receiver, decoder.image_receiver),
        ]
    )
    places = {t.device.type for one in networks for t in one.network.state_dict().values()}
    assert places == {device}
    return decode(codec, decoder, encode(codec, encoder, Drive(1).render(20), 512)).image


@pytest.mark.parametrize("codec", ["gesco", "sqgan"])
def test_both_ends_run_on_another_device(codec: str) -> None:
    here = through(codec, "cpu")
    with another_device() as device:
        there = through(codec, device)
    assert np.abs(here.astype(int) - there).mean() < 0.5


@pytest.mark.cuda
@pytest.mark.parametrize("codec", ["gesco", "sqgan"])
def test_both_ends_run_on_a_gpu(codec: str) -> None:
    difference = np.abs(through(codec, "cpu").astype(int) - through(codec, "cuda"))
    assert difference.mean() < 4


def test_somebody_elses_network_is_moved_to_the_device(monkeypatch: pytest.MonkeyPatch) -> None:
    theirs = Theirs(1, 1)
    monkeypatch.setattr("semcom_ros.codecs.foreign.made", lambda place: theirs)
    Foreign("their_model:Theirs", device="meta")
    assert theirs.weight.device.type == "meta"
