# SPDX-License-Identifier: Apache-2.0
"""GESCO's diffusion: sampling by seed, steps, guidance, refusal of wrong weights."""

import numpy as np
import pytest
import torch

from semcom_ros import weights
from semcom_ros.codecs.gesco.diffusion import PICTURE_STEPS, ImageDiffusion, scheduler
from semcom_ros.codecs.gesco.diffusion_network import DiffusionNetwork
from semcom_ros.codecs.gesco.shared import DIFFUSION_FILE
from semcom_ros.datasets.scenes.drive import Drive
from semcom_ros.errors import SemcomError
from semcom_ros.labels import LABEL_SPACE

SMALL = {"half": 8, "conditions": (8, 8, 8, 8), "widths": (8, 8, 8, 8), "blocks": (1, 1, 1, 1)}


@pytest.fixture(scope="module")
def diffusion():
    return ImageDiffusion.from_pretrained()


@pytest.fixture(scope="module")
def street(diffusion):
    frame = Drive(1).render(20)
    picture = np.full((16, 32, 3), 0.5, np.float32)
    return [diffusion.class_shares.of_labels(frame.labels)], [picture]


def test_the_same_seed_gives_the_same_image_and_another_seed_another(diffusion, street):
    for way in ([True], [False]):
        first, same, other = (
            diffusion(*street, steps=2, from_picture=way, seeds=[seed])[0] for seed in (5, 5, 6)
        )
        np.testing.assert_array_equal(first, same)
        assert (first != other).any()


def test_a_drive_grows_from_the_same_noise_unless_told_otherwise(diffusion, street):
    (one,), (other,) = diffusion(*street), diffusion(*street, seeds=[diffusion.seed])
    np.testing.assert_array_equal(one, other)


def test_every_number_of_steps_on_offer_gives_an_image_and_no_other_is_taken(diffusion, street):
    images = [diffusion(*street, steps=n)[0] for n in (1, 2, 4, 8)]
    assert all(image.shape == (256, 512, 3) for image in images)
    assert len({image.tobytes() for image in images}) == 4
    with pytest.raises(SemcomError, match="1, 2, 4 or 8"):
        diffusion(*street, steps=3)


def test_guidance_moves_the_image_away_from_that_of_no_map(diffusion, street):
    (shares,), picture = street
    (plain,), (guided,) = diffusion([shares], picture), diffusion([shares], picture, guidance=1.0)
    (null,) = diffusion([np.zeros_like(shares)], picture)
    inside = (plain > 5) & (plain < 250) & (guided > 5) & (guided < 250)
    wanted = 2.0 * plain[inside] - null[inside]
    assert np.abs(guided[inside] - wanted).mean() < 2


def test_however_strong_the_guidance_the_image_keeps_its_range(diffusion, street):
    (wild,) = diffusion(*street, steps=8, guidance=10.0)
    assert np.isin(wild, (0, 255)).mean() < 0.5


def test_sampling_starts_at_pure_noise_or_at_the_noisy_picture_and_ends_clean():
    blind, pictured = scheduler(False), scheduler(True)
    assert float(blind.alphas_cumprod[-1]) == 0
    assert len(pictured.betas) == PICTURE_STEPS and 0.1 < float(pictured.alphas_cumprod[-1]) < 0.5
    for sampler in (blind, pictured):
        sampler.set_timesteps(4)
        clean = torch.full((1, 3, 4, 4), 0.25)
        last = int(sampler.timesteps[-1])
        assert torch.equal(sampler.step(clean, last, torch.randn(1, 3, 4, 4)).prev_sample, clean)


def test_an_ideal_denoiser_reaches_the_clean_image_whatever_the_steps():
    clean = torch.rand(1, 3, 8, 8) * 2 - 1
    for n in (1, 2, 4, 8):
        sampler = scheduler(False)
        sampler.set_timesteps(n)
        x = torch.randn(1, 3, 8, 8)
        for t in sampler.timesteps:
            x = sampler.step(clean, int(t), x).prev_sample
        assert torch.allclose(x, clean, atol=1e-5)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ("hash", "the hash differs"),
        ("classes", "made for another network"),
        ("size", "made for another network"),
        ("label_space", "speak the label space 'voc21'"),
    ],
)
def test_weights_that_do_not_fit_are_refused_with_a_sentence(tmp_path, change, sentence):
    classes = ["road", "car", "sky"]
    network = DiffusionNetwork(3, **(SMALL if change == "size" else {}))
    path = tmp_path / DIFFUSION_FILE
    card = {"label_space": LABEL_SPACE, "classes": classes}
    if change == "classes":
        card["classes"] = classes[:2]
    if change == "label_space":
        card["label_space"] = "voc21"
    weights.save(path, weights.tensors_of(network), card)
    if change == "hash":
        data = path.read_bytes()
        path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    with pytest.raises(SemcomError, match=sentence):
        ImageDiffusion.from_pretrained(path)
