# SPDX-License-Identifier: Apache-2.0
"""The learned links are those that were published: rates, parameters, gates, and what is sent."""

from __future__ import annotations

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from semcom_ros.codecs.gsc.sizes import FAST
from semcom_ros.lab.jscc import networks
from semcom_ros.lab.jscc.analog_link import AnalogLink
from semcom_ros.lab.jscc.convolutional import AttentionFeature, DivisiveNormalisation
from semcom_ros.lab.jscc.transformer import SwinJscc
from semcom_ros.lab.training.gsc.link import Draw, GscLink
from semcom_ros.labels import CLASSES

pytestmark = pytest.mark.usefixtures("one_thread")
SNR = torch.tensor([10.0])
PICTURES = ("deepjscc", "adjscc", "witt", "swinjscc")


def on_paper(name: str, full: bool, **sizes: int) -> torch.nn.Module:
    """A network that has no memory behind it."""
    with torch.device("meta"):
        return networks.create(name, full, **sizes).eval()


def bandwidth_ratio(link: AnalogLink) -> float:
    """Complex symbols over the image's values, by what its encoder gives."""
    image = torch.zeros(1, 3, 256, 512, device="meta")
    planes = link.values(image, SNR.to("meta"))
    return planes.numel() / 2 / image.numel()


def test_rates_are_those_that_the_papers_have() -> None:
    assert bandwidth_ratio(on_paper("deepjscc", True, planes=8)) == 1 / 12
    assert bandwidth_ratio(on_paper("adjscc", True, planes=8)) == 1 / 12
    assert bandwidth_ratio(on_paper("witt", True)) == 1 / 16


@pytest.mark.parametrize(
    ("name", "millions"),
    [("deepjscc", 0.140), ("adjscc", 10.63), ("witt", 28.2), ("swinjscc", 33.1),
     ("deeplab_jscc", 11.54), ("fcn", 11.18)],
)  # fmt: skip
def test_full_sizes_have_the_parameters_that_follow_from_the_papers(
    name: str, millions: float
) -> None:
    count = sum(p.numel() for p in on_paper(name, True).parameters())
    assert count / 1e6 == pytest.approx(millions, rel=3e-3)


def multiply_accumulates(name: str, full: bool = False) -> float:
    """At 256x512, of both ends, in billions."""
    network, image = on_paper(name, full), torch.zeros(1, 3, 256, 512, device="meta")
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        if isinstance(network, AnalogLink):
            kept = torch.tensor([network.planes // 2], device="meta")
            planes, _ = network.encode(image, SNR.to("meta"), kept)
            network.decode(planes, SNR.to("meta"))
        else:
            network(image)
    return counter.get_total_flops() / 2e9


def of_gsc(asked: int) -> float:
    """The same of gsc, where the picture (0) or the map (1) is asked for."""
    network, image = GscLink(FAST, len(CLASSES)).eval(), torch.zeros(1, 3, 256, 512)
    draw = Draw.fixed(1, 8, 10.0, torch.device("cpu"))
    draw = draw._replace(wanted=torch.eye(2)[asked : asked + 1])
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        heard = network.send(image, draw)
        contexts = network.understand(heard)
        if asked:
            network.label(contexts, slice(None))
        else:
            network.paint(contexts, heard, slice(None))
    return counter.get_total_flops() / 2e9


def test_the_narrow_twins_compute_as_much_as_gsc() -> None:
    for asked, twins in enumerate([PICTURES, ("deeplab_jscc", networks.READER)]):
        expected = pytest.approx(of_gsc(asked), rel=0.05)
        for name in twins:
            assert multiply_accumulates(name) == expected, name
    # What is narrow about them.
    assert multiply_accumulates("witt", full=True) > 10 * multiply_accumulates("witt")


@pytest.fixture(scope="module")
def witt() -> SwinJscc:
    torch.manual_seed(0)
    return SwinJscc((8, 8, 8, 16), depths=(1, 1, 2, 1), heads=(1, 1, 1, 2), window=4).eval()


def test_adjscc_gates_every_channel_by_the_snr() -> None:
    torch.manual_seed(0)
    module, features = AttentionFeature(32), torch.randn(2, 32, 4, 4)
    low, high = (module.gate(features, torch.full((2,), snr)) for snr in (-5.0, 20.0))
    assert ((low > 0) & (low < 1)).all() and not torch.allclose(low, high)
    torch.testing.assert_close(
        module(features, torch.full((2,), 20.0)), features * high[..., None, None]
    )


def test_divisive_normalisation_is_what_its_formula_says() -> None:
    torch.manual_seed(0)
    module, x = DivisiveNormalisation(3), torch.randn(1, 3, 2, 2)
    weight = module.weight.square()
    by_hand = [
        x[0, i] / (1 + 1e-6 + sum(weight[i, j] * x[0, j] ** 2 for j in range(3))).sqrt()
        for i in range(3)
    ]
    torch.testing.assert_close(module(x)[0], torch.stack(by_hand))


def test_swinjscc_sends_the_planes_of_the_highest_gates_and_as_many_as_asked(
    witt: SwinJscc,
) -> None:
    image = torch.rand(2, 3, 64, 96)
    kept = torch.tensor([1, 5])
    planes, sent = witt.encode(image, SNR.expand(2), kept)
    assert planes.shape == (2, 16, 4, 6) and sent.sum(1).tolist() == [2, 10]
    gates = witt.gate_rate(witt.features(image, SNR.expand(2)), 2 * kept / 16).sum((1, 2))
    for gate, mask in zip(gates, sent, strict=True):
        assert gate[mask].min() >= gate[~mask].max()


def test_images_come_back_at_their_size_and_hear_the_snr(witt: SwinJscc) -> None:
    planes = torch.randn(1, 16, 4, 6)
    images = [witt.decode(planes, torch.tensor([snr])) for snr in (0.0, 20.0)]
    assert images[0].shape == (1, 3, 64, 96) and not torch.allclose(*images)
