# SPDX-License-Identifier: Apache-2.0
"""GESCO end to end without a radio: sizes, order of what comes out, losses, refusals."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from codec_ends import Reading, Sending

from semcom_ros.codecs import create_decoder
from semcom_ros.codecs.gesco.decoder import Decoder
from semcom_ros.datasets.scenes.drive import Drive
from semcom_ros.errors import SemcomError
from semcom_ros.frame import Frame
from semcom_ros.lab.metrics.confusion import ConfusionMatrix, psnr
from semcom_ros.labels import TRAIN_ID, VOID
from semcom_ros.layers.class_shares import ClassShares
from semcom_ros.payload import Part, Payload, PayloadError, pack, unpack
from semcom_ros.weights import models_dir


@pytest.fixture(scope="module")
def encoder():
    return Sending("gesco")


@pytest.fixture(scope="module")
def decoder():
    return Reading("gesco")


@pytest.fixture(scope="module")
def frame():
    return replace(Drive(1).render(20), stamp=123456789)


def agreement(a, b):
    confusion = ConfusionMatrix()
    confusion.add(a, b)
    return confusion.miou()


@pytest.mark.parametrize("setting", [128, 256, 512, 1024, 1200])
def test_a_payload_never_exceeds_its_setting(encoder, frame, setting):
    assert len(pack(encoder.encode(frame, setting, 0))) <= setting


def test_more_bytes_keep_more_of_the_map(decoder, frame):
    encoder, scores = Sending("gesco", gesco_picture="none"), []
    for setting in (128, 512, 1200):
        first = decoder.labels(encoder.encode(frame, setting, 0))
        scores.append(agreement(frame.labels, first.labels))
    assert scores == sorted(scores) and scores[-1] > 0.9


def test_labels_come_before_the_image_and_stay_the_same(encoder, decoder, frame):
    first, last = decoder.steps(unpack(pack(encoder.encode(frame, 512, 5))))
    assert first.image is None and first.labels.shape == (256, 512)
    assert last.labels is first.labels
    assert last.image.shape == (256, 512, 3) and last.image.dtype == np.uint8


def test_images_resemble_their_streets_more_than_their_mean_colours_do(encoder, decoder):
    gains = []
    for seed in (0, 1, 3, 9):
        street = Drive(seed).render(0)
        last = decoder.decode(encoder.encode(street, 512, 0))
        flat = np.broadcast_to(street.image.mean((0, 1)), street.image.shape).astype(np.uint8)
        gains.append(psnr(street.image, last.image) - psnr(street.image, flat))
    assert np.mean(gains) > 4


def test_lost_colours_still_give_an_image_and_a_lost_map_gives_none(encoder, decoder, frame):
    payload = encoder.encode(frame, 512, 0)
    labels, colours = payload.parts
    erased = Part(colours.name, colours.importance, erased=True)
    last = decoder.decode(Payload(payload.header, (labels, erased)))
    assert last.image.shape == (256, 512, 3)
    erased = Part(labels.name, labels.importance, erased=True)
    with pytest.raises(PayloadError) as refusal:
        decoder.labels(Payload(payload.header, (erased, colours)))
    assert refusal.value.reason == "lost"


@pytest.mark.parametrize(
    "change, reason",
    [
        ({"codec": "classical"}, "codec"),
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


def test_any_map_bytes_give_valid_labels_or_a_refusal(encoder, decoder, frame):
    payload = encoder.encode(frame, 512, 0)
    rng = np.random.default_rng(0)
    for n in (0, 1, 40, 400):
        parts = (Part("labels", 0, rng.bytes(n)), payload.parts[1])
        try:
            labels = decoder.labels(Payload(payload.header, parts)).labels
        except PayloadError as refusal:
            assert refusal.reason == "malformed"
        else:
            assert set(np.unique(labels)) <= {*range(19), VOID}


def test_a_frame_without_labels_is_refused(encoder):
    with pytest.raises(SemcomError, match="segment it first"):
        encoder.encode(Frame(np.zeros((256, 512, 3), np.uint8)), 512, 0)


def test_evidence_is_the_share_of_each_class_in_a_block():
    labels = np.full((2, 4), TRAIN_ID["road"], np.uint8)
    labels[0, 0] = TRAIN_ID["car"]
    labels[:, 2:] = VOID
    shares = ClassShares((TRAIN_ID["road"], TRAIN_ID["car"]))
    np.testing.assert_array_equal(shares.of_labels(labels)[:, 0], [[0.75, 0], [0.25, 0]])
    planes = (labels == np.arange(19)[:, None, None]).astype(np.float32)
    np.testing.assert_array_equal(shares.of_planes(planes, (2, 4)), shares.of_labels(labels))


def test_a_class_that_the_weights_never_saw_is_painted_as_its_superclass(decoder, frame):
    labels = frame.labels.copy()
    labels[labels == TRAIN_ID["car"]] = TRAIN_ID["truck"]
    shares = decoder.diffusion.class_shares  # of CamVid's eleven
    np.testing.assert_array_equal(shares.of_labels(labels), shares.of_labels(frame.labels))


def test_without_a_video_no_video_coder_is_warmed_up(monkeypatch):
    """On a machine without PyAV, an RSU of thumbnails starts."""
    monkeypatch.setitem(sys.modules, "av", None)
    monkeypatch.setattr(Decoder, "_paint", lambda *_: None)
    create_decoder("gesco", gesco_picture="thumbnail").warm_up()


def test_after_warming_up_the_first_frame_compiles_nothing(encoder, frame, tmp_path):
    payload = tmp_path / "payload.bin"
    payload.write_bytes(pack(encoder.encode(frame, 512, 0)))
    # In a process of its own: here the other tests have compiled everything.
    counted = """if True:
        import sys
        from numba.core.dispatcher import Dispatcher
        from semcom_ros.coding import grids, map_coder, range_coder
        from semcom_ros.codecs import create_decoder
        from semcom_ros.payload import unpack
        from semcom_ros.pipeline.single import decode
        def compiled():
            return [len(value.signatures) for module in (grids, map_coder, range_coder)
                    for value in vars(module).values() if isinstance(value, Dispatcher)]
        decoder = create_decoder("gesco")
        decoder.warm_up()
        before = compiled()
        decode("gesco", decoder, unpack(open(sys.argv[1], "rb").read()))
        print(before == compiled(), sum(before) > 0)
    """
    run = subprocess.run(
        [sys.executable, "-c", counted, payload], capture_output=True, text=True, check=True
    )
    assert run.stdout.split() == ["True", "True"]


def test_maps_are_decoded_without_the_networks_of_images(encoder, frame, tmp_path):
    payload = tmp_path / "payload"
    payload.write_bytes(pack(encoder.encode(frame, 512, 0)))
    decoded = """if True:
        import sys
        from semcom_ros.codecs import create_decoder
        from semcom_ros.codecs.base import Received
        from semcom_ros.payload import unpack
        received = Received(unpack(open(sys.argv[1], "rb").read()))
        (known,) = create_decoder("gesco").decode_labels([received])
        print(known.labels.shape, "torch" in sys.modules)
    """
    run = subprocess.run(
        [sys.executable, "-c", decoded, payload], capture_output=True, text=True, check=True
    )
    assert run.stdout == "(256, 512) False\n"


@pytest.mark.parametrize("lacking", ["gesco_restorer", "gesco_diffusion"])
def test_missing_weights_are_told_before_an_image_is_asked_for(tmp_path, lacking):
    for path in models_dir().glob("gesco_*"):
        if path.stem != lacking:
            (tmp_path / path.name).symlink_to(path)
    with pytest.raises(SemcomError, match=f"{lacking}.safetensors are missing"):
        create_decoder("gesco", models=tmp_path)
