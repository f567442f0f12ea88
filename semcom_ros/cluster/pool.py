# SPDX-License-Identifier: Apache-2.0
"""The RSU's side of its cluster: it may be there or not, and never keeps the RSU waiting."""

from __future__ import annotations

import itertools
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import Future
from contextlib import suppress
from multiprocessing.connection import Connection

from semcom_ros.cluster.gateway import PATIENCE_S, REPORT_S, Deployment
from semcom_ros.pipeline.executor import BackendUnavailable

SILENCE_S, JOINING_S = 5.0, 60.0
"""A gateway that does not report for so long hangs, as Ray does without its head, or in joining."""
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 8.0
"""Between two tries to reach the cluster."""
LEAVE_S = 3.0
GONE = "the cluster is gone"
GATEWAY = (sys.executable, "-m", "semcom_ros.cluster.gateway")


class Pool:
    """Keeps a gateway to the cluster, by a thread of its own, from the first moment to `stop`.

    wanted: of the cluster. command: of the gateway, which is given the number of a socket.
    """

    def __init__(self, wanted: Deployment, command: tuple[str, ...] = GATEWAY) -> None:
        self.wanted, self.replicas = wanted, 0
        self._command = command
        self._sending, self._ending = threading.Lock(), threading.Event()
        self._gateway: subprocess.Popen[bytes] | None = None
        self._connection: Connection | None = None
        self._numbers, self._waiting = itertools.count(), dict[int, Future[bytes]]()
        self._why = "it is being joined"
        self._thread = threading.Thread(target=self._keep, name="cluster")
        self._thread.start()

    @property
    def trouble(self) -> str:
        """What is wrong with the cluster, in a sentence; "" while all replicas run."""
        wanted, running = self.wanted, self.replicas
        if running >= wanted.replicas:
            return ""
        if running:
            return f"{running} of {wanted.replicas} replicas run on Ray at {wanted.address}"
        return (
            f"no replica runs on Ray at {wanted.address} ({self._why}): maps go on without images"
        )

    @property
    def busy(self) -> bool:
        """Whether each replica that runs has a batch, and one more waits already."""
        return 0 < self.replicas < len(self._waiting)

    def paint(self, batch: bytes) -> bytes:
        """What a replica answers to a batch. Raises BackendUnavailable; a batch is sent once."""
        number, answer = next(self._numbers), Future[bytes]()
        self._waiting[number] = answer
        try:
            with self._sending:
                if self._connection is None or not self.replicas:
                    raise _skipped(self.trouble)
                self._connection.send(number)
                self._connection.send_bytes(batch)
            return answer.result(PATIENCE_S + REPORT_S)
        except TimeoutError:
            raise _skipped("no answer came") from None
        except OSError:
            raise _skipped(GONE) from None
        finally:
            del self._waiting[number]

    def stop(self) -> None:
        """Leave the cluster, which takes the replicas away, or was slow to answer."""
        self._ending.set()
        with suppress(OSError), self._sending:
            if self._connection is not None:
                self._connection.send(None)
        self._thread.join(LEAVE_S)
        while self._thread.is_alive():
            if self._gateway is not None:
                self._gateway.kill()
            self._thread.join(REPORT_S)

    def _keep(self) -> None:
        pause_s = FIRST_PAUSE_S
        while not self._ending.is_set():
            pause_s = FIRST_PAUSE_S if self._serve() else min(2 * pause_s, LONGEST_PAUSE_S)
            self._ending.wait(pause_s)

    def _serve(self) -> bool:
        """One gateway, from its start to its end; returns whether replicas ran."""
        ours, theirs = socket.socketpair()
        with theirs:
            self._gateway = gateway = subprocess.Popen(
                [*self._command, str(theirs.fileno())],
                stdin=subprocess.DEVNULL, pass_fds=[theirs.fileno()], start_new_session=True,
            )  # fmt: skip
        ran, connection = False, Connection(ours.detach())
        try:
            connection.send(self.wanted)
            self._connection = connection
            heard_at = time.monotonic()
            while connection.poll(heard_at + (SILENCE_S if ran else JOINING_S) - time.monotonic()):
                what, told = connection.recv()
                if what == "replicas":
                    self.replicas, heard_at = told, time.monotonic()
                    if told:  # should it end without a word
                        ran, self._why = True, GONE
                elif what == "gone":
                    self._why = told.rstrip(".")
                else:
                    self._answer(what, told or connection.recv_bytes())
            self._why = "the process that speaks with it hung"
        except (EOFError, OSError):  # it ended, and may have said why
            pass
        finally:
            self._connection, self.replicas = None, 0
            gateway.kill()
            gateway.wait()
            connection.close()
            for number in [*self._waiting]:
                self._answer(number, GONE)
        return ran

    def _answer(self, number: int, told: bytes | str) -> None:
        answer = self._waiting.get(number)
        if answer is None or answer.done():
            return
        if isinstance(told, bytes):
            answer.set_result(told)
        else:
            answer.set_exception(_skipped(told))


def _skipped(why: str) -> BackendUnavailable:
    return BackendUnavailable(f"A batch of images was skipped: {why}.")
