# SPDX-License-Identifier: Apache-2.0
"""`semcom train denoiser`: the small network that fast denoising of maps is held against."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from semcom_ros import weights
from semcom_ros.frame import WORK_SIZE
from semcom_ros.lab.learned_denoiser import FILE, DenoisingNetwork, LearnedDenoiser, fill_void
from semcom_ros.lab.map_noise import MAP_NOISES
from semcom_ros.lab.metrics.confusion import ConfusionMatrix
from semcom_ros.lab.training import data
from semcom_ros.lab.training.gesco.noisy_map import LEVELS_DB
from semcom_ros.lab.training.loop import MixedPrecision, cosine, train
from semcom_ros.lab.training.recipe import command_line
from semcom_ros.labels import LABEL_SPACE, NAMES, fold

CROP = (128, 256)
CHECKPOINTS = 6
SCORED_DB = (20.0, 10.0, 5.0, 1.0)
"""PSNR of the Gaussian noise in which a network in training is scored."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `semcom train denoiser`."""
    parser.add_argument("--camvid", type=Path, required=True, help="folder of the CamVid data")
    parser.add_argument("--out", type=Path, default=Path("models") / FILE)
    parser.add_argument("--steps", type=int, default=900, help="updates")
    parser.add_argument("--batch", type=int, default=8, help="samples an update")
    parser.add_argument("--rate", type=float, default=4e-3, help="peak learning rate")
    parser.add_argument("--scenes", type=int, default=60, help="frames of the procedural drive")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--log", type=Path, default=Path("out/train/denoiser.jsonl"))


class NoisyMaps:
    """Random windows of label maps, as planes that crossed a channel of any noise and level."""

    def __init__(self, sets: list[np.ndarray], classes: tuple[int, ...], batch: int, seed: int):
        self.sets, self.classes, self.batch = sets, np.array(classes), batch
        self.index = data.class_indices(classes)
        self.rng = np.random.default_rng(seed)

    def __call__(self) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Planes float32 [B, classes, *CROP], present bool [B, classes], places int64 [B, *CROP].

        Sets of maps are drawn alike. What is present is so in the frame, not in every window.
        """
        planes = np.zeros((self.batch, len(self.classes), *CROP), np.float32)
        present = np.zeros((self.batch, len(self.classes)), bool)
        places = np.empty((self.batch, *CROP), np.int64)
        for k in range(self.batch):
            maps = self.sets[self.rng.integers(len(self.sets))]
            labels = fold(maps[self.rng.integers(len(maps))])
            present[k] = np.isin(self.classes, labels)
            places[k] = self.index[self._window(labels)]
            one_hot = (places[k] == np.flatnonzero(present[k])[:, None, None]).astype(np.float32)
            noise = MAP_NOISES[self.rng.choice(list(MAP_NOISES))]
            planes[k, present[k]] = noise(one_hot, self.rng.choice(LEVELS_DB), self.rng)
        return torch.from_numpy(planes), torch.from_numpy(present), torch.from_numpy(places)

    def _window(self, labels: np.ndarray) -> np.ndarray:
        top, left = (self.rng.integers(n - c + 1) for n, c in zip(labels.shape, CROP, strict=True))
        window = labels[top : top + CROP[0], left : left + CROP[1]]
        return window[:, ::-1] if self.rng.random() < 0.5 else window


def run(args: argparse.Namespace) -> None:
    """Train, keep the best by CamVid val mIoU, write weights and card."""
    torch.manual_seed(args.seed)
    classes = data.CAMVID_CLASSES
    camvid = data.read_camvid(args.camvid, "train", WORK_SIZE).labels
    scenes = data.render_scenes(args.scenes, range(100, 120)).labels
    # Every eighth frame: a score must not take longer than what it chooses from.
    held_out = data.read_camvid(args.camvid, "val", WORK_SIZE).labels[::8]
    held_out = [fill_void(labels) for labels in held_out]
    camvid = np.stack([fill_void(labels) for labels in camvid])
    # Three maps of real streets for each of the procedural drive.
    batches = NoisyMaps([camvid, camvid, camvid, scenes], classes, args.batch, args.seed)

    network = DenoisingNetwork(len(classes))
    trainer = MixedPrecision(network, torch.bfloat16, decay=0.99, weight_decay=0.01)
    network.train()

    def update(step: int) -> dict[str, float]:
        planes, present, places = batches()
        planes = planes.to(torch.bfloat16, memory_format=torch.channels_last)
        loss = F.cross_entropy(network(planes, present), places)
        loss.backward()
        norm = trainer.step(cosine(step, args.steps, args.rate, warm_up=50))
        return {"loss": loss.item(), "gradient": norm}

    def score() -> dict[str, float]:
        denoiser = LearnedDenoiser.of(trainer.average, classes)
        scores = {f"{level:.0f} dB": _miou(denoiser, held_out, level) for level in SCORED_DB}
        return {"miou": float(np.mean(list(scores.values()))), **scores}

    def keep(scores: dict[str, float]) -> None:
        card = {
            "what": "denoiser of one-hot label maps",
            "label_space": LABEL_SPACE,
            "classes": [NAMES[c] for c in classes],
            "data": f"label maps: CamVid train (367) and {args.scenes} of the procedural drive",
            "recipe": command_line("denoiser", args),
            "scores": {
                "on": f"mIoU in Gaussian noise, {len(held_out)} maps of CamVid val at 256x512",
                **{name: round(value, 4) for name, value in scores.items()},
            },
        }
        weights.save(args.out, weights.tensors_of(trainer.average), card)

    train(
        update, args.steps, score, keep, "miou", args.log, every=max(1, args.steps // CHECKPOINTS)
    )


def _miou(denoiser: LearnedDenoiser, maps: list[np.ndarray], level_db: float) -> float:
    confusion = ConfusionMatrix(folded=True)
    for i, labels in enumerate(maps):
        present = np.unique(labels)
        one_hot = (labels == present[:, None, None]).astype(np.float32)
        received = MAP_NOISES["gaussian"](one_hot, level_db, np.random.default_rng(i))
        confusion.add(labels, denoiser(received, present).argmax(0).astype(np.uint8))
    return confusion.miou()
