# SPDX-License-Identifier: Apache-2.0
"""Held-out frames over fixed links: what chooses weights of gsc, and tells how they do."""

from __future__ import annotations

from functools import partial

import numpy as np
import torch
import torch.nn.functional as F

from semcom_ros.codecs.gsc.image_network import refine
from semcom_ros.frame import WORK_SIZE
from semcom_ros.lab.metrics.confusion import ConfusionMatrix
from semcom_ros.lab.training.data import Samples, pixels_of
from semcom_ros.lab.training.gsc.link import Draw, GscLink, psnr_of
from semcom_ros.lab.training.imagenet_features import ImagenetFeatures
from semcom_ros.lab.training.street_pack import fitted
from semcom_ros.layers.image_input import to_input

LINKS = ((8, 0.0), (8, 10.0), (8, 20.0), (2, 10.0), (24, 10.0))
"""Planes and SNR in dB, over plain noise, of pictures."""
MAP_LINKS = ((4, 0.0), (4, 20.0))
"""The same of maps."""
AT_ONCE = 8


class HeldOut:
    """Frames fitted to the size of work. judge: by whose features pictures are compared, too."""

    def __init__(self, samples: Samples, device: str):
        known = Samples.of(map(pixels_of, fitted(samples)))
        self.images = torch.from_numpy(known.images).to(device)
        self.labels, self.judge = known.labels, None

    judge: ImagenetFeatures | None

    @torch.no_grad()
    def score(self, network: GscLink) -> dict[str, float]:
        """PSNR in dB and, in CamVid's classes, mIoU, by link; their means; "mark" of both."""
        found: dict[str, float] = {}
        # Noise of its own: a run draws on as if nothing had been scored.
        with torch.random.fork_rng():
            torch.manual_seed(0)
            for kept, snr_db in LINKS:
                found |= {f"psnr J{kept} {snr_db:g}dB": self._pictures(network, kept, snr_db)[0]}
            if self.judge is not None:
                found["lite1"] = -self._pictures(network, *LINKS[1])[1]
            for kept, snr_db in MAP_LINKS:
                found |= {f"miou J{kept} {snr_db:g}dB": self._maps(network, kept, snr_db)}
        psnr, miou = (
            float(np.mean([v for name, v in found.items() if name.startswith(what)]))
            for what in ("psnr", "miou")
        )
        return {"mark": psnr / 25 + miou, "psnr": psnr, "miou": miou, **found}

    @torch.no_grad()
    def passes(self, network: GscLink, judge: ImagenetFeatures) -> dict[int, float]:
        """By passes, the distance of pictures in the judge's features."""
        self.judge = judge
        with torch.random.fork_rng():
            torch.manual_seed(0)
            return {steps: self._pictures(network, *LINKS[1], steps)[1] for steps in (1, 2, 4)}

    def _heard(self, network: GscLink, at: int, kept: int, snr_db: float):
        device = self.images.device
        part = self.images[at : at + AT_ONCE]
        images = to_input(part, torch.float32, device)
        with torch.autocast(device.type, torch.bfloat16):
            heard = network.send(images, Draw.fixed(len(part), kept, snr_db, device))
            return images, heard, network.understand(heard)

    def _pictures(
        self, network: GscLink, kept: int, snr_db: float, steps: int = 1
    ) -> tuple[float, float]:
        """Mean PSNR, and mean distance in the judge's features where there is one."""
        found, apart = [], [0.0]
        for at in range(0, len(self.images), AT_ONCE):
            images, heard, contexts = self._heard(network, at, kept, snr_db)
            size = [2 * side for side in contexts.context.shape[-2:]]
            noise = torch.randn(len(images), 3, *size, device=images.device)
            with torch.autocast(images.device.type, torch.bfloat16):
                paint = partial(network.receiver.image, contexts.context, heard.told)
                pictures = refine(paint, tuple(size), steps, noise).clamp(0, 1)
                if self.judge is not None:
                    apart += self.judge.distance(pictures, images).cpu().tolist()
            found += psnr_of(pictures, images).cpu().tolist()
        return float(np.mean(found)), float(np.mean(apart[1:] or apart))

    def _maps(self, network: GscLink, kept: int, snr_db: float) -> float:
        matrix = ConfusionMatrix(folded=True)
        for at in range(0, len(self.images), AT_ONCE):
            _, _, contexts = self._heard(network, at, kept, snr_db)
            with torch.autocast(self.images.device.type, torch.bfloat16):
                logits = network.label(contexts, slice(None))
            full = F.interpolate(logits.float(), size=WORK_SIZE, mode="bilinear").argmax(1)
            for truth, map_ in zip(
                self.labels[at:], full.to(torch.uint8).cpu().numpy(), strict=False
            ):
                matrix.add(truth, map_)
        return matrix.miou() or 0.0
