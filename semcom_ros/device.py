# SPDX-License-Identifier: Apache-2.0
"""Whether networks can run where they are told to."""

from __future__ import annotations

from semcom_ros.errors import SemcomError


def check_device(device: str) -> None:
    """Raise SemcomError if torch cannot compute on `device`."""
    import torch

    try:
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0].rstrip(".")
        raise SemcomError(
            f"The device '{device}' cannot be used: {reason}. Set device to cpu."
        ) from error
