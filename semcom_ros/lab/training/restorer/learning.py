# SPDX-License-Identifier: Apache-2.0
"""What the restorer begins as, what it does, and how a batch changes it."""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from semcom_ros import weights
from semcom_ros.codecs.gesco.diffusion_network import DiffusionNetwork
from semcom_ros.lab.training.adversarial import Discriminator
from semcom_ros.lab.training.imagenet_features import ImagenetFeatures
from semcom_ros.lab.training.restorer.batches import PictureBatch
from semcom_ros.lab.training.restorer.losses import ms_ssim_loss, smoothed_l1
from semcom_ros.labels import CLASSES, TRAIN_ID, fold

L1, SMOOTH, SSIM, FEATURES = 4.0, 4.0, 3.0, 1.2
"""Weights of the losses."""
FEATURE_SCALES = (1.0, 1.0, 0.8571428571428571, 0.7142857142857143, 0.5714285714285714)
"""Of the crop, for the features: no one grid of pixels pleases them all."""
SHIFT = 8
"""Pixels by which the crop that is seen at its own scale wanders: the grid of strides must not fall
on the same ones every time."""
DISCRIMINATOR_RATE = 0.4
DECAY = 0.998


def restorer(fine: int, start: Path | None) -> DiffusionNetwork:
    """A network over all 19 classes that begins as the shipped diffusion where `start` is given."""
    network = DiffusionNetwork(len(CLASSES), fine=fine)
    for block in network.fine:
        # Does nothing at first.
        nn.init.zeros_(block.second.conv.norm.weight)
        nn.init.zeros_(block.second.shift.weight)
        nn.init.zeros_(block.second.shift.bias)
    if start is None:
        return network
    tensors, card = weights.load(start, "semcom train gesco --camvid DIR")
    known = [TRAIN_ID[name] for name in card["classes"]]
    tensors = {name: torch.from_numpy(np.array(t)) for name, t in tensors.items()}
    embed = tensors["embed.weight"].float()
    if len(known) < len(CLASSES):
        folded = fold(np.arange(len(CLASSES), dtype=np.uint8))
        places = [known.index(c if c in known else int(folded[c])) for c in range(len(CLASSES))]
        tensors["embed.weight"] = embed[:, places]
    own = network.state_dict()
    own.update({n: t.to(own[n].dtype) for n, t in tensors.items()})
    network.load_state_dict(own)
    return network


def restore(network: DiffusionNetwork, batch: PictureBatch) -> torch.Tensor:
    """float32 [B, 3, h, w], about 0..1."""
    conditions = network.condition(batch.class_shares, batch.picture)
    return network.denoise(2 * batch.picture - 1, batch.sharpness, conditions).float()


class RestorerLearning:
    """Network, its average, discriminator and optimisers; `update` changes them by one batch."""

    def __init__(self, network: DiffusionNetwork, features: ImagenetFeatures, device: torch.device):
        self.device = device
        self.network = network.to(device, memory_format=torch.channels_last).train()
        self.average = copy.deepcopy(self.network).eval().requires_grad_(False)
        self.features = features.to(device, memory_format=torch.channels_last)
        self.discriminator = Discriminator(len(CLASSES)).to(
            device, memory_format=torch.channels_last
        )
        self.optimizer = _adamw(self.network, 0.01, (0.9, 0.98))
        self.rival = _adamw(self.discriminator, 0.0, (0.5, 0.98))
        self.steps = 0
        self.random = np.random.default_rng(1)

    def update(
        self, batch: PictureBatch, rate: float, adversarial: float
    ) -> dict[str, torch.Tensor]:
        with torch.autocast(self.device.type, torch.bfloat16):
            image = restore(self.network, batch)
        target, emphasis = batch.image, batch.emphasis
        seen = {
            "l1": ((image - target).abs() * emphasis).mean(),
            "smooth": smoothed_l1(image, target),
            "ssim": ms_ssim_loss(image, target),
            "features": self._feature_distance(image, target, emphasis),
        }
        loss = (
            L1 * seen["l1"]
            + SMOOTH * seen["smooth"]
            + SSIM * seen["ssim"]
            + FEATURES * seen["features"]
        )
        if adversarial:
            logits, seen["hinge"] = self._compete(image, batch, rate)
            loss = loss + adversarial * logits
        loss.backward()
        seen["norm"] = _step(self.network, self.optimizer, rate)
        self.steps += 1
        decay = min(DECAY, (1 + self.steps) / (10 + self.steps))
        with torch.no_grad():
            ours, averaged = _floats(self.network), _floats(self.average)
            torch._foreach_lerp_(averaged, ours, 1 - decay)
        return {name: value.detach() for name, value in seen.items()}

    def _feature_distance(
        self, image: torch.Tensor, target: torch.Tensor, emphasis: torch.Tensor
    ) -> torch.Tensor:
        scale = self.random.choice(FEATURE_SCALES)
        if scale != 1:
            size = [round(side * scale / 32) * 32 for side in image.shape[-2:]]
            image, target, emphasis = (
                F.interpolate(t, size=size, mode="bilinear", antialias=True)
                for t in (image, target, emphasis)
            )
        else:
            height, width = (side - SHIFT for side in image.shape[-2:])
            y, x = self.random.integers(0, SHIFT + 1, 2)
            image, target, emphasis = (
                t[:, :, y : y + height, x : x + width] for t in (image, target, emphasis)
            )
        with torch.autocast(self.device.type, torch.bfloat16):
            return self.features.distance(image, target, emphasis).mean()

    def _compete(
        self, image: torch.Tensor, batch: PictureBatch, rate: float
    ) -> tuple[torch.Tensor, torch.Tensor]:
        network, shares = self.discriminator, batch.class_shares
        network.requires_grad_(True)
        with torch.autocast(self.device.type, torch.bfloat16):
            doubted, _ = network(image.detach(), shares)
            trusted, wanted = network(batch.image, shares)
        hinge = F.relu(1 + doubted.float()).mean() + F.relu(1 - trusted.float()).mean()
        hinge.backward()
        _step(network, self.rival, DISCRIMINATOR_RATE * rate)
        network.requires_grad_(False)
        with torch.autocast(self.device.type, torch.bfloat16):
            score, found = network(image, shares)
        matching = sum(
            F.l1_loss(f.float(), w.detach().float()) for f, w in zip(found, wanted, strict=True)
        )
        return matching - score.float().mean(), hinge

    def state(self) -> dict:
        parts = (self.network, self.average, self.discriminator, self.optimizer, self.rival)
        return {"parts": [p.state_dict() for p in parts], "steps": self.steps}

    def resume(self, state: dict) -> None:
        parts = (self.network, self.average, self.discriminator, self.optimizer, self.rival)
        for part, saved in zip(parts, state["parts"], strict=True):
            part.load_state_dict(saved)
        self.steps = state["steps"]


def _adamw(network: nn.Module, decay: float, betas: tuple[float, float]) -> torch.optim.AdamW:
    weights_, others = [], []
    for parameter in network.parameters():
        (weights_ if parameter.ndim > 1 else others).append(parameter)
    groups = [
        {"params": weights_, "weight_decay": decay},
        {"params": others, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=1e-3, betas=betas, fused=True)


def _step(network: nn.Module, optimizer: torch.optim.AdamW, rate: float) -> torch.Tensor:
    for group in optimizer.param_groups:
        group["lr"] = rate
    norm = nn.utils.clip_grad_norm_(network.parameters(), 5.0)
    # The fused step leaves all as it is where this says so, and the host need not wait to know.
    optimizer.grad_scale, optimizer.found_inf = None, (~norm.isfinite()).float()
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    return norm


def _floats(network: nn.Module) -> list[torch.Tensor]:
    tensors = (*network.parameters(), *network.buffers())
    return [t.detach() for t in tensors if t.is_floating_point()]
