# SPDX-License-Identifier: Apache-2.0
"""`semcom train restorer`: the one pass from a coded picture and a map to a street.

The schedule goes by the clock: a run takes `--minutes` of updates whatever the machine, and one
that was cut off goes on from `--state`.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import time
from pathlib import Path

import numpy as np
import torch

from semcom_ros import weights
from semcom_ros.codecs.gesco.diffusion_network import DiffusionNetwork
from semcom_ros.lab.training.imagenet_features import ImagenetFeatures
from semcom_ros.lab.training.restorer import data as restorer_data
from semcom_ros.lab.training.restorer.batches import PictureBatch, PictureBatches
from semcom_ros.lab.training.restorer.learning import RestorerLearning, restore, restorer
from semcom_ros.lab.training.restorer.losses import ms_ssim_loss
from semcom_ros.lab.training.restorer.pack import write_pack
from semcom_ros.labels import LABEL_SPACE, NAMES

FILE = "gesco_restorer.safetensors"
START = "gesco_diffusion.safetensors"
"""What it begins as."""
PACK = Path("out/train/restorer_pack")
ADVERSARIAL = 0.05
ADVERSARIAL_FROM = 0.5


class HeldOutScores:
    """Scores a network on frames that it never learnt from; lower `lite1` is better."""

    def __init__(self, batches: dict[str, list[PictureBatch]], features: ImagenetFeatures):
        self.batches, self.features = batches, features

    @torch.no_grad()
    def __call__(self, network: DiffusionNetwork) -> dict[str, float]:
        scores = {}
        device = next(network.parameters()).device
        for name, batches in self.batches.items():
            found: list[tuple[float, float, float]] = []
            for batch in batches:
                with torch.autocast(device.type, torch.bfloat16):
                    image = restore(network, batch).clamp(0, 1)
                    apart = self.features.distance(image, batch.image).mean()
                error = (image - batch.image).square().mean((1, 2, 3))
                psnr = (-10 * error.log10()).mean()
                found.append(
                    (float(apart), float(psnr), 1 - float(ms_ssim_loss(image, batch.image)))
                )
            mean = np.mean(found, 0)
            scores |= {f"lite1_{name}": mean[0], f"psnr_{name}": mean[1], f"ssim_{name}": mean[2]}
        scores["lite1"] = float(np.mean([v for n, v in scores.items() if n.startswith("lite1_")]))
        return {name: float(value) for name, value in scores.items()}


def _rate(progress: float, steps: int, peak: float) -> float:
    return peak * min(1.0, (steps + 1) / 100) * 0.5 * (1 + math.cos(math.pi * min(progress, 1.0)))


def train(
    args: argparse.Namespace,
    learning: RestorerLearning,
    batches: PictureBatches,
    held_out: HeldOutScores,
) -> None:
    spent, best = 0.0, math.inf
    if args.resume and args.state.exists():
        saved = torch.load(args.state, map_location=learning.device, weights_only=False)
        learning.resume(saved["learning"])
        spent, best = saved["spent"], saved["best"]
        batches.random = np.random.default_rng((args.seed, learning.steps))
    started = time.monotonic() - spent
    limit = 60 * args.minutes
    log = args.log.open("a")
    sums: dict[str, torch.Tensor] = {}
    sharpened = spent / limit >= ADVERSARIAL_FROM
    progress, marks, last_state = spent / limit, spent / limit, spent
    seen_from = learning.steps
    while True:
        if learning.steps % args.sync == 0:
            if learning.device.type == "cuda":
                torch.cuda.synchronize()
            progress = (time.monotonic() - started) / limit
        over = progress >= 1 or learning.steps >= args.most
        if progress >= marks + 0.1 or over:
            marks = progress
            scores = held_out(learning.average)
            count = max(1, learning.steps - seen_from)
            record = {"step": learning.steps, "seconds": round(progress * limit, 1)}
            record |= {n: round(float(v) / count, 5) for n, v in sums.items()}
            record |= {n: round(v, 5) for n, v in scores.items()}
            print(json.dumps(record), flush=True)
            log.write(json.dumps(record) + "\n")
            log.flush()
            sums, seen_from = {}, learning.steps
            if scores["lite1"] < best:
                # Before it is sharpened it may please the features more and a person less.
                best = scores["lite1"] if progress >= ADVERSARIAL_FROM else math.inf
                _save(args, learning, scores, args.out)
        if over:
            return
        if time.monotonic() - started - last_state > args.state_every:
            last_state = time.monotonic() - started
            torch.save(
                {"learning": learning.state(), "spent": last_state, "best": best}, args.state
            )
        adversarial = ADVERSARIAL if progress >= ADVERSARIAL_FROM else 0.0
        if adversarial and not sharpened:
            # Between these weights and the last a mean may be the best of both.
            _save(args, learning, {}, args.out.with_stem(f"{args.out.stem}_plain"))
        sharpened = adversarial > 0
        rate = _rate(progress, learning.steps, args.rate)
        for name, value in learning.update(batches.draw(), rate, adversarial).items():
            sums[name] = sums.get(name, 0) + value


def _save(
    args: argparse.Namespace, learning: RestorerLearning, scores: dict[str, float], path: Path
) -> None:
    card = {
        "what": "restorer of GESCO's picture layer: one pass over the decoded picture and the map",
        "label_space": LABEL_SPACE,
        "classes": list(NAMES),
        "fine": args.fine,
        "data": restorer_data.SOURCES,
        "recipe": "python -m semcom_ros.lab.training.restorer",
        "updates": learning.steps,
        "batch": args.batch,
        "minutes": args.minutes,
        "device": _device_name(learning.device),
        "scores": {"on": "held-out ends of drives", **{n: round(v, 4) for n, v in scores.items()}},
    }
    weights.save(path, weights.tensors_of(learning.average), card)


def _device_name(device: torch.device) -> str:
    return torch.cuda.get_device_name() if device.type == "cuda" else "cpu"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `semcom train restorer`."""
    parser.add_argument("--pack", type=Path, default=PACK, help="folder of coded pictures")
    parser.add_argument(
        "--source", type=Path, help="only make the pack, of the sets in this folder"
    )
    parser.add_argument(
        "--data", type=Path, default=Path("out/train/pack"), help="pack of `train sight`"
    )
    parser.add_argument("--imagenet", type=Path, help="folder of lite0 and lite1")
    parser.add_argument("--models", type=Path, default=Path("models"))
    parser.add_argument("--segmenter", type=Path, help="weights; default: that of --models")
    parser.add_argument("--out", type=Path, default=Path("out/train") / FILE)
    parser.add_argument("--log", type=Path, default=Path("out/train/restorer.jsonl"))
    parser.add_argument("--state", type=Path, default=Path("out/train/restorer.state"))
    parser.add_argument("--state-every", type=float, default=40, help="seconds")
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--minutes", type=float, default=4.0)
    parser.add_argument("--most", type=int, default=10**9, help="updates at most")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--crop", type=int, nargs=2, default=(224, 448))
    parser.add_argument("--rate", type=float, default=1e-3)
    parser.add_argument("--fine", type=int, default=1, help="blocks at half the resolution")
    parser.add_argument("--scratch", action="store_true", help="do not start as the diffusion")
    parser.add_argument("--sync", type=int, default=10, help="updates between looks at the clock")
    parser.add_argument("--limit", type=int, default=10**9, help="frames, for a try")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--seed", type=int, default=0)


def run(args: argparse.Namespace) -> None:
    """Make the pack where `--source` is given, else train; leaves weights, card and log."""
    if args.source is not None:
        write_pack(args.source, args.pack)
        return
    began = time.monotonic()
    torch.manual_seed(args.seed)
    device = torch.device(args.device)
    torch.backends.cudnn.benchmark, torch.backends.cudnn.benchmark_limit = True, 5
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
    if device.type == "cpu":
        torch.set_num_threads(os.cpu_count() or 1)
    for path in (args.out, args.log, args.state):
        path.parent.mkdir(parents=True, exist_ok=True)
    streets, tests = restorer_data.load(args, device)
    print(f"data after {time.monotonic() - began:.1f} s: {len(streets.images)} frames", flush=True)
    start = None if args.scratch else args.models / START
    learning = RestorerLearning(
        restorer(args.fine, start), ImagenetFeatures(0, args.imagenet, levels=4), device
    )
    judge = ImagenetFeatures(1, args.imagenet, levels=4).to(device)
    batches = PictureBatches(streets, args.batch, tuple(args.crop), args.seed)
    train(args, learning, batches, HeldOutScores(tests, judge))
