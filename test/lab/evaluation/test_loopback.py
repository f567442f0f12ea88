# SPDX-License-Identifier: Apache-2.0
"""Both ends of the learned codecs in one process, and on a GPU as on the processor."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from settings_here import settings_here

from semcom_ros.datasets import open_source
from semcom_ros.frame import Frame, fit
from semcom_ros.lab.evaluation.loopback import Loopback
from semcom_ros.lab.metrics.confusion import psnr
from semcom_ros.payload import unpack
from semcom_ros.perception.perceive import Perception
from semcom_ros.perception.segmentation import Segmenter

CODECS = ("gesco", "sqgan")
LEARNED = (*CODECS, "gsc")


@cache
def streets(n: int = 3) -> list[Frame]:
    """Frames with their true labels."""
    return [fit(open_source("scenes:5")[7 * i]) for i in range(n)]


@pytest.mark.parametrize("codec", CODECS)
def test_what_is_sent_comes_with_labels_first_and_the_image_then(codec: str) -> None:
    loop = Loopback(codec)
    data = [loop.send(frame, 512) for frame in streets(2)]
    assert all(len(one) <= 512 for one in data)
    first, second = (unpack(one).header for one in data)
    assert first.camera and not second.camera and second.sequence == first.sequence + 1
    labels, whole = loop.receive_labels(data), loop.receive(data)
    for first, last, frame in zip(labels, whole, streets(2), strict=True):
        assert first.image is None
        assert np.array_equal(first.labels, last.labels)
        assert psnr(frame.image, last.image) > 12


def loopback(codec: str, device: str = "cpu") -> Loopback:
    return Loopback(codec, device, **settings_here(codec))


@pytest.mark.cuda
@pytest.mark.parametrize("codec", LEARNED)
def test_a_gpu_decodes_what_the_processor_decodes(codec: str) -> None:
    here, there = loopback(codec), loopback(codec, "cuda")
    data = [here.send(frame, 1024) for frame in streets()]
    for one, other in zip(here.receive(data), there.receive(data), strict=True):
        assert np.mean(one.labels == other.labels) > 0.99
        assert psnr(one.image, other.image) > 35


@pytest.mark.cuda
@pytest.mark.parametrize("codec", LEARNED)
def test_a_gpu_encodes_for_a_processor(codec: str) -> None:
    here, there = loopback(codec), loopback(codec, "cuda")
    for frame in streets():
        usual, other = here.receive([end.send(frame, 1024) for end in (here, there)])
        assert psnr(frame.image, other.image) == pytest.approx(
            psnr(frame.image, usual.image), abs=0.5
        )


@pytest.mark.cuda
@pytest.mark.parametrize("codec", LEARNED)
def test_a_batch_on_a_gpu_decodes_as_its_payloads_alone(codec: str) -> None:
    loop = loopback(codec, "cuda")
    data = [loop.send(frame, 1024) for frame in streets()]
    for together, alone in zip(loop.receive(data), map(loop.receive, zip(data)), strict=True):
        assert np.mean(together.labels == alone[0].labels) > 0.99
        assert psnr(together.image, alone[0].image) > 40


@pytest.mark.cuda
def test_a_gpu_sees_what_the_processor_sees() -> None:
    images = [frame.image for frame in streets()]
    for network in (Segmenter, Perception):
        ours, theirs = (network.from_pretrained(device=d)(images) for d in ("cpu", "cuda"))
        for one, other in zip(ours, theirs, strict=True):
            one, other = (getattr(seen, "segmentation", seen) for seen in (one, other))
            assert np.mean(one == other) > 0.99
    for one, other in zip(ours, theirs, strict=True):
        known = np.isfinite(one.depth) & np.isfinite(other.depth)
        assert np.median(np.abs(one.depth / other.depth - 1)[known]) < 0.02
        sure = [sum(found.score > 0.5 for found in seen.detections) for seen in (one, other)]
        assert abs(sure[0] - sure[1]) <= 1


@pytest.mark.cuda
@pytest.mark.parametrize("network", (Segmenter, Perception))
def test_a_batch_on_a_gpu_gives_what_its_frames_give_alone(network: type) -> None:
    images = [frame.image for frame in streets()]
    look = network.from_pretrained(device="cuda")
    for together, image in zip(look(images), images, strict=True):
        [alone] = look([image])
        one, other = (getattr(seen, "segmentation", seen) for seen in (together, alone))
        assert np.mean(one == other) > 0.995
