# SPDX-License-Identifier: Apache-2.0
"""Vehicles before a Ray cluster on this machine, of which a replica and the head are killed."""

from __future__ import annotations

import os
import signal
import tempfile
import threading
import time
from argparse import Namespace
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from semcom_ros.cluster.connection import check_ray
from semcom_ros.cluster.pool import Pool
from semcom_ros.lab.soak.junction import DEADLINE_S, NAME, Junction, deployment
from semcom_ros.lab.soak.live import Measured

HEAD = {
    "num_cpus": 2, "num_gpus": 0, "object_store_memory": 100_000_000, "include_dashboard": False,
    "gcs_server_port": 46379,
}  # fmt: skip
GONE_S, PATIENCE_S = 5.0, 120.0
"""How long the head is gone, and how long its return is waited for."""


def ray(args: Namespace) -> Iterator[Measured]:
    """A third undisturbed, a third since a replica was killed, a third since the head was back."""
    check_ray()
    from ray.cluster_utils import Cluster

    with tempfile.TemporaryDirectory(prefix="ray", ignore_cleanup_errors=True) as folder:
        os.environ |= {"RAY_TMPDIR": folder, "RAY_USAGE_STATS_ENABLED": "0"}
        cluster = Cluster(True, head_node_args=HEAD)
        pool = Pool(deployment(cluster.address))
        _wait(lambda: not pool.trouble)
        junction, ends, begun = Junction(pool), threading.Event(), time.monotonic()
        drive = threading.Thread(target=junction.drive, args=(ends,))
        drive.start()
        try:
            time.sleep(args.seconds / 3)
            killed = time.monotonic()
            os.kill(replicas_of(NAME)[0], signal.SIGKILL)
            _wait(lambda: pool.trouble)
            replica_s = _wait(lambda: not pool.trouble)
            time.sleep(max(0.0, killed + args.seconds / 3 - time.monotonic()))
            gone = time.monotonic()
            cluster.remove_node(cluster.head_node, allow_graceful=False)
            noticed_s = _wait(lambda: not pool.replicas)
            time.sleep(max(0.0, gone + GONE_S - time.monotonic()))
            cluster.add_node(**HEAD)
            started = time.monotonic()
            back_s = _wait(lambda: not pool.trouble)
            time.sleep(args.seconds / 3)
        finally:
            ends.set()
            drive.join()
            books = junction.stop()
            pool.stop()
            cluster.shutdown()
    undisturbed = [*_in_time(junction, begun, killed), *_in_time(junction, killed + 1, gone)]
    images_ms = 1e3 * np.array([junction.images_s[one] for one in junction.images_s if one < gone])
    yield Measured("images in time but for the kill's second", np.mean(undisturbed), least=0.99)
    yield Measured("in the kill's second", np.mean(_in_time(junction, killed, killed + 1)))
    after = _in_time(junction, started + back_s + 1, np.inf)
    yield Measured("after the head's return", np.mean(after), least=0.99)
    for share in (50, 99):
        yield Measured(f"image p{share}, ms", float(np.percentile(images_ms, share)))
    labels_ms = 1e3 * np.array([*junction.labels_s.values()])
    yield Measured("labels p99, ms, whatever happens", float(np.percentile(labels_ms, 99)), 100)
    yield Measured("another replica after, s", replica_s)
    yield Measured("head missed after, s", noticed_s)
    yield Measured("replicas after the head's start, s", back_s)
    lost = books["received"] - books["decoded"] - books["rejected"] - books["superseded"]
    yield Measured("frames", books["received"])
    yield Measured("frames without a count", lost, 0)
    yield Measured("maps that were not delivered", books["received"] - len(junction.labels_s), 0)
    yield Measured("images of another vehicle", junction.strangers, 0)


def _in_time(junction: Junction, since: float, until: float) -> list[bool]:
    """Of each frame that came meanwhile, whether its image was there within the deadline."""
    came = [one for one in junction.labels_s if since <= one < until]
    return [junction.images_s.get(one, np.inf) <= DEADLINE_S for one in came]


def replicas_of(name: str) -> list[int]:
    """Processes on this machine that paint for the RSU `name`."""
    title, found = f"ray::ServeReplica:{name}-".encode(), []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if path.read_bytes().startswith(title):
                found.append(int(path.parent.name))
        except OSError:
            continue
    return found


def _wait(what: Callable[[], object]) -> float:
    """Seconds until it is so, or `PATIENCE_S`."""
    begun = time.monotonic()
    while not what() and time.monotonic() - begun < PATIENCE_S:
        time.sleep(0.05)
    return time.monotonic() - begun
