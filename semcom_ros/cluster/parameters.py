# SPDX-License-Identifier: Apache-2.0
"""Where an RSU lets its images be painted, as parameters of its node."""

from __future__ import annotations

from typing import Any

from semcom_ros.parameter import Parameter

LOCAL, RAY = "local", "ray"
BACKEND = (
    Parameter(
        "backend", LOCAL,
        "Who paints images and looks at them: this process, or replicas on a Ray cluster. Maps are "
        "decoded here always.",
        choices=(LOCAL, RAY),
    ),
    Parameter(
        "ray_address", "auto", "Where the cluster's head is, as 10.0.0.1:6379; auto: on this host."
    ),
    Parameter("replicas", 2, "Processes of the cluster that paint.", 1, 1000),
    Parameter(
        "replica_gpus", 0.0, "GPUs of each replica, or the part of one; 0: it runs on the CPU.",
        0.0, 8.0,
    ),
    Parameter("replica_cpus", 1.0, "Cores that each replica takes of the cluster's.", 0.0, 64.0),
)  # fmt: skip


def painter(settings: Any) -> str:
    """The device that images are painted on, by a node's `settings`."""
    if settings.backend == LOCAL:
        return str(settings.device)
    return "cuda" if settings.replica_gpus else "cpu"
