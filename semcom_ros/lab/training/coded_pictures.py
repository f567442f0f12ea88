# SPDX-License-Identifier: Apache-2.0
"""Frames as HEVC: whole sets of them, and what a low-delay encoder leaves of each.

A still says nothing of how its picture looks after a few frames of video: blocks that were copied,
edges that were left behind. So every still becomes a short clip of a camera that drives towards it
through a corridor (road below, walls at the sides), coded as video, and the last picture is kept.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from semcom_ros.codecs.gesco.focus import focused
from semcom_ros.codecs.image.still_video import unchanged_priority
from semcom_ros.datasets import Source, open_source
from semcom_ros.datasets.files import images_in
from semcom_ros.errors import SemcomError
from semcom_ros.frame import fit
from semcom_ros.pipeline.transmitter import Segment

CLIP = 4
"""Frames of a clip; the last is the still itself."""


class Coding(NamedTuple):
    """One coding of the frames. scale: of the sides. quantisers: first and last, drawn evenly.
    every: of so many frames one is in it."""

    scale: float
    quantisers: tuple[int, int]
    every: int


CODINGS = {
    "low": Coding(0.375, (36, 41), 2),
    "middle": Coding(0.5, (34, 39), 1),
    "second": Coding(0.5, (34, 39), 4),
    "high": Coding(0.75, (32, 37), 4),
}
"""Of about 70 to 250, 150 to 450 and 350 to 900 bytes a frame at 10 to 15 Hz: what a picture may
take of a payload of 256, 512 and 1024 bytes."""
_LOW_DELAY = (
    "keyint=-1:scenecut=0:aq-mode=0:psy-rd=0:psy-rdoq=0:info=0:log-level=none:pools=none:"
    "frame-threads=1:no-wpp=1:ctu=32:ipratio=0.8:repeat-headers=1"
)
FRAMES = "frames.json"
"""Names the frames of the codings: its set in the pack and its place there (`camvid/17`), or town
and frame of the procedural drive (`scenes/101_40`)."""
TOWNS = range(100, 121)
"""Of the procedural drive; the last is held out."""
TOWN_FRAMES = range(40, 440, 50)
STEP = 2
"""Frames of udacity_highway, 25 a second, to one of a clip."""
Clip = Callable[[np.random.Generator], list[np.ndarray]]


def encode(images: Sequence[np.ndarray], options: dict[str, str], container: str) -> bytes:
    """x265's stream of images uint8 [H, W, 3] RGB of one size in a container of FFmpeg's name."""
    import av

    file = io.BytesIO()
    with av.open(file, "w", format=container) as muxer:
        stream = muxer.add_stream("libx265", rate=10, options={"preset": "medium", **options})
        stream.pix_fmt, (stream.height, stream.width) = "yuv420p", images[0].shape[:2]
        for moment, image in enumerate(images):
            with unchanged_priority():
                # Limited range: OpenCV takes every stream for such.
                frame = av.VideoFrame.from_ndarray(image, format="rgb24").reformat(format="yuv420p")
                frame.pts, frame.time_base = moment, Fraction(1, 10)
                muxer.mux(stream.encode(frame))
        muxer.mux(stream.encode())
    return file.getvalue()


def decode(path: Path, every: int = 1) -> Iterator[np.ndarray]:
    """Of each `every` pictures of a stream the last, uint8 [H, W, 3] RGB, by OpenCV alone.

    Raises SemcomError where it cannot.
    """
    reader, index = cv2.VideoCapture(str(path)), 0
    while reader.grab():
        index += 1
        if index % every == 0:
            yield cv2.cvtColor(reader.retrieve()[1], cv2.COLOR_BGR2RGB)
    if not index:
        raise SemcomError(f"'{path}' is missing or cannot be decoded: OpenCV may lack HEVC here.")


def encode_clip(
    clip: Sequence[np.ndarray], maps: Sequence[np.ndarray], scale: float, quantiser: int
) -> bytes:
    """The low-delay stream of a clip and its label maps, which begins anew at its first frame."""
    height, width = (2 * round(side * scale / 2) for side in clip[0].shape[:2])
    pairs = zip(clip, maps, strict=True)
    small = [focused(image, labels, (height, width)) for image, labels in pairs]
    options = {"tune": "zerolatency", "x265-params": f"qp={quantiser}:{_LOW_DELAY}"}
    return encode(small, options, "hevc")


def approach(image: np.ndarray, rng: np.random.Generator) -> list[np.ndarray]:
    """`CLIP` frames like `image` uint8 [256, 512, 3], at 10 to 15 Hz, that end with it."""
    height, width = image.shape[:2]
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    from_x, from_y = x - width * rng.uniform(0.4, 0.6), y - height * rng.uniform(0.35, 0.55)
    # Depth in focal lengths times metres: the road lies 1.5 m below, walls stand 4 to 12 m aside.
    focal = width * rng.uniform(0.7, 1.1)
    road = 1.5 * focal / np.maximum(from_y, 1)
    wall = rng.uniform(4, 12) * focal / np.maximum(np.abs(from_x), 1)
    near = 1 / np.clip(np.minimum(road, wall), 4, 80)
    metres = rng.choice((0.0, 1.0), p=(0.15, 0.85)) * rng.uniform(0.1, 1.2)
    turn, nod = rng.normal(0, 1.5), rng.normal(0, 0.4)
    frames = []
    for back in range(CLIP - 1, 0, -1):
        shift = back * metres * near
        across = np.float32(x + from_x * shift + back * turn)
        down = np.float32(y + from_y * shift + back * nod * rng.uniform(0.5, 1.5))
        border = cv2.BORDER_REFLECT_101
        frames.append(cv2.remap(image, across, down, cv2.INTER_CUBIC, borderMode=border))
    return [*frames, image]


def street_clips(data: Path, every: dict[str, int]) -> dict[str, Clip]:
    """How the clip of each frame is made, by the frame's name; every: of the unlabelled drives one
    of so many frames."""

    def still(source: Source, i: int) -> Clip:
        return lambda rng: approach(fit(source[i]).image, rng)

    def moving(source: Source, numbers: range) -> Clip:
        return lambda rng: [fit(source[i]).image for i in numbers]

    clips = {}
    for name, (spec, split) in {
        "camvid": (f"camvid:{data / 'camvid'}", "train"),
        "kitti": (f"kitti:{data / 'kitti_semantics'}", "train"),
        "kitti_held": (f"kitti:{data / 'kitti_semantics'}", "val"),
    }.items():
        source = open_source(spec, split)
        clips |= {f"{name}/{i}": still(source, i) for i in range(len(source))}
    plain: list[Clip] = []
    for name in ("udacity_highway", "driveai_sample"):
        folder = data / name / "images/train"
        source, stems = open_source(f"folder:{folder}"), [p.stem for p in images_in(folder)]
        for last in range(0, len(source), every[name]):
            numbers = range(last - STEP * (CLIP - 1), last + 1, STEP)
            # Clips of drive2 are named drive2_tSECONDS_FRAME.
            follows = last and stems[numbers[0]][:11] == stems[last][:11]
            video = follows and stems[last].startswith("drive2_t")
            plain.append(moving(source, numbers) if video else still(source, last))
    clips |= {f"plain/{i}": clip for i, clip in enumerate(plain)}
    for town in TOWNS:
        source = open_source(f"scenes:{town}")
        for last in TOWN_FRAMES:
            clips[f"scenes/{town}_{last}"] = moving(source, range(last - CLIP + 1, last + 1))
    return clips


def write_codings(clips: dict[str, Clip], segment: Segment, out: Path) -> None:
    """Write the codings of `clips` and the list of their names to the folder `out`."""
    (out / FRAMES).write_text(json.dumps(list(clips)))
    rng = np.random.default_rng(0)
    with ExitStack() as files:
        streams = {n: files.enter_context((out / f"{n}.hevc").open("wb")) for n in CODINGS}
        for index, make in enumerate(clips.values()):
            clip = make(np.random.default_rng((7, index)))
            maps = segment(np.stack(clip))
            for name, coding in CODINGS.items():
                quantiser = int(rng.integers(coding.quantisers[0], coding.quantisers[1] + 1))
                if index % coding.every == 0:
                    streams[name].write(encode_clip(clip, maps, coding.scale, quantiser))
