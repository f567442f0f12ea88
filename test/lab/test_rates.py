# SPDX-License-Identifier: Apache-2.0
"""What a payload takes on the air."""

from __future__ import annotations

import numpy as np

from semcom_ros.lab.rates import air_bytes
from semcom_ros.payload import Header, Part, Payload, pack, parts_bytes

HEADER = Header("gsc", 1, b"", 256, 512, "cityscapes19", 1, 1)


def test_coded_bytes_count_as_they_are_and_eight_symbols_as_one() -> None:
    coded = Part("map", 1, bits=b"x" * 100)
    planes = Part("planes", 1, symbols=np.ones(4096, np.complex64))
    alone = pack(Payload(HEADER, (coded,)))
    assert air_bytes(alone) == len(alone)
    both = pack(Payload(HEADER, (coded, planes)))
    told = parts_bytes((planes,)) - 8 * 4096
    assert air_bytes(both) == len(alone) + told + 512
