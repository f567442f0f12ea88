# SPDX-License-Identifier: Apache-2.0
"""The process between an RSU and its cluster: Ray is in here, so that what ends it ends no RSU.

A process that has joined a cluster is ended by Ray when the head is gone. This one is then started
anew by `Pool`, to whose socket it is bound: it ends when the RSU does.
"""

from __future__ import annotations

import os
import pickle
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from multiprocessing.connection import Connection
from typing import Any

import numpy as np

from semcom_ros.cluster.batch import RsuRecipe, models_hash
from semcom_ros.cluster.connection import connect
from semcom_ros.cluster.replica import Replica
from semcom_ros.errors import SemcomError
from semcom_ros.runtime import keep_freed_memory

PATIENCE_S = 2.0
"""A batch that takes longer is given up."""
REPORT_S = 0.5
_ENV = {"OMP_NUM_THREADS": "1"}


@dataclass(frozen=True)
class Deployment:
    """What an RSU called `name` wants of the cluster at `address`: so many replicas of `recipe`,
    with so many CPUs and GPUs each, or parts of one."""

    address: str
    name: str
    replicas: int
    cpus: float
    gpus: float
    recipe: RsuRecipe

    @property
    def at_once(self) -> int:
        """Batches under way: one for each replica, and the one that is next."""
        return self.replicas + 1


class Gateway:
    """Speaks with the pool in numbers, each of which may announce bytes: a batch's number and the
    batch come, None where the RSU stops; (what, told) goes: (number, what went wrong, or None with
    the answer behind it), ("replicas", n) twice a second, ("gone", sentence) at the end."""

    def __init__(self, connection: Connection) -> None:
        self._connection, self._sending = connection, threading.Lock()
        self._wanted: Deployment = connection.recv()
        self._running: Callable[[], int] = lambda: 0
        self._delete: Callable[[], None] = lambda: None

    def run(self) -> None:
        """Until the RSU, or the cluster, is gone."""
        threading.Thread(target=self._report, daemon=True).start()
        try:
            self._handle = self._deploy()
            self._serve()
        except EOFError:
            pass
        except Exception as error:
            self._gone(error)
        os._exit(0)  # Ray's own end takes seconds, and nothing is left to be done

    def _deploy(self) -> Any:
        wanted = self._wanted
        connect(wanted.address)
        from ray import serve

        serve.start(proxy_location="Disabled")
        resources = {"num_cpus": wanted.cpus, "num_gpus": wanted.gpus}
        made = serve.deployment(
            num_replicas=wanted.replicas,
            max_ongoing_requests=2,
            health_check_period_s=1,
            health_check_timeout_s=3,
            graceful_shutdown_timeout_s=1,
            ray_actor_options={**resources, "runtime_env": {"env_vars": _ENV}},
        )(Replica)
        # Replicas that are there from before stay, if nothing that they hang on is another now.
        state = sha256(pickle.dumps(wanted) + models_hash().encode()).hexdigest()[:8]
        name, known = f"{wanted.name}-{state}", serve.status().applications
        for other in known:
            if other.startswith(f"{wanted.name}-") and other != name:
                serve.delete(other, _blocking=False)
        if name in known and known[name].status in ("RUNNING", "DEPLOYING"):
            handle = serve.get_app_handle(name)
        else:
            bound = made.bind(wanted.recipe)
            target = serve.RunTarget(target=bound, name=name, route_prefix=None)
            (handle,) = serve.run_many([target], wait_for_applications_running=False)

        def running() -> int:
            own = serve.status().applications[name].deployments[Replica.__name__]
            return sum(n for state, n in own.replica_states.items() if state == "RUNNING")

        self._running = running
        self._delete = lambda: serve.delete(name)
        return handle

    def _serve(self) -> None:
        with ThreadPoolExecutor(self._wanted.at_once) as threads:
            while (number := self._connection.recv()) is not None:
                threads.submit(self._paint, number, self._connection.recv_bytes())
        self._delete()

    def _paint(self, number: int, batch: bytes) -> None:
        response = self._handle.paint.remote(np.frombuffer(batch, np.uint8))
        try:
            self._send(number, None, memoryview(response.result(timeout_s=PATIENCE_S)))
        except TimeoutError:
            response.cancel()
            self._send(number, f"no answer within {PATIENCE_S:g} s")
        except Exception as error:
            self._send(number, f"{type(error).__name__}")

    def _report(self) -> None:
        """Say how many replicas run; end where nobody can tell any more."""
        try:
            while True:
                self._send("replicas", self._running())
                time.sleep(REPORT_S)
        except Exception as error:
            self._gone(error)
            os._exit(0)

    def _gone(self, error: Exception) -> None:
        sentence = str(error) if isinstance(error, SemcomError) else type(error).__name__
        with suppress(OSError):
            self._send("gone", sentence)

    def _send(self, what: int | str, told: Any, answer: memoryview | None = None) -> None:
        with self._sending:
            self._connection.send((what, told))
            if answer is not None:  # as they are: to pickle bytes is to copy them
                self._connection.send_bytes(answer)


def main() -> None:
    """Entry point; the argument is the number of the inherited socket."""
    # What is wrong is told to the pool, once; Ray would say it again and again.
    quiet = os.open(os.devnull, os.O_WRONLY)
    os.dup2(quiet, sys.stdout.fileno())
    os.dup2(quiet, sys.stderr.fileno())
    keep_freed_memory()
    Gateway(Connection(int(sys.argv[1]))).run()


if __name__ == "__main__":
    main()
