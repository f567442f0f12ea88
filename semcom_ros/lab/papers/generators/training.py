# SPDX-License-Identifier: Apache-2.0
"""`semcom train generator`: any of the generators, on the same frames and by the same updates."""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from semcom_ros import weights
from semcom_ros.codecs.gesco.diffusion_network import DiffusionNetwork
from semcom_ros.codecs.gesco.shared import DIFFUSION_FILE, DIFFUSION_RECIPE, GescoShared
from semcom_ros.coding import thumbnail
from semcom_ros.errors import SemcomError, given
from semcom_ros.frame import Frame, fit
from semcom_ros.lab.papers.generators import networks
from semcom_ros.lab.papers.generators.control import ControlledDiffusion
from semcom_ros.lab.papers.generators.learning import LEARNING, OnePassLearning, discriminator
from semcom_ros.lab.papers.generators.painter import painter
from semcom_ros.lab.training import data, street_pack
from semcom_ros.lab.training.adversarial import AdversarialTraining
from semcom_ros.lab.training.gesco.received import ReceivedBatch, draw_level, noisy_planes
from semcom_ros.lab.training.imagenet_features import ImagenetFeatures
from semcom_ros.lab.training.perceptual import FeatureLoss
from semcom_ros.lab.training.recipe import check_sides
from semcom_ros.lab.training.street_pack import HELD_EVERY
from semcom_ros.labels import CLASSES, VOID, fold
from semcom_ros.layers.class_shares import ClassShares
from semcom_ros.layers.image_input import to_input
from semcom_ros.perception import segmentation

PLANES = len(data.CAMVID_CLASSES)
ZOOM = (0.5, 1.0)
"""Scales of work at which windows are cut: from whole frames on."""
NULL = {"sdm": 0.2, "control": 0.1, "gesco": 0.1}
"""Share of the samples without a map, from which diffusions learn what guidance needs."""
HELD = 4
"""Held-out frames that choose."""


class ToPaint:
    """Windows of images and labels in, what a generator is given of them out.

    class_shares: of the generator. null: share of the samples without a map. noisy: planes as over
    GESCO's noise, undenoised. colours: float32 [h, w, 3], a typical street's.
    """

    def __init__(self, class_shares: ClassShares, null: float, noisy: bool, colours: np.ndarray):
        self.class_shares, self.null, self.noisy = class_shares, null, noisy
        self.colours = torch.from_numpy(colours.transpose(2, 0, 1))[None]

    def __call__(
        self, drawn: list[tuple[np.ndarray, np.ndarray]], rng: np.random.Generator
    ) -> ReceivedBatch:
        images, labels = map(np.stack, zip(*drawn, strict=True))
        shares = np.stack([self.shares(fold(one), rng) for one in labels])
        shares[rng.random(len(shares)) < self.null] = 0
        cells = [side // thumbnail.CELL for side in labels.shape[1:]]
        colours = F.interpolate(self.colours, size=cells, mode="bilinear")
        return ReceivedBatch(
            torch.from_numpy(shares).to(torch.bfloat16, memory_format=torch.channels_last),
            colours.expand(len(images), -1, -1, -1).bfloat16(),
            torch.zeros(len(images), dtype=torch.bool),
            torch.from_numpy(images),
            torch.from_numpy(labels),
        )

    def shares(self, labels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """float32 [classes, h, w] of labels uint8 [H, W]."""
        level = draw_level(rng) if self.noisy else None
        # Noise lies on planes of classes: a window of void alone has none.
        if level is None or (labels == VOID).all():
            return self.class_shares.of_labels(labels)
        planes = np.zeros((len(CLASSES), *labels.shape), np.float32)
        present = np.setdiff1d(labels, [VOID])
        one_hot = (labels == present[:, None, None]).astype(np.float32)
        planes[present] = noisy_planes(one_hot, level, rng)
        return self.class_shares.of_planes(planes, labels.shape)


class GeneratorTraining(street_pack.OnPack, AdversarialTraining):
    """Keeps the nearest to held-out frames in Lite1's features."""

    name, what, scenes = "generator", "a generator that GESCO is held against", None
    out, steps, batch, rate = networks.FOLDER, 20_000, 8, 1e-3
    best_by, warm_up, checkpoints, sharpened_from, weight = "mark", 20, 2, 0.5, 0.05

    @classmethod
    def options(cls, parser: argparse.ArgumentParser) -> None:
        add = parser.add_argument
        add("--network", choices=networks.TWINS, required=True, help="which")
        add("--full", action="store_true", help="in the size published")
        add("--noisy", action="store_true", help="maps come with GESCO's noise")
        add("--crop", type=int, nargs=2, default=(128, 256), help="multiples of 128")
        models = "segmenter, typical colours, and the diffusion that control steers"
        add("--models", type=Path, default=Path("models"), help=models)
        super().options(parser)

    def check(self) -> None:
        args = self.args
        check_sides("--crop", args.crop, 128)
        if not args.out.suffix:
            args.out = args.out / networks.file_of(args.network, args.full).name
            self.log_as(f"generator_{args.out.stem}")
        super().check()

    def begin(self) -> None:
        args, name = self.args, self.args.network
        samples = street_pack.read_pack(args.pack)["camvid"]
        held = np.arange(len(samples)) % HELD_EVERY == 0
        frames = [fit(Frame(*samples[int(i)])) for i in np.flatnonzero(held)]
        self.held_out = frames[:: max(1, len(frames) // HELD)]
        if name == "control":
            network: nn.Module = ControlledDiffusion(shipped_diffusion(args.models))
        else:
            network = networks.create(name, PLANES, args.full)
        network = self.started(network)
        self.typical = thumbnail.typical(GescoShared.load(args.models).statistics)
        self.class_shares = painter(network, data.CAMVID_CLASSES).class_shares
        null = NULL.get(name, 0.0)
        read = ToPaint(self.class_shares, null, args.noisy, self.typical)
        cut = partial(data.augment, size=tuple(args.crop), zoom=ZOOM)
        sets: data.Sets = [(data.Samples(*samples[~held]), 1.0)]
        self.batches = data.Batches(sets, args.batch, args.seed, cut, read)
        self.lite1 = ImagenetFeatures(1, args.pack).to(self.device)
        features = FeatureLoss(args.models / segmentation.FILE, args.device)
        kind = LEARNING.get(name, OnePassLearning)
        rival = discriminator(name, PLANES, args.full)
        self.compete_with(kind(network, rival, features, args.device))

    @torch.no_grad()
    def score(self) -> dict[str, float]:
        paint, found = painter(self.average, data.CAMVID_CLASSES, self.args.device), []
        for frame in self.held_out:
            shares = self.class_shares.of_labels(fold(given(frame.labels)))
            images = paint([shares], [self.typical], from_picture=[False])
            both = (
                to_input(np.stack([i]), torch.float32, self.device) for i in (*images, frame.image)
            )
            found.append(float(self.lite1.distance(*both).mean()))
        return {"mark": -float(np.mean(found))}

    def card(self) -> dict[str, Any]:
        return {
            "generator": self.args.network,
            "full": self.args.full,
            "noisy": self.args.noisy,
            "data": "CamVid train (research, cite), but for every twelfth frame, which chose",
            "scores": {"on": f"{len(self.held_out)} frames", "mark is": "less Lite1's distance"},
        }


def shipped_diffusion(models: Path) -> DiffusionNetwork:
    """GESCO's in the folder `models`. Raises SemcomError where it knows other classes."""
    path = models / DIFFUSION_FILE
    tensors, card = weights.load(path, DIFFUSION_RECIPE)
    if weights.classes_of(card, path) != data.CAMVID_CLASSES:
        raise SemcomError(f"The diffusion in {path} does not know CamVid's classes alone.")
    network = DiffusionNetwork(PLANES)
    weights.fill(network, tensors, path)
    return network
