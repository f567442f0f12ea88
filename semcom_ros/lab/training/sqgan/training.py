# SPDX-License-Identifier: Apache-2.0
"""`semcom train sqgan`: the narrow networks in three stages, then the files that both ends load."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import torch

from semcom_ros import weights
from semcom_ros.codecs.sqgan.inference import MapReceiver, MapTransmitter
from semcom_ros.codecs.sqgan.masking import SCORES
from semcom_ros.codecs.sqgan.pipeline import (
    IMAGE_SIZES,
    MAP_SIZES,
    MASKS,
    Pipeline,
    image_pipeline,
    map_pipeline,
)
from semcom_ros.lab.training import data, perceptual
from semcom_ros.lab.training.adversarial import AdversarialTraining, Discriminator
from semcom_ros.lab.training.judge import FILE as JUDGE
from semcom_ros.lab.training.judge import PipelineJudge
from semcom_ros.lab.training.loop import read_state
from semcom_ros.lab.training.recipe import check_sides, command_line
from semcom_ros.lab.training.sqgan import pack, split
from semcom_ros.lab.training.sqgan.batches import (
    CELL,
    EVERY,
    FILES,
    HELD_OUT,
    RECIPE,
    MapLink,
    Transmission,
    held_out,
    street_sets,
)
from semcom_ros.lab.training.sqgan.learning import (
    FLOORS,
    MAP_OTHERS,
    MAP_WEIGHTS,
    ImageLearning,
    MapLearning,
    PipelineLearning,
    class_table,
)
from semcom_ros.perception import segmentation
from semcom_ros.perception.segmentation import Segmenter

STEPS = {"map": 1200, "image": 2700, "tune": 750}
"""By stage; about 5, 25 and 10 minutes on two CPU cores."""
RATES = {"map": 2e-3, "image": 1e-3, "tune": 4e-4}
CLASSES = data.CAMVID_CLASSES


def by_stage(values: dict[str, float]) -> str:
    """Defaults in words."""
    return ", by default " + ", ".join(f"{value:g} ({stage})" for stage, value in values.items())


class SqganTraining(AdversarialTraining):
    """The map; the image with true maps; the image tuned to decoded maps. Each stage keeps its
    best by the judge in the folder `--work`, for the next."""

    name, batch, scenes = "sqgan", 6, 500
    warm_up, checkpoints, sharpened_from = 100, 10, 0.6
    out = steps = rate = None
    help = {"steps": f"updates{by_stage(STEPS)}", "rate": f"peak learning rate{by_stage(RATES)}"}

    @classmethod
    def options(cls, parser: argparse.ArgumentParser) -> None:
        add = parser.add_argument
        stages = "the map; the image with true maps; the image tuned to decoded maps; then the "
        stages += "files in models/, and which part of a payload is the map's"
        add("--stage", choices=(*STEPS, "pack", "split"), required=True, help=stages)
        work, models = Path("out/train/sqgan"), Path("models")
        add("--work", type=Path, default=work, help="weights, logs and states of the stages")
        add("--models", type=Path, default=models, help="segmenter in, codec out")
        add("--judge", type=Path, default=models / JUDGE)
        perceptual.add_argument(parser)
        crop = "height and width of samples"
        add("--crop", type=int, nargs=2, default=[192, 384], help=crop)
        tokens = "tune: share of maps decoded from tokens"
        add("--map-tokens", type=float, default=0.15, help=tokens)
        add("--mask", choices=MASKS, default=MASKS[0], help="which vectors are kept")
        add("--score", choices=SCORES, default=SCORES[0], help="what SAMM reads")
        aware = "semantic-aware or not"
        add("--discriminator", choices=("aware", "plain"), default="aware", help=aware)
        pasted = "rare objects pasted or not"
        add("--enhancement", choices=("on", "off"), default="on", help=pasted)
        weights = "of sky and vegetation in the image's error: 0, or as of other classes"
        add("--class-weights", choices=FLOORS, default=FLOORS[0], help=weights)
        super().options(parser)

    @classmethod
    def add_arguments(cls, parser: argparse.ArgumentParser) -> None:
        super().add_arguments(parser)
        # In the folder of the stages, each by its name.
        parser.set_defaults(log=None)

    @classmethod
    def run(cls, args: argparse.Namespace) -> None:
        """Do one stage. Raises SemcomError for options that do not fit."""
        if args.stage == "pack":
            pack.run(args)
        elif args.stage == "split":
            split.run(args)
        else:
            check_sides("--crop", args.crop, CELL)
            cls(args).make()

    def __init__(self, args: argparse.Namespace):
        self.stage, self.kind = args.stage, "map" if args.stage == "map" else "image"
        self.what = f"{self.kind} pipeline of the codec sqgan"
        args.steps = STEPS[args.stage] if args.steps is None else args.steps
        args.rate = args.rate or RATES[args.stage]
        args.out = args.out or args.work / FILES[args.stage]
        args.log = args.log or args.work / f"{args.stage}.jsonl"
        super().__init__(args)

    @property
    def before(self) -> Path | None:
        """The weights that the stage begins with, none for new ones."""
        return self.args.start or (
            self.args.work / FILES["image"] if self.stage == "tune" else None
        )

    def begin(self) -> None:
        args = self.args
        segmenter = Segmenter.from_pretrained(args.models, args.device)
        self.judge = PipelineJudge(args.judge, held_out(args.camvid), segmenter, args.device)
        sets = street_sets(args.camvid, args.scenes, segmenter)
        transmission = Transmission(CLASSES, args.crop, args.enhancement == "on", self.link())
        self.batches = data.Batches(sets, args.batch, args.seed, data.augment, transmission)
        self.compete_with(self.learning_begun())
        if self.stage == "tune":
            # A discriminator that knows nothing yet would let go of what the one before had taught.
            self.compete_from = 0.0
            state = read_state(
                self.before.with_suffix(".state"),
                "tuning goes on with its discriminator. Train with `--stage image` first, and keep "
                "the state beside its weights",
            )
            taught = state["trainers"]["discriminator"]
            self.trainers["discriminator"].restore(taught, weights_alone=True)

    def learning_begun(self) -> PipelineLearning:
        """A pipeline, new or from weights, and its discriminator."""
        args, n, discriminator = self.args, len(CLASSES), Discriminator(len(CLASSES))
        choices = {"mask": args.mask, "score": args.score}
        if self.kind == "map":
            pipeline = filled(map_pipeline(n, **MAP_SIZES, **choices), self.before)
            table = class_table(MAP_WEIGHTS, MAP_OTHERS)[list(CLASSES)]
            return MapLearning(pipeline, discriminator, torch.from_numpy(table), args.device)
        pipeline = filled(image_pipeline(n, **IMAGE_SIZES, **choices), self.before)
        own = args.models / segmentation.FILE
        features = perceptual.perceptual(args.vgg, own, args.device)
        aware = args.discriminator == "aware"
        floor = args.class_weights
        return ImageLearning(pipeline, discriminator, features, aware, floor, args.device)

    def link(self) -> MapLink | None:
        """How maps arrive: as they are until the image is tuned, then coded or by the trained map
        pipeline, which is frozen."""
        if self.stage != "tune":
            return None
        pipeline = filled(map_pipeline(len(CLASSES), **MAP_SIZES), self.args.work / FILES["map"])
        codebook = pipeline.quantiser.codebook
        ends = (
            MapTransmitter(pipeline.transmitter, codebook, CLASSES),
            MapReceiver(pipeline.receiver, codebook, CLASSES),
        )
        return MapLink(ends, self.args.map_tokens)

    def score(self) -> dict[str, float]:
        judge = self.judge.of_maps if self.kind == "map" else self.judge.of_images
        return judge(self.average)

    def named(self) -> dict[str, Any]:
        return super().named() | {"perceptual": perceptual.in_words(self.args.vgg)}

    def card(self) -> dict[str, Any]:
        tuned = self.stage == "tune"
        recipe = weights.read_card(self.before, RECIPE)["recipe"] if tuned else []
        seen = {} if self.kind == "map" else {"perceptual": perceptual.in_words(self.args.vgg)}
        return {
            "networks": {self.kind: MAP_SIZES if self.kind == "map" else IMAGE_SIZES},
            "mask": self.args.mask,
            "score": self.args.score,
            "data": f"CamVid train (367 frames, but for every {EVERY}th) and {self.args.scenes} "
            "frames of the procedural drive",
            "recipe": [*recipe, command_line(self.name, self.args)],
            **seen,
            "scores": {
                "on": f"{HELD_OUT}: mIoU against truth, of the map itself or of the image by the "
                "judge, by the share of latent vectors kept; checkpoints were chosen by their mean",
                "ceiling": round(self.judge.ceiling, 4),
            },
        }


def filled(pipeline: Pipeline, path: Path | None) -> Pipeline:
    """`pipeline` with the weights in `path`, if any. Raises SemcomError."""
    if path is not None:
        tensors, _ = weights.load(path, RECIPE)
        weights.fill(pipeline, tensors, path)
    return pipeline
