# SPDX-License-Identifier: Apache-2.0
"""Cityscapes: street scenes of many cities with labels, depth and calibrated cameras.

Cordts et al., "The Cityscapes Dataset for Semantic Urban Scene Understanding", CVPR 2016. The
layout read is `<type>/<split>/<city>/<city>_<sequence>_<frame>_<file of the type>`, the archives
unpacked side by side into one folder. `leftImg8bit` is needed, and `gtFine` for train and val, or
`gtCoarse` in its place, which train_extra has alone; `camera` and `disparity` are used where they
are there, the latter only with the former. Labels of all 35 classes (`CITYSCAPES35`) come with the
`instanceIds`, whose things have 1000 times their class and a number, in 16 bits.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from semcom_ros.datasets.files import (
    Files,
    existing,
    files_in,
    first_size,
    needed,
    read_pixels,
    read_rgb,
)
from semcom_ros.datasets.label_maps import LABEL_IDS, TRAIN_IDS
from semcom_ros.errors import SemcomError
from semcom_ros.frame import Camera, Frame, Mounting, fit_camera

CAMERA_SIZE = (1024, 2048)
"""Height and width in pixels of the images that the camera files speak of."""
SEQUENCE_RATE_HZ = 17.0
_SUFFIXES = {
    "leftImg8bit": "leftImg8bit.png",
    "leftImg8bit_sequence": "leftImg8bit.png",
    "gtFine": "gtFine_labelIds.png",
    "gtCoarse": "gtCoarse_labelIds.png",
    "disparity": "disparity.png",
    "disparity_sequence": "disparity.png",
    "camera": "camera.json",
    "vehicle": "vehicle.json",
    "vehicle_sequence": "vehicle.json",
    "timestamp_sequence": "timestamp.txt",
}


class Calibration(NamedTuple):
    """One camera file: intrinsics at `CAMERA_SIZE`, metres between the two cameras, and where the
    left one is on the vehicle, if the file tells."""

    camera: Camera
    baseline: float
    mounting: Mounting | None = None


class Cityscapes(Files):
    """One split, city by city in the order of the names.

    With `sequence` the frames are those of `leftImg8bit_sequence`, snippets of 30 at 17 Hz of which
    one has labels; without, the labelled frames, played at 10 Hz. Each frame has the intrinsics of
    its own camera file, for a sequence that of its snippet; `camera` is the first frame's.
    labelled: whether labels must be there.
    """

    labelled = True

    def __init__(self, where: str, split: str, sequence: bool = False) -> None:
        self._root, self._split, self._sequence = existing(where), split, sequence
        images = self._needed("leftImg8bit_sequence" if sequence else "leftImg8bit")
        found = (file for city in files_in(images, folders=True) for file in files_in(city))
        files = [file for file in found if file.name.endswith("_leftImg8bit.png")]
        if not files:
            raise SemcomError(f"'{images}' holds no <city>/*_leftImg8bit.png, as Cityscapes does.")
        kind = "cityscapes_sequence" if sequence else "cityscapes"
        super().__init__(f"{kind}:{where}", files)
        kinds = [kind for kind in ("gtFine", "gtCoarse") if self._folder(kind).is_dir()]
        if self.labelled and split in ("train", "val") and not sequence and not kinds:
            self._needed("gtFine")
        # Those of test are not published: its files mark the own car and void alone.
        self._truth = kinds[0] if kinds and split != "test" else ""
        kinds = ["disparity_sequence", "disparity"] if sequence else ["disparity"]
        self._disparities = [kind for kind in kinds if self._folder(kind).is_dir()]
        if self._disparities:
            self._needed("camera")
        self._calibrated = self._folder("camera").is_dir()
        if sequence:
            self.rate_hz = SEQUENCE_RATE_HZ
        if self._calibrated:
            self.camera = scaled(self._calibration(files[0]).camera, first_size(files))

    def frame(self, file: Path, stamp: int) -> Frame:
        image = read_rgb(file)
        size = image.shape[:2]
        camera = depth = None
        if self._calibrated:
            calibration = self._calibration(file)
            camera = scaled(calibration.camera, size)
            depth = self._depth(file, size, calibration)
        labels = self._labels(file, size) if self._truth else None
        return Frame(image, labels, stamp, camera, depth, self._instances(file))

    def _folder(self, kind: str) -> Path:
        return self._root / kind / self._split

    def _beside(self, file: Path, kind: str) -> Path:
        """Where the file of type `kind` lies that belongs to the image `file`."""
        name = file.name.removesuffix("leftImg8bit.png") + _SUFFIXES[kind]
        return self._folder(kind) / file.parent.name / name

    def _needed(self, kind: str, path: Path | None = None) -> Path:
        """`path`, or else the folder of type `kind`, if it exists. Raises SemcomError."""
        return needed(path or self._folder(kind), f"{kind}/<split>/<city>/*_{_SUFFIXES[kind]}")

    def _labels(self, file: Path, size: tuple[int, int]) -> np.ndarray | None:
        ids = self._beside(file, self._truth)
        train_ids = ids.with_name(ids.name.replace("labelIds", "labelTrainIds"))
        if self.space is TRAIN_IDS.space and train_ids.exists():
            return TRAIN_IDS.read(train_ids, size)
        if self._sequence and not ids.exists():
            return None
        return LABEL_IDS.read(self._needed(self._truth, ids), size, self.space)

    def _instances(self, file: Path) -> np.ndarray | None:
        if not (self.space.edges and self._truth):
            return None
        ids = self._beside(file, self._truth)
        path = ids.with_name(ids.name.replace("labelIds", "instanceIds"))
        if self._sequence and not path.exists():
            return None
        return read_pixels(self._needed(self._truth, path), cv2.IMREAD_UNCHANGED)

    def _depth(
        self, file: Path, size: tuple[int, int], calibration: Calibration
    ) -> np.ndarray | None:
        for kind in self._disparities:
            path = self._beside(file, kind)
            if path.exists() or not self._sequence:
                return read_depth(self._needed(kind, path), size, calibration)
        return None

    def _calibration(self, file: Path) -> Calibration:
        path = self._beside(file, "camera")
        if self._sequence and not path.exists():
            snippet = "_".join(path.name.split("_")[:2])
            path = next(iter(sorted(path.parent.glob(f"{snippet}_*_camera.json"))), path)
        return read_calibration(self._needed("camera", path))


def read_calibration(path: Path) -> Calibration:
    """Read `*_camera.json`. Raises SemcomError where a number that is needed is not there."""
    try:
        values = json.loads(path.read_text())
        fx, fy, u0, v0 = (float(values["intrinsic"][name]) for name in ("fx", "fy", "u0", "v0"))
        extrinsic = values["extrinsic"]
        baseline = float(extrinsic["baseline"])
        placed = [float(extrinsic[name]) for name in Mounting._fields if name in extrinsic]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SemcomError(
            f"The camera file '{path}' cannot be used ({error!r}): it must hold intrinsic fx, fy, "
            "u0, v0 and extrinsic baseline."
        ) from error
    if not all(value > 0 for value in (fx, fy, baseline)):
        raise SemcomError(f"The camera file '{path}' needs fx, fy and baseline above 0.")
    mounting = Mounting(*placed) if len(placed) == len(Mounting._fields) else None
    return Calibration(Camera(*CAMERA_SIZE, fx, fy, u0, v0), baseline, mounting)


def scaled(camera: Camera, size: tuple[int, int]) -> Camera:
    """`camera` of `CAMERA_SIZE` for a copy of the data set in `size` (H, W), which must be 2:1."""
    if size[1] * CAMERA_SIZE[0] != size[0] * CAMERA_SIZE[1]:
        raise SemcomError(
            f"Images of {size[1]}x{size[0]} do not fit Cityscapes' cameras: give the images of "
            "2048x1024 or a copy scaled by one factor."
        )
    return fit_camera(camera, size)


def read_depth(path: Path, size: tuple[int, int], calibration: Calibration) -> np.ndarray:
    """Depth float32 [H, W] in metres along the optical axis from a disparity file, NaN unknown.

    A pixel p is 0 where stereo found nothing; else the disparity is (p - 1) / 256, in pixels of
    `CAMERA_SIZE` whatever the `size` of the file, and depth is fx * baseline / disparity.
    Raises SemcomError for a file of another size or kind.
    """
    pixels = read_pixels(path, cv2.IMREAD_UNCHANGED)
    if pixels.shape != size or pixels.dtype != np.uint16:
        raise SemcomError(
            f"'{path}' is no 16-bit map of one channel in the size of its image, "
            f"{size[1]}x{size[0]}."
        )
    disparity = (pixels.astype(np.float32) - 1) / 256
    depth = np.full(size, np.nan, np.float32)
    # A disparity of 0 is as far as it gets, which is as good as unknown.
    np.divide(calibration.camera.fx * calibration.baseline, disparity, depth, where=disparity > 0)
    return depth
