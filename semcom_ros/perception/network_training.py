# SPDX-License-Identifier: Apache-2.0
"""`semcom train perception`: detector and depth, on the frozen encoder of the shipped segmenter."""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from semcom_ros import weights
from semcom_ros.evaluation.perception_scores import LOWEST, DepthScores, DetectionScores
from semcom_ros.frame import Frame
from semcom_ros.labels import LABEL_SPACE
from semcom_ros.perception import heads_data
from semcom_ros.perception.depth import read_depth
from semcom_ros.perception.detection import read_boxes
from semcom_ros.perception.ground_truth import boxes_of, frames_with_truth
from semcom_ros.perception.heads import BRANCHES, FILE, WIDTHS, Heads, HeadsPass, encoder_hash
from semcom_ros.perception.heads_losses import losses
from semcom_ros.perception.segmentation import Segmenter, to_input
from semcom_ros.scenes.drive import CAMERA
from semcom_ros.training.loop import MixedPrecision, cosine, train
from semcom_ros.training.recipe import command_line

TOWNS = range(100, 140)
HELD_OUT = (1, 2)
"""Towns that score; no frame of theirs is learnt from."""
CHECKPOINTS = 5


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `semcom train perception`."""
    parser.add_argument("--camvid", type=Path, required=True, help="folder of the CamVid data")
    parser.add_argument("--out", type=Path, default=Path("models") / FILE)
    parser.add_argument("--steps", type=int, default=1250, help="updates")
    parser.add_argument("--batch", type=int, default=3, help="frames an update")
    parser.add_argument("--rate", type=float, default=2e-3, help="peak learning rate")
    parser.add_argument("--scenes", type=int, default=640, help="frames of the procedural drive")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--log", type=Path, default=Path("out/train/perception.jsonl"))


def run(args: argparse.Namespace) -> None:
    """Train, keep the best by mAP50 less AbsRel on the held-out towns, write weights and card."""
    torch.manual_seed(args.seed)
    names = list(heads_data.DETECTED)
    camvid = f"camvid:{args.camvid}"
    real = [heads_data.sample_of(f) for f in frames_with_truth(camvid, "train", range(367))]
    drives = heads_data.render_drives(args.scenes, TOWNS)
    batches = iter(heads_data.Batches([(drives, 0.65), (real, 0.35)], args.batch, args.seed))
    towns = [
        frame for s in HELD_OUT for frame in frames_with_truth(f"scenes:{s}", "", range(0, 300, 20))
    ]
    streets = frames_with_truth(camvid, "val", range(0, 101, 6))

    segmenter = Segmenter()
    network = Heads(len(names))
    trainer = MixedPrecision(network, torch.bfloat16, decay=0.993, weight_decay=0.02)
    network.train()

    def update(step: int) -> dict[str, float]:
        batch = next(batches)
        with torch.no_grad():
            pyramid = segmenter.network.features(to_input(batch.images, torch.bfloat16))
        parts = losses(network(pyramid), batch)
        sum(parts.values()).backward()
        norm = trainer.step(cosine(step, args.steps, args.rate, warm_up=100))
        return {**{name: part.item() for name, part in parts.items()}, "gradient": norm}

    def score() -> dict[str, float]:
        heads = HeadsPass.of(segmenter, trainer.average, names, CAMERA.fx)
        scores = score_frames(heads, towns)
        on_streets = score_frames(heads, streets)
        return {
            "mark": scores["map50"] - scores["absrel"],
            **scores,
            **{f"camvid {name}": on_streets[name] for name in ("map50", "recall")},
        }

    def keep(scores: dict[str, float]) -> None:
        card = {
            "what": "detection and depth heads on the segmenter's encoder",
            "label_space": LABEL_SPACE,
            "classes": names,
            "widths": list(WIDTHS),
            "branches": list(BRANCHES),
            "focal": CAMERA.fx,
            "encoder": encoder_hash(),
            "data": f"{args.scenes} frames of the procedural drive (seeds {TOWNS.start} to "
            f"{TOWNS.stop - 1}) and CamVid train (367 frames, boxes of its label regions)",
            "recipe": command_line("perception", args),
            "scores": {
                "on": f"procedural drive, seeds {HELD_OUT[0]} and {HELD_OUT[1]}, {len(towns)} "
                f"frames; CamVid val, {len(streets)} frames",
                "best of checkpoints": CHECKPOINTS,
                **{name: round(value, 4) for name, value in scores.items()},
            },
        }
        weights.save(args.out, weights.tensors_of(trainer.average), card)

    train(
        update, args.steps, score, keep, "mark", args.log, every=max(1, args.steps // CHECKPOINTS)
    )


@torch.inference_mode()
def score_frames(heads: HeadsPass, frames: list[Frame]) -> dict[str, float]:
    """mAP50, mAP and recall of the detections, AbsRel and RMSE of the depth (if there is truth)."""
    detection, depth = DetectionScores(heads.names), DepthScores()
    for frame in frames:
        _, outputs = heads(frame.image)
        truth = boxes_of(frame, heads.names)
        detection.add(truth, read_boxes(outputs, heads.names, LOWEST))
        if frame.depth is not None:
            depth.add(frame.depth, read_depth(outputs))
    mean = detection.compute()["mean"]
    return {"map50": mean.ap50, "map": mean.ap, "recall": mean.recall, **depth.compute()}
