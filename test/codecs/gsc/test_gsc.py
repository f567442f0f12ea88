# SPDX-License-Identifier: Apache-2.0
"""gsc between its two ends: rate, task, what is lost, and what is no payload of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from another_device import another_device
from hypothesis import given, settings
from hypothesis import strategies as st

from semcom_ros.channel import Channel
from semcom_ros.codecs import create_decoder, create_encoder
from semcom_ros.codecs.base import LinkState, Received, Request
from semcom_ros.codecs.gsc.shared import PARTS
from semcom_ros.codecs.gsc.task import IMAGE, MAP
from semcom_ros.errors import SemcomError
from semcom_ros.frame import Frame
from semcom_ros.lab.evaluation.study.codec_systems import codec_system
from semcom_ros.lab.evaluation.study.links import parse_links
from semcom_ros.lab.rates import air_bytes
from semcom_ros.labels import NAMES, VOID
from semcom_ros.payload import Header, Part, Payload, PayloadError, pack, unpack
from semcom_ros.pipeline.transmitter import Transmitter
from semcom_ros.reconstruction import Reconstruction

pytestmark = pytest.mark.usefixtures("gsc")


@pytest.fixture
def frame() -> Frame:
    image = np.random.default_rng(0).integers(0, 255, (256, 512, 3), np.uint8)
    return Frame(image, stamp=1)


def planes(parts: tuple[Part, ...]) -> int:
    return sum(len(part.symbols) for part in parts if part.symbols is not None) // 512


def decoded(decoder, *payloads: Payload) -> list[Reconstruction]:
    batch = [Received(payload) for payload in payloads]
    known = decoder.decode_labels(batch)
    return [
        replace(one, image=image)
        for one, image in zip(known, decoder.decode_images(batch, known), strict=True)
    ]


def payload_of(encoder, parts: tuple[Part, ...], task: str = "") -> Payload:
    return Payload(Header("gsc", 1, encoder.model, 256, 512, "", 1, 1, task), parts)


def test_the_rate_is_that_of_coded_bytes_in_as_many_channel_uses(tiny: Path, frame: Frame) -> None:
    encoder = create_encoder("gsc", models=tiny)
    empty = air_bytes(pack(payload_of(encoder, ())))
    for n_bytes, expected in ((68, 1), (500, 7), (512, 7), (528, 8), (4000, 48)):
        parts = encoder.encode(frame, Request.of_bytes(n_bytes))
        assert planes(parts) == expected
        assert air_bytes(pack(payload_of(encoder, parts))) <= empty + n_bytes
        assert [part.importance for part in parts] == [*range(len(parts))]
    assert planes(encoder.encode(frame, Request.of_bytes(512, task=MAP))) == 4
    with pytest.raises(SemcomError, match="68 bytes or more"):
        encoder.encode(frame, Request.of_bytes(67))
    encoder = create_encoder("gsc", models=tiny, gsc_symbols=24_576)
    assert planes(encoder.encode(frame, Request.of_bytes(1))) == 48


def test_all_that_is_sent_has_unit_power_and_few_planes_are_the_first_of_many(
    tiny: Path, frame: Frame
) -> None:
    encoder = create_encoder("gsc", models=tiny)

    def sent(n_bytes: int) -> np.ndarray:
        return np.concatenate([p.symbols for p in encoder.encode(frame, Request.of_bytes(n_bytes))])

    few, many = sent(256), sent(1024)
    assert np.mean(np.abs(few) ** 2) == pytest.approx(1, abs=1e-5)
    assert np.mean(np.abs(many) ** 2) == pytest.approx(1, abs=1e-5)
    ratio = few / many[: len(few)]
    np.testing.assert_allclose(ratio, ratio[0], rtol=1e-3)


def test_the_encoder_prepares_for_the_reported_snr_unless_it_is_set(
    tiny: Path, frame: Frame
) -> None:
    encoder = create_encoder("gsc", models=tiny)

    def sent(snr_db: float | None) -> np.ndarray:
        link = None if snr_db is None else LinkState(snr_db)
        return encoder.encode(frame, Request.of_bytes(128, link=link))[0].symbols

    assert np.array_equal(sent(None), sent(10.0))
    assert not np.array_equal(sent(0.0), sent(20.0))
    encoder.settings = replace(encoder.settings, snr_db="0")
    assert np.array_equal(sent(20.0), sent(0.0))
    with pytest.raises(SemcomError, match="gsc_snr_db is 'loud'"):
        create_encoder("gsc", models=tiny, gsc_snr_db="loud")


def test_what_is_asked_for_crosses_in_one_byte_and_is_what_comes_out(
    tiny: Path, frame: Frame
) -> None:
    transmitter = Transmitter("gsc", create_encoder("gsc", models=tiny))
    decoder = create_decoder("gsc", models=tiny)
    lengths = set()
    for task, image, labels in (("", True, True), (IMAGE, True, False), (MAP, False, True)):
        payload = transmitter.transmit(frame, 512, task, refresh_every=1).payload
        assert payload.header.task == task
        lengths.add(len(pack(replace(payload, parts=()))))
        (seen,) = decoded(decoder, Channel(channel="awgn", snr_db=5.0).transmit(payload))
        assert (seen.image is not None, seen.labels is not None) == (image, labels)
        if labels:
            assert seen.labels.shape == seen.confidence.shape == seen.support.shape == (256, 512)
            assert seen.confidence[~seen.support].max(initial=0) < 128
        if image:
            assert seen.image.shape == (256, 512, 3) and seen.image.dtype == np.uint8
    assert len(lengths) == 1


def test_some_classes_alone_are_a_map_of_these_and_void_with_no_confidence_elsewhere(
    tiny: Path, frame: Frame
) -> None:
    transmitter = Transmitter("gsc", create_encoder("gsc", models=tiny, gsc_symbols=2048))
    decoder = create_decoder("gsc", models=tiny)
    (whole,) = decoded(decoder, transmitter.transmit(frame, 512, MAP, refresh_every=1).payload)
    first, second = np.unique(whole.labels)[:2]
    task = decoder.read(f"Only {NAMES[first]}, please.").instruction
    payload = transmitter.transmit(frame, 512, task, refresh_every=1).payload
    assert payload.header.task == f"only {NAMES[first]}"
    (seen,) = decoded(decoder, payload)
    asked = whole.labels == first
    assert seen.image is None and (seen.labels[asked] == first).all()
    assert (seen.labels[whole.labels == second] == VOID).all()
    assert not seen.confidence[~asked].any() and not seen.support[~asked].any()
    assert np.array_equal(seen.confidence[asked], whole.confidence[asked])


def test_a_lost_tail_is_fewer_planes_and_never_a_refusal(tiny: Path, frame: Frame) -> None:
    encoder, decoder = create_encoder("gsc", models=tiny), create_decoder("gsc", models=tiny)
    parts = encoder.encode(frame, Request.of_bytes(1024))
    assert [part.name for part in parts] == list(PARTS)
    few = encoder.encode(frame, Request.of_bytes(256))
    for first in (1, 2, 3):
        left = tuple(
            Part(p.name, p.importance, erased=True) if at >= first else p
            for at, p in enumerate(parts)
        )
        (seen,) = decoded(decoder, payload_of(encoder, left))
        if first == 2:
            (smaller,) = decoded(decoder, payload_of(encoder, few))
            apart = np.abs(seen.image.astype(int) - smaller.image).mean()
            assert apart < np.abs(seen.image.astype(int) - 128).mean()
    gone = (Part("symbols_1", 0, erased=True), *parts[1:])
    (error,) = decoder.decode_labels([Received(payload_of(encoder, gone))])
    assert isinstance(error, PayloadError) and error.reason == "lost"


def test_a_batch_gives_what_its_items_give_alone(tiny: Path, frame: Frame) -> None:
    encoder, decoder = create_encoder("gsc", models=tiny), create_decoder("gsc", models=tiny)
    payloads = [
        payload_of(encoder, encoder.encode(frame, Request.of_bytes(size, task=task)), task)
        for size, task in ((128, ""), (1024, MAP), (512, IMAGE))
    ]
    for one, alone in zip(
        decoded(decoder, *payloads), (decoded(decoder, p)[0] for p in payloads), strict=True
    ):
        for field in ("image", "labels"):
            together, single = getattr(one, field), getattr(alone, field)
            assert (together is None) == (single is None)
            if together is not None:
                assert np.mean(together != single) < 0.2
                assert np.abs(together.astype(int) - single).max() <= 4 or field == "labels"


def test_further_passes_and_the_perceptual_decoder_paint_otherwise_where_they_are_offered(
    tiny: Path, tmp_path: Path, frame: Frame
) -> None:
    import tiny_gsc

    encoder = create_encoder("gsc", models=tiny)
    payload = payload_of(encoder, encoder.encode(frame, Request.of_bytes(512)))

    def painted(models: Path, **options: object) -> np.ndarray:
        return decoded(create_decoder("gsc", models=models, **options), payload)[0].image

    assert not np.array_equal(painted(tiny), painted(tiny, gsc_steps=4))
    once = tiny_gsc.write(tmp_path, steps=(1,))
    assert np.array_equal(painted(once), painted(once, gsc_steps=4))
    assert np.array_equal(painted(once, gsc_decoder="perceptual"), painted(once))
    (tmp_path / "gsc_perceptual.safetensors").unlink()
    with pytest.raises(SemcomError, match=r"gsc_perceptual.safetensors are missing"):
        create_decoder("gsc", models=once, gsc_decoder="perceptual")


def test_what_was_not_trained_together_is_told_apart(tiny: Path, tmp_path: Path) -> None:
    encoder, decoder = create_encoder("gsc", models=tiny), create_decoder("gsc", models=tiny)
    assert encoder.model == decoder.model and len(encoder.model) == 8
    with pytest.raises(SemcomError, match="gsc_encoder.safetensors are missing"):
        create_encoder("gsc", models=tmp_path)


DECODER = []


@settings(max_examples=40, deadline=None)
@given(
    count=st.integers(0, 1100),
    scale=st.sampled_from([0.0, 1.0, 1e30]),
    noise=st.sampled_from([None, 0.0, 1.0, 1e30]),
    task=st.sampled_from(["", IMAGE, MAP, "dance", "\x00"]),
    name=st.sampled_from([*PARTS, "image"]),
)
def test_any_payload_is_decoded_or_refused_with_a_reason(count, scale, noise, task, name, tiny):
    if not DECODER:
        DECODER.append(create_decoder("gsc", models=tiny))
    symbols = np.full(count, scale * (1 + 1j), np.complex64)
    variance = None if noise is None else np.full(count, noise, np.float32)
    part = Part(name, 0, symbols=symbols, noise_variance=variance)
    header = Header("gsc", 1, DECODER[0].model, 256, 512, "", 1, 1, task)
    received = Received(unpack(pack(Payload(header, (part,)))))
    (known,) = DECODER[0].decode_labels([received])
    if isinstance(known, PayloadError):
        assert known.reason in ("malformed", "lost")
    else:
        (image,) = DECODER[0].decode_images([received], [known])
        assert (image is None) == (task == MAP)


def test_a_study_names_it_by_module_and_attribute(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEMCOM_MODELS", str(tiny))
    system = codec_system("semcom_ros.codecs.gsc:CODEC", 512, task=MAP)
    frame = Frame(np.zeros((256, 512, 3), np.uint8), stamp=1)
    system.begin(parse_links({"channel": "awgn", "snr_db": 10.0})[0], 0)
    heard, encode = [], system.encoder.encode

    def listening(frame: Frame, request: Request) -> tuple[Part, ...]:
        heard.append(request.link)
        return encode(frame, request)

    monkeypatch.setattr(system.encoder, "encode", listening)
    for index in (0, 1):
        outcome = system.run(frame, None, index)
        assert not outcome.lost and outcome.reconstruction.labels is not None
    # Its encoder hears the link's SNR.
    assert [link.snr_db for link in heard] == [10.0, 10.0]


def test_both_ends_run_on_another_device(tiny: Path, frame: Frame) -> None:
    def through(device: str) -> Reconstruction:
        encoder = create_encoder("gsc", models=tiny, device=device)
        decoder = create_decoder("gsc", models=tiny, device=device, gsc_steps=2)
        parts = encoder.encode(frame, Request.of_bytes(512))
        return decoded(decoder, payload_of(encoder, parts))[0]

    here = through("cpu")
    with another_device() as device:
        there = through(device)
    assert np.abs(here.image.astype(int) - there.image).mean() < 0.5
    assert np.mean(here.labels != there.labels) < 0.01
