# SPDX-License-Identifier: Apache-2.0
"""`semcom train restorer`: the one pass from a coded picture and a map to a street."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from semcom_ros import weights
from semcom_ros.codecs.gesco.diffusion_network import DiffusionNetwork
from semcom_ros.codecs.gesco.restorer import restore
from semcom_ros.codecs.gesco.shared import DIFFUSION_FILE, RESTORER_FILE, GescoShared
from semcom_ros.lab.training import street_pack
from semcom_ros.lab.training.adversarial import (
    Adversarial,
    AdversarialTraining,
    Discriminator,
    Judged,
    Seen,
)
from semcom_ros.lab.training.imagenet_features import ImagenetFeatures, summed
from semcom_ros.lab.training.restorer.batches import (
    CELL,
    HELD_BATCH,
    PictureBatch,
    PictureBatches,
    read_streets,
)
from semcom_ros.labels import CLASSES, NAMES, fold
from semcom_ros.perception.segmentation import Segmenter

L1, SMOOTH, SSIM, FEATURES = 4.0, 4.0, 3.0, 1.2
"""Weights of the losses."""
SMOOTHED = 4
"""Side in pixels of the blocks whose means are to be right: light and colour, whatever the
texture."""
FEATURE_SCALES = (1.0, 1.0, 6 / 7, 5 / 7, 4 / 7)
"""Of the crop, for the features: no one grid of pixels pleases them all."""
CLOSE = 2
"""Enlargement of what is looked at closely: of a person of 30 pixels the features see texture, of
one of 60 a person."""
SHIFT = 8
"""Pixels by which the crop that is seen at its own scale wanders: the grid of strides must not fall
on the same ones every time."""

SCALE_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
WINDOW, SIGMA = 11, 1.5
C1, C2 = 0.01**2, 0.03**2


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
    known = weights.classes_of(card, start)
    folded = fold(np.arange(len(CLASSES), dtype=np.uint8))
    places = [known.index(c if c in known else int(folded[c])) for c in range(len(CLASSES))]
    tensors["embed.weight"] = tensors["embed.weight"][:, places]
    own = weights.tensors_of(network)
    weights.fill(network, own | tensors, start)
    return network


def restored(network: DiffusionNetwork, batch: PictureBatch) -> torch.Tensor:
    """float32 [B, 3, h, w], about 0..1."""
    return restore(network, batch.class_shares, batch.picture, batch.sharpness)


def ms_ssim_loss(image: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """1 - MS-SSIM (Wang, Simoncelli, Bovik 2003), mean over images and channels; sides >= 161."""
    x, y = (t.float().flatten(0, 1)[:, None].contiguous() for t in (image, target))
    bell = cv2.getGaussianKernel(WINDOW, SIGMA, cv2.CV_32F)[:, 0]
    line = torch.from_numpy(bell).to(x.device)[None, None]
    total = 1.0
    for scale, weight in enumerate(SCALE_WEIGHTS):
        if scale:
            x, y = F.avg_pool2d(x, 2), F.avg_pool2d(y, 2)
        stacked = torch.cat((x, y, x * x, y * y, x * y))
        blurred = F.conv2d(F.conv2d(stacked, line[..., None]), line[:, :, None])
        mx, my, xx, yy, xy = blurred.chunk(5)
        spread = xx - mx * mx + yy - my * my
        contrast = (2 * (xy - mx * my) + C2) / (spread + C2)
        if scale == len(SCALE_WEIGHTS) - 1:
            contrast = contrast * (2 * mx * my + C1) / (mx * mx + my * my + C1)
        # Where the two oppose each other the power has no slope.
        total = total * contrast.mean((1, 2, 3)).clamp(min=1e-3) ** weight
    return 1 - total.mean()


def distances(
    features: ImagenetFeatures, images: torch.Tensor, targets: torch.Tensor, emphasis: torch.Tensor
) -> tuple[float, float]:
    """Means over images in the features: of whole images, and of what has more emphasis than 1."""
    apart, there = features.differences(images, targets), (emphasis > 1).float()
    whole, theirs = (summed(apart, of).mean() for of in (None, there))
    return float(whole), float(theirs / there.mean().clamp(min=1e-3))


def close_ups(images: Sequence[torch.Tensor], drawn_by: torch.Tensor) -> list[torch.Tensor]:
    """Of `images` [B, C, H, W] each a window, enlarged to their size by `CLOSE`, around a cell that
    is drawn by its mean of `drawn_by` [B, 1, H, W]; where that is 0 everywhere any is."""
    odds = F.avg_pool2d(drawn_by, CELL)
    rows, columns = odds.shape[-2:]
    cell = torch.multinomial(odds.flatten(1) + 1e-3, 1)
    centre = torch.cat(((cell % columns + 0.5) / columns, (cell // columns + 0.5) / rows), 1)
    inside = 1 - 1 / CLOSE
    window = torch.eye(2, 3, device=odds.device).repeat(len(odds), 1, 1) / CLOSE
    window[:, :, 2] = (2 * centre - 1).clamp(-inside, inside)
    grid = F.affine_grid(window, list(drawn_by.shape), align_corners=False)
    how = {"mode": "bilinear", "padding_mode": "border", "align_corners": False}
    return [F.grid_sample(image, grid, **how) for image in images]


class RestorerLearning(Adversarial):
    """The restorer learns the true image from a coded picture and a received map."""

    def __init__(
        self,
        network: DiffusionNetwork,
        discriminator: Discriminator,
        features: ImagenetFeatures,
        device: str = "cpu",
        focus: float = 1.0,
        close: float = 0.0,
    ):
        super().__init__(network, discriminator, device)
        self.features = features.to(device, memory_format=torch.channels_last)
        self.focus, self.close = focus, close

    def objective(self, batch: PictureBatch) -> tuple[torch.Tensor, Seen, Judged, Judged]:
        image, target = restored(self.network, batch), batch.image
        seen = {
            "l1": ((image - target).abs() * batch.emphasis).mean(),
            "smooth": F.avg_pool2d(image - target, SMOOTHED).abs().mean(),
            "ssim": ms_ssim_loss(image, target),
            "features": self.distance(image, target, batch.emphasis),
        }
        loss = L1 * seen["l1"] + SMOOTH * seen["smooth"] + SSIM * seen["ssim"]
        shares = batch.class_shares.bfloat16()
        fake, real = ((i.bfloat16(), shares) for i in (image, target))
        return loss + FEATURES * seen["features"], seen, fake, real

    def distance(self, *images: torch.Tensor) -> torch.Tensor:
        """In the features, of image and target with emphasis: at a random scale or place, and at
        times of what stands out, closely."""
        *pair, emphasis = images
        focused = emphasis**self.focus
        looks = [self.scaled_or_shifted((*pair, focused))]
        if self.close and torch.rand(()) < self.close:
            # A close-up has four times their pixels already: no focus in it.
            looks.append(close_ups(images, (focused - 1).relu()))
        with torch.autocast(self.device.type, torch.bfloat16):
            return torch.stack([self.features.distance(*look).mean() for look in looks]).sum()

    @staticmethod
    def scaled_or_shifted(images: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        """`images` at a random scale, or but for a margin at a random place."""
        scale = FEATURE_SCALES[torch.randint(len(FEATURE_SCALES), ())]
        height, width = images[0].shape[-2:]
        if scale != 1:
            size = [round(side * scale / 32) * 32 for side in (height, width)]
            return [F.interpolate(i, size=size, mode="bilinear", antialias=True) for i in images]
        y, x = torch.randint(SHIFT + 1, (2,)).tolist()
        return [i[:, :, y:, x:][:, :, : height - SHIFT, : width - SHIFT] for i in images]


class RestorerTraining(street_pack.OnPack, AdversarialTraining):
    """Keeps the nearest to held-out frames in Lite1's features, and beside it the weights from
    before the discriminator: between the two a mean may be the best of both."""

    name, classes = "restorer", NAMES
    what = "restorer of GESCO's picture layer: one pass over the decoded picture and the map"
    out = Path("out/train") / RESTORER_FILE
    steps, batch, rate, scenes = 2400, 16, 1e-3, None
    best_by, warm_up, checkpoints, on_device = "mark", 100, 10, True
    sharpened_from, weight = 0.5, 0.05

    @classmethod
    def options(cls, parser: argparse.ArgumentParser) -> None:
        add = parser.add_argument
        models = "diffusion to begin as, segmenter, thumbnail and prior"
        add("--models", type=Path, default=Path("models"), help=models)
        add("--segmenter", type=Path, help="its weights, if not that of --models")
        add("--crop", type=int, nargs=2, default=(224, 448), help="multiples of 32")
        add("--fine", type=int, default=1, help="blocks at half the resolution")
        focus = "power of the classes' weights in the features: 2 is for road users"
        add("--focus", type=float, default=1.0, help=focus)
        close = "share of the updates whose features look again, closely at users, signs, poles"
        add("--close", type=float, default=0.0, help=close)
        add("--scratch", action="store_true", help="do not begin as the diffusion")
        super().options(parser)

    def begin(self) -> None:
        # Its ten bits would drown the variances of MS-SSIM.
        torch.backends.cudnn.allow_tf32 = False
        args, pack = self.args, self.args.pack
        segmenter = Segmenter.from_pretrained(args.segmenter or args.models, args.device)
        shared = GescoShared.load(args.models)
        streets, places = read_streets(pack, segmenter, shared, self.device)
        self.batches = PictureBatches(streets, args.batch, tuple(args.crop))
        self.held_out = {
            name: np.array_split(at, max(1, len(at) // HELD_BATCH))
            for name, at in places.items()
            if name != "second"
        }
        self.lite1 = ImagenetFeatures(1, pack).to(self.device)
        begun = None if args.scratch or args.start else args.models / DIFFUSION_FILE
        network = self.started(restorer(args.fine, begun))
        features, discriminator = ImagenetFeatures(0, pack), Discriminator(len(CLASSES))
        looks = {"focus": args.focus, "close": args.close}
        learning = RestorerLearning(network, discriminator, features, args.device, **looks)
        self.compete_with(learning)

    @torch.no_grad()
    def score(self) -> dict[str, float]:
        scores = {}
        for name, parts in self.held_out.items():
            found = []
            for places in parts:
                batch = self.batches.whole(places)
                with torch.autocast(self.device.type, torch.bfloat16):
                    image = restored(self.average, batch).clamp(0, 1)
                    apart = distances(self.lite1, image, batch.image, batch.emphasis)
                error = (image - batch.image).square().mean((1, 2, 3))
                psnr, ssim = -10 * error.log10().mean(), 1 - ms_ssim_loss(image, batch.image)
                found.append([*apart, float(psnr), float(ssim)])
            names = ("lite1", "emphasised", "psnr", "ssim")
            measures = zip(names, np.mean(found, 0), strict=True)
            scores |= {f"{measure}_{name}": float(mean) for measure, mean in measures}
        lite1 = float(np.mean([scores[f"lite1_{name}"] for name in self.held_out]))
        return {"mark": -lite1, "lite1": lite1, **scores}

    def keep(self, step: int, scores: dict[str, float]) -> None:
        super().keep(step, scores)
        if not self.competes(step - 1):
            self.write(self.args.out.with_stem(f"{self.args.out.stem}_plain"), step, scores)

    def card(self) -> dict[str, Any]:
        return {
            "fine": self.args.fine,
            "data": "CamVid train (research, cite), KITTI semantics train without held-out runs "
            "(CC BY-NC-SA 3.0), udacity_highway (MIT), driveai_sample (CC BY 4.0), the procedural "
            "drive",
            "scores": {"on": "held-out ends of drives"},
        }
