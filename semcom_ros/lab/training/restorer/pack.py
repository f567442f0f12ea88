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

from semcom_ros.datasets import Source, open_source
from semcom_ros.frame import fit
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

    def still(source: Source, i: int) -> Clip:
        return lambda rng: approach(fit(source[i]).image, rng)

    def moving(source: Source, numbers: range) -> Clip:
        return lambda rng: [fit(source[i]).image for i in numbers]

    sources = {
        "camvid": open_source(f"camvid:{data / 'camvid'}", "train"),
        "kitti": open_source(f"kitti:{data / 'kitti_semantics'}", "train"),
        "kitti_held": open_source(f"kitti:{data / 'kitti_semantics'}", "val"),
    }
    clips = {
        f"{name}/{i}": still(source, i)
        for name, source in sources.items()
        for i in range(len(source))
    }
    plain: list[Clip] = []
    for name in ("udacity_highway", "driveai_sample"):
        folder = data / name / "images/train"
        source, stems = open_source(f"folder:{folder}"), sorted(p.stem for p in folder.iterdir())
        for last in range(0, len(source), EVERY[name]):
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
