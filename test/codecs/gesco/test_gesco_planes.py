# SPDX-License-Identifier: Apache-2.0
"""GESCO's map as one-hot planes of uncoded symbols: rate, noise, losses, contradictions."""

from dataclasses import replace

import numpy as np
import pytest
from codec_ends import Reading, Sending

from semcom_ros.channel import Channel
from semcom_ros.codecs import create_encoder, settings_of
from semcom_ros.codecs.gesco import planes
from semcom_ros.datasets.scenes.drive import Drive
from semcom_ros.errors import SemcomError
from semcom_ros.lab.map_noise import gaussian
from semcom_ros.lab.metrics.confusion import ConfusionMatrix
from semcom_ros.labels import TRAIN_ID, VOID
from semcom_ros.payload import Part, Payload, PayloadError, pack, unpack


@pytest.fixture(scope="module")
def encoder():
    return Sending("gesco", gesco_map="planes")


@pytest.fixture(scope="module")
def decoder():
    return Reading("gesco")


@pytest.fixture(scope="module")
def frame():
    return Drive(1).render(20)


def agreement(a, b):
    confusion = ConfusionMatrix()
    confusion.add(a, b)
    return confusion.miou()


def with_symbols(payload, change):
    parts = tuple(
        replace(p, symbols=change(p.symbols)) if p.name == "planes" else p for p in payload.parts
    )
    return Payload(payload.header, parts)


@pytest.mark.parametrize("rows", planes.ROWS)
def test_planes_come_back_as_they_were_sent_void_included(frame, rows):
    labels = frame.labels.copy()
    labels[:40, :200] = VOID
    classes, symbols = planes.encode(labels, rows)
    received = planes.decode(classes, Part("planes", 1, symbols=symbols))
    cells = np.array(received.present)[received.planes.argmax(0)]
    assert set(np.unique(received.planes.round(6))) == {0, 1}
    if rows == 256:
        np.testing.assert_array_equal(np.where(cells == planes.VOID_PLANE, VOID, cells), labels)
    assert planes.VOID_PLANE in received.present


def test_symbols_have_unit_power_and_carry_two_cells_each(frame):
    classes, symbols = planes.encode(frame.labels, 128)
    np.testing.assert_allclose(np.abs(symbols), 1, rtol=1e-6)
    present = len(planes.decode(classes, Part("planes", 1, symbols=symbols)).present)
    assert len(symbols) == present * 128 * 256 / 2


@pytest.mark.parametrize("equaliser", ["mmse", "zf"])
def test_noise_of_the_link_is_known_as_noise_of_the_planes(encoder, frame, equaliser):
    snr_db = 7.0
    channel = Channel(seed=3, channel="awgn", snr_db=snr_db, equaliser=equaliser)
    sent = encoder.encode(frame, 512, 0)
    received = channel.transmit(sent)
    clean = planes.decode(sent.bits("classes"), sent.part("planes"))
    noisy = planes.decode(sent.bits("classes"), received.part("planes"))
    spread = np.var(noisy.planes - clean.planes)
    assert spread == pytest.approx(10 ** (-snr_db / 10) / 4, rel=0.02)
    assert noisy.noise_variance.mean() == pytest.approx(spread, rel=0.05)


def test_the_map_fades_with_the_link_and_does_not_break(encoder, decoder, frame):
    scores, certain = [], []
    for snr_db in (20.0, 5.0, -3.0):
        channel = Channel(seed=1, channel="awgn", snr_db=snr_db, mcs="qpsk_1/3")
        payload = with_classes(encoder.encode(frame, 512, 0), channel)
        first = decoder.labels(unpack(pack(payload)))
        scores.append(agreement(frame.labels, first.labels))
        certain.append(first.support.mean())
    assert scores == sorted(scores, reverse=True) and scores[1] > 0.8 and scores[2] > 0.4
    assert certain == sorted(certain, reverse=True)


def with_classes(payload, channel):
    """The payload after the channel, its set of classes given back where it was lost."""
    sent, received = payload.parts[0], channel.transmit(payload)
    return Payload(received.header, (sent, *received.parts[1:]), received.snr_db)


def test_planes_without_content_give_an_image_that_is_marked_as_invented(encoder, decoder, frame):
    silent = with_symbols(encoder.encode(frame, 512, 0), np.zeros_like)
    # A value of 0.5 says nothing of a pixel, in any of the planes.
    last = decoder.decode(silent)
    assert last.image is not None and not last.support.any() and last.confidence.max() < 128


def test_noise_that_drowns_the_planes_gives_an_image_that_is_marked_as_invented(
    encoder, decoder, frame
):
    link = Channel(seed=1, channel="awgn", snr_db=-20.0)
    last = decoder.decode(with_classes(encoder.encode(frame, 512, 0), link))
    assert last.image is not None and last.support.mean() < 0.01


def test_a_class_set_that_contradicts_the_planes_is_refused(encoder, decoder, frame):
    payload = encoder.encode(frame, 512, 0)
    classes, *others = payload.parts
    for bits in (
        b"",
        b"\x01",
        bytes(4),
        b"\x01\x00\x00\x01",
        b"\x09\x00\x00\x01",
        b"\x01\xff\xff\xff",
    ):
        parts = (Part("classes", 0, bits), *others)
        with pytest.raises(PayloadError) as refusal:
            decoder.labels(Payload(payload.header, parts))
        assert refusal.value.reason == "malformed"


def test_lost_planes_are_refused_as_lost(encoder, decoder, frame):
    payload = encoder.encode(frame, 512, 0)
    for name in ("classes", "planes"):
        parts = tuple(
            Part(p.name, p.importance, erased=True) if p.name == name else p for p in payload.parts
        )
        with pytest.raises(PayloadError) as refusal:
            decoder.labels(Payload(payload.header, parts))
        assert refusal.value.reason == "lost"


def test_planes_that_are_no_numbers_are_no_payload(encoder, frame):
    payload = encoder.encode(frame, 512, 0)
    with pytest.raises(SemcomError, match="finite"):
        with_symbols(payload, lambda s: np.full_like(s, np.nan))


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e25])
def test_one_wild_value_costs_one_pixel_its_map_and_no_frame(decoder, value):
    one_hot = np.zeros((2, 128, 256), np.float32)
    one_hot[0, :, :128] = one_hot[1, :, 128:] = 1
    one_hot[1, 64, 64] = value
    received = planes.ReceivedPlanes(one_hot, [0, 10], np.full_like(one_hot, 0.1))
    last = decoder._from_planes(received, "auto")
    (image,) = decoder._paint([last], [None], [0])
    assert image.shape == (256, 512, 3) and last.support.mean() > 0.99
    assert (last.labels[:, 300:] == 10).all()


def test_a_map_of_one_class_is_received_like_any_other(decoder):
    received = planes.ReceivedPlanes(np.ones((1, 128, 256), np.float32), [0], None)
    first = decoder._from_planes(received, "auto")
    assert (first.labels == 0).all() and first.support.all() and first.confidence.min() > 250


@pytest.mark.parametrize("fds", ["auto", "paper"])
@pytest.mark.parametrize(("psnr_db", "least", "most"), [(10, 0.9, 1), (5, 0.7, 1), (-20, 0, 0.02)])
def test_what_counts_as_received_is_right(frame, fds, psnr_db, least, most):
    decoder = Reading("gesco", gesco_fds=fds)
    sent = planes.decode(*coded(frame))
    noise = np.random.default_rng(1)
    noisy = gaussian(sent.planes, psnr_db, noise)
    first = decoder._from_planes(sent._replace(planes=noisy), fds)
    assert least <= first.support.mean() <= most
    if first.support.any():
        right = (first.labels == frame.labels)[first.support].mean()
        assert right > 0.9


def coded(frame):
    classes, symbols = planes.encode(frame.labels, 128)
    return classes, Part("planes", 1, symbols=symbols)


def test_settings_change_while_it_runs_and_wrong_ones_are_refused(frame):
    sender, reader = Sending("gesco"), Reading("gesco")
    payload = sender.encode(frame, 512, 0)
    plain = reader.decode(payload)
    others = [{"gesco_generator": "diffusion"}, {"gesco_generator": "diffusion", "gesco_steps": 4}]
    seen = [plain.image]
    for other in others:
        reader.decoder.settings = settings_of("gesco", other)
        image = reader.decode(payload).image
        assert all((image != before).any() for before in seen)
        seen.append(image)
    for wrong in (
        {"gesco_steps": 3},
        {"gesco_noise": "smae"},
        {"gesco_guidance": float("nan")},
        {"gesco_fds": "none"},
    ):
        with pytest.raises(SemcomError):
            settings_of("gesco", wrong)
    with pytest.raises(SemcomError, match="did you mean 'planes'"):
        create_encoder("gesco", gesco_map="plains")


def test_fresh_noise_differs_from_frame_to_frame_and_the_same_noise_does_not(frame):
    payload = Sending("gesco", gesco_picture="thumbnail").encode(frame, 512, 0)
    later = Payload(replace(payload.header, sequence=7), payload.parts)
    for noise, alike in (("same", True), ("fresh", False)):
        decoder = Reading("gesco", gesco_generator="diffusion", gesco_noise=noise)
        first, second = (decoder.decode(p).image for p in (payload, later))
        assert (first == second).all() == alike


def test_without_a_picture_the_map_goes_alone(frame, decoder):
    for way in ("planes", "coded"):
        encoder = Sending("gesco", gesco_map=way, gesco_picture="none")
        payload = encoder.encode(frame, 512, 0)
        assert not {"thumbnail", "picture"} & {part.name for part in payload.parts}
        last = decoder.decode(payload)
        assert last.image.shape == (256, 512, 3)


def test_a_truck_in_the_planes_is_painted_as_a_car(frame, decoder):
    posteriors = np.zeros((19, 128, 256), np.float32)
    posteriors[TRAIN_ID["truck"]] = 1
    shares = decoder.diffusion.class_shares.of_planes(posteriors, (256, 512))
    posteriors[[TRAIN_ID["truck"], TRAIN_ID["car"]]] = posteriors[
        [TRAIN_ID["car"], TRAIN_ID["truck"]]
    ]
    np.testing.assert_array_equal(
        shares, decoder.diffusion.class_shares.of_planes(posteriors, (256, 512))
    )
