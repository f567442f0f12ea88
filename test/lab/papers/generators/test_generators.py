# SPDX-License-Identifier: Apache-2.0
"""The generators that GESCO is held against: their sizes, and what makes each of them itself."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from semcom_ros.codecs.gesco.diffusion_network import DiffusionNetwork
from semcom_ros.codecs.gesco.paper.network import GescoPaperSizes
from semcom_ros.codecs.gesco.paper.sampling import guided
from semcom_ros.errors import SemcomError
from semcom_ros.lab.evaluation.timing import operations
from semcom_ros.lab.papers.generators import ccfpse, networks, oasis, smis, spade
from semcom_ros.lab.papers.generators.ccfpse import CcFpseGenerator, PredictedBlock, by_place
from semcom_ros.lab.papers.generators.control import ControlledDiffusion
from semcom_ros.lab.papers.generators.narrow_sdm import NarrowSdm
from semcom_ros.lab.papers.generators.smis import STYLES, SmisGenerator
from semcom_ros.lab.papers.generators.spade import MapGenerator, SpadeGenerator
from semcom_ros.lab.sunet import MapSunet, Sunet
from semcom_ros.layers.unet import SpadeNorm

pytestmark = pytest.mark.usefixtures("one_thread")
CLASSES, SIZE = 11, (256, 512)


@pytest.fixture
def plain(monkeypatch):
    """Without spectral norms, which add neither parameters nor convolutions, and whose start takes
    seconds."""
    for module in (spade, ccfpse, smis, oasis):
        monkeypatch.setattr(module, "spectral_norm", lambda layer: layer)


def parameters(network: nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


def cost(name: str) -> float:
    """Operations of one pass of a twin at 256x512."""
    with torch.device("meta"):
        network = networks.create(name, CLASSES).eval()
        planes, image = torch.empty(1, CLASSES, 128, 256), torch.empty(1, 3, *SIZE)
        if isinstance(network, MapGenerator):
            noise = torch.empty(1, *network.noise_size(planes))
            return operations(lambda: network(planes, noise))
        if name == "sdm":
            step, every = torch.zeros(1, dtype=torch.long), torch.empty(1, CLASSES, *SIZE)
            return operations(lambda: network(image, step, every))
        coarse, level = torch.empty(1, 3, 16, 32), torch.empty(1)
        return operations(lambda: network.denoise(image, level, network.condition(planes, coarse)))


@pytest.mark.parametrize(
    ("make", "published"),
    [
        (lambda: networks.create("spade", 36, full=True), 93_048_003),
        (lambda: networks.create("oasis", 35, full=True), 71_107_523),
        # The released 119 966 979, less 26 112 of normalisations that it never calls.
        (lambda: networks.create("ccfpse", 36, full=True), 119_940_867),
        # Generator and encoder.
        (lambda: SmisGenerator(35, edges=True), 76_501_358 + 5_768_210),
        # The released 674.7 M, less 20.7 M that it never uses.
        (lambda: networks.create("sdm", 36, full=True), 653_984_518),
        (lambda: oasis.ClassDiscriminator(35), 22_251_364),
        # Less one activation's slope that the released code never uses.
        (lambda: Sunet(3, 3), 99_683_721 - 1),
    ],
    ids=["spade", "oasis", "ccfpse", "smis", "sdm", "oasis's discriminator", "sunet"],
)
def test_as_published_it_has_as_many_parameters_as_the_released_code_for_cityscapes(
    make, published, plain
):
    """Counted in the code that the authors released, as its options for Cityscapes make it."""
    with torch.device("meta"):
        assert parameters(make()) == published


@pytest.mark.parametrize("name", networks.TWINS)
def test_a_twin_costs_as_much_as_the_others(name, plain):
    assert cost(name) == pytest.approx(5.43e9, rel=0.1)


def test_what_has_no_published_form_and_what_nobody_knows_are_told():
    with pytest.raises(SemcomError, match="control.*--full"):
        networks.create("control", CLASSES, full=True)
    with pytest.raises(SemcomError, match="'gesco' has no --full: `semcom train gesco-paper`"):
        networks.create("gesco", CLASSES, full=True)
    with pytest.raises(SemcomError, match="generator"):
        networks.create("pix2pix", CLASSES)


@pytest.mark.parametrize(
    "network",
    [
        SpadeGenerator(3, 2, (4, 2, 1), hidden=4, shuffle=2),
        SpadeGenerator(3, 2, (4, 2, 1), hidden=4, noises=2),
        CcFpseGenerator(3, 2, (4, 2, 1), hidden=4, shuffle=2),
        SmisGenerator(3, 2, (4, 4, 2, 1), groups=(1,), encoder=2, shuffle=2),
    ],
    ids=["spade", "oasis", "ccfpse", "smis"],
)
def test_a_picture_has_its_size_and_range_and_hangs_on_the_map(network):
    planes = F.one_hot(torch.arange(128).view(1, 8, 16) % 3).permute(0, 3, 1, 2).float()
    noise = torch.randn(1, *network.eval().noise_size(planes))
    picture = network(planes, noise)
    assert picture.shape == (1, 3, 8 * network.shuffle, 16 * network.shuffle)
    assert 0 <= picture.min() <= picture.max() <= 1
    assert not torch.equal(picture, network(planes.roll(1, 1), noise))


def test_spades_scale_and_shift_are_of_the_map_and_not_of_the_picture():
    """Park et al. 2019, equation 1: gamma and beta are functions of the map alone."""
    norm, planes = SpadeNorm(nn.Identity(), 4, 3, 8), torch.randn(1, 3, 6, 6)
    shift = norm(torch.zeros(1, 4, 6, 6), planes)
    scale = norm(torch.ones(1, 4, 6, 6), planes) - shift
    for x in torch.randn(3, 1, 4, 6, 6):
        torch.testing.assert_close(norm(x, planes), x * scale + shift)
    assert not torch.allclose(norm(torch.zeros(1, 4, 6, 6), planes.flip(1)), shift)


def test_ccfpse_convolves_every_place_by_the_kernel_that_the_map_gives_it():
    """Liu et al. 2019, equations 1 and 2."""
    x, kernel = torch.randn(1, 2, 5, 5), torch.randn(2, 1, 3, 3)
    same = kernel.view(1, 18, 1, 1).expand(1, 18, 5, 5).clone()
    torch.testing.assert_close(by_place(x, same), F.conv2d(x, kernel, padding=1, groups=2))
    other = same.clone()
    other[..., 2, 3] = 0
    changed = (by_place(x, other) != by_place(x, same)).any(1)
    assert changed.nonzero().tolist() == [[0, 2, 3]]

    block = PredictedBlock(2, 2, 2, 4)
    halves = F.one_hot((torch.arange(12) >= 6).long().expand(1, 12, 12)).permute(0, 3, 1, 2)
    kernels = block.first.kernels(halves.float())
    assert torch.equal(kernels[..., 5, 2], kernels[..., 7, 2])
    assert not torch.allclose(kernels[..., 5, 2], kernels[..., 5, 9])


def test_smis_changes_one_class_alone_where_its_groups_are_the_classes():
    """Zhu et al. 2020, section 3.2."""
    network = SmisGenerator(3, 2, (4, 4, 2, 1), groups=(1,), encoder=2).eval()
    planes, latents = torch.rand(1, 3, 8, 8), torch.randn(1, 3 * STYLES, 2, 2)
    other = latents.clone()
    other[:, STYLES : 2 * STYLES] += 1
    before, after = (network.blocks[0](network.start(z), planes) for z in (latents, other))
    changed = (before != after).flatten(2).any(2).view(3, -1)
    assert changed[1].all()
    assert not changed[[0, 2]].any()


def test_oasis_discriminates_between_the_classes_and_one_more():
    """Sushko et al. 2021, equation 1."""
    network = oasis.ClassDiscriminator(4, (4, 4, 4), last=4)
    logits = network(torch.rand(2, 3, 16, 16))
    assert logits.shape == (2, 5, 16, 16)
    labels = torch.zeros(2, 16, 16, dtype=torch.long)
    labels[1, :, 8:] = 3
    sure = torch.full((2, 5, 16, 16), -20.0)
    sure.scatter_(1, labels[:, None] + 1, 20.0)
    assert oasis.believed(sure, labels) < 1e-3 < oasis.doubted(sure)
    # Both classes weigh alike, though one has three times the pixels of the other.
    wrong = [sure.where(labels[:, None] != c, 0.0) for c in (0, 3)]
    torch.testing.assert_close(*(oasis.believed(w, labels) for w in wrong), rtol=1e-3, atol=0)
    labels[0] = oasis.VOID
    assert oasis.believed(sure.where(labels[:, None] == 3, 0.0)[:1], labels[:1]) == 0
    mixed = oasis.label_mix(lambda images: images, torch.rand(2, 3, 8, 8), torch.rand(2, 3, 8, 8),
                            torch.zeros(2, 8, 8, dtype=torch.long))  # fmt: skip
    assert mixed == 0


def test_control_begins_as_the_frozen_network_exactly_and_leaves_it_so():
    """Zhang et al. 2023, equation 3: before training the zero convolutions add nothing."""
    base = DiffusionNetwork(3, 8, (8, 8), (8, 8), (1, 1))
    network = ControlledDiffusion(base)
    kept = [p.clone() for p in base.parameters()]
    shares, coarse = torch.rand(1, 3, 16, 32), torch.rand(1, 3, 2, 4)
    noisy, level = torch.randn(1, 3, 32, 64), torch.zeros(1)
    with torch.no_grad():
        nothing = base.condition(torch.zeros_like(shares), coarse)
        frozen = base.denoise(noisy, level, nothing)
    network.train()
    steered = network.denoise(noisy, level, network.condition(shares, coarse))
    assert torch.equal(steered, frozen)

    learns = [p for p in network.parameters() if p.requires_grad]
    for _ in range(2):
        optimizer = torch.optim.SGD(learns, 0.1)
        optimizer.zero_grad()
        network.denoise(noisy, level, network.condition(shares, coarse)).square().sum().backward()
        optimizer.step()
    assert all(torch.equal(*pair) for pair in zip(kept, base.parameters(), strict=True))
    steered = [
        network.denoise(noisy, level, network.condition(s, coarse)) for s in (shares, 1 - shares)
    ]
    assert not torch.equal(steered[0], frozen)
    assert not torch.equal(*steered)


def test_sdm_guided_by_nothing_is_one_pass_with_the_map():
    """Wang et al. 2022, equation 12, in GESCO's form: at s = 0 the null map has no part."""
    sizes = GescoPaperSizes(32, (1, 2), blocks=1, attention=(2,), head=32, hidden=4, planes=5)
    network = NarrowSdm(sizes, 4).eval()
    for parameter in network.parameters():
        # What begins as 0 would hide the map.
        nn.init.normal_(parameter, std=0.1)
    noisy, step = torch.randn(1, 3, 32, 64), torch.tensor([9])
    planes = F.one_hot(torch.randint(5, (1, 32, 64)), 5).permute(0, 3, 1, 2).float()
    with torch.no_grad():
        alone = network(noisy, step, planes)
        assert alone.shape == (1, 6, 32, 64)
        assert torch.equal(guided(network, noisy, step, planes, 0.0), alone)
        assert not torch.allclose(guided(network, noisy, step, planes, 1.0), alone, atol=1e-3)


def test_sunet_of_maps_leaves_absent_classes_out_and_costs_as_the_small_denoiser():
    present = torch.tensor([[True, False, True]])
    with torch.no_grad():
        logits = MapSunet(3).eval()(torch.randn(1, 3, 32, 64), present)
    assert logits.shape == (1, 3, 32, 64)
    assert (logits.argmax(1) != 1).all()
    with torch.device("meta"):
        network, planes = MapSunet(CLASSES).eval(), torch.empty(1, CLASSES, *SIZE)
        known = torch.ones(1, CLASSES, dtype=torch.bool)
        assert operations(lambda: network(planes, known)) == pytest.approx(3.45e9, rel=0.1)
