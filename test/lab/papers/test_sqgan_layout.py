# SPDX-License-Identifier: Apache-2.0
"""Weights in the layout of SQ-GAN's public code become ours: a small network that computes from
tensors of those names gives what ours gives of them."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from semcom_ros.cli import main
from semcom_ros.codecs.sqgan.paper.inference import MAKERS, file_of, load_network
from semcom_ros.codecs.sqgan.paper.networks import SqganPaperSizes
from semcom_ros.errors import SemcomError
from semcom_ros.lab.papers.sqgan_layout import convert, sizes_of

WIDTHS, DIMS, HIDDEN, DEPTH, BLOCKS, WORDS = (32, 64), 32, 8, 2, 1, 16
SIZES = SqganPaperSizes(32, (1, 2), BLOCKS, DIMS, DEPTH, HIDDEN, WORDS, form="code")
LAST = len(WIDTHS) - 1

pytestmark = pytest.mark.usefixtures("one_thread")


class Public:
    """A network that makes its tensors, by their public names, as it first needs them."""

    def __init__(self, end):
        self.end, self.state = end, {}
        self.random = torch.Generator().manual_seed(3)

    def tensor(self, name, *shape):
        if name not in self.state:
            spread = 1 / math.sqrt(max(1, math.prod(shape[1:])))
            self.state[name] = spread * torch.randn(shape, generator=self.random)
        return self.state[name]

    def conv(self, at, x, cout, kernel=3, **how):
        weight = self.tensor(f"{at}.weight", cout, x.shape[1], kernel, kernel)
        how = {"padding": kernel // 2} | how
        return F.conv2d(x, weight, self.tensor(f"{at}.bias", cout), **how)

    def norm(self, at, x):
        n = x.shape[1]
        scale, shift = self.tensor(f"{at}.weight", n), self.tensor(f"{at}.bias", n)
        return F.group_norm(x, 32, scale, shift, 1e-6)

    def spade(self, at, x, planes):
        seen = F.interpolate(planes, x.shape[2:], mode="nearest")
        seen = self.conv(f"{at}.mlp_shared.0", seen, HIDDEN).relu()
        scale, shift = (self.conv(f"{at}.mlp_{n}", seen, x.shape[1]) for n in ("gamma", "beta"))
        return F.group_norm(x, 32) * (1 + scale) + shift

    def block(self, at, x, cout, planes=None):
        def norm(n, y):
            return self.norm(n, y) if planes is None else self.spade(n, y, planes)

        inner = self.conv(f"{at}.conv1", F.silu(norm(f"{at}.norm1", x)), cout)
        inner = self.conv(f"{at}.conv2", F.silu(norm(f"{at}.norm2", inner)), cout)
        return inner + (x if x.shape[1] == cout else self.conv(f"{at}.nin_shortcut", x, cout, 1))

    def attend(self, at, x, heard=None):
        y, n = self.norm(f"{at}.norm", x), x.shape[1]
        query, key, value = (self.conv(f"{at}.{one}", y, n, 1).flatten(2) for one in "qkv")
        weights = (query.mT @ key / math.sqrt(n)).softmax(-1)
        weights = weights if heard is None else weights * heard.flatten(2)
        seen = (value @ weights.mT).reshape(x.shape)
        return x + self.conv(f"{at}.proj_out", seen, n, 1)

    def middle(self, at, x):
        n = x.shape[1]
        return self.block(f"{at}.block_2", self.attend(f"{at}.attn_1", self.block(
            f"{at}.block_1", x, n)), n)  # fmt: skip

    def encode(self, seen, classes):
        at = f"encoder{self.end}"
        x = self.norm(f"{at}.conv_in.1", self.conv(f"{at}.conv_in.0", seen, WIDTHS[0]))
        if not self.end:
            place = self.conv(f"{at}.conv_in_semantic.0", classes, WIDTHS[0]).relu()
            x = x + self.conv(f"{at}.conv_in_semantic.2", place, 1, 1)
        for level, width in enumerate(WIDTHS):
            for i in range(BLOCKS):
                x = self.block(f"{at}.down.{level}.block.{i}", x, width)
                x = self.attend(f"{at}.down.{level}.attn.{i}", x) if level == LAST else x
            if level < LAST:
                x = F.pad(x, (0, 1, 0, 1))
                down = f"{at}.down.{level}.downsample.conv"
                x = self.conv(down, x, width, stride=2, padding=0)
        x = F.silu(self.norm(f"{at}.norm_out", self.middle(f"{at}.mid", x)))
        return self.conv(f"{at}.conv_out", x, DIMS)

    def transmit(self, seen, classes):
        x, at = self.encode(seen, classes), f"masker{self.end}.score_pred_net"
        y = self.conv(f"{at}.conv1", self.spade(f"{at}.layer1", x, classes), DIMS).relu()
        scores = self.conv(f"{at}.conv2", self.spade(f"{at}.layer2", y, classes), 1, 1).sigmoid()
        # Made and never used.
        self.tensor(f"masker{self.end}.cross_attention.in_proj_weight", 3 * DIMS, DIMS)
        project = self.tensor(f"masker{self.end}.pre_projection.weight", DIMS, DIMS)
        scaled = F.layer_norm(x.movedim(1, -1), (DIMS,)) * scores.movedim(1, -1)
        return F.linear(scaled, project).movedim(-1, 1), scores

    def receive(self, codes, kept, classes, cout):
        at = f"demasker{self.end}"
        x = torch.where(kept, codes, self.tensor(f"{at}.mask_token", 1, DIMS, 1)[..., None])
        x = self.conv(f"{at}.conv_in", self.conv(f"{at}.post_projection", x, DIMS, 1), DIMS)
        heard = torch.where(kept, 1.0, 0.02)
        for i in range(DEPTH):
            one = f"{at}.transformer.blocks.{i}"
            x = self.attend(f"{one}.attn", self.block(f"{one}.resblock", x, DIMS), heard)
            heard = heard.sqrt()
        x = self.block(f"{at}.transformer.last_resblock", x, DIMS)
        at = f"decoder{self.end}"
        x = self.conv(f"{at}.conv_in", x, WIDTHS[-1])
        x = self.middle(f"{at}.mid", x) if self.end else x
        planes = None if self.end else classes
        for level in range(LAST, -1, -1):
            for i in range(BLOCKS + 1):
                x = self.block(f"{at}.up.{level}.block.{i}", x, WIDTHS[level], planes)
                x = self.attend(f"{at}.up.{level}.attn.{i}", x) if level == LAST else x
            if level:
                x = F.interpolate(x, scale_factor=2)
                x = self.conv(f"{at}.up.{level}.upsample.conv", x, x.shape[1])
        return self.conv(f"{at}.conv_out", F.silu(self.norm(f"{at}.norm_out", x)), cout)


@pytest.fixture(scope="module", params=["map", "image"])
def public(request):
    """A pipeline's name, its tensors by their public names, what it was given and what it gave."""
    torch.manual_seed(0)
    kind = request.param
    network = Public("_semantic" if kind == "map" else "")
    planes = F.one_hot(torch.randint(20, (2, 8, 16)), 20).movedim(-1, 1).float()
    classes = planes[:, :19]
    seen = planes if kind == "map" else torch.randn(2, 3, 8, 16)
    codes, kept = torch.randn(2, DIMS, 4, 8), torch.rand(2, 1, 4, 8) < 0.5
    vectors, scores = network.transmit(seen, classes)
    out = network.receive(codes, kept, classes, 20 if kind == "map" else 3)
    book = f"quantize{network.end}.codebook"
    for name, *shape in (("weight", WORDS + 1, DIMS), ("cluster_size_ema", WORDS),
                         ("embed_ema", WORDS, DIMS)):  # fmt: skip
        network.tensor(f"{book}.{name}", *shape)
    return kind, network.state, (seen, classes, codes, kept), (vectors, scores, out)


def test_ours_gives_what_the_public_layouts_network_gives(public):
    kind, state, (seen, classes, codes, kept), (vectors, scores, out) = public
    tensors, card = convert(state, kind)
    assert card["pipeline"] == kind and SqganPaperSizes(**card["network"]) == SIZES
    pipeline = MAKERS[kind](SIZES).eval()
    pipeline.load_state_dict({n: torch.from_numpy(t) for n, t in tensors.items()})
    of_map = kind == "map"
    with torch.no_grad():
        sent = pipeline.transmitter((seen,) if of_map else (seen, classes), classes)
        shown = pipeline.receiver(codes, kept.float(), () if of_map else (classes,))
    for ours, theirs in zip((*sent, shown), (vectors, scores, out), strict=True):
        torch.testing.assert_close(ours, theirs, atol=2e-4, rtol=1e-3)
    words = state[f"quantize{'_semantic' if of_map else ''}.codebook.weight"][:-1]
    torch.testing.assert_close(pipeline.quantiser.codebook, words)


def test_the_command_writes_the_file_that_the_codec_looks_for(public, tmp_path):
    kind, state, *_ = public
    stage = "map" if kind == "map" else "tune"
    torch.save({"state_dict": state}, tmp_path / "last.ckpt")
    out = tmp_path / file_of(stage)
    words = f"weights import --from sqgan-{kind} {tmp_path}/last.ckpt --out {out} --size 8 16"
    assert main(words.split()) == 0
    wanted, _ = convert(state, kind)
    found = load_network(tmp_path, stage, size=(8, 16)).state_dict()
    for name, tensor in wanted.items():
        np.testing.assert_allclose(found[name], tensor, atol=1e-3, rtol=1e-3)


def test_a_tensor_that_is_missing_is_named_and_networks_that_do_not_fit_are_a_sentence(public):
    kind, state, *_ = public
    end = "_semantic" if kind == "map" else ""
    assert sizes_of(state, kind) == SIZES
    gone = f"demasker{end}.mask_token"
    with pytest.raises(KeyError, match=gone):
        convert({n: t for n, t in state.items() if n != gone}, kind)
    with pytest.raises(SemcomError, match="of different networks"):
        convert(state | {gone: torch.zeros(1, 7, 1)}, kind)
