# SPDX-License-Identifier: Apache-2.0
"""Labels as truth knows them: a class of the nineteen, or one of several that a set lumps."""

from __future__ import annotations

import numpy as np

from semcom_ros.labels import CLASSES as LABELS
from semcom_ros.labels import NAMES, SUPERCLASS, TRAIN_ID, VOID, fold

CLASSES = len(NAMES)
_SUPERCLASSES = tuple(dict.fromkeys(SUPERCLASS.values()))
GROUPS = tuple(
    tuple(TRAIN_ID[n] for n in (name, *(c for c, s in SUPERCLASS.items() if s == name)))
    for name in _SUPERCLASSES
)
"""The trainIds that a lumped label may be: rows `CLASSES` and on."""
ROWS = CLASSES + len(GROUPS)
_LUMPED = dict(zip(_SUPERCLASSES, range(CLASSES, ROWS), strict=True))
FOLDED = tuple(int(c) for c in np.unique(fold(np.arange(CLASSES, dtype=np.uint8))))
"""The eleven classes that CamVid knows."""


def rows_of(labels: np.ndarray, lumped: tuple[str, ...]) -> np.ndarray:
    """Labels uint8 trainId -> rows, of a set whose classes `lumped` hold their kin as well."""
    table = np.arange(256, dtype=np.uint8)
    table[CLASSES:] = VOID
    for name in lumped:
        table[TRAIN_ID[name]] = _LUMPED[name]
    return table[labels]


CAMVID = tuple(_LUMPED)
"""What CamVid lumps: all of them."""
DRIVE = ("building", "vegetation")
"""What the procedural drive lumps: it has walls and meadows and calls them so."""


_PASTED = {c for c, label in enumerate(LABELS) if label.thing or label.name in ("pole", "fence")}
PASTEABLE = sorted(_PASTED | {CLASSES + g for g, group in enumerate(GROUPS) if group[0] in _PASTED})
"""Things and thin classes, which may stand anywhere."""


def folding() -> np.ndarray:
    """float32 [ROWS, 11]: 1 where a row is, in CamVid's classes, the one of the column."""
    matrix = np.zeros((ROWS, len(FOLDED)), np.float32)
    of = fold(np.array([*range(CLASSES), *(g[0] for g in GROUPS)], np.uint8))
    matrix[np.arange(ROWS), [FOLDED.index(c) for c in of]] = 1
    return matrix
