# SPDX-License-Identifier: Apache-2.0
"""What training holds against the perception network: labels, heat, boxes and depth."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from semcom_ros.lab.training.perception.data import (
    COARSE,
    SEGMENTED,
    BoxTargets,
    PerceptionBatch,
)
from semcom_ros.labels import VOID
from semcom_ros.perception.networks import MIDDLE, Outputs
from semcom_ros.runtime import declare_operators

FARTHEST = 150.0
"""Metres; what is farther away shall be said to be there."""
LEAST = 50
"""Pixels in a batch; the overlap of a class with fewer says little."""


def heat_loss(logits: torch.Tensor, targets: BoxTargets) -> torch.Tensor:
    """Focal loss of the heat a centre (Law, Deng, "CornerNet", ECCV 2018, equation 1)."""
    p = logits.sigmoid().clamp(1e-4, 1 - 1e-4)
    centre = targets.heat == 1
    hit = -((1 - p) ** 2) * p.log()
    miss = -((1 - targets.heat) ** 4) * p**2 * (1 - p).log()
    loss = torch.where(centre, hit, miss) * targets.counted
    return loss.sum() / centre.sum().clamp(min=1)


def box_loss(sides: torch.Tensor, targets: BoxTargets) -> torch.Tensor:
    """1 - generalised intersection over union (Rezatofighi et al., CVPR 2019), a mean object's."""
    declare_operators()
    from torchvision.ops import generalized_box_iou_loss

    rows, cols = (torch.arange(n, device=sides.device) + 0.5 for n in sides.shape[2:])
    y, x = torch.meshgrid(rows, cols, indexing="ij")
    left, top, right, bottom = sides.exp().unbind(1)
    said = torch.stack([x - left, y - top, x + right, y + bottom], -1)
    # All cells alike, whether they learn a box or not: a GPU need not tell first which do.
    loss = generalized_box_iou_loss(said, targets.box.permute(0, 2, 3, 1))
    return (loss * targets.weight).sum() / targets.weight.sum().clamp(min=1e-6)


def depth_loss(depth: torch.Tensor, metres: torch.Tensor) -> torch.Tensor:
    """Mean error of the logarithm, and its scale-invariant part (Eigen et al., NeurIPS 2014).

    depth: [B, 1, H/2, W/2] as in `Outputs`. metres: [B, H, W], NaN where nothing is to be learnt.
    """
    said = F.interpolate(depth, size=metres.shape[1:], mode="bilinear")[:, 0]
    known = metres.isfinite()
    error = torch.where(known, said - (metres.clamp(max=FARTHEST) / MIDDLE).log(), 0.0)
    count = known.sum((1, 2)).clamp(min=1)
    mean, square = error.sum((1, 2)) / count, error.square().sum((1, 2)) / count
    invariant = (square - 0.5 * mean**2 + 1e-6).sqrt()
    frames = known.any(2).any(1).float()
    each = error.abs().sum((1, 2)) / count + 0.5 * invariant
    return (each * frames).sum() / frames.sum().clamp(min=1)


def label_losses(
    logits: torch.Tensor, labels: torch.Tensor, balance: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Cross-entropy of the labels, and the mean class's 1 - soft intersection over union.

    logits: [B, classes, H, W]. labels: uint8 [B, H, W] as in `Sample`. balance: float32 [rows],
    the weight of each in the cross-entropy, in which the posteriors of a coarse label's classes add
    up. The second is the loss of Rahman, Wang, "Optimizing Intersection-Over-Union in Deep Neural
    Networks for Image Segmentation", ISVC 2016, a class: as in mIoU a thin one counts as much as a
    wide one. It is taken over exact labels of the batch and classes of `LEAST` pixels there.
    """
    # Planes of a class each: along 15 values side by side a softmax takes three times as long.
    logs = logits.contiguous().log_softmax(1)
    rows = labels.long()
    weight = torch.cat([balance, balance.new_zeros(VOID + 1 - len(balance))])[rows]
    exact = (rows < len(SEGMENTED)).float()
    places = rows.clamp(max=len(SEGMENTED) - 1)
    own = logs.gather(1, places[:, None])[:, 0]
    entropy = -(own * weight * exact).sum()
    coarse = (exact == 0) & (rows != VOID)
    planes = logs.unbind(1)
    superclass = torch.stack(
        [torch.stack([planes[i] for i in group]).logsumexp(0) for group in COARSE], 1
    )
    group = (rows - len(SEGMENTED)).clamp(0, len(COARSE) - 1)
    entropy = entropy - (superclass.gather(1, group[:, None])[:, 0] * weight * coarse).sum()

    zeros, at = balance.new_zeros(len(SEGMENTED)), places.flatten()
    said = (logs.exp().flatten(2) @ exact.flatten(1)[:, :, None]).sum((0, 2))
    true = zeros.index_add(0, at, exact.flatten())
    both = zeros.index_add(0, at, (own.exp() * exact).flatten())
    missed = 1 - (both + 1) / (said + true - both + 1)
    taught = true >= LEAST
    overlap = (missed * taught).sum() / taught.sum().clamp(min=1)
    return entropy / weight.sum().clamp(min=1e-6), overlap


def losses(
    outputs: Outputs, batch: PerceptionBatch, balance: torch.Tensor
) -> dict[str, torch.Tensor]:
    """All of them by name; training adds them up. balance: as `label_losses` takes it."""
    labels, heat, sides, depth = (x.float() for x in outputs)
    entropy, overlap = label_losses(labels, batch.labels, balance)
    return {
        "labels": 2 * entropy,
        "overlap": 2 * overlap,
        "heat": heat_loss(heat, batch.boxes),
        "box": 2 * box_loss(sides, batch.boxes),
        "depth": 2 * depth_loss(depth, batch.depth),
    }
