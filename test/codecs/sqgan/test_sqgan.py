# SPDX-License-Identifier: Apache-2.0
"""SQ-GAN end to end with random weights: sizes, order of what comes out, losses, refusals."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
from codec_ends import Reading, Sending
from tiny_sqgan import without, write_tiny

from semcom_ros.codecs.sqgan import shared
from semcom_ros.codecs.sqgan.decoder import Decoder
from semcom_ros.codecs.sqgan.encoder import Encoder
from semcom_ros.codecs.sqgan.shared import LABELS_PART, MAP_TOKENS_PART
from semcom_ros.codecs.sqgan.split import Split, read
from semcom_ros.datasets.scenes.drive import Drive
from semcom_ros.errors import SemcomError
from semcom_ros.frame import Frame
from semcom_ros.labels import VOID
from semcom_ros.payload import Part, Payload, PayloadError, pack, unpack

TOKENS = Split((1200,), (300,), (MAP_TOKENS_PART,))

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    return write_tiny(tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="module")
def encoder(models):
    return Sending("sqgan", models=models)


@pytest.fixture(scope="module")
def decoder(models):
    return Reading("sqgan", models=models)


@pytest.fixture(scope="module")
def frame():
    return replace(Drive(1).render(20), stamp=123456789)


@pytest.mark.parametrize("split", [None, TOKENS], ids=["labels", "tokens"])
def test_a_payload_never_exceeds_its_setting_and_uses_it_while_there_is_more(models, frame, split):
    encoder = Sending("sqgan", models=models, split=split)
    for setting in (160, 256, 512, 1024, 1200):
        payload = encoder.encode(frame, setting, 2**31)
        size = len(pack(payload))
        assert size <= setting
        sent = sum(part.name in shared.IMAGE_PARTS for part in payload.parts)
        assert size > setting - 40 or sent == len(shared.IMAGE_PARTS)


def test_a_setting_that_no_map_fits_is_a_sentence(models, frame):
    for split in (None, Split((128,), (12,), (MAP_TOKENS_PART,))):
        with pytest.raises(SemcomError, match="allow a larger payload"):
            Sending("sqgan", models=models, split=split).encode(frame, 62, 0)


@pytest.mark.parametrize("split", [None, TOKENS], ids=["labels", "tokens"])
def test_labels_come_before_the_image_and_stay_the_same(models, decoder, frame, split):
    encoder = Sending("sqgan", models=models, split=split)
    first, last = decoder.steps(unpack(pack(encoder.encode(frame, 1024, 5))))
    assert first.image is None and first.labels.shape == (256, 512)
    assert last.labels is first.labels
    assert last.image.shape == (256, 512, 3) and last.image.dtype == np.uint8
    assert first.confidence.shape == first.support.shape == (256, 512)
    assert first.support.any() and first.labels.dtype == np.uint8


def test_both_ends_give_the_same_twice(encoder, decoder, frame):
    payload = pack(encoder.encode(frame, 512, 0))
    assert pack(encoder.encode(frame, 512, 0)) == payload
    images = [decoder.decode(unpack(payload)).image for _ in range(2)]
    assert np.array_equal(*images)


def test_a_map_of_tokens_is_supported_where_tokens_came(models, decoder, frame):
    few = Split((512,), (60,), (MAP_TOKENS_PART,))
    payload = Sending("sqgan", models=models, split=few).encode(frame, 512, 0)
    assert payload.parts[0].name == MAP_TOKENS_PART
    known = decoder.labels(payload)
    assert 0 < known.support.mean() < 1
    assert known.confidence[~known.support].max() <= 127


def test_lost_image_parts_change_the_image_ever_more_and_leave_the_map(encoder, decoder, frame):
    payload = encoder.encode(frame, 1200, 0)
    assert [p.name for p in payload.parts] == [LABELS_PART, *shared.IMAGE_PARTS]
    assert [p.importance for p in payload.parts] == [0, 1, 2, 3]
    whole = decoder.decode(payload)
    errors = []
    for first_lost in (2, 1, 0):
        lost = without(payload, shared.IMAGE_PARTS[first_lost:])
        shown = decoder.decode(lost)
        assert np.array_equal(shown.labels, whole.labels)
        errors.append(np.abs(shown.image.astype(int) - whole.image).mean())
    assert 0 < errors[0] <= errors[1] <= errors[2]


def test_a_part_without_those_before_it_is_as_if_lost(encoder, decoder, frame):
    payload = encoder.encode(frame, 1200, 0)
    none = decoder.decode(without(payload, shared.IMAGE_PARTS))
    no_first = decoder.decode(without(payload, (shared.IMAGE_PARTS[0],)))
    absent = Payload(payload.header, (payload.parts[0], *payload.parts[2:]))
    assert np.array_equal(none.image, no_first.image)
    assert np.array_equal(none.image, decoder.decode(absent).image)


def test_image_parts_that_were_never_sent_still_give_an_image(encoder, decoder, frame):
    payload = encoder.encode(frame, 512, 0)
    last = decoder.decode(Payload(payload.header, payload.parts[:1]))
    assert last.image is not None


@pytest.mark.parametrize("split", [None, TOKENS], ids=["labels", "tokens"])
def test_a_lost_map_is_a_lost_frame(models, decoder, frame, split):
    payload = Sending("sqgan", models=models, split=split).encode(frame, 512, 0)
    with pytest.raises(PayloadError) as refusal:
        decoder.labels(without(payload, (payload.parts[0].name,)))
    assert refusal.value.reason == "lost"


@pytest.mark.parametrize(
    "change, reason",
    [
        ({"codec": "gesco"}, "codec"),
        ({"codec_version": 9}, "version"),
        ({"model": b"elsewise"}, "model"),
        ({"label_space": "voc21"}, "model"),
        ({"height": 128}, "malformed"),
    ],
)
def test_a_payload_for_another_decoder_is_refused_with_its_reason(
    encoder, decoder, frame, change, reason
):
    payload = encoder.encode(frame, 512, 0)
    with pytest.raises(PayloadError) as refusal:
        decoder.labels(Payload(replace(payload.header, **change), payload.parts))
    assert refusal.value.reason == reason


def test_other_weights_at_the_rsu_refuse_the_payload(encoder, frame, tmp_path):
    other = Reading("sqgan", models=write_tiny(tmp_path, seed=1))
    with pytest.raises(PayloadError) as refusal:
        other.labels(encoder.encode(frame, 512, 0))
    assert refusal.value.reason == "model"


def test_an_end_of_one_training_does_not_load_beside_the_codebooks_of_another(models, tmp_path):
    mixed = write_tiny(tmp_path / "other", seed=1)
    for name in (shared.ENCODER_FILE, shared.DECODER_FILE):
        for file in (name, name.replace(".safetensors", ".json")):
            shutil.copy(models / file, mixed / file)
    for end in (lambda: Encoder(models=mixed), lambda: Decoder(models=mixed)):
        with pytest.raises(SemcomError, match="made with other codebooks"):
            end()


def test_missing_weights_are_a_sentence_that_names_the_recipe(tmp_path, models):
    for file in models.iterdir():
        if not file.name.startswith("sqgan"):
            shutil.copy(file, tmp_path)
    with pytest.raises(SemcomError, match="sqgan_shared.* are missing.*semcom train sqgan"):
        Reading("sqgan", models=tmp_path)


def test_any_part_bytes_give_valid_labels_and_an_image_or_a_refusal(encoder, decoder, frame):
    payload = encoder.encode(frame, 512, 0)
    rng = np.random.default_rng(0)
    for n in (0, 1, 40, 400):
        for name in (LABELS_PART, MAP_TOKENS_PART):
            parts = (Part(name, 0, rng.bytes(n)), Part("image_1", 1, rng.bytes(n)))
            try:
                last = decoder.decode(Payload(payload.header, parts))
            except PayloadError as refusal:
                assert refusal.reason == "malformed"
            else:
                assert set(np.unique(last.labels)) <= {*range(19), VOID}
                assert last.image.shape == (256, 512, 3)


def test_symbols_where_bits_belong_are_malformed(encoder, decoder, frame):
    payload = encoder.encode(frame, 512, 0)
    symbols = np.ones(4, np.complex64)
    for at in (0, 1):
        parts = list(payload.parts)
        parts[at] = Part(parts[at].name, parts[at].importance, symbols=symbols)
        with pytest.raises(PayloadError) as refusal:
            decoder.decode(Payload(payload.header, tuple(parts)))
        assert refusal.value.reason == "malformed"


def test_a_frame_without_labels_is_refused(encoder):
    with pytest.raises(SemcomError, match="segment it first"):
        encoder.encode(Frame(np.zeros((256, 512, 3), np.uint8)), 512, 0)


def test_the_split_between_its_settings_is_in_proportion_and_a_damaged_one_is_a_sentence():
    split = Split((128, 512), (60, 300), (LABELS_PART, MAP_TOKENS_PART))
    assert read({"split": split.card()}) == split
    assert split.of(320) == (LABELS_PART, 180)
    assert split.of(321)[0] == MAP_TOKENS_PART
    assert split.of(9000) == (MAP_TOKENS_PART, 300)
    rows = split.card()
    for damaged in ({}, {"split": []}, {"split": rows[::-1]}, {"split": [{"payload_bytes": 3}]}):
        with pytest.raises(SemcomError, match="no table of bytes"):
            read(damaged)


def test_the_card_must_describe_the_networks(models, tmp_path):
    shutil.copytree(models, tmp_path / "copy")
    card = tmp_path / "copy" / shared.DECODER_FILE.replace(".safetensors", ".json")
    content = json.loads(card.read_text())
    del content["networks"]
    card.write_text(json.dumps(content))
    with pytest.raises(SemcomError, match="does not describe its networks"):
        Reading("sqgan", models=tmp_path / "copy")
