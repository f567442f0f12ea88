# SPDX-License-Identifier: Apache-2.0
"""What `semcom bench` times, bench by bench."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple
from unittest import mock

import numpy as np

from semcom_ros.channel import Channel
from semcom_ros.channel.packets.airtime import bytes_on_air
from semcom_ros.channel.packets.delivery import Delivery
from semcom_ros.codecs.gesco.diffusion import STEPS
from semcom_ros.codecs.gesco.fast_denoising import denoise
from semcom_ros.codecs.sqgan import token_coder
from semcom_ros.codecs.sqgan.shared import LATENT_GRID
from semcom_ros.coding import map_coder
from semcom_ros.coding.grids import GRIDS, pool, upsample
from semcom_ros.coding.map_prior import load_prior
from semcom_ros.datasets import open_source
from semcom_ros.frame import WORK_SIZE, Frame, fit
from semcom_ros.lab.evaluation.bench_papers import papers
from semcom_ros.lab.evaluation.bench_plan import End, Plan, Times
from semcom_ros.lab.evaluation.loopback import Loopback
from semcom_ros.lab.evaluation.probe import analog, digital, qpsk
from semcom_ros.lab.evaluation.published_networks import (
    Call,
    published_gesco,
    published_gsc,
    published_sqgan,
)
from semcom_ros.lab.ground_truth import frames_with_truth
from semcom_ros.lab.map_noise import receive_map
from semcom_ros.payload import pack, unpack
from semcom_ros.perception.perceive import Perception
from semcom_ros.perception.segmentation import Segmenter
from semcom_ros.weights import models_dir

N_SYMBOLS, N_BYTES = 1_000_000, 512
NOISE_DB = 10.0
"""PSNR of the planes that fast denoising is timed on."""
RADIOS: dict[str, dict[str, Any]] = {
    "awgn": {"channel": "awgn"},
    "rayleigh, jakes": {"channel": "rayleigh"},
    "rayleigh, jakes, estimated": {"channel": "rayleigh", "csi": "estimated"},
    "rician, block": {"channel": "rician", "fading": "block"},
    "tdl_c": {"channel": "tdl_c"},
}
LINKS: dict[str, dict[str, Any]] = {
    f"{model}, {coding}": {"channel": model, "coding": coding}
    for coding in ("abstraction", "exact")
    for model in ("awgn", "tdl_c")
}


def segmenter(args: argparse.Namespace, batch: int) -> Plan:
    """The shipped segmenter, images in to label maps out."""
    images = [frame.image for frame in _frames(args, batch)]
    label = Segmenter.from_pretrained(device=args.device)
    return Plan({"segment_ms": partial(label, images)})


def perception(args: argparse.Namespace, batch: int) -> Plan:
    """The shipped network: all tasks, as the RSU asks for them."""
    images = [frame.image for frame in _frames(args, batch)]
    return Plan({"all_ms": partial(Perception.from_pretrained(device=args.device), images)})


def label_map(args: argparse.Namespace, batch: int) -> Plan:
    """Coder, pooling and upsampling on the true map of one labelled frame, on one core."""
    labels = frames_with_truth(args.data, "val", [0], exact=False)[0].labels
    prior, _ = load_prior(models_dir())
    calls: dict[str, Call] = {}
    sizes = {}
    for grid in GRIDS[::4]:
        name = f"{grid[0]}x{grid[1]}"
        cells = pool(labels, grid)
        code = map_coder.encode(cells, prior)
        sizes[name] = len(code)
        calls |= {
            f"pool {name} ms": partial(pool, labels, grid),
            f"encode {name} ms": partial(map_coder.encode, cells, prior),
            f"decode {name} ms": partial(map_coder.decode, code, *grid, prior),
            f"upsample {name} ms": partial(upsample, cells, WORK_SIZE),
        }
    return Plan(calls, context={"bytes": sizes})


def channel(args: argparse.Namespace, batch: int) -> Plan:
    """A million QPSK symbols, a frame of 512 bytes, and all that the node does with one."""
    symbols = analog(qpsk(N_SYMBOLS, np.random.default_rng(0)))
    frame = digital(np.random.default_rng(1).bytes(N_BYTES))
    calls: dict[str, Call] = {}
    for name, settings in RADIOS.items():
        calls[f"{N_SYMBOLS} symbols, {name}"] = partial(Channel(0, **settings).transmit, symbols)
    for name, settings in LINKS.items():
        calls[f"{N_BYTES} bytes, {name}"] = partial(Channel(0, **settings).transmit, frame)
    for name in ("none", "awgn, abstraction", "tdl_c, abstraction"):
        radio = Channel(0, **LINKS.get(name, {}))
        calls[f"node, {N_BYTES} bytes, {name}"] = node(pack(frame), radio)

    def rates(figures: dict[str, Times]) -> dict[str, Any]:
        a_ms = {n: N_SYMBOLS / figures[f"{N_SYMBOLS} symbols, {n}"]["median"] for n in RADIOS}
        return {"million_symbols_a_second": {n: round(r / 1e3, 1) for n, r in a_ms.items()}}

    return Plan(calls, derived=rates)


def node(data: bytes, radio: Channel) -> Call:
    """What channel_node does with each frame, bytes to bytes: all but receiving and publishing."""
    delivery = Delivery(radio.current, radio.seed)

    def carry() -> list[bytes]:
        payload = unpack(data)
        received = pack(radio.transmit(payload))
        n_bytes, now_s = bytes_on_air(payload, len(data)), radio.time_s
        delivery.configure(radio.current, now_s)
        delivery.offer(now_s, received, n_bytes, radio.frame, now_s)
        return delivery.due(now_s)

    return carry


def gesco(args: argparse.Namespace, batch: int) -> Plan:
    """GESCO's parts: of the network what a frame's steps share, and a step."""
    loop, frame, data, plan = _codec(args, batch, "gesco", args.payload_bytes or 512)
    # Two passes for guidance in each step.
    passes = tuple((f"{steps} steps", 2 * steps) for steps in (10, 50, 250, 1000))
    if args.settings.get("gesco_network") == "paper":  # nothing within it is timed apart
        plan.ends = (End("decode", (), "", published_gesco, "pass", passes),)
        return plan
    whole = plan.calls["decode_ms"]
    rows = loop.encoder.planes_rows
    cells = pool(frame.labels, (rows, 2 * rows))
    plan.single["fast_denoising_ms"] = partial(denoise, *receive_map(cells, NOISE_DB, 0))
    diffuses = loop.decoder.settings.generator == "diffusion"
    painter = (loop.decoder.diffusion if diffuses else loop.decoder.restorer).network
    plan.calls |= {
        "condition_ms": _part(whole, painter, "condition"),
        "step_ms": _part(whole, painter, "denoise"),
    }
    for n in STEPS:
        settings = args.settings | {"gesco_generator": "diffusion", "gesco_steps": n}
        other = Loopback("gesco", args.device, **settings)
        plan.calls[f"decode_diffusion_{n}_ms"] = partial(other.receive, data)
    plan.ends = (End("decode", ("condition_ms", "step_ms"), "", published_gesco, "pass", passes),)
    return plan


def sqgan(args: argparse.Namespace, batch: int) -> Plan:
    """SQ-GAN's parts: the networks of image and map, and the coder of the image's tokens."""
    loop, frame, _, plan = _codec(args, batch, "sqgan", args.payload_bytes or 1024)
    encoder, decoder = loop.encoder, loop.decoder
    encode, decode = plan.single["encode_ms"], plan.calls["decode_ms"]
    indices, _ = encoder.map_transmitter([frame.labels])
    everything = [np.ones(LATENT_GRID, bool)]
    plan.single |= {
        "image_sender_ms": _part(encode, encoder, "image_transmitter"),
        "map_sender_ms": partial(encoder.map_transmitter, [frame.labels]),
        "encode_tokens_ms": _part(encode, token_coder, "encode"),
        "decode_tokens_ms": _part(decode, token_coder, "decode"),
        "map_receiver_ms": partial(decoder.map_receiver, indices, everything),
    }
    plan.calls["image_receiver_ms"] = _part(decode, decoder, "image_receiver")
    plan.ends = (
        End("encode", ("image_sender_ms",), "encode_", partial(published_sqgan, 0), "encode"),
        End("decode", ("image_receiver_ms",), "decode_", partial(published_sqgan, 1), "decode"),
    )
    return plan


def security(args: argparse.Namespace, batch: int) -> Plan:
    """Seals made and opened."""
    # cryptography, for those alone who want it
    from semcom_ros.lab.evaluation.security_bench import steps

    return Plan(steps())


def gsc(args: argparse.Namespace, batch: int) -> Plan:
    """gsc: the map, and what a picture takes beside it."""
    loop, _, _, plan = _codec(args, batch, "gsc", args.payload_bytes or 512)
    plan.calls["decode_images_ms"] = _part(plan.calls["decode_ms"], loop.decoder, "decode_images")
    plan.ends = (
        End("encode", (), "encode_", partial(published_gsc, 0), "encode"),
        End("decode", (), "decode_", partial(published_gsc, 1), "decode"),
    )
    return plan


class Bench(NamedTuple):
    """One bench: `plan` takes the options of `semcom bench` and how many frames it is for."""

    help: str
    plan: Callable[[argparse.Namespace, int], Plan]
    networks: bool = True


BENCHES = {
    "segmenter": Bench("milliseconds to label a frame", segmenter),
    "map": Bench("milliseconds to code a label map on grids of the ladder", label_map, False),
    "gesco": Bench("milliseconds of each step of the codec", gesco),
    "sqgan": Bench("milliseconds of each part of the codec", sqgan),
    "gsc": Bench("milliseconds to encode, and to decode map and picture", gsc),
    "papers": Bench("milliseconds of the papers' networks, random weights, full width", papers),
    "perception": Bench("milliseconds of map, boxes and depth", perception),
    "channel": Bench("symbols and frames over the radio", channel, False),
    "security": Bench("a hundred payloads sealed, opened, refused", security, False),
}


def _frames(args: argparse.Namespace, batch: int) -> list[Frame]:
    source = open_source(args.data)
    return [fit(source[i % len(source)]) for i in range(batch)]


def _codec(
    args: argparse.Namespace, batch: int, codec: str, n_bytes: int
) -> tuple[Loopback, Frame, list[bytes], Plan]:
    """Both ends, a frame with labels, a batch of payloads, and the steps that all codecs have."""
    label, frames = Segmenter.from_pretrained(device=args.device), _frames(args, batch)
    found = label([frame.image for frame in frames])
    frames = [replace(f, labels=labels) for f, labels in zip(frames, found, strict=True)]
    loop = Loopback(codec, args.device, **args.settings)
    encode = partial(loop.send, n_bytes=n_bytes)
    data = [encode(frame) for frame in frames]
    plan = Plan(
        {
            "decode_labels_ms": partial(loop.receive_labels, data),
            "decode_ms": partial(loop.receive, data),
        },
        {"segment_ms": partial(label, [frames[0].image]), "encode_ms": partial(encode, frames[0])},
        context={"bytes": len(data[0])},
    )
    return loop, frames[0], data, plan


def _part(whole: Call, owner: Any, name: str) -> Call:
    """The first call of `owner.name` that `whole` makes, with what it hands over."""
    with mock.patch.object(owner, name, wraps=getattr(owner, name)) as seen:
        whole()
    first = seen.call_args_list[0]
    return partial(getattr(owner, name), *first.args, **first.kwargs)
