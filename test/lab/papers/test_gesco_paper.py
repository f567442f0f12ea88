# SPDX-License-Identifier: Apache-2.0
"""The paper's diffusion network: its size, its loss, its sampling and its training."""

import argparse
import json
import shutil

import cv2
import numpy as np
import pytest
import torch
from accelerate import Accelerator

from semcom_ros import weights
from semcom_ros.codecs.gesco.paper.network import PLANES, GescoPaperSizes, PaperNetwork
from semcom_ros.codecs.gesco.paper.sampling import (
    STEPS,
    PaperDiffusion,
    guided,
    load_network,
    sample,
    scheduler,
)
from semcom_ros.datasets import open_source
from semcom_ros.errors import SemcomError
from semcom_ros.lab.papers.draws import NoisyDraws, one_hot
from semcom_ros.lab.papers.gesco import GescoPaperTraining, update
from semcom_ros.lab.papers.gesco_loss import log_variance, variational_bound

NARROW = GescoPaperSizes(width=32, multipliers=(1, 2), blocks=1, attention=(2,), head=32, hidden=8)
SIZE = (16, 32)

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def network():
    """A narrow network whose output is not yet that of a new one, 0."""
    torch.manual_seed(3)
    network = PaperNetwork(NARROW)
    for parameter in network.parameters():
        if not parameter.any():
            torch.nn.init.normal_(parameter, std=0.05)
    return network.eval()


@pytest.fixture
def draws(small_camvid):
    return NoisyDraws(open_source(small_camvid, "train"), SIZE, 7, 2)


@pytest.fixture
def planes():
    labels = np.random.default_rng(0).integers(0, 20, SIZE).astype(np.uint8)
    return torch.from_numpy(one_hot(labels))[None]


def test_at_full_width_it_has_the_papers_size_and_no_parameter_that_nothing_reads(network, planes):
    with torch.device("meta"):
        full = PaperNetwork(GescoPaperSizes())
        noisy, maps = torch.empty(1, 3, 256, 512), torch.empty(1, PLANES, 256, 512)
        output = full(noisy, torch.zeros(1, dtype=torch.long), maps)
    # 674.7 M of the released network, less 20.7 M that it never uses and 0.9 M of 16 planes.
    assert sum(p.numel() for p in full.parameters()) == 653_062_918
    assert output.shape == (1, 6, 256, 512)

    network(torch.randn(1, 3, *SIZE), torch.tensor([5]), planes).square().sum().backward()
    assert all(p.grad is not None and p.grad.any() for p in network.parameters())


def test_checkpointing_changes_no_gradient(network, planes):
    noisy, gradients = torch.randn(1, 3, *SIZE), []
    network.train()
    for network.checkpointing in (False, True):
        network.zero_grad()
        network(noisy, torch.tensor([5]), planes).square().sum().backward()
        gradients.append([p.grad.clone() for p in network.parameters()])
    torch.testing.assert_close(*gradients)


def test_the_map_has_a_plane_for_every_class_and_void():
    labels = np.array([[0, 18, 255, 40]], np.uint8)
    assert one_hot(labels).argmax(0).tolist() == [[0, 18, 19, 19]]
    assert one_hot(labels).sum(0).tolist() == [[1, 1, 1, 1]]


@pytest.mark.parametrize("sizes", [{"width": 40}, {"multipliers": ()}, {"head": 48}])
def test_sizes_that_do_not_divide_are_a_sentence(sizes):
    with pytest.raises(SemcomError, match="multiple of 32|give some|choose other"):
        GescoPaperSizes(**sizes)


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
    again = NoisyDraws(open_source(small_camvid, "train"), SIZE, 7, 2)
    for name, value in draws[3].items():
        assert torch.equal(value, again[3][name])
    assert not torch.equal(draws[2]["noise"], draws[3]["noise"])
    assert draws[3]["image"].shape == (2, 3, *SIZE) and draws[3]["image"].abs().max() <= 1
    nulls = sum(not one.any() for i in range(20) for one in draws[i]["planes"])
    assert 2 <= nulls <= 16


def test_training_lowers_the_loss(draws):
    torch.manual_seed(0)
    network, accelerator = PaperNetwork(NARROW), Accelerator(mixed_precision="bf16")
    optimizer = torch.optim.AdamW(network.parameters(), lr=2e-3)
    losses = [update(network, optimizer, draws[0], scheduler(), accelerator) for _ in range(10)]
    assert losses[-1]["error"] < 0.8 * losses[0]["error"]
    assert all(torch.isfinite(loss["bound"]) for loss in losses)


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


def test_sampling_is_the_same_twice_by_seed_and_reads_the_map(network, planes):
    def image(seed, planes):
        return sample(network, planes, [seed], steps=2)

    assert torch.equal(image(1, planes), image(1, planes))
    assert not torch.equal(image(1, planes), image(2, planes))
    assert not torch.equal(image(1, planes), image(1, planes.roll(1, 1)))
    assert image(1, planes).shape == (1, 3, *SIZE) and image(1, planes).abs().max() <= 1


def test_a_perfect_network_samples_its_image_in_few_steps_as_in_many(planes):
    schedule, truth = scheduler(), torch.rand(1, 3, *SIZE) * 1.6 - 0.8

    def perfect(noisy, steps, planes):
        now = schedule.alphas_cumprod[steps][:, None, None, None]
        epsilon = (noisy - now.sqrt() * truth) / (1 - now).sqrt()
        return torch.cat([epsilon, -torch.ones_like(epsilon)], 1)

    for steps in (2, 7, 250):
        image = sample(perfect, planes, [0], steps)
        torch.testing.assert_close(image, truth, atol=1e-3, rtol=0)


def test_a_number_of_steps_outside_the_schedule_is_a_sentence(network, planes):
    for steps in (1, STEPS + 1):
        with pytest.raises(SemcomError, match="give 2 to 1000"):
            sample(network, planes, [0], steps)


@pytest.fixture(scope="module")
def options(small_camvid):
    """The command's options, from the folder that it writes to and further words."""
    parser = argparse.ArgumentParser()
    GescoPaperTraining.add_arguments(parser)
    small = "--width 32 --multipliers 1 2 --size 16 32 --batch 2 --workers 0 --seed 5"

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
    assert card["network"]["width"] == 32 and card["size"] == [16, 32] and card["updates"] == 2
    assert card["recipe"].startswith("accelerate launch --num_processes 1 -m semcom_ros.cli train")
    assert [json.loads(x)["step"] for x in (trained / "log.jsonl").read_text().splitlines()] == [2]


def test_what_was_trained_paints_in_place_of_the_shipped_network(trained):
    network = load_network(trained / "net.safetensors", size=(16, 32))
    diffusion = PaperDiffusion(network, passes=3)
    labels = [np.full((16, 32), c, np.uint8) for c in (0, 255)]
    shares = [diffusion.class_shares.of_labels(one) for one in labels]
    blank = [np.zeros((1, 2, 3), np.float32)] * 2
    one, other = diffusion(shares, blank, steps=1, from_picture=[False] * 2, seeds=[1, 2])
    assert one.shape == (16, 32, 3) and one.dtype == np.uint8
    (alone,) = diffusion(shares[1:], blank[1:], seeds=[2])
    assert np.abs(alone.astype(int) - other).max() <= 1
    (guided_,) = diffusion(shares[:1], seeds=[1], guidance=2.0)
    assert (guided_ != one).any()


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
        NoisyDraws(open_source(f"folder:{tmp_path}"), SIZE, 0, 1)


def test_weights_of_other_classes_size_or_hash_are_refused(trained, tmp_path):
    path = tmp_path / "net.safetensors"

    def put(**changes):
        shutil.copy(trained / "net.safetensors", path)
        card = json.loads((trained / "net.json").read_text())
        path.with_suffix(".json").write_text(json.dumps(card | changes))

    put()
    assert load_network(path, size=(16, 32)).sizes.width == 32
    with pytest.raises(SemcomError, match="were trained at 16x32, not 256x512"):
        load_network(path)
    put(classes=["road", "sky"])
    with pytest.raises(SemcomError, match="know 2 classes, not the 19"):
        load_network(path, size=(16, 32))
    put(network={"width": 64, "multipliers": [1, 2]})
    with pytest.raises(SemcomError, match="made for another network"):
        load_network(path, size=(16, 32))
    put(network={"depth": 3})
    with pytest.raises(SemcomError, match="does not describe this network"):
        load_network(path, size=(16, 32))
    put()
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    with pytest.raises(SemcomError, match="the hash differs"):
        load_network(path, size=(16, 32))
