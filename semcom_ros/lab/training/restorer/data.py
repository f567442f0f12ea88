# SPDX-License-Identifier: Apache-2.0
"""Brings the restorer's frames, maps and coded pictures to the device."""

from __future__ import annotations

import argparse
import json
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import torch

from semcom_ros.codecs.gesco.shared import GescoShared
from semcom_ros.coding import thumbnail
from semcom_ros.coding.grids import GRIDS
from semcom_ros.datasets import open_source
from semcom_ros.frame import Frame, fit
from semcom_ros.lab.training.restorer.batches import PictureBatch, Resampling, Streets, sharpness
from semcom_ros.lab.training.restorer.coded_pictures import CODINGS, decode, grown
from semcom_ros.lab.training.restorer.pack import TOWNS
from semcom_ros.lab.training.sight.pack import read_pack
from semcom_ros.labels import VOID
from semcom_ros.perception.segmentation import Segmenter

SOURCES = (
    "CamVid train (research, cite), KITTI semantics train without held-out runs (CC BY-NC-SA 3.0), "
    "udacity_highway (MIT), driveai_sample (CC BY 4.0), the procedural drive"
)
SHARES = {"camvid": 0.55, "kitti": 0.15, "plain": 0.12, "scenes": 0.18}
"""Of what is drawn, by set."""
STREAM_SHARES = {"low": 0.22, "middle": 0.25, "second": 0.25, "high": 0.28}
THUMBNAIL_BYTES = (24, 40, 64)
HELD_CAMVID = (*range(46, 62), *range(147, 163))
"""Of CamVid train: the last sixteen frames of its first two drives choose checkpoints."""
HELD_BATCH = 8
HELD_GRID = 7
"""Of `GRIDS`: the map of held-out frames has 88 rows."""


def held_out(name: str) -> bool:
    """Whether a frame chooses checkpoints and is never learnt from."""
    kind, _, place = name.partition("/")
    return (
        kind == "kitti_held"
        or (kind == "camvid" and int(place) in HELD_CAMVID)
        or (kind == "scenes" and place.startswith(f"{TOWNS[-1]}_"))
    )


def load(
    args: argparse.Namespace, device: torch.device
) -> tuple[Streets, dict[str, list[PictureBatch]]]:
    """What is learnt from, and batches of held-out frames by stream."""
    names = json.loads((args.pack / "frames.json").read_text())
    kept = np.arange(len(names))
    if args.limit < len(kept):
        kept = kept[np.unique(np.linspace(0, len(kept) - 1, args.limit).astype(int))]
    frames = _frames(args.data, [names[i] for i in kept])
    images = np.stack([f.image for f in frames])
    truth = np.stack([f.labels for f in frames])
    estimated = _estimates(images, args, device)
    thumbnails, typical = _thumbnails(images, GescoShared.load(args.models))

    place = {int(k): i for i, k in enumerate(kept)}
    with ThreadPoolExecutor() as pool:
        streams = list(pool.map(lambda s: _stream(args.pack, s, place), CODINGS))
    pictures = np.concatenate([p for _, p in streams])
    frame_of = np.concatenate([f for f, _ in streams])
    sharp = np.concatenate(
        [np.full(len(f), sharpness(round(512 * s.scale)), np.float32)
         for (f, _), s in zip(streams, CODINGS.values(), strict=True)]
    )  # fmt: skip
    kinds = np.array([names[k].split("/")[0] for k in kept])
    held = np.array([held_out(names[k]) for k in kept])
    chance = np.zeros(len(pictures), np.float64)
    start = 0
    for (of, _), name in zip(streams, CODINGS, strict=True):
        for kind, share in SHARES.items():
            hit = np.flatnonzero((kinds[of] == kind) & ~held[of]) + start
            chance[hit] = STREAM_SHARES[name] * share / max(1, len(hit))
        start += len(of)

    def put(values: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(np.ascontiguousarray(values)).to(device)

    streets = Streets(
        put(images.transpose(0, 3, 1, 2)),
        put(truth),
        put(estimated),
        put(pictures.transpose(0, 3, 1, 2)),
        put(frame_of),
        put(sharp),
        torch.from_numpy(chance),
        put(thumbnails),
        put(typical),
    )
    return streets, _held_batches(streets, np.flatnonzero(held), streams, device)


def _frames(folder: Path, names: list[str]) -> list[Frame]:
    towns = [name for name in names if name.startswith("scenes/")]
    # Forked before OpenCV has threads here: children would wait for them.
    with ProcessPoolExecutor(initializer=cv2.setNumThreads, initargs=(1,)) as pool:
        coming = pool.map(_rendered, towns, chunksize=3)
        pack = read_pack(folder)
        rendered = dict(zip(towns, coming, strict=True))
    frames = []
    for name in names:
        if name in rendered:
            frames.append(rendered[name])
            continue
        kind, place = name.split("/")
        known, i = pack[kind], int(place)
        labels = None if known.labels is None else np.ascontiguousarray(known.labels[i])
        frame = fit(Frame(np.ascontiguousarray(known.images[i]), labels))
        if frame.labels is None:
            frame = Frame(frame.image, np.full(frame.image.shape[:2], VOID, np.uint8))
        frames.append(frame)
    return frames


def _rendered(name: str) -> Frame:
    town, index = map(int, name.split("/")[1].split("_"))
    frame = fit(open_source(f"scenes:{town}")[index])
    return Frame(frame.image, frame.labels)


def _estimates(images: np.ndarray, args: argparse.Namespace, device: torch.device) -> np.ndarray:
    segmenter = Segmenter.from_pretrained(args.segmenter or args.models, device.type)
    return segmenter(list(images))


def _thumbnails(images: np.ndarray, shared: GescoShared) -> tuple[np.ndarray, np.ndarray]:
    statistics = shared.statistics

    def small(pair: tuple[int, np.ndarray]) -> np.ndarray:
        index, image = pair
        code = thumbnail.encode(image, THUMBNAIL_BYTES[index % len(THUMBNAIL_BYTES)], statistics)
        return thumbnail.decode(code, statistics)

    with ThreadPoolExecutor() as pool:
        made = np.stack(list(pool.map(small, enumerate(images))))
    typical = thumbnail.typical(statistics)
    return made.transpose(0, 3, 1, 2).astype(np.float32), typical.transpose(2, 0, 1)


def _stream(folder: Path, name: str, place: dict[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Places of frames int64 [n] and their coded pictures uint8 [n, 256, 512, 3]."""
    of, pictures = [], []
    every = CODINGS[name].every
    for count, picture in enumerate(decode(folder / f"{name}.hevc")):
        if (at := place.get(count * every)) is not None:
            of.append(at)
            pictures.append(grown(picture))
    return np.array(of, np.int64), np.stack(pictures)


def _held_batches(
    streets: Streets, held: np.ndarray, streams: list[tuple[np.ndarray, np.ndarray]],
    device: torch.device,
) -> dict[str, list[PictureBatch]]:  # fmt: skip
    """Whole frames, `HELD_BATCH` a batch, with the estimated map on one grid."""
    resampling = Resampling(GRIDS[HELD_GRID], device)
    batches: dict[str, list[PictureBatch]] = {}
    start = 0
    for (of, _), name in zip(streams, CODINGS, strict=True):
        places = np.flatnonzero(np.isin(of, held)) + start
        start += len(of)
        if name == "second":
            continue
        batches[name] = []
        parts = [places[i : i + HELD_BATCH] for i in range(0, len(places), HELD_BATCH)]
        # PictureBatches of one size: the device tunes its convolutions once.
        for part in [p for p in parts if len(p) == HELD_BATCH] or parts:
            drawn = torch.from_numpy(part).to(device)
            at = streets.frame_of[drawn]
            image, picture = (
                (t.float() / 255).contiguous(memory_format=torch.channels_last)
                for t in (streets.images[at], streets.pictures[drawn])
            )
            batches[name].append(
                PictureBatch(
                    resampling(streets.estimated[at]),
                    picture,
                    streets.sharpness[drawn],
                    image,
                    torch.ones_like(image[:, :1]),
                )
            )
    return batches
