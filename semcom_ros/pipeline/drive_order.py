# SPDX-License-Identifier: Apache-2.0
"""Where a payload stands in the drive of its vehicle, by its number and its capture stamp."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from enum import Enum, auto

from semcom_ros.codecs.base import REFERENCES
from semcom_ros.payload import Header, PayloadError

BEGINS_AGAIN = 5
"""So many frames in a row, each after the other and all older than what came before, are a drive
that began again: half a second at 10 Hz. What a radio brings late or twice comes among newer ones,
and one replayed packet is far from it."""
FASTEST_HZ, SLACK, MOST_MISSING = 200, 8, 36_000
"""Numbers that were left out are missing as far as a camera can have taken so many in that time,
and at most an hour at 10 Hz of them; beyond it, the vehicle counts from elsewhere."""
REMEMBERED, NEAR = 1024, 64
"""How many numbers and stamps are kept, and how far a vehicle gets while its camera begins again.
"""


class Place(Enum):
    """GOES_ON: of the drive as it was heard so far. ELSEWHERE: so are the frames that it may lean
    on, but its number or stamp are not near the last. ANEW: of a drive that began again."""

    GOES_ON = auto()
    ELSEWHERE = auto()
    ANEW = auto()


class DriveOrder:
    """The frames of one vehicle that were heard. missing: is told how many more never arrived; of
    late ones it hears that they did.

    `place` takes nothing in but a row of frames that may be a drive begun again; `take` and `came`
    do.
    """

    def __init__(self, missing: Callable[[int], None]) -> None:
        self._missing = missing
        self.forget()

    def forget(self) -> None:
        """Begin with whatever comes next."""
        self.last_sequence: int | None = None
        self._heard_ns = self._admitted_ns = -1
        self._stamps: deque[int] = deque(maxlen=REMEMBERED)
        self._awaited: deque[int] = deque(maxlen=REMEMBERED)
        self._came: deque[int] = deque(maxlen=REMEMBERED)
        self._row, self._row_end = 0, (0, 0)
        self._anew: int | None = None

    def place(self, header: Header) -> Place:
        """Where the frame stands; raises PayloadError duplicate or late where it is no news."""
        if self.last_sequence is None:
            return Place.GOES_ON
        ahead = header.sequence - self.last_sequence
        if header.stamp > self._heard_ns:
            return self._newer(header, ahead)
        # A newer number with an older capture: the vehicle runs on, but its camera began again.
        if header.stamp < self._heard_ns and 0 < ahead <= NEAR:
            return Place.ELSEWHERE
        known = header.stamp in self._stamps
        if not known and header.stamp > self._admitted_ns:
            return Place.GOES_ON
        if not known and header.sequence in self._awaited:
            self.came(header.sequence)
            self._stamps.append(header.stamp)
        else:
            (sequence, stamp), self._row_end = self._row_end, (header.sequence, header.stamp)
            follows = header.sequence > sequence and header.stamp > stamp
            self._row = self._row + 1 if follows else 1
            if self._row >= BEGINS_AGAIN:
                return Place.ANEW
        if known:
            raise PayloadError("duplicate", f"Frame {header.sequence} has arrived before.")
        behind = (self._admitted_ns - header.stamp) / 1e9
        raise PayloadError(
            "late", f"Frame {header.sequence} is {behind:.3f} s older than the newest admitted."
        )

    def take(self, header: Header, place: Place, admitted: bool) -> None:
        """Take in a frame with its place. What cannot be decoded is believed where it goes on."""
        if admitted and place is not Place.GOES_ON:
            self.forget()
        elif place is Place.ANEW:
            self._anew = header.sequence
        if admitted or place is Place.GOES_ON:
            self._count(header.sequence)
            self._heard_ns = max(self._heard_ns, header.stamp)
            self._stamps.append(header.stamp)
            self._row, self._anew = 0, None
        if admitted:
            self._admitted_ns = header.stamp

    def came(self, sequence: int) -> None:
        """Frame `sequence` did arrive, whatever became of it: it is not missing."""
        if sequence in self._awaited:
            self._awaited.remove(sequence)
            self._missing(-1)
        else:
            self._came.append(sequence)

    def _count(self, sequence: int) -> None:
        last = self.last_sequence
        if last is not None and sequence < last:
            self.came(sequence)
            return
        gap = range(last + 1, sequence) if last is not None else range(0)
        came = {number for number in self._came if number in gap}
        self._missing(len(gap) - len(came))
        self._awaited.extend(n for n in gap[-REMEMBERED:] if n not in came)
        self.last_sequence = sequence

    def _newer(self, header: Header, ahead: int) -> Place:
        # After the first frames of a vehicle that was started anew, none of which can be decoded,
        # its next may well have the number that comes after the last of before.
        if self._anew is not None and 0 < header.sequence - self._anew <= REFERENCES:
            return Place.ANEW
        seconds = (header.stamp - self._heard_ns) / 1e9
        if 0 < ahead <= 1 + min(MOST_MISSING, SLACK + FASTEST_HZ * seconds):
            return Place.GOES_ON
        # A smaller number: the vehicle was started anew, unless the frame leans on a larger one,
        # where numbers begin again.
        anew = ahead <= 0 and header.reference <= header.sequence
        return Place.ANEW if anew else Place.ELSEWHERE
