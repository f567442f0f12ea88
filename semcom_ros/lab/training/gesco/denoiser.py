# SPDX-License-Identifier: Apache-2.0
"""`semcom train denoiser`: the small network that fast denoising of maps is held against."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F

from semcom_ros.errors import given
from semcom_ros.lab.learned_denoiser import (
    FILE,
    NETWORKS,
    SUNET_FILE,
    LearnedDenoiser,
    fill_void,
)
from semcom_ros.lab.map_noise import MAP_NOISES, receive_map
from semcom_ros.lab.metrics.confusion import ConfusionMatrix
from semcom_ros.lab.training import data
from semcom_ros.lab.training.gesco.received import LEVELS_DB
from semcom_ros.lab.training.loop import Training
from semcom_ros.lab.training.street_pack import OnCamvid, fitted
from semcom_ros.labels import fold

CROP = (128, 256)
SCORED_DB = (20.0, 10.0, 5.0, 1.0)
"""PSNR of the Gaussian noise in which a network in training is scored."""
CLASSES = data.CAMVID_CLASSES
_INDEX = data.class_indices(CLASSES)


class NoisyMap(NamedTuple):
    """Planes that crossed a channel, float32 [classes, *CROP], the classes present in the frame,
    bool [classes], not all of them in this window, and the true places, uint8 [*CROP]."""

    planes: np.ndarray
    present: np.ndarray
    places: np.ndarray


def noisy_window(labels: np.ndarray, rng: np.random.Generator) -> NoisyMap:
    """A random window of labels uint8 [H, W], as planes with any noise at any level."""
    labels = fold(labels)
    present = np.isin(CLASSES, labels)
    top, left = (rng.integers(n - c + 1) for n, c in zip(labels.shape, CROP, strict=True))
    window = labels[top : top + CROP[0], left : left + CROP[1]]
    places = _INDEX[window[:, ::-1] if rng.random() < 0.5 else window]
    one_hot = (places == np.flatnonzero(present)[:, None, None]).astype(np.float32)
    planes = np.zeros((len(CLASSES), *CROP), np.float32)
    noise = MAP_NOISES[rng.choice(list(MAP_NOISES))]
    planes[present] = noise(one_hot, rng.choice(LEVELS_DB), rng)
    return NoisyMap(planes, present, places)


class DenoiserTraining(OnCamvid, Training):
    """Keeps the best by mIoU on CamVid in noise of several levels."""

    name, what, out = "denoiser", "denoiser of one-hot label maps", Path("models") / FILE
    steps, batch, rate, scenes = 900, 8, 4e-3, 60
    best_by, warm_up, checkpoints = "miou", 50, 6

    @classmethod
    def options(cls, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--network", choices=NETWORKS, default="small", help="which kind")

    def check(self) -> None:
        super().check()
        if self.args.network == "sunet" and self.args.out == self.out:
            # What ships stays, and the state of the other network.
            self.args.out = SUNET_FILE
            self.log_as("denoiser_sunet")

    def begin(self) -> None:
        args = self.args
        learned, held_out = self.read_camvid()
        camvid = [given(frame.labels) for frame in fitted(learned)]
        scenes = data.render_scenes(args.scenes, range(100, 120)).labels
        # Every eighth of val: a score must not take longer than what it chooses from.
        few = held_out.labels[:: max(1, len(held_out) // 12)]
        self.held_out = [fill_void(labels) for labels in few]
        sets = [([fill_void(labels) for labels in camvid], 0.75), (scenes, 0.25)]
        self.batches = data.Batches(sets, args.batch, args.seed, noisy_window)
        self.learn(NETWORKS[args.network](len(CLASSES)), decay=0.99, weight_decay=0.01)

    def update(self, batch: NoisyMap, step: int) -> dict[str, torch.Tensor]:
        planes = batch.planes.to(torch.bfloat16, memory_format=torch.channels_last)
        loss = F.cross_entropy(self.network(planes, batch.present), batch.places.long())
        loss.backward()
        return {"loss": loss, "gradient": self.optimise(step)}

    def score(self) -> dict[str, float]:
        denoiser = LearnedDenoiser(self.average, CLASSES, self.args.device)
        scores = {f"{level:.0f} dB": miou(denoiser, self.held_out, level) for level in SCORED_DB}
        return {"miou": float(np.mean(list(scores.values()))), **scores}

    def card(self) -> dict[str, Any]:
        return {
            "network": self.args.network,
            "data": f"label maps: {self.frames}",
            "scores": {
                "on": f"mIoU in Gaussian noise, {len(self.held_out)} maps of {self.choosing} at "
                "256x512"
            },
        }


def miou(denoiser: LearnedDenoiser, maps: list[np.ndarray], level_db: float) -> float:
    """Of true maps uint8 [H, W] as planes in Gaussian noise of `level_db`, denoised."""
    confusion = ConfusionMatrix(folded=True)
    for i, labels in enumerate(maps):
        planes = denoiser(*receive_map(labels, level_db, i))
        confusion.add(labels, planes.argmax(0).astype(np.uint8))
    return confusion.miou()
