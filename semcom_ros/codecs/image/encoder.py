# SPDX-License-Identifier: Apache-2.0
"""The vehicle's end of a picture codec: the best picture that fits the rate."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import cast

import cv2
import numpy as np

from semcom_ros.codecs.base import BudgetError, Request, Settings, load_attribute
from semcom_ros.codecs.image import PART, STEPS, Coder, LadderCoder, small_size
from semcom_ros.codecs.image.decoder import restore
from semcom_ros.codecs.image.rate_control import largest
from semcom_ros.errors import choose, given
from semcom_ros.frame import WORK_SIZE, Frame
from semcom_ros.payload import Part, parts_bytes

SCALES = ("auto", "full", "best")
_PATIENCE = 2
"""Sizes in a row that may gain nothing before larger ones are given up."""
Fits = Callable[[bytes], bool]


class Encoder:
    """Sends a picture, whatever it shows.

    coder: "module:Class". scale: the picture's size. `full`, the frame's own. `best`: of the
    coder's sizes, each at its best quality, the one with the highest PSNR. `auto`, for a live link:
    up the coder's ladder of sizes and qualities as far as fits, or as `best` where it has none.
    Raises SemcomError for others.
    """

    model = b""

    def __init__(
        self,
        coder: str,
        settings: Settings | None = None,
        device: str = "cpu",
        models: Path | None = None,
        scale: str = "auto",
    ) -> None:
        self.coder: Coder = load_attribute(coder)()
        self.settings = settings or Settings()
        self.scale = choose(scale, SCALES, "scale of the picture")
        climbs = hasattr(self.coder, "ladder")
        self._ladder_coder = cast(LadderCoder, self.coder) if climbs else None

    def warm_up(self) -> None:
        """Load the coder's library, by a first picture."""
        image = np.full((*WORK_SIZE, 3), 128, np.uint8)
        self._code(image, STEPS, self.coder.qualities[0])

    def encode(self, frame: Frame, request: Request) -> tuple[Part, ...]:
        """One part of bits, the best that fits.

        Raises BudgetError where not even the coarsest fits.
        """
        image = np.ascontiguousarray(frame.image[:, :, ::-1])

        def fits(bits: bytes) -> bool:
            return parts_bytes([Part(PART, 0, bits=bits)]) <= request.budget_bytes

        if self.scale == "full":
            best = self._fit(image, STEPS, fits, len(self.coder.qualities) // 2)[0]
        elif self._ladder_coder is None:
            best = self._best(image, fits)
        elif self.scale == "auto":
            best = self._climb(self._ladder_coder, image, fits)[0]
        else:
            best = self._best_about_ladder(self._ladder_coder, image, fits)
        if best is None:
            raise BudgetError(parts_bytes([Part(PART, 0, bits=self._coarsest(image))]))
        return (Part(PART, 0, bits=best),)

    def container_bytes(self, parts: Sequence[Part]) -> int:
        """What the standard's own file of the picture holds beyond the bits of `parts`."""
        return self.coder.container_bytes(*small_size(*WORK_SIZE, given(parts[0].bits)[0]))

    def _best(self, image: np.ndarray, fits: Fits) -> bytes | None:
        """Of all sizes that fit, the one with the highest PSNR."""
        return self._search(image, fits, self.coder.sizes, len(self.coder.qualities) - 1)

    def _search(
        self, image: np.ndarray, fits: Fits, sizes: Sequence[int], quality: int
    ) -> bytes | None:
        """The best of `sizes`, which grow, until `_PATIENCE` in a row gain nothing.

        quality: place among the coder's qualities from which the first size is tried.
        """
        best, best_psnr, worse = None, -1.0, 0
        for scale in sizes:
            bits, found = self._fit(image, scale, fits, quality)
            if bits is None:
                break
            quality = found
            psnr = self._psnr(image, bits)
            if psnr > best_psnr:
                best, best_psnr, worse = bits, psnr, 0
            else:
                worse += 1
                if worse == _PATIENCE:
                    break
        return best

    def _psnr(self, image: np.ndarray, bits: bytes) -> float:
        return cv2.PSNR(restore(self.coder, bits, *image.shape[:2]), image)

    def _coarsest(self, image: np.ndarray) -> bytes:
        """The fewest bits that this codec can make of `image`."""
        if self.scale == "auto" and self._ladder_coder is not None:
            return self._code(image, *self._ladder_coder.ladder[0])
        scale = STEPS if self.scale == "full" else self.coder.sizes[0]
        return self._code(image, scale, self.coder.qualities[0])

    def _fit(
        self, image: np.ndarray, scale: int, fits: Fits, start: int
    ) -> tuple[bytes | None, int]:
        """The best quality at `scale` whose bits fit, or None, and its place in the qualities."""
        small = _shrink(image, scale)
        qualities = self.coder.qualities
        tried: dict[int, bytes] = {}

        def fits_at(place: int) -> bool:
            tried[place] = bytes([scale]) + self.coder.code(small, qualities[place])
            return fits(tried[place])

        place = largest(len(qualities), fits_at, start)
        return (None, 0) if place is None else (tried[place], place)

    def _code(self, image: np.ndarray, scale: int, quality: int) -> bytes:
        return bytes([scale]) + self.coder.code(_shrink(image, scale), quality)

    def _best_about_ladder(self, coder: LadderCoder, image: np.ndarray, fits: Fits) -> bytes | None:
        # A step between two quantisers may spend bytes on no PSNR: the ladder has none of them.
        climbed, point = self._climb(coder, image, fits)
        if climbed is None:
            return self._best(image, fits)
        at, quality = coder.ladder[point]
        sizes, qualities = list(coder.sizes), coder.qualities
        near = min(range(len(qualities)), key=lambda i: abs(qualities[i] - quality))
        best, best_psnr = climbed, self._psnr(image, climbed)
        # PSNR has one peak over the sizes, and the ladder is near it.
        here = sizes.index(at)
        for ahead in (sizes[here:], sizes[here - 1 :: -1] if here else []):
            start = near
            for scale in ahead:
                bits, start = self._fit(image, scale, fits, start)
                psnr = -1.0 if bits is None else self._psnr(image, bits)
                if bits is not None and psnr >= best_psnr:
                    best, best_psnr = bits, psnr
                elif scale != at:
                    break
        return best

    def _climb(self, coder: LadderCoder, image: np.ndarray, fits: Fits) -> tuple[bytes | None, int]:
        """The bits of the last point of the ladder that fits, or None, and the point's place."""
        ladder = coder.ladder
        tried: dict[int, bytes] = {}

        def fits_roughly(point: int) -> bool:
            scale, quality = ladder[point]
            return fits(bytes(1 + coder.estimate(_shrink(image, scale), quality)))

        def fits_exactly(point: int) -> bool:
            tried[point] = self._code(image, *ladder[point])
            return fits(tried[point])

        start = largest(len(ladder), fits_roughly, len(ladder) // 3)
        point = largest(len(ladder), fits_exactly, 0 if start is None else start)
        return (None, 0) if point is None else (tried[point], point)


def _shrink(image: np.ndarray, scale: int) -> np.ndarray:
    height, width = small_size(image.shape[0], image.shape[1], scale)
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
