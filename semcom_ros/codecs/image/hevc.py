# SPDX-License-Identifier: Apache-2.0
"""HEVC intra by x265 (PyAV): one IDR picture, the equivalent of BPG 4:2:0.

Only the slice data behind its NAL header cross. Left out are the start codes, the slice's NAL
header and the parameter sets (VPS, SPS, PPS: 77 to 81 bytes), which follow from the picture's size
and would be sent once a session by any HEVC stream. PyAV's wheel holds x265, which is GPL.

Encoding a frame of 256x512 takes 20 to 35 ms up to 512 bytes, 80 to 105 at 1024 and 1200 and 175 at
worst: above 1000 bytes a live link at 10 Hz drops some frames. Decoding takes 2 ms.
"""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np

from semcom_ros.codecs.image import still_video as video
from semcom_ros.payload import PayloadError

_IDR = b"\x00\x00\x01\x28\x01"
# What a NAL unit never holds: a start code, by which a picture could bring its own parameter sets.
_FORBIDDEN = (b"\x00\x00\x00", b"\x00\x00\x01", b"\x00\x00\x02")
_LARGE = 128
_PSY_RDOQ = (0, 1, 3, 6)
_MALFORMED = "The coded slice holds no HEVC picture of its size."


class Hevc:
    """Quality is four times the quantiser's QP, 51 the coarsest, less a step towards the next.

    Such a step keeps more coefficients, by x265's psycho-visual weight in quantisation: bytes
    between two QPs, for part of the PSNR between them.
    """

    name = "hevc"
    scales = sizes = (2, 3, 4, 6, 8, 10, 12, 16, 20, 24, 28, 32)
    qualities = range(4 * 51, 4 * 10 - 1, -1)
    # On CamVid, each size from where it overtakes the smaller one in PSNR.
    ladder = tuple(
        (scale, 4 * qp)
        for scale, coarsest, finest in (
            (2, 51, 39), (4, 45, 41), (8, 47, 42), (16, 48, 43), (32, 49, 10),
        )
        for qp in range(coarsest, finest - 1, -1)
    )  # fmt: skip

    def code(self, image: np.ndarray, quality: int) -> bytes:
        """The slice behind its NAL header."""
        return _split(image, quality, "slow")[1]

    def estimate(self, image: np.ndarray, quality: int) -> int:
        """What x265 needs without searching, less what it usually gains by it.

        A large picture stands for itself at half the size, of which it takes three times the bytes.
        """
        height, width = image.shape[:2]
        if height >= _LARGE:
            half = cv2.resize(image, (width // 2, height // 2), interpolation=cv2.INTER_AREA)
            return 3 * self.estimate(half, quality)
        return len(_split(image, quality, "ultrafast")[1]) * 9 // 10

    def container_bytes(self, height: int, width: int) -> int:
        """Parameter sets, start code and NAL header of a bare stream."""
        return len(header(height, width)) + len(_IDR)

    def restore(self, bits: bytes, height: int, width: int) -> np.ndarray:
        """The picture in `bits`, of this size; PayloadError malformed for anything else."""
        if any(code in bits for code in _FORBIDDEN):
            raise PayloadError("malformed", "There is a start code inside of the coded slice.")
        image = video.decode("hevc", header(height, width) + _IDR + bits, height, width)
        if image is None:
            raise PayloadError("malformed", _MALFORMED)
        return image


@cache
def header(height: int, width: int) -> bytes:
    """Parameter sets of a picture of this size."""
    return _split(np.zeros((height, width, 3), np.uint8), 4 * 51, "slow")[0]


def _split(image: np.ndarray, quality: int, preset: str) -> tuple[bytes, bytes]:
    """Parameter sets and slice."""
    qp, step = -(-quality // 4), -quality % 4
    ctu = 16 if image.shape[0] < 32 else 32  # x265 wants a picture of at least one of these
    parameters = (
        f"qp={qp}:psy-rdoq={_PSY_RDOQ[step]}:ctu={ctu}:max-tu-size={ctu}:keyint=1:annexb=1:info=0:log-level=none:"
        "pools=none:frame-threads=1:no-wpp=1"
    )
    options = {"preset": preset, "tune": "psnr", "x265-params": parameters}
    data = video.encode("libx265", image, options)
    slice_at = data.index(_IDR)
    return data[:slice_at], data[slice_at + len(_IDR) :]
