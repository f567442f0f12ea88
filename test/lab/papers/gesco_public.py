# SPDX-License-Identifier: Apache-2.0
"""A small network as GESCO's public code lays its state dict out: tensors, and what they compute.

Written from the names alone, by their own indices, so that it shares nothing with ours.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F

HEAD = 64


class Public:
    """width: channels, times `multipliers` by level; attention: levels that have some."""

    def __init__(self, width: int, multipliers: tuple, blocks: int, attention: tuple, planes: int):
        self.state: dict[str, torch.Tensor] = {}
        self.width, self.random = width, torch.Generator().manual_seed(5)
        self.planes, time = planes, 4 * width
        self.time = time
        self.pair("time_embed.0", time, width)
        self.pair("time_embed.2", time, time)
        self.pair("input_blocks.0.0", width, 3, 3, 3)
        self.inputs, self.outputs = [[("stem", "input_blocks.0.0")]], []
        channels, kept = width, [width]
        for level, times in enumerate(multipliers):
            for _ in range(blocks):
                self.inputs.append(self.row("input", channels, width * times, level in attention))
                channels = width * times
                kept.append(channels)
            if level < len(multipliers) - 1:
                self.inputs.append(self.row("input", channels, channels, False, "down"))
                kept.append(channels)
        self.middle = [
            self.block("middle_block.0", channels, channels, True),
            self.attend("middle_block.1", channels),
            self.block("middle_block.2", channels, channels, True),
        ]
        for level, times in reversed(list(enumerate(multipliers))):
            for i in range(blocks + 1):
                row = self.row("output", channels + kept.pop(), width * times, level in attention)
                channels = width * times
                if level and i == blocks:
                    where = f"output_blocks.{len(self.outputs)}.{len(row)}"
                    row.append(self.block(where, channels, channels, True, "up"))
                self.outputs.append(row)
        self.pair("out.0", width)
        self.pair("out.2", 6, width, 3, 3)

    def pair(self, name: str, *shape: int) -> None:
        fan = math.prod(shape[1:]) or 1
        draw = torch.randn(shape, generator=self.random)
        self.state[f"{name}.weight"] = 1 + 0.2 * draw if len(shape) == 1 else draw / fan**0.5
        self.state[f"{name}.bias"] = 0.2 * torch.randn(shape[0], generator=self.random)

    def row(self, side: str, cin: int, cout: int, attends: bool, way: str = "") -> list:
        index = len(self.inputs if side == "input" else self.outputs)
        row = [self.block(f"{side}_blocks.{index}.0", cin, cout, side == "output", way)]
        return [*row, self.attend(f"{side}_blocks.{index}.1", cout)] if attends else row

    def block(self, name: str, cin: int, cout: int, spade: bool, way: str = "") -> tuple:
        for norm, channels in (("in_norm", cin), ("out_norm", cout)) if spade else ():
            self.spade(f"{name}.{norm}", channels)
        if not spade:
            self.spade(f"{name}.spade_norm", cin, 3)
            self.pair(f"{name}.in_layers.0", cin)
            self.pair(f"{name}.out_layers.0", cout)
        self.pair(f"{name}.in_layers.{1 if spade else 2}", cout, cin, 3, 3)
        self.pair(f"{name}.emb_layers.1", 2 * cout, self.time)
        self.pair(f"{name}.out_layers.{2 if spade else 3}", cout, cout, 3, 3)
        if cin != cout:
            self.pair(f"{name}.skip_connection", cout, cin, 1, 1)
        return "block", name, spade, way

    def spade(self, name: str, channels: int, planes: int | None = None) -> None:
        self.pair(f"{name}.mlp_shared.0", 128, planes or self.planes, 3, 3)
        self.pair(f"{name}.mlp_gamma", channels, 128, 3, 3)
        self.pair(f"{name}.mlp_beta", channels, 128, 3, 3)

    def attend(self, name: str, channels: int) -> tuple:
        self.pair(f"{name}.norm", channels)
        self.pair(f"{name}.qkv", 3 * channels, channels, 1)
        self.pair(f"{name}.proj_out", channels, channels, 1)
        return "attention", name

    def of(self, name: str) -> tuple[torch.Tensor, torch.Tensor]:
        return self.state[f"{name}.weight"], self.state[f"{name}.bias"]

    def __call__(self, x: torch.Tensor, steps: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        half = self.width // 2
        rates = torch.exp(-math.log(10000) * torch.arange(half) / half)
        angles = steps[:, None] * rates
        waves = torch.cat([angles.cos(), angles.sin()], 1)
        time = F.linear(F.silu(F.linear(waves, *self.of("time_embed.0"))), *self.of("time_embed.2"))
        kept = []
        for row in self.inputs:
            x = self.run(row, x, time, y)
            kept.append(x)
        x = self.run(self.middle, x, time, y)
        for row in self.outputs:
            x = self.run(row, torch.cat([x, kept.pop()], 1), time, y)
        return F.conv2d(
            F.silu(F.group_norm(x, 32, *self.of("out.0"))), *self.of("out.2"), padding=1
        )

    def run(self, row: list, x: torch.Tensor, time: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        for kind, name, *how in row:
            if kind == "stem":
                x = F.conv2d(x, *self.of(name), padding=1)
            elif kind == "block":
                x = self.residual(name, *how, x, time, y)
            else:
                x = x + self.attended(name, x)
        return x

    def residual(self, name, spade, way, x, time, y):
        def norm(which, features):
            if not spade:
                return F.group_norm(features, 32, *self.of(f"{name}.{which}_layers.0"))
            seen = F.interpolate(y, features.shape[-2:])
            seen = F.conv2d(seen, *self.of(f"{name}.{which}_norm.mlp_shared.0"), padding=1).relu()
            gamma, beta = (
                F.conv2d(seen, *self.of(f"{name}.{which}_norm.mlp_{part}"), padding=1)
                for part in ("gamma", "beta")
            )
            return F.group_norm(features, 32) * (1 + gamma) + beta

        def resized(features):
            if way == "up":
                return F.interpolate(features, scale_factor=2)
            return F.avg_pool2d(features, 2) if way == "down" else features

        inner = resized(F.silu(norm("in", x)))
        inner = F.conv2d(inner, *self.of(f"{name}.in_layers.{1 if spade else 2}"), padding=1)
        scale, shift = F.linear(F.silu(time), *self.of(f"{name}.emb_layers.1")).chunk(2, 1)
        inner = norm("out", inner) * (1 + scale[..., None, None]) + shift[..., None, None]
        inner = F.conv2d(
            F.silu(inner), *self.of(f"{name}.out_layers.{2 if spade else 3}"), padding=1
        )
        x = resized(x)
        if f"{name}.skip_connection.weight" in self.state:
            x = F.conv2d(x, *self.of(f"{name}.skip_connection"))
        return x + inner

    def attended(self, name, x):
        batch, channels, *_ = x.shape
        flat = F.group_norm(x, 32, *self.of(f"{name}.norm")).flatten(2)
        heads = F.conv1d(flat, *self.of(f"{name}.qkv")).reshape(batch, -1, 3 * HEAD, flat.shape[-1])
        query, key, value = heads.split(HEAD, 2)
        weights = (query.transpose(2, 3) @ key / HEAD**0.5).softmax(-1)
        seen = (value @ weights.transpose(2, 3)).reshape(batch, channels, -1)
        return F.conv1d(seen, *self.of(f"{name}.proj_out")).reshape(x.shape)
