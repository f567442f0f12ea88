# SPDX-License-Identifier: Apache-2.0
"""`semcom train gsc-paper`: gsc at the sizes and with the optimiser of its papers.

A fifth of the updates makes pictures over a good link, three fifths alternate between both tasks
over all links, and in the last the decoders learn alone.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from accelerate import DistributedDataParallelKwargs

from semcom_ros.codecs.gsc import PAPER
from semcom_ros.codecs.gsc.sizes import CONFIGURATIONS, GscSizes
from semcom_ros.lab.papers.draws import StreetDraws
from semcom_ros.lab.papers.recipe import PaperTraining
from semcom_ros.lab.training.gsc.link import Draw, GscLink, map_loss, picture_loss
from semcom_ros.lab.training.gsc.pack import write_files
from semcom_ros.lab.training.gsc.training import PICTURE_WEIGHT
from semcom_ros.lab.training.mixed_precision import cosine
from semcom_ros.lab.training.recipe import check_sides
from semcom_ros.labels import CLASSES

RATE, BETAS, DECAY = 1e-4, (0.5, 0.999), 0.01
"""Of AdamW, as the papers have it."""
PICTURES_ALONE, DECODERS_ALONE = 0.2, 0.8
"""Parts of the run after which both tasks learn, and after which only the decoders do."""
GOOD_DB, ANY_DB = (20.0, 20.0), (0.0, 20.0)


def optimiser(network: GscLink) -> torch.optim.AdamW:
    """The papers'; its first parameters are the decoders', the others' are those before."""
    decoders = [*network.receiver.image.parameters(), *network.receiver.map.parameters()]
    of_decoders = set(map(id, decoders))
    others = [p for p in network.parameters() if id(p) not in of_decoders]
    groups = [{"params": decoders}, {"params": others}]
    return torch.optim.AdamW(groups, lr=RATE, betas=BETAS, weight_decay=DECAY)


class GscPaperTraining(PaperTraining):
    """Writes the files that both ends of the codec load."""

    name, what = "gsc-paper", "gsc at the sizes of its papers"
    sizes, draws, out = GscSizes, StreetDraws, Path("models")
    batch, save_every, steps = 16, 5000, 200_000
    run_options = ("data", "split", "configuration", "size", "batch", "seed")
    # A batch asks one decoder.
    handlers = (DistributedDataParallelKwargs(find_unused_parameters=True),)

    @classmethod
    def size_options(cls, parser: argparse.ArgumentParser) -> None:
        add = parser.add_argument
        add("--configuration", choices=[*CONFIGURATIONS], default="paper", help="of the networks")

    def configured(self) -> GscSizes:
        sizes = CONFIGURATIONS[self.args.configuration]
        step = max(4 * sizes.patch * 2, 2 * sizes.stride)
        check_sides("--size", self.args.size, step)
        return sizes

    def begin(self) -> None:
        network = GscLink(self.configuration, len(CLASSES)).train().to(self.device)
        self.link, self.optimizer = self.accelerator.prepare(network, optimiser(network))

    def update(self, draw: tuple[torch.Tensor, torch.Tensor], step: int) -> dict[str, torch.Tensor]:
        (images, labels), over = draw, step / self.args.steps
        picture = over < PICTURES_ALONE or step % 2 == 0
        self._set_rates(step, over)
        wanted = torch.tensor([[float(picture), float(not picture)]], device=images.device)
        links = GOOD_DB if over < PICTURES_ALONE else ANY_DB
        met = Draw.of(wanted.expand(len(images), 2), self.configuration.planes, links)
        with self.accelerator.autocast():
            made = self.link(images, met._replace(fading=over >= PICTURES_ALONE), picture)
        loss = picture_loss(made.float(), images) if picture else map_loss(made.float(), labels)
        self.accelerator.backward(loss * (PICTURE_WEIGHT if picture else 1))
        self.optimizer.step()
        self.optimizer.zero_grad()
        # Means over the updates between two lines are of both tasks.
        zero = torch.zeros_like(loss)
        return {"picture": loss if picture else zero, "map": zero if picture else loss}

    def _set_rates(self, step: int, over: float) -> None:
        """The papers' rate, until the decoders alone learn and it falls to zero."""
        decoders, others = self.optimizer.param_groups
        if over >= DECODERS_ALONE:
            first = int(DECODERS_ALONE * self.args.steps)
            decoders["lr"] = cosine(step - first, self.args.steps - first, RATE, 1)
            decoders["weight_decay"], others["lr"] = 0.0, 0.0

    def save(self, step: int) -> None:
        network = self.accelerator.unwrap_model(self.link)
        card = self.described(updates=step, steps=[1])
        ends = (network.sender, network.receiver)
        write_files(self.args.out, PAPER, self.configuration, *ends, None, card)
