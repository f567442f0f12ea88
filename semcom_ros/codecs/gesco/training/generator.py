# SPDX-License-Identifier: Apache-2.0
"""`semcom train gesco`: the generator that turns a received map and thumbnail into a street."""

from __future__ import annotations

import argparse
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from semcom_ros import weights
from semcom_ros.codecs.gesco import appearance
from semcom_ros.codecs.gesco.generation import FILE, ImageGenerator, class_evidence
from semcom_ros.codecs.gesco.generator import Generator
from semcom_ros.codecs.gesco.grids import GRIDS, pool, upsample
from semcom_ros.codecs.gesco.shared import Shared
from semcom_ros.codecs.gesco.training.discriminator import Discriminator
from semcom_ros.evaluation.metrics import ConfusionMatrix, psnr
from semcom_ros.frame import WORK_SIZE
from semcom_ros.labels import LABEL_SPACE, NAMES, VOID
from semcom_ros.perception import segmentation
from semcom_ros.perception.segmentation import Segmenter, load_network, to_input
from semcom_ros.training import data
from semcom_ros.training.loop import MixedPrecision, cosine, train
from semcom_ros.training.recipe import command_line

CROP = (192, 384)
"""Whole cells of the thumbnail, so that a crop's thumbnail is a crop of the frame's."""
ZOOM = (1.0, 1.25)
GRIDS_SEEN = tuple(g for g in GRIDS if g[0] >= 32)
APPEARANCE_BYTES = (0, 16, 32, 48, 64, 64, 64, 64)
JUDGE = Path("out/train/judge.safetensors")
JUDGE_RECIPE = (
    "semcom train segmenter --camvid DIR --seed 7 --widths 32 64 96 160 --steps 1400 --scenes 300 "
    f"--out {JUDGE}"
)
FEATURE_LEVELS = 3
FEATURE_SCALES = (0.3, 0.6)
EMPHASIS = {"pole": 1.5, "traffic sign": 2.0, "person": 2.0, "rider": 2.0, "car": 1.5, "sky": 0.7}
"""Weight of a class's pixels in the loss where it is not 1: what planners look for counts more."""


@dataclass(frozen=True)
class Received:
    """A batch as the RSU has it and as the camera saw it; images in 0..1, channels first."""

    evidence: torch.Tensor
    coarse: torch.Tensor
    image: torch.Tensor
    emphasis: torch.Tensor


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `semcom train gesco`."""
    parser.add_argument("--camvid", type=Path, required=True, help="folder of the CamVid data")
    parser.add_argument("--out", type=Path, default=Path("models") / FILE)
    parser.add_argument("--models", type=Path, default=Path("models"), help="segmenter and prior")
    parser.add_argument("--judge", type=Path, default=JUDGE)
    parser.add_argument("--steps", type=int, default=3600, help="updates")
    parser.add_argument("--adversarial-from", type=float, default=0.5, help="share of the steps")
    parser.add_argument("--adversarial", type=float, default=0.1, help="weight of that loss")
    parser.add_argument("--batch", type=int, default=6, help="samples an update")
    parser.add_argument("--rate", type=float, default=1e-3, help="peak learning rate")
    parser.add_argument("--scenes", type=int, default=500, help="frames of the procedural drive")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--log", type=Path, default=Path("out/train/gesco.jsonl"))


class Link:
    """Turns batches of frames and labels into what would be received of them, at a random rate."""

    def __init__(self, shared: Shared, classes: tuple[int, ...], seed: int):
        self.statistics = shared.statistics
        self.classes = np.array(classes, np.uint8)
        self.rng = np.random.default_rng(seed)
        self.emphasis = np.ones(256, np.float32)
        for name, weight in EMPHASIS.items():
            self.emphasis[NAMES.index(name)] = weight

    def __call__(self, images: np.ndarray, labels: np.ndarray) -> Received:
        received = np.stack([self._map(m) for m in labels])
        coarse = np.stack([self._thumbnail(i) for i in images])
        # A crop costs half of a frame and starts on a cell of the thumbnail's chroma.
        step = 2 * appearance.CELL
        top = step * self.rng.integers((WORK_SIZE[0] - CROP[0]) // step + 1)
        left = step * self.rng.integers((WORK_SIZE[1] - CROP[1]) // step + 1)
        rows, cols = slice(top, top + CROP[0]), slice(left, left + CROP[1])
        cell = appearance.CELL
        coarse = coarse[:, top // cell :, left // cell :][:, : CROP[0] // cell, : CROP[1] // cell]
        weight = self.emphasis[labels[:, rows, cols]]
        return Received(
            _channels_last(class_evidence(received[:, rows, cols], self.classes)),
            _channels_last(coarse.transpose(0, 3, 1, 2)),
            to_input(np.ascontiguousarray(images[:, rows, cols]), torch.float32),
            torch.from_numpy(weight)[:, None],
        )

    def _map(self, labels: np.ndarray) -> np.ndarray:
        grid = GRIDS_SEEN[self.rng.integers(len(GRIDS_SEEN))]
        return upsample(pool(labels, grid), WORK_SIZE)[0]

    def _thumbnail(self, image: np.ndarray) -> np.ndarray:
        n_bytes = self.rng.choice(APPEARANCE_BYTES)
        if not n_bytes:
            return appearance.typical(self.statistics)
        return appearance.decode(
            appearance.encode(image, int(n_bytes), self.statistics), self.statistics
        )


class FeatureLoss:
    """Distance of two images in the features of our own segmenter (no downloaded VGG).

    Both are scaled down by one random factor first. The segmenter's first layers skip every other
    pixel, and the generator would please them with a grid of dots or stripes instead of texture;
    at these scales such a pattern is gone before it is looked at.
    """

    def __init__(self, path: Path, seed: int):
        self.rng = np.random.default_rng(seed)
        network, _ = load_network(path)
        network.eval().requires_grad_(False)
        self.network = network.to(torch.bfloat16, memory_format=torch.channels_last)

    def __call__(self, image: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        scale = self.rng.uniform(*FEATURE_SCALES)
        size = [round(side * scale / 8) * 8 for side in image.shape[-2:]]
        with torch.no_grad():
            wanted = self.network.features(_scaled(target, size))[:FEATURE_LEVELS]
        found = self.network.features(_scaled(image, size))[:FEATURE_LEVELS]
        # Each level counts alike, whatever the scale of its activations.
        return sum(
            (f - w).float().abs().mean() / w.float().abs().mean()
            for f, w in zip(found, wanted, strict=True)
        ) / len(wanted)


class Judge:
    """Scores images by a segmenter that no loss ever sees, on every fourth frame of CamVid val."""

    def __init__(self, path: Path, held_out: data.Samples, shared: Shared):
        network, classes = load_network(path, JUDGE_RECIPE)
        self.segmenter = Segmenter.of(network, classes)
        self.frames = list(zip(held_out.images[::4], held_out.labels[::4], strict=True))
        self.statistics = shared.statistics
        self.ceiling = self._miou([self.segmenter(image) for image, _ in self.frames])

    def _miou(self, found: list[np.ndarray]) -> float:
        confusion = ConfusionMatrix()
        for (_, labels), estimate in zip(self.frames, found, strict=True):
            confusion.add(labels, estimate)
        return confusion.miou()

    def __call__(self, generator: ImageGenerator, sent: list[np.ndarray]) -> dict[str, float]:
        """Scores over maps `sent` at half size with 64 bytes of appearance."""
        images = []
        for (image, _), labels in zip(self.frames, sent, strict=True):
            received, _ = upsample(pool(labels, (128, 256)), WORK_SIZE)
            code = appearance.encode(image, 64, self.statistics)
            images.append(generator(received, appearance.decode(code, self.statistics)))
        pairs = zip(self.frames, images, strict=True)
        return {
            "judge_miou": self._miou([self.segmenter(image) for image in images]),
            "psnr": float(np.mean([psnr(f[0], image) for f, image in pairs])),
        }


def run(args: argparse.Namespace) -> None:
    """Train, keep the best by the judge's mIoU, write weights and card."""
    torch.manual_seed(args.seed)
    torch.set_num_threads(os.cpu_count() or 1)
    classes = data.CAMVID_CLASSES
    shared = Shared.load(args.models)
    segmenter = Segmenter(args.models / segmentation.FILE)
    held_out = data.read_camvid(args.camvid, "val", WORK_SIZE)
    judge = Judge(args.judge, held_out, shared)
    sent = [segmenter(image) for image, _ in judge.frames]

    sets = []
    for share, samples in (
        (0.75, data.read_camvid(args.camvid, "train", WORK_SIZE)),
        (0.25, data.render_scenes(args.scenes, range(100, 120))),
    ):
        # What crosses the air is an estimate and has no void. Those of training frames are better
        # than those of new streets, and trained on them alone it would trust them too much.
        estimated = np.stack([segmenter(image) for image in samples.images])
        filled = np.where(samples.labels == VOID, estimated, samples.labels)
        sets.append((data.Samples(samples.images, filled), share * 0.4))
        sets.append((data.Samples(samples.images, estimated), share * 0.6))
    batches = iter(data.Batches(sets, args.batch, WORK_SIZE, ZOOM, args.seed, jitter=False))
    link = Link(shared, classes, args.seed)
    feature_loss = FeatureLoss(args.models / segmentation.FILE, args.seed)

    network = Generator(len(classes))
    trainer = MixedPrecision(network, torch.bfloat16, decay=0.998, weight_decay=0.01)
    critic = Discriminator(len(classes))
    rival = MixedPrecision(critic, torch.bfloat16, decay=0.0, weight_decay=0.0)
    network.train()
    adversarial_from = int(args.adversarial_from * args.steps)

    def update(step: int) -> dict[str, float]:
        batch = link(*next(batches))
        rate = cosine(step, args.steps, args.rate)
        image = network(batch.evidence, batch.coarse).float()
        l1 = ((image - batch.image).abs() * batch.emphasis).mean()
        features = feature_loss(image, batch.image)
        loss = 4 * l1 + features
        seen = {"l1": l1.item(), "features": features.item()}
        if step >= adversarial_from:
            # The critic learns first, so that it looks at the true image once a step.
            critic.requires_grad_(True)
            fake, _ = critic(image.detach().bfloat16(), batch.evidence)
            real, wanted = critic(batch.image.bfloat16(), batch.evidence)
            hinge = F.relu(1 + fake.float()).mean() + F.relu(1 - real.float()).mean()
            hinge.backward()
            rival.step(0.4 * rate)
            seen["hinge"] = hinge.item()
            critic.requires_grad_(False)
            verdict, found = critic(image.bfloat16(), batch.evidence)
            matching = sum(
                F.l1_loss(f.float(), w.detach().float()) for f, w in zip(found, wanted, strict=True)
            )
            loss = loss + args.adversarial * (matching - verdict.float().mean())
        loss.backward()
        trainer.step(rate)
        return seen

    def score() -> dict[str, float]:
        return judge(ImageGenerator.of(trainer.average, classes), sent)

    def keep(scores: dict[str, float]) -> None:
        card = {
            "what": "SPADE-conditioned one-pass generator of the codec gesco",
            "label_space": LABEL_SPACE,
            "classes": [NAMES[c] for c in classes],
            "data": f"CamVid train (367 frames) and {args.scenes} frames of the procedural drive",
            "recipe": command_line("gesco", args),
            "scores": {
                "on": "every fourth frame of CamVid val, map at 128x256, 64 bytes of appearance",
                "judge_ceiling": round(judge.ceiling, 4),
                **{name: round(value, 4) for name, value in scores.items()},
            },
        }
        weights.save(args.out, weights.tensors_of(trainer.average), card)

    every = max(1, args.steps // 15)
    # Before it is sharpened the generator may please the judge more and a person less.
    train(update, args.steps, score, keep, "judge_miou", args.log, every, adversarial_from)


def _scaled(image: torch.Tensor, size: list[int]) -> torch.Tensor:
    return F.interpolate(image, size=size, mode="bilinear", antialias=True).to(
        torch.bfloat16, memory_format=torch.channels_last
    )


def _channels_last(values: np.ndarray) -> torch.Tensor:
    tensor = torch.from_numpy(np.ascontiguousarray(values))
    return tensor.to(torch.bfloat16, memory_format=torch.channels_last)
