# SPDX-License-Identifier: Apache-2.0
"""`semcom bench channel`: how fast symbols and frames go through the emulated radio."""

from __future__ import annotations

import argparse

import numpy as np

from semcom_ros.channel import Channel
from semcom_ros.channel.modulation import constellation
from semcom_ros.evaluation import timing
from semcom_ros.payload import Header, Part, Payload, pack, unpack

N_SYMBOLS = 1_000_000
N_BYTES = 512
SYMBOLS = {
    "awgn": {"channel": "awgn"},
    "rayleigh, jakes": {"channel": "rayleigh"},
    "rayleigh, jakes, estimated": {"channel": "rayleigh", "csi": "estimated"},
    "rician, block": {"channel": "rician", "fading": "block"},
    "tdl_c": {"channel": "tdl_c"},
}
FRAMES = {
    "none": {},
    "awgn, abstraction": {"channel": "awgn"},
    "tdl_c, abstraction": {"channel": "tdl_c"},
    "awgn, exact": {"channel": "awgn", "coding": "exact"},
    "tdl_c, exact": {"channel": "tdl_c", "coding": "exact"},
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `semcom bench channel`."""
    timing.add_arguments(parser, networks=False)


def run(args: argparse.Namespace) -> None:
    """Time the transmission of a million QPSK symbols, and of a frame of 512 bytes."""
    qpsk = constellation("qpsk")[np.random.default_rng(0).integers(0, 4, N_SYMBOLS)]
    analog = _payload(Part("planes", 0, symbols=qpsk))
    digital = _payload(Part("labels", 0, bits=np.random.default_rng(1).bytes(N_BYTES)))
    figures, rates = {}, {}
    for name, settings in SYMBOLS.items():
        channel = Channel(seed=0, snr_db=10.0, **settings)
        figure = timing.measure(lambda c=channel: c.transmit(analog), args.repeats)
        figures[f"{N_SYMBOLS} symbols, {name}"] = figure
        rates[name] = round(N_SYMBOLS / figure["median"] / 1e3, 1)
    for name, settings in FRAMES.items():
        channel = Channel(seed=0, snr_db=10.0, **settings)
        call = timing.measure(lambda c=channel: c.transmit(digital), args.repeats)
        figures[f"{N_BYTES} bytes, {name}"] = call
    wire = pack(digital)
    figures["unpack and pack"] = timing.measure(lambda: pack(unpack(wire)), args.repeats)
    timing.report(figures, args.json, million_symbols_a_second=rates)


def _payload(part: Part) -> Payload:
    return Payload(Header("gesco", 1, b"", 256, 512, "cityscapes19", 0, 1), (part,))
