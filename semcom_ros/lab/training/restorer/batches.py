# SPDX-License-Identifier: Apache-2.0
"""Batches for the restorer, made on the device: frames, coded pictures, received maps."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch.utils.data import Dataset

from semcom_ros.codecs.gesco.picture import NO_PICTURE, sharpness
from semcom_ros.codecs.gesco.shared import GescoShared
from semcom_ros.coding import thumbnail
from semcom_ros.coding.grids import GRIDS
from semcom_ros.frame import WORK_SIZE, Frame, fit
from semcom_ros.lab.training.coded_pictures import (
    CLIP,
    CODINGS,
    FRAMES,
    TOWN_FRAMES,
    TOWNS,
    decode,
)
from semcom_ros.lab.training.data import Samples, pixels_of, render_drive
from semcom_ros.lab.training.device_windows import light
from semcom_ros.lab.training.gesco.received import LEVELS_DB
from semcom_ros.lab.training.restorer.arrived_maps import Resampling, denoised_planes
from semcom_ros.lab.training.street_pack import read_pack
from semcom_ros.labels import TRAIN_ID, VOID
from semcom_ros.layers.class_shares import SHARES_STRIDE
from semcom_ros.perception.segmentation import Segmenter

SET_SHARES = {"camvid": 0.55, "kitti": 0.15, "plain": 0.12, "scenes": 0.18}
CODING_SHARES = {"low": 0.22, "middle": 0.25, "second": 0.25, "high": 0.28}
"""Of what is drawn."""
HELD_CAMVID = (*range(46, 62), *range(147, 163))
"""Of CamVid train: the last sixteen frames of its first two drives choose checkpoints."""
HELD_GRID, HELD_BATCH = 7, 8
"""The map of held-out frames has 88 rows; so many are scored at once."""
THUMBNAIL_BYTES = (24, 40, 64)
CELL = 16
"""Pixels that crops start on, so that the blocks of coded pictures stay where they are."""
GRIDS_SEEN = (0, 2, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13)
"""Of `GRIDS`: 256 to 40 rows, mostly those that a map of 80 to 250 bytes takes."""
MAPS_AT_ONCE = 4
"""Samples that share a grid."""
PLANES, PLANES_GRID = 0.12, 4
"""Share of the maps that came as noisy planes, and their grid among `GRIDS`: 128 rows."""
MAPLESS, BLIND, THUMBNAIL = 0.03, 0.06, 0.12
"""Shares of the samples that came without the one, without the other, or with a thumbnail's
colours for a picture."""
ESTIMATED = 0.6
"""Share of the maps that are as the vehicle's segmenter sees them, errors and all."""
EMPHASIS = {"pole": 1.5, "traffic light": 2.0, "traffic sign": 2.0, "person": 4.0, "rider": 4.0,
            "bicycle": 3.0, "motorcycle": 3.0, "car": 2.0, "truck": 2.0, "bus": 2.0, "sky": 0.7,
            "vegetation": 0.8}  # fmt: skip
"""Weight of a class's pixels in the losses where it is not 1: what planners look for counts."""


@dataclass(frozen=True)
class Streets:
    """All that is drawn from, on one device.

    images uint8 [N, 3, 256, 512]; truth, estimated uint8 [N, 256, 512] trainId, 255 void;
    pictures uint8 [M, 3, 256, 512], coded, of frames `frame_of` [M] with `sharpness` [M];
    chance [M]: how often each is drawn; thumbnails float32 [N, 3, 16, 32] in 0..1, and `typical`
    float32 [3, 16, 32], that of any street.
    """

    images: torch.Tensor
    truth: torch.Tensor
    estimated: torch.Tensor
    pictures: torch.Tensor
    frame_of: torch.Tensor
    sharpness: torch.Tensor
    chance: torch.Tensor
    thumbnails: torch.Tensor
    typical: torch.Tensor


def held_out(name: str) -> bool:
    """Whether a frame chooses checkpoints and is never learnt from."""
    kind, _, place = name.partition("/")
    return (
        kind == "kitti_held"
        or (kind == "camvid" and int(place) in HELD_CAMVID)
        or (kind == "scenes" and place.startswith(f"{TOWNS[-1]}_"))
    )


def read_streets(
    pack: Path, segmenter: Segmenter, shared: GescoShared, device: torch.device
) -> tuple[Streets, dict[str, np.ndarray]]:
    """What is learnt from, and the places of held-out pictures by coding."""
    names = json.loads((pack / FRAMES).read_text())
    samples = _samples(pack, names)
    kinds = np.array([name.split("/")[0] for name in names])
    held = np.array([held_out(name) for name in names])
    places, pictures, frame_of, sharp, chance = {}, [], [], [], []
    for name, coding in CODINGS.items():
        size, cubic = WORK_SIZE[::-1], cv2.INTER_CUBIC
        found = decode(pack / f"{name}.hevc", CLIP)
        pictures += [cv2.resize(picture, size, interpolation=cubic) for picture in found]
        of = np.arange(0, len(names), coding.every)
        places[name] = len(frame_of) + np.flatnonzero(held[of])
        odds = np.zeros(len(of))
        for kind, share in SET_SHARES.items():
            hit = (kinds[of] == kind) & ~held[of]
            odds[hit] = CODING_SHARES[name] * share / max(1, hit.sum())
        frame_of, chance = [*frame_of, *of], [*chance, *odds]
        sharp += [sharpness(round(WORK_SIZE[1] * coding.scale))] * len(of)
    statistics, sizes = shared.statistics, np.resize(THUMBNAIL_BYTES, len(names)).tolist()
    codes = (
        thumbnail.encode(*pair, statistics) for pair in zip(samples.images, sizes, strict=True)
    )
    thumbnails = np.stack([thumbnail.decode(code, statistics) for code in codes])

    def put(values: np.ndarray | list, channels: bool = False) -> torch.Tensor:
        tensor = torch.as_tensor(np.asarray(values)).to(device)
        return tensor.movedim(-1, -3).contiguous() if channels else tensor

    streets = Streets(
        put(samples.images, True),
        put(samples.labels),
        put(segmenter(samples.images)),
        put(np.stack(pictures), True),
        put(frame_of),
        put(np.float32(sharp)),
        put(np.float32(chance)),
        put(np.float32(thumbnails), True),
        put(thumbnail.typical(statistics), True),
    )
    return streets, places


def _samples(pack: Path, names: list[str]) -> Samples:
    """The fitted frames of these names, void where they have no labels."""
    known = read_pack(pack)
    first, step, towns = TOWN_FRAMES.start, TOWN_FRAMES.step, len(TOWNS)
    drawn = render_drive(towns * len(TOWN_FRAMES), TOWNS, step, first=first)
    pixels = {
        f"scenes/{TOWNS[i % towns]}_{first + i // towns * step}": p for i, p in enumerate(drawn)
    }
    for name in names:
        if name not in pixels:
            kind, place = name.split("/")
            pixels[name] = pixels_of(fit(Frame(*known[kind][int(place)])))
    return Samples.of(pixels[name] for name in names)


class PictureBatch(NamedTuple):
    """A batch as the RSU has it and as the camera saw it; images [B, 3, h, w] in 0..1.

    class_shares: [B, classes, h/2, w/2]. sharpness: [B]. emphasis: [B, 1, h, w], mean about 1.
    """

    class_shares: torch.Tensor
    picture: torch.Tensor
    sharpness: torch.Tensor
    image: torch.Tensor
    emphasis: torch.Tensor


class PictureBatches(Dataset):
    """Batches of `batch` crops of `crop` (h, w) from `streets`; which, torch's random numbers say,
    whose state a run that resumes goes on with."""

    def __init__(self, streets: Streets, batch: int, crop: tuple[int, int]):
        self.streets, self.batch, self.crop = streets, batch, crop
        self.device = streets.images.device
        self.resampling = {g: Resampling(GRIDS[g], self.device) for g in GRIDS_SEEN}
        emphasis = torch.ones(256)
        emphasis[[TRAIN_ID[name] for name in EMPHASIS]] = torch.tensor([*EMPHASIS.values()])
        self.emphasis = emphasis.to(self.device)

    def __getitem__(self, index: int) -> PictureBatch:
        s, n = self.streets, self.batch
        drawn = torch.multinomial(s.chance, n, replacement=True)
        frames = s.frame_of[drawn]
        chance = torch.rand(3, n, 1, 1, 1, device=self.device)
        filled = self._filled(frames)
        sent = torch.where(chance[0, :, 0] < ESTIMATED, s.estimated[frames], filled)
        shares = torch.cat([self._class_shares(part) for part in sent.split(MAPS_AT_ONCE)])
        shares = shares * (chance[1] >= MAPLESS)

        image, picture = (t.float() / 255 for t in (s.images[frames], s.pictures[drawn]))
        none, small = chance[2] < BLIND, chance[2] < BLIND + THUMBNAIL
        coarse = torch.where(none, s.typical, s.thumbnails[frames])
        coarse = F.interpolate(coarse, size=WORK_SIZE, mode="bilinear")
        picture = torch.where(small, coarse, picture)
        sharp = torch.where(small.flatten(), sharpness(32), s.sharpness[drawn])
        sharp = torch.where(none.flatten(), NO_PICTURE, sharp)

        # One change of light for what was received and what is to come out.
        factor, summand = light(n, (0.8, 1.2), (0.93, 1.07), 0.06, self.device)
        image, picture = ((t * factor + summand).clamp(0, 1) for t in (image, picture))
        emphasis = self._emphasis(filled)
        return self._cropped(PictureBatch(shares, picture, sharp, image, emphasis))

    def whole(self, places: np.ndarray) -> PictureBatch:
        """Whole frames of the pictures at `places`, with the estimated map on one grid."""
        s, drawn = self.streets, torch.from_numpy(places).to(self.device)
        at = s.frame_of[drawn]
        image, picture = (
            (t.float() / 255).contiguous(memory_format=torch.channels_last)
            for t in (s.images[at], s.pictures[drawn])
        )
        shares = self.resampling[HELD_GRID](s.estimated[at])
        emphasis = self._emphasis(self._filled(at))
        return PictureBatch(shares, picture, s.sharpness[drawn], image, emphasis)

    def _filled(self, frames: torch.Tensor) -> torch.Tensor:
        """The true maps of `frames`, as the vehicle sees them where nobody labelled them."""
        true = self.streets.truth[frames]
        return torch.where(true == VOID, self.streets.estimated[frames], true)

    def _emphasis(self, maps: torch.Tensor) -> torch.Tensor:
        return self.emphasis[maps.long()][:, None]

    def _class_shares(self, labels: torch.Tensor) -> torch.Tensor:
        if torch.rand(()) < PLANES:
            level = LEVELS_DB[torch.randint(len(LEVELS_DB), ())]
            return denoised_planes(self.resampling[PLANES_GRID].cells(labels), float(level))
        return self.resampling[GRIDS_SEEN[torch.randint(len(GRIDS_SEEN), ())]](labels)

    def _cropped(self, whole: PictureBatch) -> PictureBatch:
        """Crops at whole cells, half of them mirrored."""
        rooms = [(side - cut) // CELL + 1 for side, cut in zip(WORK_SIZE, self.crop, strict=True)]
        tops, lefts = (CELL * torch.randint(room, (self.batch,)) for room in rooms)
        cuts = list(zip(tops.tolist(), lefts.tolist(), torch.rand(self.batch) < 0.5, strict=True))

        def cut(values: torch.Tensor, stride: int = 1) -> torch.Tensor:
            height, width = (side // stride for side in self.crop)
            parts = [
                v[:, top // stride :, left // stride :][:, :height, :width]
                for v, (top, left, _) in zip(values, cuts, strict=True)
            ]
            parts = [p.flip(-1) if m else p for p, (*_, m) in zip(parts, cuts, strict=True)]
            return torch.stack(parts).contiguous(memory_format=torch.channels_last)

        return whole._replace(
            class_shares=cut(whole.class_shares, SHARES_STRIDE),
            picture=cut(whole.picture),
            image=cut(whole.image),
            emphasis=cut(whole.emphasis),
        )
