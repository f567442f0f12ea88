# SPDX-License-Identifier: Apache-2.0
"""SQ-GAN's networks at the sizes of the paper (full width on no device), in the forms of its text
and of its released code."""

from __future__ import annotations

from typing import NamedTuple

import pytest
import torch
from torch import nn

from semcom_ros.codecs.sqgan.paper.networks import (
    CLASS_PLANES,
    FORMS,
    HEADS,
    MAP_PLANES,
    PaperAdm,
    PaperImageEncoder,
    PaperSamm,
    SqganPaperSizes,
    image_pipeline,
    map_pipeline,
)
from semcom_ros.codecs.sqgan.pipeline import Pipeline
from semcom_ros.errors import SemcomError
from semcom_ros.layers.unet import GroupAttention, SpadeGroupNorm

NARROW = SqganPaperSizes(32, (1, 1), blocks=1, dims=32, depth=2, hidden=8)


class Full(NamedTuple):
    """Both pipelines at full width, and of one frame what each gives and where attention stood."""

    form: str
    pipelines: dict[str, Pipeline]
    shapes: dict[str, tuple[tuple[int, ...], ...]]
    attended: list[tuple[int, ...]]


@pytest.fixture(scope="module", params=FORMS)
def full(request):
    attended, shapes = [], {}

    def attends(module, inputs, output):
        attended.append(tuple(output.shape[2:]))

    with torch.device("meta"):
        sizes = SqganPaperSizes(form=request.param)
        pipelines = {"map": map_pipeline(sizes), "image": image_pipeline(sizes)}
        planes, seen = torch.empty(1, MAP_PLANES, 256, 512), torch.empty(1, 3, 256, 512)
        classes = planes[:, :CLASS_PLANES]
        for name, inputs, read in (("map", (planes,), ()), ("image", (seen, classes), (classes,))):
            pipeline = pipelines[name]
            for module in pipeline.modules():
                if isinstance(module, GroupAttention):
                    module.register_forward_hook(attends)
            vectors, scores = pipeline.transmitter(inputs, classes)
            out = pipeline.receiver(vectors, scores, read)
            shapes[name] = tuple(tuple(one.shape) for one in (vectors, scores, out))
    return Full(request.param, pipelines, shapes, attended)


def count(module):
    return sum(p.numel() for p in module.parameters())


def test_latents_are_256_channels_at_a_sixteenth_and_come_back_at_full_size(full):
    latent, score = (1, 256, 16, 32), (1, 1, 16, 32)
    assert full.shapes["map"] == (latent, score, (1, 20, 256, 512))
    assert full.shapes["image"] == (latent, score, (1, 3, 256, 512))


def test_each_part_has_the_released_codes_parameters_the_texts_form_less_its_convolutions(full):
    """The released code, measured: encoders of 29.3 M, decoders of 42.5 and 51.2, SAMM 2.1 and ADM
    14.6, of which .26 and 1.2 are never used; 186.3 M in all, 2.9 of them unused."""
    maps, images = full.pipelines.values()
    for pipeline, decoder in ((maps, 42.47e6), (images, 51.19e6)):
        assert count(pipeline.receiver.decoder) == pytest.approx(decoder, rel=1e-3)
        assert count(pipeline.receiver.adm) == 13_396_224
        assert count(pipeline.transmitter.samm) == 1_815_041
        assert pipeline.quantiser.codebook.shape == (1024, 256)
    code = full.form == "code"
    encoder = count(maps.transmitter.encoder)
    assert encoder == 27_842_688 + code * sum(9 * n * n + n for n in (128, 128, 256, 256))
    # SemPE, of one plane or of 128, and a stem that sees 3 planes instead of 20.
    assert count(images.transmitter.encoder) == encoder + 2432 + 129 * (1 if code else 128)
    total = sum(map(count, (maps, images))) + 2 * 1024 * 256
    assert total == (183_380_634 if code else 180_446_361)


def test_attention_stands_at_the_coarsest_level_alone_with_several_heads_in_the_text(full):
    # Two blocks of an encoder and its middle, ADM's eight, three blocks of a decoder; the map's
    # decoder has a middle too.
    assert full.attended == [(16, 32)] * (3 + 8 + 4 + 3 + 8 + 3)
    modules = (m for pipeline in full.pipelines.values() for m in pipeline.modules())
    heads = {m.heads for m in modules if isinstance(m, GroupAttention)}
    assert heads == {HEADS if full.form == "text" else 1}


def test_spade_reads_nineteen_planes_through_128_channels(full):
    norms = [m for m in full.pipelines["image"].modules() if isinstance(m, SpadeGroupNorm)]
    # Two in each of three blocks a level, and two in SAMM.
    assert len(norms) == 2 * 3 * 5 + 2
    for norm in norms:
        assert norm.read.weight.shape == (128, 19, 3, 3)
        assert norm.modulate.weight.shape == (2 * norm.norm.num_channels, 128, 3, 3)
        assert norm.norm.num_groups == 32 and not norm.norm.affine


@pytest.mark.parametrize("form", FORMS)
def test_sempe_has_as_many_channels_as_the_features_in_the_text_and_one_in_the_code(form):
    sizes = SqganPaperSizes(32, (1, 1), blocks=1, dims=32, form=form)
    encoder = PaperImageEncoder(sizes)
    planes = torch.rand(1, CLASS_PLANES, 8, 16)
    assert encoder.place(planes).shape == (1, 32 if form == "text" else 1, 8, 16)
    assert encoder(torch.rand(1, 3, 8, 16), planes).shape == (1, 32, 4, 8)


def test_the_text_halves_sides_by_average_pooling_and_the_code_by_strided_convolutions():
    for form, halving in (("text", nn.AvgPool2d), ("code", nn.Conv2d)):
        down = SqganPaperSizes(form=form).down(4)
        assert isinstance(down, halving) and down(torch.rand(1, 4, 6, 8)).shape == (1, 4, 3, 4)
    x = torch.rand(1, 1, 2, 2)
    torch.testing.assert_close(SqganPaperSizes().down(1)(x).squeeze(), x.mean())


def test_scores_are_in_single_precision_whatever_the_network_is_in():
    samm = PaperSamm(NARROW).bfloat16()
    planes = torch.rand(2, CLASS_PLANES, 8, 16).bfloat16()
    with torch.no_grad():
        scores = samm(torch.randn(2, 32, 8, 16).bfloat16(), planes)
    assert scores.dtype == torch.float32 and len(scores.unique()) == scores.numel()
    assert 0 < scores.min() and scores.max() < 1


def test_of_what_was_not_sent_adm_sees_one_placeholder():
    adm, kept = PaperAdm(NARROW).eval(), torch.zeros(1, 1, 4, 8)
    kept[..., 0] = 1
    codes = torch.randn(1, 32, 4, 8)
    with torch.no_grad():
        seen = adm(codes, kept)
        torch.testing.assert_close(adm(codes * kept, kept), seen)
        assert not torch.allclose(adm(codes + 1, kept), seen)


@pytest.mark.parametrize(
    "sizes", [{"width": 40}, {"multipliers": ()}, {"depth": 0}, {"form": "copy"}]
)
def test_sizes_that_do_not_fit_are_a_sentence(sizes):
    with pytest.raises(SemcomError, match="multiple of 32|give some|give more|Valid: code, text"):
        SqganPaperSizes(**sizes)
