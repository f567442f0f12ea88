# SPDX-License-Identifier: Apache-2.0
"""What each task hears of an image, and the sizes of the configurations."""

from __future__ import annotations

from dataclasses import replace

import pytest
import tiny_gsc
import torch

from semcom_ros.codecs.gsc.image_network import noise_picture, refine, signal_share
from semcom_ros.codecs.gsc.networks import GscReceiver, GscSender, Heard, SourceKnowledge
from semcom_ros.codecs.gsc.sizes import FAST, MID, PAPER, GscSizes
from semcom_ros.labels import CLASSES

pytestmark = pytest.mark.usefixtures("one_thread")
IMAGE, MAP = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 1.0]])


def count(network: torch.nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


def ends(sizes: GscSizes) -> tuple[GscSender, GscReceiver]:
    with torch.device("meta"):
        return GscSender(sizes), GscReceiver(sizes, len(CLASSES))


def test_the_papers_sizes_are_those_of_table_i() -> None:
    sender, receiver = ends(PAPER)
    assert count(sender.knowledge.pyramid) == 13_333_962
    # DiT-XL/2, and our skip and embeddings around it.
    assert count(receiver.image.trunk) == pytest.approx(674e6, rel=0.01)
    with torch.device("meta"):
        images, features = torch.empty(1, 3, 224, 224), torch.empty(1, 96, 28, 28)
        planes = sender.encoder(images, features, torch.zeros(1, 2), torch.zeros(1))
        assert planes.shape == (1, 96, 28, 28)
        told = torch.zeros(1, 4)
        contexts = receiver.knowledge(planes, torch.empty(1, 1, 28, 28))
        assert receiver.image(contexts.context, told).shape == (1, 3, 224, 224)
        assert receiver.map(contexts.shapes).shape == (1, 19, 224, 224)


def test_the_fast_ones_fit_into_14_mib_with_a_second_head_and_mid_has_table_is_depth() -> None:
    sender, receiver = ends(FAST)
    total = count(sender) + count(receiver) + count(receiver.image.head)
    assert 2 * total < 14 * 2**20
    assert (MID.layers, MID.transformer_heads) == (PAPER.layers, PAPER.transformer_heads)
    with torch.device("meta"):
        images, features = torch.empty(1, 3, 256, 512), torch.empty(1, 96, 32, 64)
        planes = sender.encoder(images, features, torch.zeros(1, 2), torch.zeros(1))
        assert planes.shape == (1, 96, 16, 32)
        contexts = receiver.knowledge(planes, torch.empty(1, 1, 16, 32))
        assert receiver.image(contexts.context, torch.zeros(1, 4)).shape == (1, 3, 256, 512)
        assert receiver.map(contexts.shapes).shape == (1, 19, 128, 256)


@pytest.fixture
def sender() -> GscSender:
    torch.manual_seed(0)
    return GscSender(tiny_gsc.TINY).eval()


def test_the_finest_level_is_the_pictures_alone(sender: GscSender) -> None:
    images = torch.rand(1, 3, 64, 64)
    before = [sender.knowledge(images, task) for task in (IMAGE, MAP)]
    sender.knowledge.project[0].weight.data += 1
    after = [sender.knowledge(images, task) for task in (IMAGE, MAP)]
    assert not torch.allclose(before[0], after[0]) and torch.equal(before[1], after[1])


def test_in_a_batch_of_both_tasks_each_gets_its_own(sender: GscSender) -> None:
    images = torch.rand(2, 3, 64, 64)
    together = sender.knowledge(images, torch.cat([IMAGE, MAP]))
    torch.testing.assert_close(together[1:], sender.knowledge(images[1:], MAP))
    torch.testing.assert_close(together[:1], sender.knowledge(images[:1], IMAGE))


def test_the_receivers_second_block_is_the_pictures_alone() -> None:
    torch.manual_seed(0)
    receiver = GscReceiver(tiny_gsc.TINY, 3).eval()
    planes, noise = torch.randn(1, 96, 4, 4), torch.zeros(1, 1, 4, 4)
    before = receiver.knowledge(planes, noise)
    receiver.knowledge.blocks[1].second.weight.data.normal_()
    after = receiver.knowledge(planes, noise)
    assert torch.equal(before.shapes, after.shapes)
    assert not torch.allclose(before.context, after.context)


def test_noise_is_told_by_place_over_the_planes_that_came() -> None:
    symbols = torch.ones(1, 8 * 4, dtype=torch.complex64)
    variance = torch.full((1, 8, 4), 9.0)
    variance[:, 0], variance[:, 1] = 0.1, 0.3
    heard = Heard.of(symbols, variance.flatten(1), torch.tensor([2]), IMAGE, (2, 2))
    torch.testing.assert_close(heard.variance, torch.full((1, 1, 2, 2), 0.2))
    torch.testing.assert_close(heard.told, torch.tensor([[6.9897, 2.0, 1.0, 0.0]]))
    assert not heard.planes[:, 4:].any() and heard.planes[:, :4].any()


@pytest.mark.parametrize("steps", [1, 2, 4])
def test_an_ideal_denoiser_reaches_the_image_in_any_number_of_passes(steps: int) -> None:
    torch.manual_seed(0)
    image, calls = torch.rand(2, 3, 16, 16), []
    small = torch.nn.functional.adaptive_avg_pool2d(image, 4)

    def ideal(noised: torch.Tensor | None, level_db: torch.Tensor | None) -> torch.Tensor:
        calls.append(level_db)
        if noised is not None and level_db is not None:
            # What it hears is the picture, at the level that it is told.
            share = signal_share(level_db)[:, None, None, None]
            rest = noised - share.sqrt() * (2 * small - 1)
            assert rest.square().mean() == pytest.approx(float(1 - share[0]), rel=0.3)
        return image

    assert torch.equal(refine(ideal, (4, 4), steps, torch.randn(2, 3, 4, 4)), image)
    assert len(calls) == steps


def test_a_noised_picture_has_the_snr_that_it_is_said_to_have() -> None:
    torch.manual_seed(0)
    picture = torch.randint(0, 2, (1, 3, 64, 64)).float()
    noise = torch.randn_like(picture)
    mixed = noise_picture(picture, noise, torch.tensor([10.0]))
    signal = 2 * picture - 1
    gain = (mixed * signal).mean()
    assert 10 * torch.log10(gain**2 / (mixed - gain * signal).square().mean()) == pytest.approx(
        10, abs=0.3
    )


def test_without_the_choice_of_levels_a_map_is_sent_by_all_three() -> None:
    images = torch.rand(1, 3, 64, 64)
    for without, differs in (((), False), (("levels",), True)):
        torch.manual_seed(0)
        knowledge = SourceKnowledge(replace(tiny_gsc.TINY, without=without)).eval()
        before = knowledge(images, MAP)
        torch.nn.init.normal_(knowledge.project[0].weight)
        assert torch.equal(before, knowledge(images, MAP)) != differs
