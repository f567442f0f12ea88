# SPDX-License-Identifier: Apache-2.0
"""`semcom train reader`: who else may read the pictures of a study (`semcom eval --judge FILE`)."""

from __future__ import annotations

import argparse
from typing import Any

from torch import nn

from semcom_ros.lab.reader_networks import FOLDER, READERS
from semcom_ros.lab.training.segmenter import CLASSES, SegmenterTraining


class ReaderTraining(SegmenterTraining):
    """Networks of equal operations by the judge's recipe: the same frames, draws and updates."""

    name, what, out = "reader", "segmentation network that reads pictures", FOLDER
    steps, scenes = 1400, 300

    @classmethod
    def options(cls, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--network", choices=READERS, required=True, help="form")
        cls.share_option(parser)

    def check(self) -> None:
        args = self.args
        if not args.out.suffix:
            args.out = args.out / f"{args.network}.safetensors"
            self.log_as(f"reader_{args.network}")
        super().check()

    def built(self) -> nn.Module:
        return READERS[self.args.network](len(CLASSES))

    def form(self) -> dict[str, Any]:
        return {"network": self.args.network}
