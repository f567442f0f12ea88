# SPDX-License-Identifier: Apache-2.0
"""Images that others paint: none is lost uncounted, and maps go on whatever becomes of it."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from semcom_ros.cluster import connection, pool, remote_rsu
from semcom_ros.cluster.pool import Pool
from semcom_ros.errors import SemcomError
from semcom_ros.lab.soak.junction import Junction, deployment
from semcom_ros.lab.soak.ray_failures import replicas_of
from semcom_ros.lab.soak.sleeping_decoder import ENDS, HANGS, POISON

GATEWAY = (sys.executable, str(Path(__file__).parents[1] / "cluster_gateway.py"))


def until(what: Callable[[], object], seconds: float = 100.0) -> None:
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.fixture(scope="module")
def joined() -> Iterator[Pool]:
    """A pool before a gateway that has a replica, and no Ray."""
    made = Pool(deployment("nowhere"), GATEWAY)
    until(lambda: not made.trouble)
    yield made
    made.stop()


@pytest.fixture
def junction(joined: Pool) -> Iterator[Junction]:
    """Three vehicles whose images nothing hurries."""
    made = Junction(joined, 3, deadline_s=0)
    yield made
    made.stop()


def send(junction: Junction, task: str = "") -> dict[str, int]:
    """A frame of each vehicle, the first's with a task; the books once all are through."""
    for vehicle in range(len(junction.receivers)):
        junction.send(vehicle, "" if vehicle else task)
    until(lambda: not junction.books()["in_flight"])
    return junction.books()


def test_every_vehicle_has_its_own_image_and_one_that_is_poison_spoils_no_other(
    junction: Junction,
) -> None:
    assert send(junction)["decoded"] == len(junction.images_s) == 3
    books = send(junction, POISON)
    assert (books["rejected"], books["decoded"], books["superseded"]) == (1, 5, 0)
    assert not junction.strangers and not junction.sentences


def test_a_batch_more_than_replicas_that_run_is_the_last_to_be_begun(
    joined: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for running, under_way, busy in ((2, 2, False), (2, 3, True), (1, 2, True), (0, 0, False)):
        monkeypatch.setattr(joined, "replicas", running)
        monkeypatch.setattr(joined, "_waiting", dict.fromkeys(range(under_way)))
        assert joined.busy == busy


def test_images_of_other_models_are_not_shown(
    joined: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote_rsu, "models_hash", lambda: "a later release")
    junction = Junction(joined, 3, deadline_s=0)
    books = send(junction)
    junction.stop()
    assert not junction.images_s and books["superseded"] == books["maps_only"] == 3
    assert any("bring the hosts of the cluster to one state" in one for one in junction.sentences)


def test_a_gateway_that_hangs_or_dies_costs_images_and_no_map(
    joined: Pool, junction: Junction, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(pool, "PATIENCE_S", 0.0)
        junction.send(0, HANGS)
        until(lambda: junction.books()["maps_only"] == 1)
    junction.send(0, HANGS)
    until(lambda: joined._waiting)
    os.kill(joined._gateway.pid, signal.SIGKILL)
    until(lambda: junction.books()["maps_only"] == 2)
    why = [one.removeprefix("A batch of images was skipped: ") for one in junction.sentences]
    assert why == ["no answer came.", "the cluster is gone."]
    until(lambda: not joined.trouble)
    assert send(junction)["decoded"] == 3
    assert len(junction.labels_s) == 5 and len(junction.images_s) == 3


def test_without_a_replica_maps_go_on_and_the_sentence_says_why() -> None:
    alone = Pool(deployment("nowhere"), (sys.executable, "-c", "pass"))
    junction = Junction(alone, 3, deadline_s=0)
    books = send(junction)
    junction.stop()
    alone.stop()
    assert books["superseded"] == books["maps_only"] == len(junction.labels_s) == 3
    assert all("no replica runs on Ray at nowhere" in one for one in junction.sentences)


def test_a_gateway_that_does_not_leave_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "LEAVE_S", 0.0)
    made = Pool(deployment("nowhere"), (sys.executable, "-c", "import time; time.sleep(1000)"))
    until(lambda: made._connection)
    made.stop()
    assert made._gateway.returncode == -signal.SIGKILL


def test_where_ray_is_missing_the_rsu_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "find_spec", lambda name: None)
    with pytest.raises(SemcomError, match=r"pip install -r requirements/ray\.txt"):
        remote_rsu.join(None, {}, "/rsu")


def test_a_replica_of_ray_that_ends_costs_its_batch_and_the_others_paint_on(
    ray_address: str,
) -> None:
    spread = Pool(deployment(ray_address, "test"))
    until(lambda: not spread.trouble)
    assert len(replicas_of("test")) == 2
    junction = Junction(spread, 20, deadline_s=0)
    assert send(junction)["decoded"] == 20
    junction.send(0, ENDS)
    until(lambda: not junction.books()["in_flight"])
    books = send(junction)
    junction.stop()
    spread.stop()
    assert books["superseded"] == books["maps_only"] == 1 and books["decoded"] == 40
    until(lambda: not replicas_of("test"))  # they leave with the RSU
    assert ["A batch of images was skipped: ActorDiedError."] == [*junction.sentences]
    assert not junction.strangers
