# SPDX-License-Identifier: Apache-2.0
"""The vehicle's end of a picture codec: the best picture that fits the rate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pkgutil import resolve_name
from typing import Any

import cv2
import numpy as np

from semcom_ros.codecs.base import BudgetError, CodecEnd, Request
from semcom_ros.codecs.image import PART, STEPS, Coder, header, small_size
from semcom_ros.codecs.image.decoder import restore
from semcom_ros.codecs.image.rate_control import largest
from semcom_ros.errors import choose, given
from semcom_ros.frame import WORK_SIZE, Frame
from semcom_ros.payload import Part

SCALES = ("auto", "full", "best")
_PATIENCE = 2
"""Sizes in a row that may gain nothing before larger ones are given up."""


class Encoder(CodecEnd):
    """Sends a picture, whatever it shows.

    coder: "module:attribute". scale: the picture's size. `full`, the frame's own. `best`: of the
    coder's sizes, each at its best quality, the one with the highest PSNR. `auto`, for a live link:
    up the coder's ladder of sizes and qualities as far as fits, or as `best` where it has none.
    Raises SemcomError for others.
    """

    def __init__(self, coder: str, scale: str = "auto", **end: Any) -> None:
        super().__init__(**end)
        self.coder: Coder = resolve_name(coder)
        self.scale = choose(scale, SCALES, "scale of the picture")

    def warm_up(self) -> None:
        """Load the coder's library, by a first picture."""
        image = np.full((*WORK_SIZE, 3), 128, np.uint8)
        _Search(self.coder, image, Request(0)).code(STEPS, self.coder.qualities[0])

    def encode(self, frame: Frame, request: Request) -> tuple[Part, ...]:
        """One part of bits, the best that fits.

        Raises BudgetError where not even the coarsest fits.
        """
        coder = self.coder
        image = np.ascontiguousarray(frame.image[:, :, ::-1])
        search = _Search(coder, image, request)
        coarsest = (coder.sizes[0], coder.qualities[0])
        if self.scale == "full":
            coarsest = (STEPS, coder.qualities[0])
            best = search.fit(STEPS, len(coder.qualities) // 2)[0]
        elif not coder.ladder:
            best = search.best()
        elif self.scale == "auto":
            coarsest = coder.ladder[0]
            best = search.climb()[0]
        else:
            best = search.best_about_ladder()
        if best is None:
            raise BudgetError(request.bytes_of([Part(PART, 0, bits=search.code(*coarsest))]))
        return (Part(PART, 0, bits=best),)

    def told(self, parts: Sequence[Part]) -> Mapping[str, Any]:
        """For a study: what the standard's own file of the picture holds beyond the bits of
        `parts`."""
        size = small_size(*WORK_SIZE, given(parts[0].bits)[0])
        return {"container_bytes": len(header(self.coder, *size)) + self.coder.closing}


class _Search:
    """What a coder makes of `image` uint8 [H, W, 3] BGR, and what of it fits `request`."""

    def __init__(self, coder: Coder, image: np.ndarray, request: Request) -> None:
        self.coder, self.image, self.request = coder, image, request
        self._small: dict[int, np.ndarray] = {}

    def small(self, scale: int) -> np.ndarray:
        if scale not in self._small:
            height, width = self.image.shape[:2]
            size = small_size(height, width, scale)[::-1]
            self._small[scale] = cv2.resize(self.image, size, interpolation=cv2.INTER_AREA)
        return self._small[scale]

    def code(self, scale: int, quality: int) -> bytes:
        return bytes([scale]) + self.coder.split(self.small(scale), quality)[1]

    def fits(self, bits: bytes) -> bool:
        return self.request.bytes_of([Part(PART, 0, bits=bits)]) <= self.request.budget_bytes

    def psnr(self, bits: bytes) -> float:
        return cv2.PSNR(restore(self.coder, bits, *self.image.shape[:2]), self.image)

    def last(self, points: Sequence[tuple[int, int]], start: int) -> tuple[bytes | None, int]:
        """The bits of the last of `points` (scale, quality) that fits, or None, and its place."""
        tried: dict[int, bytes] = {}

        def fits_at(place: int) -> bool:
            tried[place] = self.code(*points[place])
            return self.fits(tried[place])

        place = largest(len(points), fits_at, start)
        return (None, 0) if place is None else (tried[place], place)

    def fit(self, scale: int, start: int) -> tuple[bytes | None, int]:
        """The best quality at `scale` whose bits fit, or None, and its place in the qualities."""
        return self.last([(scale, quality) for quality in self.coder.qualities], start)

    def climb(self) -> tuple[bytes | None, int]:
        """The bits of the last point of the ladder that fits, or None, and the point's place."""
        ladder, estimate = self.coder.ladder, self.coder.estimate

        def fits_roughly(point: int) -> bool:
            scale, quality = ladder[point]
            return self.fits(bytes(1 + estimate(self.small(scale), quality)))

        start = largest(len(ladder), fits_roughly, len(ladder) // 3)
        return self.last(ladder, 0 if start is None else start)

    def best(self) -> bytes | None:
        """Of all sizes, until `_PATIENCE` in a row gain nothing, the one with the highest PSNR."""
        best, best_psnr, worse = None, -1.0, 0
        quality = len(self.coder.qualities) - 1
        for scale in self.coder.sizes:
            bits, found = self.fit(scale, quality)
            if bits is None:
                break
            quality, psnr, worse = found, self.psnr(bits), worse + 1
            if psnr > best_psnr:
                best, best_psnr, worse = bits, psnr, 0
            if worse == _PATIENCE:
                break
        return best

    def best_about_ladder(self) -> bytes | None:
        """The same, found sooner: PSNR has one peak over the sizes, and the ladder is near it."""
        # A step between two quantisers may spend bytes on no PSNR: the ladder has none of them.
        best, point = self.climb()
        if best is None:
            return self.best()
        at, quality = self.coder.ladder[point]
        sizes, qualities = list(self.coder.sizes), self.coder.qualities
        near = min(range(len(qualities)), key=lambda i: abs(qualities[i] - quality))
        best_psnr = self.psnr(best)
        here = sizes.index(at)
        for ahead in (sizes[here:], sizes[here - 1 :: -1] if here else []):
            start = near
            for scale in ahead:
                bits, start = self.fit(scale, start)
                psnr = -1.0 if bits is None else self.psnr(bits)
                if bits is not None and psnr >= best_psnr:
                    best, best_psnr = bits, psnr
                elif scale != at:
                    break
        return best
