# SPDX-License-Identifier: Apache-2.0
"""`semcom bench gesco`: milliseconds of each step between a frame and its regeneration."""

from __future__ import annotations

import argparse
from dataclasses import replace

import torch

from semcom_ros.codecs.gesco.decoder import Decoder
from semcom_ros.codecs.gesco.encoder import Encoder
from semcom_ros.datasets import open_source
from semcom_ros.evaluation import timing
from semcom_ros.frame import fit
from semcom_ros.payload import pack, unpack
from semcom_ros.perception.segmentation import Segmenter


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `semcom bench gesco`."""
    timing.add_arguments(parser)
    parser.add_argument("--payload-bytes", type=int, default=512)


def run(args: argparse.Namespace) -> None:
    """Time encoder and decoder with the shipped weights on one frame."""
    torch.set_num_threads(args.threads)
    frame = fit(open_source(args.data)[0])
    frame = replace(frame, labels=Segmenter()(frame.image))
    encoder, decoder = Encoder(), Decoder()
    data = pack(encoder.encode(frame, args.payload_bytes, 0))

    calls = {
        "encode_ms": lambda: pack(encoder.encode(frame, args.payload_bytes, 0)),
        "decode_labels_ms": lambda: next(decoder.decode(unpack(data))),
        "decode_ms": lambda: list(decoder.decode(unpack(data))),
    }
    figures = {name: timing.measure(call, args.repeats) for name, call in calls.items()}
    timing.report(figures, args.json, threads=args.threads, bytes=len(data))
