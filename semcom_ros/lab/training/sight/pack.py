# SPDX-License-Identifier: Apache-2.0
"""Street frames in a few MiB, for a machine that is lent for minutes and reaches no network.

Frames are HEVC, which OpenCV's wheel decodes everywhere; labels are lossless.
"""

from __future__ import annotations

import lzma
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np

from semcom_ros.datasets.files import Source, images_in, read_rgb
from semcom_ros.datasets.stills import CamVid, Kitti
from semcom_ros.errors import SemcomError
from semcom_ros.frame import Frame

HEIGHT = 288
"""Of the frames of KITTI and of the unlabelled drives, in pixels; CamVid's keep their 360."""
EVERY = {"udacity_highway": 8, "driveai_sample": 2, "kitti_drive_10hz": 3}
"""Of the unlabelled drives every so manieth frame."""
RATE = 10
QUALITY = {"camvid": 26, "kitti": 27, "kitti_held": 27, "wide": 29, "plain": 28}
"""Constant rate factors of x265."""


@dataclass(frozen=True)
class Frames:
    """Frames of one size: images uint8 [N, H, W, 3] RGB, labels uint8 [N, H, W] trainId or None."""

    images: np.ndarray
    labels: np.ndarray | None


def write_pack(data: Path, out: Path) -> None:
    """Write the sets in the folder `data` (camvid, kitti_semantics and the unlabelled drives) as
    files in the folder `out`."""
    out.mkdir(parents=True, exist_ok=True)
    for name, frames in _read_sets(data).items():
        write_set(out / name, frames, QUALITY[name])


def write_set(path: Path, frames: Frames, quality: int) -> None:
    """Write `frames` as `path`.mkv and, where they have labels, `path`.labels.xz."""
    _write_video(path.with_suffix(".mkv"), frames.images, quality)
    if frames.labels is not None:
        raw = np.array(frames.labels.shape, np.int32).tobytes() + frames.labels.tobytes()
        path.with_suffix(".labels.xz").write_bytes(lzma.compress(raw, preset=9))


def read_pack(folder: Path) -> dict[str, Frames]:
    """The sets in a pack by name. Raises SemcomError where there is none."""
    videos = sorted(folder.glob("*.mkv"))
    if not videos:
        raise SemcomError(f"'{folder}' holds no pack: make it with `semcom train pack`.")
    return {video.stem: Frames(_read_video(video), _read_labels(video)) for video in videos}


def _read_sets(data: Path) -> dict[str, Frames]:
    camvid = _frames(CamVid(str(data / "camvid"), "train"))
    kitti = {split: Kitti(str(data / "kitti_semantics"), split) for split in ("train", "val")}
    drives = {
        name: [_scaled(read_rgb(p)) for p in images_in(data / name / "images/train")[::every]]
        for name, every in EVERY.items()
    }
    return {
        "camvid": _stacked([(f.image, f.labels) for f in camvid]),
        "kitti": _of_kitti(kitti["train"]),
        "kitti_held": _of_kitti(kitti["val"]),
        "wide": Frames(np.stack(drives["kitti_drive_10hz"]), None),
        "plain": Frames(np.stack(drives["udacity_highway"] + drives["driveai_sample"]), None),
    }


def _frames(source: Source) -> list[Frame]:
    return [source[i] for i in range(len(source))]


def _of_kitti(source: Kitti) -> Frames:
    return _stacked(
        [(_scaled(f.image), _scaled(f.labels, cv2.INTER_NEAREST_EXACT)) for f in _frames(source)]
    )


def _scaled(pixels: np.ndarray, how: int = cv2.INTER_AREA) -> np.ndarray:
    """`pixels` [H, W, ...] at `HEIGHT`, as wide as 1242x375 or 16:9 becomes then."""
    wide = pixels.shape[1] > 2 * pixels.shape[0]
    return cv2.resize(pixels, (954 if wide else 512, HEIGHT), interpolation=how)


def _stacked(pairs: list[tuple[np.ndarray, np.ndarray]]) -> Frames:
    images, labels = zip(*pairs, strict=True)
    return Frames(np.stack(images), np.stack(labels))


def _write_video(path: Path, images: np.ndarray, quality: int) -> None:
    import av

    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx265", rate=RATE)
        stream.height, stream.width = images.shape[1:3]
        stream.pix_fmt = "yuv420p"
        stream.options = {"crf": str(quality), "preset": "medium", "x265-params": "log-level=error"}
        for moment, image in enumerate(images):
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame = frame.reformat(format="yuv420p", dst_colorspace="ITU601")
            frame.pts, frame.time_base = moment, Fraction(1, RATE)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def _read_video(path: Path) -> np.ndarray:
    capture = cv2.VideoCapture(str(path))
    images = []
    while (read := capture.read())[0]:
        images.append(cv2.cvtColor(read[1], cv2.COLOR_BGR2RGB))
    if not images:
        raise SemcomError(f"'{path}' cannot be decoded: OpenCV here lacks HEVC.")
    return np.stack(images)


def _read_labels(video: Path) -> np.ndarray | None:
    path = video.with_suffix(".labels.xz")
    if not path.is_file():
        return None
    raw = lzma.decompress(path.read_bytes())
    return np.frombuffer(raw[12:], np.uint8).reshape(np.frombuffer(raw[:12], np.int32))
