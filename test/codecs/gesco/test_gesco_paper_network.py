# SPDX-License-Identifier: Apache-2.0
"""The paper's diffusion network: its form, its sampling, and what it paints at the roadside."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import torch
from another_device import another_device
from tiny_gesco import NARROW, SIZE, narrow_network, write_paper

from semcom_ros.codecs.gesco.paper.generator import PaperDiffusion, load_network, planes_of
from semcom_ros.codecs.gesco.paper.network import CosineAttention, GescoPaperSizes
from semcom_ros.codecs.gesco.paper.sampling import (
    STEPS,
    guided,
    implicit_scheduler,
    sample,
    scheduler,
)
from semcom_ros.errors import SemcomError
from semcom_ros.label_spaces import CITYSCAPES19, CITYSCAPES35, SPACES
from semcom_ros.labels import TRAIN_ID, VOID

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def network():
    return narrow_network()


@pytest.fixture
def planes():
    labels = np.random.default_rng(0).integers(0, 35, SIZE).astype(np.uint8)
    return torch.from_numpy(CITYSCAPES35.one_hot(labels))[None]


@pytest.fixture
def saved(tmp_path) -> Path:
    return write_paper(tmp_path)


def test_nothing_in_it_is_a_parameter_that_nothing_reads(network, planes):
    network(torch.randn(1, 3, *SIZE), torch.tensor([5]), planes).square().sum().backward()
    assert all(p.grad is not None and p.grad.any() for p in network.parameters())


def test_attention_is_by_the_cosine_whatever_the_length_of_query_and_key_as_the_text_has_it():
    torch.manual_seed(0)
    attention = CosineAttention(64, 2)
    x = torch.randn(1, 64, 4, 4)
    query, key, value = (
        t.unflatten(1, (2, 32)).flatten(3)[0]
        for t in attention.project(attention.norm(x)).chunk(3, 1)
    )
    cosine = torch.cosine_similarity(query[..., :, None], key[..., None, :], 1)
    seen = value @ (attention.scale * cosine).softmax(-1).transpose(1, 2)
    wanted = x + attention.out(seen.reshape(1, 64, 4, 4))
    torch.testing.assert_close(attention(x), wanted)
    with torch.no_grad():
        for parameter in (attention.project.weight, attention.project.bias):
            parameter[:128] *= 7
    torch.testing.assert_close(attention(x), wanted)


def test_checkpointing_changes_no_gradient(network, planes):
    noisy, gradients = torch.randn(1, 3, *SIZE), []
    network.train()
    for network.checkpointing in (False, True):
        network.zero_grad()
        network(noisy, torch.tensor([5]), planes).square().sum().backward()
        gradients.append([p.grad.clone() for p in network.parameters()])
    torch.testing.assert_close(*gradients)


@pytest.mark.parametrize("sizes", [{"width": 40}, {"multipliers": ()}, {"head": 48}])
def test_sizes_that_do_not_divide_are_a_sentence(sizes):
    with pytest.raises(SemcomError, match="multiple of 32|give some|choose other"):
        GescoPaperSizes(**sizes)


def test_guidance_of_nothing_is_the_conditional_and_more_goes_away_from_the_null_map(
    network, planes
):
    noisy, steps = torch.randn(1, 3, *SIZE), torch.tensor([700])
    with torch.no_grad():
        conditional = network(noisy, steps, planes)
        null = network(noisy, steps, torch.zeros_like(planes))
        torch.testing.assert_close(guided(network, noisy, steps, planes, 0.0), conditional)
        output = guided(network, noisy, steps, planes, 2.0)
    assert not torch.allclose(conditional, null)
    torch.testing.assert_close(output[:, :3], (3 * conditional - 2 * null)[:, :3])
    torch.testing.assert_close(output[:, 3:], conditional[:, 3:])


@pytest.mark.parametrize("sampler", ["ancestral", "ddim"])
def test_sampling_is_the_same_twice_by_seed_and_reads_the_map(network, planes, sampler):
    def image(seed, planes):
        return sample(network, planes, [seed], 2, sampler=sampler)

    assert torch.equal(image(1, planes), image(1, planes))
    assert not torch.equal(image(1, planes), image(2, planes))
    assert not torch.equal(image(1, planes), image(1, planes.roll(1, 1)))
    assert image(1, planes).shape == (1, 3, *SIZE) and image(1, planes).abs().max() <= 1


@pytest.mark.parametrize("sampler", ["ancestral", "ddim"])
def test_a_perfect_network_samples_its_image_in_any_number_of_steps(planes, sampler):
    schedule, truth = scheduler(), torch.rand(1, 3, *SIZE) * 1.6 - 0.8
    seen = []

    def perfect(noisy, steps, planes):
        seen.append(int(steps[0]))
        now = schedule.alphas_cumprod[steps][:, None, None, None]
        epsilon = (noisy - now.sqrt() * truth) / (1 - now).sqrt()
        return torch.cat([epsilon, -torch.ones_like(epsilon)], 1)

    for steps in (10, 50, 250, 1000):
        seen.clear()
        image = sample(perfect, planes, [0], steps, 0.0, sampler)
        torch.testing.assert_close(image, truth, atol=1e-3, rtol=0)
        assert len(seen) == steps and seen[0] == STEPS - 1


def test_ddim_steps_as_song_meng_and_ermon_have_it():
    """arXiv 2010.02502, equation 12 with sigma 0."""
    schedule = implicit_scheduler()
    schedule.set_timesteps(50)
    x, epsilon = torch.randn(1, 3, 4, 4) * 0.3, torch.randn(1, 3, 4, 4) * 0.3
    now, before = schedule.alphas_cumprod[999], schedule.alphas_cumprod[979]
    clean = ((x - (1 - now).sqrt() * epsilon) / now.sqrt()).clamp(-1, 1)
    left = (x - now.sqrt() * clean) / (1 - now).sqrt()
    found = schedule.step(epsilon, 999, x, use_clipped_model_output=True).prev_sample
    torch.testing.assert_close(found, before.sqrt() * clean + (1 - before).sqrt() * left)


def test_a_number_of_steps_that_does_not_divide_the_schedule_is_a_sentence(network, planes):
    for steps in (1, 3, STEPS + 1):
        with pytest.raises(SemcomError, match="as 10, 50, 250 or 1000"):
            sample(network, planes, [0], steps)


@pytest.mark.parametrize("name", GescoPaperSizes.spaces)
def test_a_received_map_speaks_the_networks_label_space(name):
    space = SPACES[name]
    labels = np.array([[TRAIN_ID["car"], TRAIN_ID["car"]], [TRAIN_ID["person"], VOID]], np.uint8)
    hard = planes_of(labels, space, (2, 2))
    posteriors = CITYSCAPES19.one_hot(labels)
    np.testing.assert_array_equal(planes_of(posteriors, space, (2, 2)), hard)
    assert hard.shape == (space.planes, 2, 2)
    assert hard[: space.class_planes].sum(0).tolist() == [[1, 1], [1, 1]]
    assert hard[space.names.index("car"), 0].tolist() == [1, 1]
    if space.edges:  # between what differs; two cars that touch cannot be told apart
        assert hard[-1].tolist() == [[1, 1], [1, 1]]


def test_what_a_file_holds_paints_at_the_size_of_work_alone_as_beside_others(saved):
    diffusion = PaperDiffusion.from_pretrained(saved.parent)
    maps = [np.full((256, 512), c, np.uint8) for c in (0, 255)]
    one, other = diffusion(maps, 2, seeds=[1, 2])
    assert one.shape == (256, 512, 3) and one.dtype == np.uint8
    (alone,) = diffusion(maps[1:], 2, seeds=[2])
    assert np.abs(alone.astype(int) - other).max() <= 2
    (guided_,) = diffusion(maps[:1], 2, guidance=2.0, seeds=[1])
    assert (guided_ != one).any()


def painted(file: Path, device: str) -> np.ndarray:
    street = np.random.default_rng(0).integers(0, 19, (256, 512), np.uint8)
    diffusion = PaperDiffusion.from_pretrained(file, device)
    return diffusion([street], 2, "ddim", 1.0)[0].astype(int)


def test_it_runs_on_another_device(saved):
    here = painted(saved, "cpu")
    with another_device() as device:
        there = painted(saved, device)
    assert np.abs(here - there).mean() < 2


@pytest.mark.cuda
def test_it_runs_compiled_on_a_gpu(saved):
    assert np.abs(painted(saved, "cpu") - painted(saved, "cuda")).mean() < 8


def test_weights_of_other_classes_network_or_hash_are_refused(saved, tmp_path):
    path = tmp_path / "net.safetensors"

    def put(**changes):
        shutil.copy(saved, path)
        card = json.loads(saved.with_suffix(".json").read_text())
        path.with_suffix(".json").write_text(json.dumps(card | changes))

    put()
    assert load_network(path)[1:] == (CITYSCAPES35, SIZE)
    narrow = asdict(NARROW)
    for change, sentence in (
        ({"classes": ["road", "sky"]}, "know 2 classes, not the 35"),
        ({"label_space": "camvid11"}, "speak the label space 'camvid11'"),
        ({"network": narrow | {"width": 64}}, "made for another network"),
        ({"network": narrow | {"planes": 20}}, "maps of 20 planes, and cityscapes35 has 36"),
        ({"network": {"depth": 3}}, "does not describe this network"),
        ({"size": None}, "does not describe this network"),
        ({"size": 5}, "does not describe this network"),
        ({"sha256": "no hash"}, "is damaged"),
    ):
        put(**change)
        with pytest.raises(SemcomError, match=sentence):
            load_network(path)
    put()
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    with pytest.raises(SemcomError, match="the hash differs"):
        load_network(path)
