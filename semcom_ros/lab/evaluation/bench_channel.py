# SPDX-License-Identifier: Apache-2.0
"""`semcom bench channel`: how fast symbols and frames go through the emulated radio."""

from __future__ import annotations

import argparse
from collections.abc import Callable

import numpy as np

from semcom_ros.channel import Channel
from semcom_ros.channel.packets.airtime import bytes_on_air
from semcom_ros.channel.packets.delivery import Delivery
from semcom_ros.lab.evaluation import timing
from semcom_ros.lab.evaluation.probe import analog, digital, qpsk
from semcom_ros.payload import pack, unpack

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
    "awgn, abstraction": {"channel": "awgn"},
    "tdl_c, abstraction": {"channel": "tdl_c"},
    "awgn, exact": {"channel": "awgn", "coding": "exact"},
    "tdl_c, exact": {"channel": "tdl_c", "coding": "exact"},
}
NODES = {
    "none": {},
    "awgn, abstraction": {"channel": "awgn"},
    "tdl_c, abstraction": {"channel": "tdl_c"},
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `semcom bench channel`."""
    timing.add_arguments(parser, networks=False)


def run(args: argparse.Namespace) -> None:
    """Time a million QPSK symbols, a frame of 512 bytes, and all that the node does with one.

    Raises SemcomError.
    """
    symbols = analog(qpsk(N_SYMBOLS, np.random.default_rng(0)))
    frame = digital(np.random.default_rng(1).bytes(N_BYTES))
    figures, rates = {}, {}
    for name, settings in SYMBOLS.items():
        channel = Channel(seed=0, **settings)
        figure = timing.measure(lambda c=channel: c.transmit(symbols), args.repeats)
        figures[f"{N_SYMBOLS} symbols, {name}"] = figure
        rates[name] = round(N_SYMBOLS / figure["median"] / 1e3, 1)
    for name, settings in FRAMES.items():
        channel = Channel(seed=0, **settings)
        figure = timing.measure(lambda c=channel: c.transmit(frame), args.repeats)
        figures[f"{N_BYTES} bytes, {name}"] = figure
    for name, settings in NODES.items():
        carry = node(pack(frame), Channel(seed=0, **settings))
        figures[f"node, {N_BYTES} bytes, {name}"] = timing.measure(carry, args.repeats)
    timing.report(figures, args.json, million_symbols_a_second=rates)


def node(data: bytes, channel: Channel) -> Callable[[], list[bytes]]:
    """What channel_node does with each frame, bytes to bytes: all but receiving and publishing."""
    delivery = Delivery(channel.current, channel.seed)

    def carry() -> list[bytes]:
        payload = unpack(data)
        received = pack(channel.transmit(payload))
        n_bytes, now_s = bytes_on_air(payload, len(data)), channel.time_s
        delivery.configure(channel.current, now_s)
        delivery.offer(now_s, received, n_bytes, channel.frame, now_s)
        return delivery.due(now_s)

    return carry
