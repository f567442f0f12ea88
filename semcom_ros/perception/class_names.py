# SPDX-License-Identifier: Apache-2.0
"""What other data sets call the classes of the label space."""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np

from semcom_ros.errors import SemcomError
from semcom_ros.labels import CLASSES, TRAIN_ID, VOID

ALIASES = {
    "road": ("street", "crosswalk plain", "lane marking crosswalk", "lane marking general"),
    "sidewalk": ("pavement", "curb", "pedestrian area"),
    "building": ("house", "skyscraper", "edifice"),
    "wall": ("wall brick", "wall stone", "wall concrete"),
    "fence": ("fencing", "railing"),
    "pole": ("column pole", "utility pole", "street light", "streetlight", "street lights"),
    "traffic light": ("traffic signal", "stoplight"),
    "traffic sign": ("stop sign", "street sign", "sign symbol", "traffic sign front"),
    "vegetation": ("tree", "bush", "plant", "palm"),
    "terrain": ("grass", "earth", "dirt", "field"),
    "sky": ("clouds",),
    "person": ("pedestrian", "individual"),
    "rider": ("bicyclist", "motorcyclist", "other rider", "cyclist"),
    "car": ("van", "suv", "automobile"),
    "truck": ("pickup truck", "heavy truck", "fire truck", "motortruck"),
    "bus": ("autobus", "motorbus"),
    "train": ("on rails", "tram"),
    "motorcycle": ("motorbike", "minibike"),
    "bicycle": ("bike",),
}
"""Names of ADE20K, COCO (things, stuff and panoptic), Mapillary Vistas, CamVid and Objects365.

Classes that hold more than one of ours are left out, such as ADE20K's signboard, which is traffic
sign and advertisement (MSeg, Lambert et al. 2020, splits it).
"""
_TRAIN_ID = {a: TRAIN_ID[name] for name, others in ALIASES.items() for a in (name, *others)}
_SUFFIX = re.compile(r"( (other|merged|stuff))+$")


def train_id(name: str) -> int:
    """The trainId of the class that a data set calls `name`, VOID where the label space has none.

    `name` may list synonyms between commas or semicolons; the first known one counts.
    """
    for synonym in re.split("[,;]", name):
        words = " ".join(re.sub(r"(?<=[a-z])(?=[A-Z])", " ", synonym).lower().split())
        plain = " ".join(re.sub("[^a-z0-9]+", " ", words).split())
        found = _TRAIN_ID.get(_SUFFIX.sub("", plain))
        if found is not None:
            return found
    return VOID


def train_ids(names: Mapping[int, str], checkpoint: str, things: bool = False) -> np.ndarray:
    """Lookup table uint8 from class number of a network to trainId, VOID where there is none.

    things: whether classes that are no things, such as road, are void too. Raises SemcomError,
    which names `checkpoint`, when no class is known.
    """
    table = np.full(max(names, default=0) + 1, VOID, np.uint8)
    for i, name in names.items():
        known = train_id(name)
        if known != VOID and (CLASSES[known].thing or not things):
            table[i] = known
    if (table == VOID).all():
        some = ", ".join(list(names.values())[:3])
        wanted = ", ".join([c.name for c in CLASSES if c.thing or not things][:3])
        raise SemcomError(
            f"The checkpoint {checkpoint} knows no class of the label space (its classes: {some} "
            f"…): give one whose id2label holds names such as {wanted}."
        )
    return table
