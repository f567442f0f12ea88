# SPDX-License-Identifier: Apache-2.0
"""The RSU without ROS: batches give what singles give, and the node publishes what it returns."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from semcom_ros.codecs import codec_of, create_decoder, create_encoder
from semcom_ros.codecs.base import Received
from semcom_ros.datasets.scenes.drive import Drive
from semcom_ros.frame import Camera, Frame
from semcom_ros.payload import Part, Payload, PayloadError, pack
from semcom_ros.perception.backends import create_perception
from semcom_ros.percepts import FIELDS
from semcom_ros.pipeline.receiver import Arrival, Receiver
from semcom_ros.pipeline.rsu import Rsu
from semcom_ros.pipeline.transmitter import Transmitter

pytestmark = pytest.mark.usefixtures("one_thread")
ALL = frozenset(FIELDS)
TASKS = ("segmentation", "detection", "depth")


@pytest.fixture(scope="module")
def street() -> list[Frame]:
    camera = Camera(256, 512, 430.0, 430.0, 255.5, 127.5)
    drive = Drive(1)
    return [replace(drive.render(10 * i), stamp=i + 1, camera=camera) for i in range(8)]


def arrivals(codec: str, frames: list[Frame], **options: object) -> list[Arrival]:
    """Each frame from a vehicle of its own, as its receiver lets it in."""
    encoder = create_encoder(codec, **options)
    admitted = []
    for number, frame in enumerate(frames, 1):
        transmitter = Transmitter(codec, encoder, vehicle=number)
        payload = transmitter.transmit(frame, 512).payload
        receiver = Receiver(codec, codec_of(codec), encoder.model, max_age_s=0)
        admitted.append(receiver.receive(pack(payload), frame.stamp))
    return admitted


@pytest.mark.parametrize(
    ("codec", "options"),
    [("gesco", {}), ("gesco", {"gesco_map": "planes"}), ("sqgan", {}), ("hevc", {})],
)
def test_a_batch_of_eight_is_decoded_as_its_items_are(
    street: list[Frame], codec: str, options: dict[str, str]
) -> None:
    decoder, batch = create_decoder(codec), arrivals(codec, street, **options)
    known = decoder.decode_labels(batch)
    images = decoder.decode_images(batch, known)
    for arrival, one, image in zip(batch, known, images, strict=True):
        (alone,) = decoder.decode_labels([arrival])
        (picture,) = decoder.decode_images([arrival], [alone])
        np.testing.assert_array_equal(one.labels, alone.labels)
        np.testing.assert_array_equal(one.confidence, alone.confidence)
        # Convolutions in bfloat16 sum in another order.
        assert np.abs(image.astype(int) - picture).mean() < 0.5


@pytest.mark.parametrize("codec", ["gesco", "sqgan", "hevc"])
def test_a_damaged_item_costs_no_other_of_its_batch(street: list[Frame], codec: str) -> None:
    good, bad = arrivals(codec, street[:2])
    first = bad.payload.parts[0]
    bad.payload = replace(bad.payload, parts=(replace(first, bits=b"\xff" + first.bits[1:]),))
    erased = Received(Payload(good.payload.header, (Part(first.name, 0, erased=True),)))
    seen = Rsu(create_decoder(codec)).maps([good, bad])
    seen = (
        Rsu(create_decoder(codec)).images([good, bad], seen, [ALL] * 2) if codec == "hevc" else seen
    )
    assert seen[0].error is None and seen[1].error.reason == "malformed"
    (lost,) = create_decoder(codec).decode_labels([erased])
    if codec == "hevc":
        (lost,) = create_decoder(codec).decode_images([erased], [lost])
    assert isinstance(lost, PayloadError) and lost.reason == "lost"


def rsu_of(codec: str) -> Rsu:
    perceive = create_perception(segmentation="none")
    return Rsu(create_decoder(codec), dict.fromkeys(TASKS[1:], perceive))


def test_vehicles_of_one_batch_get_what_each_would_get_alone(street: list[Frame]) -> None:
    rsu, batch = rsu_of("gesco"), arrivals("gesco", street[:3])
    together = rsu.images(batch, rsu.maps(batch), [ALL] * 3)
    for arrival, seen in zip(batch, together, strict=True):
        alone = rsu.images([arrival], rsu.maps([arrival]), [ALL])[0]
        np.testing.assert_array_equal(seen.labels, alone.labels)
        assert np.nanmean(np.abs(seen.depth - alone.depth) / alone.depth) < 0.02
        assert seen.points.shape == (256, 512, 3)
        assert abs(len(seen.detections) - len(alone.detections)) <= 1


def test_what_is_not_wanted_is_not_made(street: list[Frame]) -> None:
    rsu, batch = rsu_of("gesco"), arrivals("gesco", street[:1])
    (seen,) = rsu.maps(batch)
    assert not rsu.unfinished(seen, frozenset({"labels"}))
    (seen,) = rsu.images(batch, [seen], [frozenset({"image"})])
    assert seen.image is not None and seen.labels is not None
    assert seen.detections is seen.depth is seen.points is None


def test_the_node_publishes_what_the_rsu_returns(street: list[Frame]) -> None:
    pytest.importorskip("rclpy", reason="no ROS 2 for this Python")
    from builtin_interfaces.msg import Time
    from ros_bench import bench
    from sensor_msgs.msg import CompressedImage, Image
    from std_msgs.msg import Header
    from vision_msgs.msg import Detection2DArray

    from semcom_ros.messages.camera import image_array
    from semcom_ros.nodes.messages import payload_message
    from semcom_ros.nodes.rsu_node import RsuNode

    (arrival,) = arrivals("gesco", street[:1])
    rsu = rsu_of("gesco")
    (seen,) = rsu.images([arrival], rsu.maps([arrival]), [ALL])
    kinds = {"rsu/segmentation": Image, "rsu/image": Image, "rsu/detections": Detection2DArray}
    with bench(RsuNode, codec="gesco", max_age_s=0.0) as b:
        b.up()
        got = {topic: b.listen(kind, topic) for topic, kind in kinds.items()}
        for topic in kinds:
            b.listened(topic)
        header = Header(stamp=Time(nanosec=arrival.payload.header.stamp))
        message = payload_message(header, "rgb8; semcom gesco/1", pack(arrival.payload))
        b.speak(CompressedImage, "camera/image_raw/semcom/received").publish(message)
        b.until(lambda: all(got.values()), "map, image and detections")
    labels = np.frombuffer(got["rsu/segmentation"][0].data, np.uint8).reshape(256, 512)
    np.testing.assert_array_equal(labels, seen.labels)
    np.testing.assert_array_equal(image_array(got["rsu/image"][0]), seen.image)
    found = [
        (d.results[0].hypothesis.class_id, d.bbox.size_x)
        for d in got["rsu/detections"][0].detections
    ]
    assert found == [(d.name, d.width) for d in seen.detections]
