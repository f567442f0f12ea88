# SPDX-License-Identifier: Apache-2.0
"""The sizes and constants of GESCO's paper, held one by one.

Those of the network and its training are in the flags of the authors' README too; parameters and
operations were counted of their network.
"""

from __future__ import annotations

import argparse

import pytest
import torch
from accelerate import Accelerator
from tiny_gesco import NARROW
from torch import nn

from semcom_ros.codecs.gesco.paper.network import GescoPaperSizes, PaperNetwork
from semcom_ros.codecs.gesco.paper.sampling import GUIDANCE, STEPS, implicit_scheduler, scheduler
from semcom_ros.lab.evaluation.timing import operations
from semcom_ros.lab.papers import draws
from semcom_ros.lab.papers.gesco import GescoPaperTraining, averaged
from semcom_ros.lab.papers.gesco_loss import BOUND_WEIGHT
from semcom_ros.label_spaces import SPACES
from semcom_ros.layers.unet import GroupAttention, SpadeGroupNorm


def full(similarity: str) -> PaperNetwork:
    with torch.device("meta"):
        return PaperNetwork(GescoPaperSizes(similarity=similarity)).requires_grad_(False)


def parameters(of: nn.Module) -> int:
    return sum(p.numel() for p in of.parameters())


def test_its_sizes_are_the_papers() -> None:
    sizes = GescoPaperSizes()
    assert (sizes.width, sizes.multipliers, sizes.blocks) == (256, (1, 1, 2, 2, 4, 4), 2)
    assert (sizes.attention, sizes.head, sizes.hidden) == ((8, 16, 32), 64, 128)
    assert sizes.similarity == "cosine"  # section III-C; "dot" is the released code's
    network = full("cosine")
    places = {
        "16x32": [network.encoder[12], network.encoder[13]],
        "32x64": [network.encoder[9], network.encoder[10]],
        "64x128": [network.encoder[6], network.encoder[7]],
    }
    attends = {
        size: [isinstance(stage.attention, GroupAttention) for stage in stages]
        for size, stages in places.items()
    }
    assert attends == {"16x32": [True] * 2, "32x64": [True] * 2, "64x128": [False] * 2}
    heads = {m.heads for m in network.modules() if isinstance(m, GroupAttention)}
    assert heads == {512 // 64, 1024 // 64}


@pytest.mark.parametrize(
    ("space", "classes", "planes"),
    [("cityscapes35", 35, 36), ("coco183", 183, 184), ("voc21", 21, 22), ("cityscapes19", 19, 20)],
)
def test_it_reads_the_classes_of_a_label_space_and_the_edges_of_instances(
    space: str, classes: int, planes: int
) -> None:
    assert (len(SPACES[space].names), SPACES[space].planes) == (classes, planes)
    assert GescoPaperSizes().planes == SPACES[GescoPaperSizes.spaces[0]].planes == 36


def test_at_full_width_it_has_the_parameters_and_operations_of_the_released_network() -> None:
    """674.7 M less the 20.7 M that it never uses, 101 M of SPADE, 6.96 T operations a pass."""
    network = full("dot")
    assert parameters(network) == 653_984_518
    spade = [m for m in network.modules() if isinstance(m, SpadeGroupNorm)]
    assert sum(map(parameters, spade)) == 101_256_448
    assert {m.read.out_channels for m in spade} == {128}
    assert not any(isinstance(m, SpadeGroupNorm) for m in network.encoder.modules())
    with torch.device("meta"):
        noisy, planes = torch.empty(1, 3, 256, 512), torch.empty(1, 36, 256, 512)
        steps = torch.zeros(1, dtype=torch.long)
    assert network(noisy, steps, planes).shape == (1, 6, 256, 512)
    assert operations(lambda: network(noisy, steps, planes)) / 1e12 == pytest.approx(6.96, abs=0.01)
    # The learned scale of attention by the cosine: one a layer.
    assert parameters(full("cosine")) == 653_984_518 + 16


def test_its_schedule_is_linear_over_a_thousand_steps() -> None:
    for made in (scheduler(), implicit_scheduler()):
        assert len(made.betas) == STEPS == 1000
        torch.testing.assert_close(made.betas, torch.linspace(1e-4, 0.02, 1000))
    assert scheduler().config.variance_type == "learned_range"


def test_its_guidance_is_that_of_each_data_set() -> None:
    assert GUIDANCE == {"cityscapes": 2.0, "coco": 2.5}


def test_it_trains_by_the_papers_recipe() -> None:
    parser = argparse.ArgumentParser()
    GescoPaperTraining.add_arguments(parser)
    args = parser.parse_args(["--data", "cityscapes:DIR"])
    assert (args.rate, args.batch, args.decay, args.size) == (1e-4, 4, 0.9999, [256, 512])
    assert (args.similarity, args.noise, args.space) == ("cosine", "paper", "cityscapes35")
    assert (args.norm, args.divergence, BOUND_WEIGHT) == ("squared", "forward", 0.001)
    assert draws.LEVELS_DB == (30, 25, 20, 15, 10, 1)
    assert (draws.CLEAN, draws.NULL) == (0.3, 0.2)


def test_its_optimiser_is_adamw_without_decay_of_weights() -> None:
    training = GescoPaperTraining.__new__(GescoPaperTraining)
    training.args = argparse.Namespace(rate=1e-4, decay=0.9999, checkpointing=False)
    training.accelerator, training.configuration = Accelerator(cpu=True), NARROW
    training.begin()
    assert type(training.optimizer.optimizer) is torch.optim.AdamW
    (group,) = training.optimizer.param_groups
    assert (group["lr"], group["weight_decay"]) == (1e-4, 0.0)


def test_the_average_of_weights_forgets_by_the_decay_once_it_is_long() -> None:
    layer = nn.Linear(1, 1, bias=False)
    average = averaged(layer, 0.9999)  # type: ignore[arg-type]
    average.n_averaged.fill_(10**6)
    before = float(average.module.weight.detach())
    with torch.no_grad():
        layer.weight.add_(1)
    average.update_parameters(layer)
    assert float(average.module.weight.detach()) - before == pytest.approx(1e-4, rel=0.01)
