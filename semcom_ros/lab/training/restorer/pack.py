# SPDX-License-Identifier: Apache-2.0
"""Makes the streams that the restorer learns from, of the frames in the pack of the eyes.

    python -m semcom_ros.lab.training.restorer.pack --data DIR --out DIR

A frame is named by its set in that pack and its place there (`camvid/17`), or by town and frame of
the procedural drive (`scenes/101_40`). `frames.json` lists them, and every stream holds their coded
pictures in that order.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from semcom_ros.datasets import open_source
from semcom_ros.datasets.camvid import CamVid
from semcom_ros.datasets.kitti import Kitti
from semcom_ros.datasets.source import images_in, read_rgb
from semcom_ros.frame import Frame, fit
from semcom_ros.lab.training.restorer.coded_pictures import CLIP, CODINGS, approach, encode
from semcom_ros.lab.training.sight.pack import EVERY

TOWNS = range(100, 121)
"""Of the procedural drive; the last is held out."""
TOWN_FRAMES = tuple(range(40, 440, 50))
STEP = 2
"""Frames of udacity_highway, 25 a second, to one of a clip."""
Clip = Callable[[np.random.Generator], list[np.ndarray]]


def street_clips(data: Path) -> dict[str, Clip]:
    """How the clip of each frame is made, by the frame's name."""

    def paths(name: str) -> list[Path]:
        return list(images_in(data / name / "images/train"))

    def still(path: Path) -> Clip:
        return lambda rng: approach(_read(path), rng)

    def town(seed: int, last: int) -> Clip:
        def made(rng: np.random.Generator) -> list[np.ndarray]:
            source = open_source(f"scenes:{seed}")
            return [fit(source[i]).image for i in range(last - CLIP + 1, last + 1)]

        return made

    sources = {
        "camvid": CamVid(str(data / "camvid"), "train"),
        "kitti": Kitti(str(data / "kitti_semantics"), "train"),
        "kitti_held": Kitti(str(data / "kitti_semantics"), "val"),
    }
    clips = {
        f"{name}/{i}": lambda rng, source=source, i=i: approach(fit(source[i]).image, rng)
        for name, source in sources.items()
        for i in range(len(source))
    }
    plain: list[Clip] = []
    highway = paths("udacity_highway")
    for last in range(0, len(highway), EVERY["udacity_highway"]):
        seen = highway[last - STEP * (CLIP - 1) : last + 1 : STEP] if last else []
        if seen and "still" not in seen[-1].stem and seen[0].stem[:-6] == seen[-1].stem[:-6]:
            plain.append(lambda rng, seen=seen: [_read(path) for path in seen])
        else:
            plain.append(still(highway[last]))
    plain += map(still, paths("driveai_sample")[:: EVERY["driveai_sample"]])
    clips |= {f"plain/{i}": clip for i, clip in enumerate(plain)}
    return clips | {f"scenes/{s}_{last}": town(s, last) for s in TOWNS for last in TOWN_FRAMES}


def _read(path: Path) -> np.ndarray:
    return fit(Frame(read_rgb(path))).image


def write_pack(data: Path, out: Path) -> None:
    """Write `frames.json` and the streams of all frames of the sets in the folder `data`."""
    out.mkdir(parents=True, exist_ok=True)
    clips = street_clips(data)
    (out / "frames.json").write_text(json.dumps(list(clips)))
    rng = np.random.default_rng(0)
    with ExitStack() as files:
        streams = {n: files.enter_context((out / f"{n}.hevc").open("wb")) for n in CODINGS}
        for index, make in enumerate(clips.values()):
            clip = make(np.random.default_rng((7, index)))
            for name, coding in CODINGS.items():
                quantiser = int(rng.integers(coding.quantisers[0], coding.quantisers[1] + 1))
                if index % coding.every == 0:
                    streams[name].write(encode(clip, coding.scale, quantiser)[0])
