# SPDX-License-Identifier: Apache-2.0
"""`semcom bench sqgan`: milliseconds by part between a frame and its regeneration in one pass.

Beside them the least that the networks' operations take at this machine's rate, and the time of
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

from semcom_ros.codecs.sqgan import token_coder
from semcom_ros.codecs.sqgan.decoder import Decoder
from semcom_ros.codecs.sqgan.encoder import Encoder
from semcom_ros.codecs.sqgan.paper.configuration import CLASS_PLANES, MAP_PLANES, Configuration
from semcom_ros.codecs.sqgan.paper.networks import image_pipeline, map_pipeline
from semcom_ros.codecs.sqgan.pipeline import Pipeline
from semcom_ros.codecs.sqgan.shared import IMAGE_LAYERS, LATENT_GRID
from semcom_ros.datasets import open_source
from semcom_ros.frame import WORK_SIZE, fit
from semcom_ros.lab.evaluation import timing
from semcom_ros.lab.evaluation.bench_gesco import Calls
from semcom_ros.lab.evaluation.matrix_rate import convolution_rate, operations
from semcom_ros.payload import pack, unpack
from semcom_ros.perception.segmentation import Segmenter
from semcom_ros.pipeline import single
from semcom_ros.pipeline.single import decode_labels, encode


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `semcom bench sqgan`."""
    paper = "time the paper's networks too, with random weights: some seconds and 2 GB"
    timing.add_codec_arguments(parser, 1024, paper)


def run(args: argparse.Namespace) -> None:
    """Time encoder and decoder with the shipped weights on one frame."""
    torch.set_num_threads(args.threads)
    frame = fit(open_source(args.data)[0])
    segmenter, encoder, decoder = Segmenter.from_pretrained(), Encoder(), Decoder()
    [labels] = segmenter([frame.image])
    labelled = replace(frame, labels=labels)
    data = pack(encode("sqgan", encoder, labelled, args.payload_bytes))
    labels = labelled.labels
    (indices,), (scores,) = encoder.image_transmitter(frame.image[None], [labels])
    classes = np.zeros(LATENT_GRID, np.uint8)
    prior = encoder.shared.tokens["image"]
    tokens = partial(
        token_coder.encode, scores, indices, classes, IMAGE_LAYERS, args.payload_bytes, 0, prior
    )
    coded, everything = tokens(), np.ones(LATENT_GRID, bool)
    networks: dict[str, Calls] = {
        "encode": {
            "image_sender_ms": lambda: encoder.image_transmitter(frame.image[None], [labels])
        },
        "decode": {
            "image_receiver_ms": lambda: decoder.image_receiver([indices], [everything], [labels])
        },
    }
    calls: Calls = {
        "segment_ms": lambda: segmenter([frame.image]),
        **networks["encode"],
        "map_sender_ms": lambda: encoder.map_transmitter([labels]),
        "encode_tokens_ms": tokens,
        "encode_ms": lambda: pack(encode("sqgan", encoder, labelled, args.payload_bytes)),
        "decode_labels_ms": lambda: decode_labels("sqgan", decoder, unpack(data)),
        "decode_tokens_ms": lambda: token_coder.decode(coded, classes, IMAGE_LAYERS, prior),
        "map_receiver_ms": lambda: decoder.map_receiver([indices], [everything]),
        **networks["decode"],
        "decode_ms": lambda: single.decode("sqgan", decoder, unpack(data)),
    }
    figures = {name: timing.measure(call, args.repeats) for name, call in calls.items()}
    rate = convolution_rate() / 1e9
    context = {
        "threads": args.threads,
        "bytes": len(data),
        "giga_operations_per_s": round(rate, 1),
    }
    notes = []
    for end, parts in networks.items():
        needed = sum(operations(call) for call in parts.values()) / 1e9
        spent, floor = figures[f"{end}_ms"]["median"], 1e3 * needed / rate
        context |= {f"{end}_giga_operations": round(needed, 2), f"{end}_floor_ms": round(floor, 2)}
        notes.append(
            f"To {end} a frame takes {needed:.2f} G operations of convolutions and products; at "
            f"the {rate:.0f} G/s of a dense convolution here that is {floor:.1f} ms. {end}_ms is "
            f"{spent / floor:.1f} times that."
        )
    if args.paper:
        for end, call in paper_calls().items():
            figures[f"paper_{end}_ms"] = timing.measure(call, 1, warm_up=1)
            paper, ours = (figures[f"{name}_ms"]["median"] for name in (f"paper_{end}", end))
            context[f"paper_{end}_ratio"] = round(paper / ours)
            notes.append(
                f"The paper's configuration (random weights) takes {paper / 1e3:.1f} s to {end} a "
                f"frame: {paper / ours:.0f} times {end}_ms."
            )
    timing.report(figures, args.json, **context)
    Console().print("\n".join(notes), soft_wrap=True)


def paper_calls() -> dict[str, Callable[[], object]]:
    """Both ends of the paper's two pipelines at full width with random weights: only their times
    mean something."""
    maps, images = (_random(make) for make in (map_pipeline, image_pipeline))
    planes, image = (
        torch.rand(1, n, *WORK_SIZE, dtype=torch.bfloat16).to(memory_format=torch.channels_last)
        for n in (MAP_PLANES, 3)
    )
    classes = planes[:, :CLASS_PLANES]
    codes = torch.rand(1, Configuration().dims, *LATENT_GRID, dtype=torch.bfloat16)
    kept = torch.ones(1, 1, *LATENT_GRID, dtype=torch.bfloat16)

    @torch.inference_mode()
    def encode() -> None:
        maps.transmitter((planes,), classes)
        images.transmitter((image, classes), classes)

    @torch.inference_mode()
    def decode() -> None:
        maps.receiver(codes, kept)
        images.receiver(codes, kept, (classes,))

    return {"encode": encode, "decode": decode}


def _random(make: Callable[[Configuration], Pipeline]) -> Pipeline:
    with torch.device("meta"):
        pipeline = make(Configuration()).to(torch.bfloat16)
    pipeline = pipeline.to_empty(device="cpu").eval().requires_grad_(False)
    for parameter in pipeline.parameters():
        # Memory as it was found may hold denormal numbers, which are slow.
        parameter.normal_(0, 0.02)
    return pipeline.to(memory_format=torch.channels_last)
