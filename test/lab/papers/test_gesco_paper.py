# SPDX-License-Identifier: Apache-2.0
"""How the paper's diffusion network learns: its loss, its draws, and the command that trains it."""

import argparse
import json
import shutil

import cv2
import numpy as np
import pytest
import torch
from accelerate import Accelerator
from torch.distributions import Normal, kl_divergence

from semcom_ros import weights
from semcom_ros.codecs.gesco.paper.network import GescoPaperSizes, PaperNetwork
from semcom_ros.codecs.gesco.paper.sampling import STEPS, scheduler
from semcom_ros.datasets import open_source
from semcom_ros.errors import SemcomError
from semcom_ros.frame import Frame
from semcom_ros.lab.papers import draws as drawing
from semcom_ros.lab.papers.draws import NoisyDraws
from semcom_ros.lab.papers.gesco import GescoPaperTraining, update
from semcom_ros.lab.papers.gesco_loss import hybrid_loss, log_variance, variational_bound
from semcom_ros.label_spaces import CITYSCAPES19, CITYSCAPES35

NARROW = GescoPaperSizes(32, (1, 2), blocks=1, attention=(2,), head=32, hidden=8, planes=20)
SIZE = (16, 32)

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def draws(small_camvid):
    return NoisyDraws(open_source(small_camvid, "train"), SIZE, 7, 2, CITYSCAPES19)


def test_the_bound_is_zero_where_the_true_posterior_is_predicted():
    schedule = scheduler()
    clean, noise = torch.rand(4, 3, 8, 8) * 2 - 1, torch.randn(4, 3, 8, 8)
    steps = torch.tensor([1, 20, 500, STEPS - 1])
    noisy = schedule.add_noise(clean, noise, steps)

    def bound(epsilon, fraction):
        return variational_bound(epsilon, fraction, clean, noisy, steps, schedule.alphas_cumprod)

    least = torch.full_like(clean, -1)
    assert bound(noise, least).abs().max() < 1e-3
    assert bound(noise + 0.5, least).min() > 1e-3
    assert bound(noise, -least)[:2].min() > 1e-3


@pytest.mark.parametrize(("divergence", "order"), [("forward", 1), ("reverse", -1)])
def test_the_divergence_of_equation_10_goes_either_way_by_name(divergence, order):
    schedule, step = scheduler(), torch.tensor([500])
    clean, noise = torch.zeros(1, 3, 4, 4), torch.randn(1, 3, 4, 4)
    noisy, fraction = schedule.add_noise(clean, noise, step), torch.full_like(clean, 1)
    found = variational_bound(
        noise, fraction, clean, noisy, step, schedule.alphas_cumprod, divergence
    )
    least, most = (
        (log_variance(f, step, schedule.alphas_cumprod).mean() / 2).exp()
        for f in (-fraction, fraction)
    )
    pair = (Normal(0.0, least), Normal(0.0, most))[::order]
    wanted = STEPS * kl_divergence(*pair) / np.log(2)
    torch.testing.assert_close(found, wanted[None], rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize(("norm", "wanted"), [("squared", 4.0), ("plain", 2.0)])
def test_the_norm_of_equation_9_is_squared_or_plain_by_name(norm, wanted):
    schedule, step = scheduler(), torch.tensor([500])
    clean, noise = torch.zeros(1, 3, 4, 4), torch.randn(1, 3, 4, 4)
    output = torch.cat([noise + 2, torch.zeros_like(noise)], 1)
    noisy = schedule.add_noise(clean, noise, step)
    error, _ = hybrid_loss(output, clean, noise, noisy, step, schedule.alphas_cumprod, norm)
    assert float(error) == pytest.approx(wanted)


def test_the_variance_that_is_learned_is_the_one_that_the_sampler_adds():
    schedule = scheduler()
    for step in (1, 30, 999):
        fraction = torch.linspace(-1, 1, 3).reshape(1, 3, 1, 1)
        ours = log_variance(fraction, torch.tensor([step]), schedule.alphas_cumprod)
        torch.testing.assert_close(ours, schedule._get_variance(step, fraction))


def test_the_first_step_pays_for_the_image_in_bits_of_its_levels():
    schedule = scheduler()
    clean = (torch.randint(0, 256, (2, 3, 8, 8)) / 127.5) - 1
    noise, steps = torch.randn_like(clean), torch.tensor([0, 0])
    noisy = schedule.add_noise(clean, noise, steps)
    for epsilon, low, high in ((noise, 0, 3), (noise + 5, 3, 40)):
        bits = variational_bound(
            epsilon, -torch.ones_like(clean), clean, noisy, steps, schedule.alphas_cumprod
        )
        assert low <= bits.min() / STEPS and bits.max() / STEPS < high


def test_a_draw_depends_on_seed_and_place_alone(draws, small_camvid):
    again = NoisyDraws(open_source(small_camvid, "train"), SIZE, 7, 2, CITYSCAPES19)
    for name, value in draws[3].items():
        assert torch.equal(value, again[3][name])
    assert not torch.equal(draws[2]["noise"], draws[3]["noise"])
    assert draws[3]["image"].shape == (2, 3, *SIZE) and draws[3]["image"].abs().max() <= 1
    nulls = sum(not one.any() for i in range(20) for one in draws[i]["planes"])
    assert 2 <= nulls <= 16


class Streets(list):
    """Frames in memory."""

    name = "streets"


def test_a_network_of_35_classes_reads_them_and_the_edges_of_instances():
    ids = np.tile(26000 + np.arange(64) // 16, (32, 1)).astype(np.uint16)
    image, labels = np.zeros((32, 64, 3), np.uint8), np.full((32, 64), 26, np.uint8)
    street = Frame(image, labels, instances=ids)
    draws = NoisyDraws(Streets([street]), SIZE, 0, 1, CITYSCAPES35)
    planes = next(p for p in (draws[i]["planes"][0] for i in range(99)) if is_one_hot(p[:-1]))
    assert planes.shape == (36, *SIZE) and planes[26].all()
    # Four cars side by side, of which the map alone makes one.
    assert planes[-1, 0].sum() == 6


def is_one_hot(planes):
    return bool(((planes == 0) | (planes == 1)).all() and (planes.sum(0) == 1).all())


def test_noise_on_maps_is_the_papers_or_by_name_that_of_the_released_code(
    small_camvid, monkeypatch
):
    """Section III-D, and the code: one level a batch, the same noise on all planes of a pixel."""
    monkeypatch.setattr(drawing, "NULL", 0.0)
    source, found = open_source(small_camvid, "train"), {}
    for noise in ("paper", "released"):
        draws = NoisyDraws(source, SIZE, 7, 4, CITYSCAPES19, noise)
        # What noise adds to planes that are 0 in all samples: no street here holds trains.
        extra = torch.stack([draws[i]["planes"][:, 15:17] for i in range(60)])
        same = torch.equal(extra[:, :, 0], extra[:, :, 1])
        found[noise] = same, extra[:, :, 0].std((-1, -2))
    (same, deviations), (same_released, released) = found["paper"], found["released"]
    assert not same and same_released
    assert 0.2 < (deviations == 0).float().mean() < 0.4
    levels = -20 * torch.log10(deviations[deviations > 0])
    nearest = torch.tensor([30.0, 25, 20, 15, 10, 1])
    assert (levels[:, None] - nearest).abs().min(1).values.max() < 0.8
    assert ((released == 0).all(1) | (released > 0).all(1)).all()
    assert released.max() < 0.7 and 0.1 < (released == 0).float().mean() < 0.6


def test_training_lowers_the_loss(draws):
    torch.manual_seed(0)
    network, accelerator = PaperNetwork(NARROW), Accelerator(mixed_precision="bf16")
    optimizer = torch.optim.AdamW(network.parameters(), lr=2e-3)
    losses = [update(network, optimizer, draws[0], scheduler(), accelerator) for _ in range(10)]
    assert losses[-1]["error"] < 0.8 * losses[0]["error"]
    assert all(torch.isfinite(loss["bound"]) for loss in losses)


@pytest.fixture(scope="module")
def options(small_camvid):
    """The command's options, from the folder that it writes to and further words."""
    parser = argparse.ArgumentParser()
    GescoPaperTraining.add_arguments(parser)
    small = "--width 32 --multipliers 1 2 --size 16 32 --batch 2 --workers 0 --seed 5 "
    small += "--space cityscapes19"

    def parse(folder, *words):
        places = ["--out", f"{folder}/net.safetensors", "--state", f"{folder}/state"]
        places += ["--log", f"{folder}/log.jsonl"]
        return parser.parse_args(["--data", small_camvid, *small.split(), *places, *words])

    return parse


@pytest.fixture(scope="module")
def trained(options, tmp_path_factory):
    """The folder that two updates of the command wrote to."""
    folder = tmp_path_factory.mktemp("paper")
    GescoPaperTraining.run(options(folder, "--steps", "2"))
    return folder


def test_the_command_writes_weights_card_log_and_state(trained):
    card = json.loads((trained / "net.json").read_text())
    assert card["label_space"] == "cityscapes19" and card["network"]["planes"] == 20
    assert card["network"]["width"] == 32 and card["size"] == [16, 32] and card["updates"] == 2
    assert card["recipe"].startswith("accelerate launch --num_processes 1 -m semcom_ros.cli train")
    assert [json.loads(x)["step"] for x in (trained / "log.jsonl").read_text().splitlines()] == [2]


def test_a_run_that_resumes_ends_as_one_that_never_stopped(options, trained, tmp_path):
    shutil.copytree(trained, tmp_path / "resumed")
    GescoPaperTraining.run(options(tmp_path / "resumed", "--steps", "3", "--resume"))
    GescoPaperTraining.run(options(tmp_path / "whole", "--steps", "3"))
    resumed, whole = (
        weights.load(tmp_path / name / "net.safetensors", "")[0] for name in ("resumed", "whole")
    )
    assert all(np.array_equal(resumed[name], whole[name]) for name in whole)
    assert [p.name for p in (tmp_path / "resumed" / "state").iterdir()] == ["00000003"]


def test_a_state_of_another_run_is_refused(options, trained, tmp_path):
    for words, sentence in (
        (["--steps", "3"], "go on with it by --resume"),
        (["--steps", "3", "--resume", "--width", "64"], "its width is 32, not 64"),
        (["--steps", "2", "--resume"], "is at step 2"),
    ):
        with pytest.raises(SemcomError, match=sentence):
            GescoPaperTraining.run(options(trained, *words))
    with pytest.raises(SemcomError, match="no state to resume"):
        GescoPaperTraining.run(options(tmp_path, "--resume"))


def test_data_without_labels_is_a_sentence(tmp_path):
    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((64, 128, 3), np.uint8))
    with pytest.raises(SemcomError, match="has no labels"):
        NoisyDraws(open_source(f"folder:{tmp_path}"), SIZE, 0, 1, CITYSCAPES19)
