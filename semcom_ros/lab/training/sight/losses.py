# SPDX-License-Identifier: Apache-2.0
"""Labels as truth knows them, a class of the nineteen or one of several that a set lumps, called
rows; and what training holds against a segmenter by them: entropy and overlap."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F

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


BALANCE = 0.4
"""Rare rows weigh frequency to the minus this."""
LEAST = 50
"""Pixels in a batch; the overlap of a class with fewer says little."""


class LabelLoss:
    """Cross-entropy, and the mean class's 1 - soft intersection over union, of labels as rows.

    The second (Rahman, Wang, ISVC 2016) is taken twice: in CamVid's eleven classes over all labels,
    and in the nineteen over those that are exact. shares: float64 [ROWS], of the pixels.
    """

    def __init__(self, shares: np.ndarray, device: str):
        balance = np.maximum(shares, 1e-4) ** -BALANCE
        balance /= (balance * shares).sum()
        weight = np.concatenate([balance, np.zeros(VOID + 1 - ROWS)]).astype(np.float32)
        self.weight = torch.from_numpy(weight).to(device)
        self.groups = [torch.tensor(g).to(device) for g in GROUPS]
        matrix = folding()
        self.fold = torch.from_numpy(matrix[:CLASSES]).to(device)
        folded = np.full(VOID + 1, len(FOLDED), np.int64)
        folded[:ROWS] = matrix.argmax(1)
        self.folded = torch.from_numpy(folded).to(device)

    def __call__(self, logits: torch.Tensor, rows: torch.Tensor) -> dict[str, torch.Tensor]:
        """logits: float32 [B, 19, H/2, W/2]. rows: int64 [B, H, W]."""
        logits = F.interpolate(logits, size=rows.shape[1:], mode="bilinear")
        logs = logits.log_softmax(1)
        groups = [logs[:, g].logsumexp(1, keepdim=True) for g in self.groups]
        own = torch.cat([logs, *groups], 1).gather(1, rows.clamp(max=ROWS - 1)[:, None])[:, 0]
        weight = self.weight[rows]
        said = logs.exp()
        coarse = torch.einsum("bchw,cd->bdhw", said, self.fold)
        exact = torch.where(rows < CLASSES, rows, CLASSES)
        return {
            "entropy": -(own * weight).sum() / weight.sum().clamp(min=1),
            "overlap": _missed(coarse, self.folded[rows]),
            "exact overlap": _missed(said, exact),
        }


def _missed(said: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """1 - soft IoU of the mean class present; said: [B, K, H, W], labels: [B, H, W], K unknown."""
    kinds = said.shape[1]
    true = labels[:, None] == torch.arange(kinds, device=said.device)[:, None, None]
    both = (said * true).sum((0, 2, 3))
    some = (said * (labels < kinds)[:, None]).sum((0, 2, 3))
    pixels = true.sum((0, 2, 3))
    present = (pixels >= LEAST).float()
    missed = 1 - (both + 1) / (some + pixels - both + 1)
    return (missed * present).sum() / present.sum().clamp(min=1)


def distillation(logits: torch.Tensor, taught: torch.Tensor) -> torch.Tensor:
    """Kullback-Leibler divergence of the posteriors from the teacher's `taught`, a pixel's mean.

    logits: float32 [B, 19, h, w]. taught: posteriors of the same shape.
    """
    logs = logits.log_softmax(1)
    return (taught * (taught.clamp(min=1e-6).log() - logs)).sum(1).mean()
