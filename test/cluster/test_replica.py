# SPDX-License-Identifier: Apache-2.0
"""What a replica paints and sees is what the RSU itself would have, errors included."""

from __future__ import annotations

import pickle
from dataclasses import fields, replace
from types import SimpleNamespace

import numpy as np
import pytest

from semcom_ros.cluster import replica as replicas
from semcom_ros.cluster.batch import RsuRecipe
from semcom_ros.cluster.remote_rsu import RemoteRsu
from semcom_ros.cluster.replica import Replica
from semcom_ros.codecs import codec_of, create_decoder, create_encoder
from semcom_ros.datasets.scenes.drive import Drive
from semcom_ros.frame import Camera
from semcom_ros.lab.soak.junction import RECIPE
from semcom_ros.payload import pack
from semcom_ros.percepts import FIELDS, Percepts
from semcom_ros.pipeline.receiver import Arrival, Receiver
from semcom_ros.pipeline.rsu import Rsu
from semcom_ros.pipeline.transmitter import Transmitter

pytestmark = pytest.mark.usefixtures("one_thread")
WANTED = frozenset(FIELDS)
SETTINGS = SimpleNamespace(
    codec="gesco", backend="ray", replica_gpus=0.0, detection_threshold=0.3, camera_height_m=1.4,
    min_area=40,
)  # fmt: skip
CHOSEN = {"segmentation": "none", "detection": "shipped", "depth": "shipped"}


class Here:
    """A pool without a cluster: what crosses is packed, painted here, and packed again."""

    def __init__(self, replica: Replica) -> None:
        self.replica = replica

    def paint(self, batch: bytes) -> bytes:
        return self.replica.paint(np.frombuffer(batch, np.uint8)).tobytes()


def of_two_vehicles() -> list[Arrival]:
    camera = Camera(256, 512, 430.0, 430.0, 255.5, 127.5)
    encoder, found = create_encoder("gesco"), []
    for number in (1, 2):
        frame = replace(Drive(1).render(10 * number), stamp=number, camera=camera)
        payload = Transmitter("gesco", encoder, vehicle=number).transmit(frame, 512).payload
        receiver = Receiver("gesco", codec_of("gesco"), encoder.model, max_age_s=0)
        found.append(receiver.receive(pack(payload), number))
    return found


def same(one: Percepts, other: Percepts) -> None:
    for field in fields(Percepts):
        a, b = getattr(one, field.name), getattr(other, field.name)
        if isinstance(a, np.ndarray):
            np.testing.assert_array_equal(a, b, field.name)
        elif field.name != "detections_3d":  # which hold arrays
            assert repr(a) == repr(b), field.name


def test_everything_comes_back_as_it_would_have_been_made_here() -> None:
    recipe = RsuRecipe.of("gesco", tuple(CHOSEN.items()), "cpu", 0.3, 1.4)
    own, arrivals = recipe.make(), of_two_vehicles()
    remote = RemoteRsu.of(SETTINGS, CHOSEN, create_decoder("gesco"), Here(Replica(recipe)))
    maps = remote.maps(arrivals)
    found = remote.images(arrivals, maps, [WANTED] * 2)
    for arrival, seen in zip(arrivals, found, strict=True):
        assert arrival.memory.image[1] is seen.image and len(seen.detections_3d) > 0
    for one, other in zip(own.images(arrivals, maps, [WANTED] * 2), found, strict=True):
        same(one, other)
        assert repr(one.detections_3d) == repr(other.detections_3d)


class Broken:
    """Looks at images on a device that failed."""

    def __call__(self, *_: object) -> list:
        raise RuntimeError("the device is gone")


def test_a_replica_whose_device_failed_says_so_and_is_tried_out_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    replica = Replica(RECIPE)
    (rsu,) = replica._made.values()
    rsu.perceive["detection"] = Broken()
    tried: list[int] = []
    monkeypatch.setattr(rsu.decoder, "warm_up", lambda: tried.append(1))
    remote = RemoteRsu(rsu.decoder, Here(replica), RECIPE, ("detection",))
    (arrival, _) = of_two_vehicles()
    monkeypatch.setattr(replicas, "IDLE_S", 1e9)
    maps = remote.maps([arrival])
    (seen,) = remote.images([arrival], maps, [frozenset({"image"})])
    replica.check_health()
    assert seen.image is not None and not seen.failures and not tried
    (seen,) = remote.images([arrival], maps, [WANTED])
    assert "RuntimeError: the device is gone" in [str(one) for one in seen.failures]
    replica.check_health()
    assert tried == [1]


def test_codecs_stay_at_hand_and_the_one_used_least_goes() -> None:
    replica = Replica(RECIPE)
    others = [replace(RECIPE, options=(0.0, each_s)) for each_s in (0.1, 0.2)]
    for recipe in (others[0], RECIPE, others[1]):
        replica._rsu(recipe)
    assert [*replica._made] == [RECIPE, others[1]]
    assert isinstance(pickle.loads(pickle.dumps(RECIPE)).make(), Rsu)
