# SPDX-License-Identifier: Apache-2.0
"""A few dozen bytes of how the street looks: a thumbnail by zonal transform coding.

The thumbnail (luma 16x32, chroma 8x16 each, for a frame of 256x512) goes through a cosine
transform; every coefficient gets a fixed number of bits by its spread in the training data
(Jayant and Noll 1984, chapter 12) and is quantised to levels that are equally likely under a
Laplace density. So the length is exactly what was asked for, any byte string decodes, and a
flipped bit moves one coefficient.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

CELL = 16
"""Pixels of the frame to one luma pixel of the thumbnail, each way; chroma takes twice that."""
LUMA = (16, 32)
CHROMA = (8, 16)
COEFFICIENTS = LUMA[0] * LUMA[1] + 2 * CHROMA[0] * CHROMA[1]
OCTAVE = 16
"""Steps of `log_spread` to a factor of two."""
MAX_BITS = 7


@dataclass(frozen=True)
class CoefficientStatistics:
    """What both ends know of the coefficients, in the order luma, blue, red, each row by row.

    mean: float32 [768]. log_spread: int16 [768], log2 of the mean absolute deviation in 1/16
    octaves; integers, so that both ends share out the bits alike on any machine.
    """

    mean: np.ndarray
    log_spread: np.ndarray

    @classmethod
    def of(cls, images: np.ndarray) -> CoefficientStatistics:
        """Measured on frames uint8 [N, 256, 512, 3] RGB."""
        found = np.stack([_transform(image) for image in images])
        mean = found.mean(0)
        spread = np.maximum(np.abs(found - mean).mean(0), 1e-4)
        log_spread = np.round(OCTAVE * np.log2(spread)).astype(np.int16)
        return cls(mean.astype(np.float32), log_spread)

    def share(self, n_bits: int) -> np.ndarray:
        """Bits of each coefficient, int [768], summing to `n_bits`: the widest spread first."""
        depth = OCTAVE * np.arange(MAX_BITS)
        left = self.log_spread.astype(np.int64)[:, None] - depth
        widest = np.argsort(-left.ravel(), kind="stable")[:n_bits]
        return np.bincount(widest // MAX_BITS, minlength=COEFFICIENTS)


def encode(image: np.ndarray, n_bytes: int, statistics: CoefficientStatistics) -> bytes:
    """The thumbnail of a frame uint8 [256, 512, 3] RGB in exactly `n_bytes` bytes."""
    bits = statistics.share(8 * n_bytes)
    spread = np.exp2(statistics.log_spread / OCTAVE)
    x = (_transform(image) - statistics.mean) / spread
    # The Laplace distribution function cuts the axis into 2**bits equally likely levels.
    likelihood = 0.5 + 0.5 * np.sign(x) * -np.expm1(-np.abs(x))
    levels = np.minimum((likelihood * (1 << bits)).astype(np.int64), (1 << bits) - 1)
    owner, place = _layout(bits)
    stream = (levels[owner] >> place) & 1
    return np.packbits(stream.astype(np.uint8)).tobytes()


def decode(data: bytes, statistics: CoefficientStatistics) -> np.ndarray:
    """The thumbnail, float32 [16, 32, 3] RGB in 0..1, from any bytes that `encode` could give."""
    stream = np.unpackbits(np.frombuffer(data, np.uint8)).astype(np.int64)
    bits = statistics.share(len(stream))
    owner, place = _layout(bits)
    levels = np.bincount(owner, stream[: len(owner)] << place, COEFFICIENTS)
    centre = (levels + 0.5) / (1 << bits) - 0.5
    x = np.sign(centre) * -np.log1p(-2 * np.abs(centre))
    spread = np.exp2(statistics.log_spread / OCTAVE)
    return _restore(x * spread + statistics.mean)


def typical(statistics: CoefficientStatistics) -> np.ndarray:
    """The thumbnail, float32 [16, 32, 3], of the mean frame: what stands in where none came."""
    return _restore(statistics.mean.astype(np.float64))


def _layout(bits: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of every bit in the stream: the coefficient that it belongs to, and its place in that."""
    owner = np.repeat(np.arange(len(bits)), bits)
    return owner, np.arange(len(owner)) - (np.cumsum(bits) - bits)[owner]


def _transform(image: np.ndarray) -> np.ndarray:
    """Cosine coefficients float64 [768] of a frame's thumbnail, in units of grey level / 255."""
    size = (LUMA[1], LUMA[0])
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    y, red, blue = cv2.split(cv2.cvtColor(small, cv2.COLOR_RGB2YCrCb))
    half = [
        cv2.resize(c, (CHROMA[1], CHROMA[0]), interpolation=cv2.INTER_AREA) for c in (blue, red)
    ]
    return np.concatenate([cv2.dct(c).ravel() for c in (y, *half)]).astype(np.float64)


def _restore(coefficients: np.ndarray) -> np.ndarray:
    """The thumbnail float32 [16, 32, 3] RGB of cosine coefficients [768]."""
    coefficients = coefficients.astype(np.float32)
    luma, chroma = LUMA[0] * LUMA[1], CHROMA[0] * CHROMA[1]
    y = cv2.idct(coefficients[:luma].reshape(LUMA))
    size = (LUMA[1], LUMA[0])
    blue, red = (
        cv2.resize(cv2.idct(c.reshape(CHROMA)), size, interpolation=cv2.INTER_LINEAR)
        for c in np.split(coefficients[luma:], [chroma])
    )
    rgb = cv2.cvtColor(cv2.merge((y, red, blue)), cv2.COLOR_YCrCb2RGB)
    return np.clip(rgb, 0, 1)
