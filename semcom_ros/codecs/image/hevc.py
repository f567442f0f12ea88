# SPDX-License-Identifier: Apache-2.0
"""HEVC intra by x265 (PyAV): one IDR picture, the equivalent of BPG 4:2:0.

Only the slice data behind its NAL header cross. Left out are the start codes, the slice's NAL
header and the parameter sets (VPS, SPS, PPS: 77 to 81 bytes), which follow from the picture's size
and would be sent once a session by any HEVC stream. PyAV's wheel holds x265, which is GPL.

Quality is four times the quantiser's QP, 51 the coarsest, less a step towards the next. Such a step
keeps more coefficients, by x265's psycho-visual weight in quantisation: bytes between two QPs, for
part of the PSNR between them.

Encoding a frame of 256x512 takes 20 to 35 ms up to 512 bytes, 80 to 105 at 1024 and 1200 and 175 at
worst: above 1000 bytes a live link at 10 Hz drops some frames. Decoding takes 2 ms.
"""

from __future__ import annotations

import cv2
import numpy as np

from semcom_ros.codecs.image import Coder, rungs
from semcom_ros.codecs.image import still_video as video
from semcom_ros.payload import PayloadError

_IDR = b"\x00\x00\x01\x28\x01"
FORBIDDEN = (b"\x00\x00\x00", b"\x00\x00\x01", b"\x00\x00\x02")
"""What a NAL unit never holds: a start code, by which a picture could bring parameter sets."""
_LARGE = 128
_PSY_RDOQ = (0, 1, 3, 6)


def _split(image: np.ndarray, quality: int, preset: str = "slow") -> tuple[bytes, bytes]:
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


def _estimate(image: np.ndarray, quality: int) -> int:
    """What x265 needs without searching, less what it usually gains by it.

    A large picture stands for itself at half the size, of which it takes three times the bytes.
    """
    height, width = image.shape[:2]
    if height >= _LARGE:
        half = cv2.resize(image, (width // 2, height // 2), interpolation=cv2.INTER_AREA)
        return 3 * _estimate(half, quality)
    return len(_split(image, quality, "ultrafast")[1]) * 9 // 10


def _restore(bits: bytes, header: bytes, height: int, width: int) -> np.ndarray | None:
    if any(code in bits for code in FORBIDDEN):
        raise PayloadError("malformed", "There is a start code inside of the coded slice.")
    return video.decode("hevc", header + _IDR + bits, height, width)


CODER = Coder(
    "HEVC",
    _split,
    _restore,
    qualities=range(4 * 51, 4 * 10 - 1, -1),
    blank=4 * 51,
    closing=len(_IDR),
    ladder=rungs((2, 51, 39), (4, 45, 41), (8, 47, 42), (16, 48, 43), (32, 49, 10)),
    estimate=_estimate,
)
