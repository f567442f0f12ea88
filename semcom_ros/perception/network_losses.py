# SPDX-License-Identifier: Apache-2.0
"""What training holds against the perception network: labels, heat, boxes and depth."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from semcom_ros.labels import VOID
from semcom_ros.perception.box_targets import BoxTargets
from semcom_ros.perception.network import MIDDLE, Outputs
from semcom_ros.perception.network_data import COARSE, SEGMENTED, Batch
from semcom_ros.torchvision_schemas import declare_operators

FARTHEST = 150.0
"""Metres; what is farther away shall be said to be there."""


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

    rows, cols = sides.shape[2:]
    y, x = torch.meshgrid(torch.arange(rows) + 0.5, torch.arange(cols) + 0.5, indexing="ij")
    left, top, right, bottom = sides.exp().unbind(1)
    said = torch.stack([x - left, y - top, x + right, y + bottom], -1)
    taught = targets.weight > 0
    if not taught.any():
        return sides.sum() * 0
    loss = generalized_box_iou_loss(said[taught], targets.box.permute(0, 2, 3, 1)[taught])
    weight = targets.weight[taught]
    return (loss * weight).sum() / weight.sum()


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


def label_loss(logits: torch.Tensor, labels: torch.Tensor, balance: torch.Tensor) -> torch.Tensor:
    """Cross-entropy of the labels, in which the chances of a coarse label's classes add up.

    logits: [B, classes, H, W]. labels: uint8 [B, H, W] as in `Sample`. balance: float32 [rows],
    the weight of each.
    """
    known = labels != VOID
    rows, chosen = labels[known].long(), logits.permute(0, 2, 3, 1)[known]
    exact = chosen.gather(1, rows.clamp(max=len(SEGMENTED) - 1)[:, None])[:, 0]
    for i, group in enumerate(COARSE, len(SEGMENTED)):
        among = torch.logsumexp(chosen[:, list(group)], 1)
        exact = torch.where(rows == i, among, exact)
    weight = balance[rows]
    return ((torch.logsumexp(chosen, 1) - exact) * weight).sum() / weight.sum().clamp(min=1e-6)


def losses(outputs: Outputs, batch: Batch, balance: torch.Tensor) -> dict[str, torch.Tensor]:
    """All of them by name; training adds them up. balance: as `label_loss` takes it."""
    labels, heat, sides, depth = (x.float() for x in outputs)
    return {
        "labels": 2 * label_loss(labels, batch.labels, balance),
        "heat": heat_loss(heat, batch.boxes),
        "box": 2 * box_loss(sides, batch.boxes),
        "depth": 2 * depth_loss(depth, batch.depth),
    }
