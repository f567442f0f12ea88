# SPDX-License-Identifier: Apache-2.0
"""A gateway without a cluster, for tests of what stands before it: one replica, in its process."""

from __future__ import annotations

import os
import sys
from multiprocessing.connection import Connection

import numpy as np

from semcom_ros.cluster.replica import Replica


def main() -> None:
    connection = Connection(int(sys.argv[1]))
    replica = Replica(connection.recv().recipe)
    connection.send(("replicas", 2))
    while (number := connection.recv()) is not None:
        answer = replica.paint(np.frombuffer(connection.recv_bytes(), np.uint8))
        connection.send((number, None))
        connection.send_bytes(answer.data)
    os._exit(0)


if __name__ == "__main__":
    main()
