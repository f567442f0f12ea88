# SPDX-License-Identifier: Apache-2.0
"""`semcom train jscc`: the learned links that gsc is held against, by gsc's own recipe."""

from __future__ import annotations

import argparse
import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from semcom_ros.codecs.gsc.symbols import to_planes, to_symbols
from semcom_ros.frame import WORK_SIZE
from semcom_ros.lab.jscc import networks
from semcom_ros.lab.jscc.analog_link import AnalogLink
from semcom_ros.lab.metrics.confusion import ConfusionMatrix
from semcom_ros.lab.training import air, street_pack
from semcom_ros.lab.training.data import pixels_of
from semcom_ros.lab.training.gsc.link import TOLD_WRONG_DB, Draw, map_loss, picture_loss, psnr_of
from semcom_ros.lab.training.gsc.training import PATCHES, PICTURE_WEIGHT, STAGES, streets
from semcom_ros.lab.training.loop import Training
from semcom_ros.lab.training.recipe import check_sides
from semcom_ros.lab.training.street_pack import HELD_EVERY
from semcom_ros.labels import CLASSES, NAMES
from semcom_ros.layers.image_input import to_input

LEVELS_DB = (0.0, 10.0, 20.0)
"""SNR of the white noise over which checkpoints are compared, a frame each in turn."""
PLANES = {False: 8, True: 4}
"""Planes of symbols there, where a picture is sent and where a map is."""
UPDATES = sum(STAGES[step].steps for step in ("warm", "joint", "image"))
"""As many as gsc's pictures are learned in."""
WARM = STAGES["warm"].steps / UPDATES
"""Part of the run that hears little noise and no fades."""


class JsccTraining(street_pack.OnPack, Training):
    """Keeps the best by mean PSNR, or by mIoU where maps are read, on frames that no table uses."""

    name, classes, what = "jscc", NAMES, "learned link that gsc is held against"
    out, steps = networks.FOLDER, UPDATES
    batch, rate, scenes, on_device = 16, STAGES["joint"].rate, 600, True
    best_by, checkpoints, warm_up = "mark", 8, 100

    @classmethod
    def options(cls, parser: argparse.ArgumentParser) -> None:
        add, names = parser.add_argument, "which link, or the reader of pictures"
        add("--system", choices=networks.TWINS, required=True, help=names)
        add("--full", action="store_true", help="in the sizes published")
        # What is judged: windows and strides of all tile it.
        crop = "height and width of samples, multiples of 32"
        add("--crop", type=int, nargs=2, default=list(WORK_SIZE), help=crop)
        add("--held", type=int, default=31, help="held-out frames that score")

    def check(self) -> None:
        args = self.args
        if not args.out.suffix:
            stem = f"{args.system}_full" if args.full else args.system
            args.out = args.out / f"{stem}.safetensors"
            self.log_as(f"jscc_{stem}")
        check_sides("--crop", args.crop, PATCHES)
        super().check()

    def begin(self) -> None:
        self.batches, held, self.weight = streets(self.args)
        self.held_out = list(map(pixels_of, street_pack.fitted(held)))
        network = networks.create(self.args.system, self.args.full)
        self.planes = network.planes // 2 if isinstance(network, AnalogLink) else 0
        self.reads = not self.planes or network.reads
        self.learn(network, decay=0.998, weight_decay=0.01)

    def update(self, batch: tuple[torch.Tensor, ...], step: int) -> dict[str, torch.Tensor]:
        images, _, rows = batch
        wanted = F.one_hot(torch.full_like(rows[:, 0, 0], int(self.reads)), 2).float()
        warm = self.over < WARM
        snr_db = STAGES["warm"].snr_db if warm else air.SNR_DB
        draw = Draw.of(wanted, max(1, self.planes), snr_db, fading=not warm)
        found = through(self.network, images.bfloat16(), draw)
        if self.reads:
            loss = map_loss(found, torch.where(rows < len(CLASSES), rows, 255), self.weight)
        else:
            loss = PICTURE_WEIGHT * picture_loss(found, images)
        loss.backward()
        return {"loss": loss, "gradient": self.optimise(step)}

    @torch.no_grad()
    def score(self) -> dict[str, float]:
        confusion, found_db = ConfusionMatrix(folded=True), []
        kept = max(1, min(PLANES[self.reads], self.planes))
        # Noise of its own: a run draws on as if nothing had been scored.
        with torch.random.fork_rng():
            torch.manual_seed(0)
            for i, (image, labels) in enumerate(self.held_out):
                true = to_input(image[None], torch.float32, self.device)
                draw = Draw.fixed(1, kept, LEVELS_DB[i % len(LEVELS_DB)], self.device)
                found = through(self.average, true, draw)
                if self.reads:
                    confusion.add(labels, found[0].argmax(0).to(torch.uint8).cpu().numpy())
                else:
                    found_db.append(float(psnr_of(found, true)))
        return {"mark": confusion.miou() or 0.0 if self.reads else sum(found_db) / len(found_db)}

    def card(self) -> dict[str, Any]:
        levels = ", ".join(f"{level:g}" for level in LEVELS_DB)
        on = f"every {HELD_EVERY}th frame of CamVid train; chose"
        on += f"; white noise at SNR {levels} dB in turn" if self.planes else ""
        scores = {"on": on, "mark is": "mIoU" if self.reads else "PSNR, dB"}
        return {"system": self.args.system, "full": self.args.full, "scores": scores}


def through(network: nn.Module, images: torch.Tensor, draw: Draw) -> torch.Tensor:
    """What `network` makes of images [B, 3, H, W] at the far end of a link, float32; a reader hears
    no link."""
    if not isinstance(network, AnalogLink):
        return network(images).float()
    told_db = draw.snr_db + draw.fading * TOLD_WRONG_DB * torch.randn_like(draw.snr_db)
    planes, sent = network.encode(images, told_db, draw.kept)
    grid, heard = planes.shape[2:], sent[..., None, None]
    came, gains = draw.over_air(to_symbols(planes.float() * heard), math.prod(grid))
    arrived = to_planes(came.symbols, grid) * heard
    measured_db = draw.snr_db + 10 * gains.abs().square().mean(1).clamp(min=1e-6).log10()
    return network.decode(arrived.to(images.dtype), measured_db.clamp(*air.SNR_DB)).float()
