# SPDX-License-Identifier: Apache-2.0
"""Requests that name classes: what they mean, and that their map alone crosses, finer."""

from __future__ import annotations

import numpy as np
import pytest
from tiny_sqgan import write_tiny

from semcom_ros.codecs import create_decoder, create_encoder
from semcom_ros.codecs.asked_classes import read
from semcom_ros.codecs.base import Memory, Received
from semcom_ros.coding.grids import GRIDS
from semcom_ros.datasets.scenes.drive import Drive
from semcom_ros.labels import NAMES, TRAIN_ID, VOID
from semcom_ros.pipeline.transmitter import Transmitter

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.mark.parametrize(
    "words, instruction",
    [
        ("only pedestrians and the kerb", "only sidewalk, person"),
        ("Just the traffic lights,  please!", "only traffic light"),
        ("nothing but vulnerable road users", "only person, rider, motorcycle, bicycle"),
        ("only person, rider", "only person, rider"),
        ("everything but the sky, trees and buildings",
         f"only {', '.join(n for n in NAMES if n not in ('sky', 'vegetation', 'building'))}"),
    ],
)  # fmt: skip
def test_words_name_classes(words: str, instruction: str) -> None:
    assert read(words).instruction == instruction
    assert read(instruction).instruction == instruction


@pytest.mark.parametrize(
    "words",
    ["", "is the road free?", "where are the people?", "only in the morning", "only carpets",
     "everything", "only everything but nothing", "just a moment", "everything except elephants"],
)  # fmt: skip
def test_words_that_leave_no_class_out_restrict_nothing(words: str) -> None:
    assert read(words) is None


@pytest.fixture(scope="module")
def frame():
    return Drive(1).render(40)


@pytest.fixture(scope="module", params=["gesco", "sqgan"])
def ends(request, tmp_path_factory):
    models = None
    if request.param == "sqgan":
        models = write_tiny(tmp_path_factory.mktemp("models"))
    made = (create(request.param, models=models) for create in (create_encoder, create_decoder))
    return request.param, *made


def test_only_what_is_asked_for_crosses_and_it_is_finer(ends, frame) -> None:
    name, encoder, decoder = ends
    transmitter = Transmitter(name, encoder)
    whole = transmitter.transmit(frame, 256).payload
    asked = transmitter.transmit(frame, 256, "only pedestrians, cars and the road").payload
    assert asked.header.task == "only road, person, car"
    assert [part.name for part in asked.parts] == [whole.parts[0].name]
    rows, finer = (GRIDS[payload.parts[0].bits[0]][0] for payload in (whole, asked))
    assert finer > rows

    batch = [Received(whole), Received(asked)]
    known = decoder.decode_labels(batch)
    image, none = decoder.decode_images(batch, known)
    assert image.shape == (256, 512, 3) and none is None
    assert {*np.unique(known[1].labels)} == {
        TRAIN_ID["road"],
        TRAIN_ID["person"],
        TRAIN_ID["car"],
        VOID,
    }
    left_out = known[1].labels == VOID
    assert not known[1].confidence[left_out].any() and not known[1].support[left_out].any()
    assert known[1].confidence[~left_out].all() and len(np.unique(known[0].labels)) > 6


def test_a_picture_comes_again_by_itself_when_all_is_asked_for_again(frame) -> None:
    encoder, decoder = create_encoder("gesco"), create_decoder("gesco")
    transmitter, memory = Transmitter("gesco", encoder), Memory()
    for task in ("", "only cars"):
        received = Received(transmitter.transmit(frame, 512, task).payload, memory)
        (known,) = decoder.decode_labels([received])
        assert not memory.lacking
    assert known.picture is None
    again = Received(transmitter.transmit(frame, 512).payload, memory)
    (known,) = decoder.decode_labels([again])
    assert again.payload.parts[1].name == "picture" and known.picture is not None
    assert not memory.lacking
