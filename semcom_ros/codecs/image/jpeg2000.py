# SPDX-License-Identifier: Apache-2.0
"""JPEG 2000 by OpenJPEG (Pillow): 9/7 wavelet, YCbCr, one tile, one layer, cut at a rate.

Only the packets of the one tile-part cross. Left out are the main header (SOC, SIZ, COD, QCD, and
OpenJPEG's comment), the tile-part's header (SOT, SOD) and EOC: 157 bytes that follow from the
picture's size and the length of the packets. Quality is the number of bytes that OpenJPEG aims at
for the packets; it comes close, at worst some bytes above.

Encoding a frame of 256x512 takes 20 to 45 ms (70 at worst), decoding 4.
"""

from __future__ import annotations

import io

import numpy as np

from semcom_ros.codecs.image import STEPS, Coder

_COM, _SOT = b"\xff\x64\x00", b"\xff\x90\x00\x0a\x00\x00"
_SOD, _EOC = b"\x00\x01\xff\x93", b"\xff\xd9"
_LENGTH = 4
"""Bytes of Psot, which counts from the first byte of SOT."""
_OVERHEAD, _HEADER = 157, 102
"""Bytes of a file around the packets, and of the main header without comment in them."""


def _split(image: np.ndarray, target: int) -> tuple[bytes, bytes]:
    """Main header and packets; OpenJPEG counts the headers in its rate, `target` does not."""
    from PIL import Image

    stream = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(image[:, :, ::-1])).save(
        stream, "JPEG2000", no_jp2=True, irreversible=True, mct=1,
        quality_mode="rates", quality_layers=[image.size / (target + _OVERHEAD)],
    )  # fmt: skip
    data = stream.getvalue()
    tile = data.index(_SOT)
    # Without OpenJPEG's comment, the one thing in it that differs between its versions.
    main = data[:tile].partition(_COM)[0]
    return main, data[data.index(_SOD, tile) + len(_SOD) : -len(_EOC)]


def _restore(bits: bytes, header: bytes, height: int, width: int) -> np.ndarray | None:
    from PIL import Image

    tile = _SOT + (len(_SOT) + _LENGTH + len(_SOD) + len(bits)).to_bytes(_LENGTH, "big") + _SOD
    try:
        with Image.open(io.BytesIO(header + tile + bits + _EOC), formats=["JPEG2000"]) as image:
            return np.asarray(image)[:, :, ::-1]
    except OSError:
        return None


CODER = Coder(
    "JPEG 2000",
    _split,
    _restore,
    qualities=tuple(sorted({round(16 * 1.01**i) for i in range(600)})),
    blank=64,
    closing=_OVERHEAD - _HEADER,
    scales=range(4, STEPS + 1, 4),
    sizes=range(8, STEPS + 1, 4),
    # Steps of 2 %. At fewer bytes half the size is as good and takes a third of the time.
    ladder=tuple(
        (16 if target < 600 else 32, target)
        for target in sorted({round(16 * 1.02**i) for i in range(280)})
    ),
    estimate=lambda image, target: target,
)
