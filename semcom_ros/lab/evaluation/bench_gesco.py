# SPDX-License-Identifier: Apache-2.0
"""`semcom bench gesco`: milliseconds by part between a frame and its regeneration.

Beside them the least that the network's operations take at this machine's rate, and the time of
the paper's configuration.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np
import torch
from rich.console import Console

from semcom_ros.codecs.gesco import GescoSettings
from semcom_ros.codecs.gesco.decoder import Decoder
from semcom_ros.codecs.gesco.diffusion import STEPS, ImageDiffusion
from semcom_ros.codecs.gesco.encoder import Encoder
from semcom_ros.codecs.gesco.fast_denoising import denoise
from semcom_ros.codecs.gesco.paper.configuration import PLANES, Configuration
from semcom_ros.codecs.gesco.paper.network import PaperNetwork
from semcom_ros.coding.grids import pool
from semcom_ros.datasets import open_source
from semcom_ros.frame import WORK_SIZE, fit
from semcom_ros.lab.evaluation import timing
from semcom_ros.lab.evaluation.matrix_rate import convolution_rate, operations
from semcom_ros.lab.map_noise import gaussian
from semcom_ros.payload import pack, unpack
from semcom_ros.perception.segmentation import Segmenter
from semcom_ros.pipeline import single
from semcom_ros.pipeline.single import decode_labels, encode

NOISE_DB = 10.0
"""PSNR of the planes that fast denoising is timed on."""
PAPER_PASSES = 2 * 1000
"""Forward passes of the paper's network for one image: two for guidance, a thousand steps."""

Calls = dict[str, Callable[[], object]]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `semcom bench gesco`."""
    paper = "time the paper's network too, with random weights: a minute and 3 GB"
    timing.add_codec_arguments(parser, 512, paper)


def run(args: argparse.Namespace) -> None:
    """Time encoder and decoder with the shipped weights on one frame."""
    torch.set_num_threads(args.threads)
    frame = fit(open_source(args.data)[0])
    segmenter, encoder, decoder = Segmenter.from_pretrained(), Encoder(), Decoder()
    [labels] = segmenter([frame.image])
    labelled = replace(frame, labels=labels)
    data = pack(encode("gesco", encoder, labelled, args.payload_bytes))
    network = network_calls(decoder.diffusion)
    calls: Calls = {
        "segment_ms": lambda: segmenter([frame.image]),
        "encode_ms": lambda: pack(encode("gesco", encoder, labelled, args.payload_bytes)),
        "decode_labels_ms": lambda: decode_labels("gesco", decoder, unpack(data)),
        "fast_denoising_ms": denoising(labelled.labels, encoder.planes_rows),
        **network,
        "decode_ms": partial(decode, decoder, data),
        **{
            f"decode_steps_{n}_ms": partial(decode, Decoder(GescoSettings(steps=n)), data)
            for n in STEPS
            if n != decoder.settings.steps
        },
    }
    with torch.inference_mode():
        figures = {name: timing.measure(call, args.repeats) for name, call in calls.items()}
    needed = sum(operations(call) for call in network.values()) / 1e9
    rate = convolution_rate() / 1e9
    floor_ms, decode_ms = 1e3 * needed / rate, figures["decode_ms"]["median"]
    context = {
        "threads": args.threads,
        "bytes": len(data),
        "giga_operations": round(needed, 2),
        "giga_operations_per_s": round(rate, 1),
        "floor_ms": round(floor_ms, 2),
    }
    notes = [
        f"A frame in one step takes {needed:.2f} G operations of convolutions and products; at "
        f"the {rate:.0f} G/s of a dense convolution here that is {floor_ms:.1f} ms. "
        f"decode_ms is {decode_ms / floor_ms:.1f} times that."
    ]
    if args.paper:
        figures["paper_pass_ms"] = timing.measure(paper_pass(), 1, warm_up=1)
        paper_ms = PAPER_PASSES * figures["paper_pass_ms"]["median"]
        context["paper_ratio"] = round(paper_ms / decode_ms)
        notes.append(
            f"The paper's configuration, {PAPER_PASSES} passes of its network (random weights), "
            f"would take {paper_ms / 3.6e6:.1f} h a frame: {paper_ms / decode_ms:.0f} times "
            "decode_ms."
        )
    timing.report(figures, args.json, **context)
    Console().print("\n".join(notes), soft_wrap=True)


def decode(decoder: Decoder, data: bytes) -> None:
    """A packed payload to labels and image."""
    single.decode("gesco", decoder, unpack(data))


def denoising(labels: np.ndarray, rows: int) -> Callable[[], object]:
    """Fast denoising of a map that came as noisy planes of `rows` rows."""
    cells = pool(labels, (rows, 2 * rows))
    present = np.unique(cells)
    one_hot = (cells == present[:, None, None]).astype(np.float32)
    planes = gaussian(one_hot, NOISE_DB, np.random.default_rng(0))
    return partial(denoise, planes, present)


def network_calls(diffusion: ImageDiffusion) -> Calls:
    """The network's two parts: what a frame's steps share, and a step."""
    network = diffusion.network
    height, width = WORK_SIZE

    def values(channels: int, stride: int) -> torch.Tensor:
        shape = (1, channels, height // stride, width // stride)
        random = torch.rand(shape).to(diffusion.device, torch.bfloat16)
        return random.contiguous(memory_format=torch.channels_last)

    class_shares, coarse, noisy = (
        values(len(diffusion.class_shares.classes), 2),
        values(3, 16),
        values(3, 1),
    )
    log_snr = torch.zeros(1, device=diffusion.device)
    with torch.inference_mode():
        conditions = network.condition(class_shares, coarse)
    return {
        "condition_ms": lambda: network.condition(class_shares, coarse),
        "step_ms": lambda: network.denoise(noisy, log_snr, conditions),
    }


def paper_pass() -> Callable[[], object]:
    """One forward pass of the paper's network, full width, with random weights: only its time
    means something."""
    with torch.device("meta"):
        network = PaperNetwork(Configuration()).to(torch.bfloat16)
    network = network.to_empty(device="cpu").eval().requires_grad_(False)
    for parameter in network.parameters():
        # Memory as it was found may hold denormal numbers, which are slow.
        parameter.normal_(0, 0.02)
    network = network.to(memory_format=torch.channels_last)
    noisy, planes = (
        torch.rand(1, n, *WORK_SIZE, dtype=torch.bfloat16).to(memory_format=torch.channels_last)
        for n in (3, PLANES)
    )
    step = torch.tensor([500])
    return torch.inference_mode()(partial(network, noisy, step, planes))
