# SPDX-License-Identifier: Apache-2.0
"""The way to a Ray cluster, for what was asked to take one."""

from __future__ import annotations

import logging
import os
import socket
from importlib.util import find_spec
from typing import Any

from semcom_ros.errors import SemcomError

PATIENCE_S = 2.0
"""How long a head may take to answer. Ray itself would wait for minutes."""


def check_ray() -> None:
    """Raise SemcomError where this Python has no Ray."""
    if find_spec("ray") is None:
        raise SemcomError(
            "There is no Ray for this Python: install it with `pip install -r requirements/ray.txt`"
            " here and on every host of the cluster."
        )


def connect(address: str) -> Any:
    """The module `ray`, in a process that has joined the cluster at `address`, as 10.0.0.1:6379,
    or auto: that of this machine. Raises SemcomError."""
    check_ray()
    # Tasks that ask for no GPU see none; Ray says in each process that this will be so.
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "1")
    try:
        host, colon, port = address.rpartition(":")
        if colon:
            socket.create_connection((host.strip("[]"), int(port)), PATIENCE_S).close()
        import ray

        ray.init(address=address, logging_level=logging.ERROR, log_to_driver=False)
    except (OSError, ValueError, RuntimeError) as error:  # ConnectionError is an OSError
        reason = str(error).strip().splitlines()[0].rstrip(".")
        raise SemcomError(
            f"There is no Ray cluster at '{address}' ({reason}): start one with `ray start --head`,"
            " or name another."
        ) from error
    return ray
