# SPDX-License-Identifier: Apache-2.0
"""Requests that name classes: the vehicle then sends the map of these and nothing else."""

from __future__ import annotations

import re

import numpy as np

from semcom_ros.codecs.base import CodecEnd, Reading
from semcom_ros.labels import NAMES, TRAIN_ID, VOID

ONLY = "only "
"""How an instruction begins that names classes; their names follow, with commas between."""
_SAID: dict[str, tuple[str, ...]] = {
    "road": ("road", "roads", "street", "lane", "lanes", "drivable area"),
    "sidewalk": ("sidewalk", "sidewalks", "kerb", "kerbs", "curb", "curbs", "pavement", "footpath"),
    "building": ("building", "buildings", "house", "houses"),
    "wall": ("wall", "walls"),
    "fence": ("fence", "fences"),
    "pole": ("pole", "poles", "post", "posts"),
    "traffic light": ("traffic light", "traffic lights", "signals"),
    "traffic sign": ("traffic sign", "traffic signs", "sign", "signs"),
    "vegetation": ("vegetation", "tree", "trees", "bush", "bushes"),
    "terrain": ("terrain", "grass"),
    "sky": ("sky",),
    "person": ("person", "persons", "pedestrian", "pedestrians", "walkers", "child", "children"),
    "rider": ("rider", "riders"),
    "car": ("car", "cars"),
    "truck": ("truck", "trucks", "lorry", "lorries"),
    "bus": ("bus", "buses"),
    "train": ("train", "trains", "tram", "trams"),
    "motorcycle": ("motorcycle", "motorcycles", "motorbike", "motorbikes"),
    "bicycle": ("bicycle", "bicycles", "bike", "bikes"),
}
_TOGETHER: dict[str, tuple[str, ...]] = {
    "people": ("person", "rider"),
    "cyclist": ("rider", "bicycle"),
    "cyclists": ("rider", "bicycle"),
    "motorcyclists": ("rider", "motorcycle"),
    "vehicle": ("car", "truck", "bus", "train", "motorcycle"),
    "vehicles": ("car", "truck", "bus", "train", "motorcycle"),
    "vulnerable road users": ("person", "rider", "motorcycle", "bicycle"),
    "vru": ("person", "rider", "motorcycle", "bicycle"),
    "vrus": ("person", "rider", "motorcycle", "bicycle"),
}
_NAMED = {word: (name,) for name, words in _SAID.items() for word in words} | _TOGETHER
# Longer ones first: a traffic light is one, not some light of traffic.
_WORDS = re.compile(r"\b(" + "|".join(sorted(_NAMED, key=len, reverse=True)) + r")\b")
_ALONE = re.compile(r"\b(?:only|just|nothing (?:but|except))\b")
_BUT = re.compile(r"\b(?:all|everything)\b.*?\b(?:but|except|without)\b")


def read(words: str) -> Reading | None:
    """What a request for some classes alone asks for; None where it is none.

    "Only pedestrians and the kerb" gives "only sidewalk, person", "everything but the sky" all
    others. "Is the road free?" does not say that people on it are of no interest.
    """
    words = " ".join(words.lower().split())
    named = {name for word in _WORDS.findall(words) for name in _NAMED[word]}
    if named and _BUT.search(words):
        named = set(NAMES) - named
    elif not _ALONE.search(words):
        return None
    if not 0 < len(named) < len(NAMES):
        return None
    return Reading(ONLY + ", ".join(name for name in NAMES if name in named))


class MapEnd(CodecEnd):
    """An end of a codec that sends label maps: of all classes, or of those that were asked for."""

    def read(self, words: str) -> Reading:
        """Some classes alone, where the words say so; else this codec sends all that it has."""
        return read(words) or super().read(words)


def names_classes(task: str) -> bool:
    """Whether an instruction asks for the map of some classes, and for no picture."""
    return task.startswith(ONLY)


def asked_of(labels: np.ndarray, task: str) -> np.ndarray:
    """Labels uint8 [H, W] with void where the class was not asked for by the instruction `task`."""
    if not names_classes(task):
        return labels
    kept = np.full(256, VOID, np.uint8)
    for name in task.removeprefix(ONLY).split(", "):
        if name in TRAIN_ID:
            kept[TRAIN_ID[name]] = TRAIN_ID[name]
    return kept[labels]


def sureness(labels: np.ndarray, confidence: np.ndarray, task: str) -> np.ndarray:
    """Confidence uint8 [H, W] of a received map: none where nothing was asked for."""
    if not names_classes(task):
        return confidence
    return np.where(labels == VOID, 0, confidence).astype(np.uint8)
