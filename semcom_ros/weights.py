# SPDX-License-Identifier: Apache-2.0
"""Weights on disk: safetensors in half precision, or kernels in bytes, and a JSON card beside them
that names them."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load as load_bytes
from safetensors.numpy import save as save_bytes

from semcom_ros.errors import SemcomError
from semcom_ros.label_spaces import SPACES, LabelSpace
from semcom_ros.labels import LABEL_SPACE, TRAIN_ID
from semcom_ros.runtime import shipped_folder

if TYPE_CHECKING:
    from torch import nn


class MissingWeights(SemcomError):
    """A file of weights or its card is not there; the sentence names what makes it."""


MOST_TOLD = 2**20
"""Bytes that a card, or the header of a file of tensors, may take."""
SCALES = ".scales"
"""Ends the name of what a tensor of bytes is multiplied by."""


def models_dir() -> Path:
    """The folder of shipped weights: SEMCOM_MODELS, or what `shipped_folder` finds."""
    if "SEMCOM_MODELS" in os.environ:
        return Path(os.environ["SEMCOM_MODELS"])
    return shipped_folder("models")


def file_at(path: Path | None, name: str) -> Path:
    """The weights file `path`, or `name` in the folder `path`, by default that of `models_dir`."""
    path = path or models_dir()
    return path / name if path.is_dir() else path


def save(path: Path, tensors: dict[str, np.ndarray], card: dict[str, Any]) -> None:
    """Write `tensors` to `path` (.safetensors) and `card`, completed by name, hash, parameters
    (unless it names them) and commit.

    Floating tensors are stored in half precision, others as they are.
    """
    half = {
        name: np.ascontiguousarray(
            t.astype(np.float16) if np.issubdtype(t.dtype, np.floating) else t
        )
        for name, t in tensors.items()
    }
    data = save_bytes(half)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    full = {"name": path.stem, "sha256": hashlib.sha256(data).hexdigest(), **card}
    full.setdefault("parameters", int(sum(t.size for t in half.values())))
    full["commit"] = commit()
    path.with_suffix(".json").write_text(json.dumps(full, indent=2) + "\n")


def in_bytes(tensors: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """`tensors` for `save`, kernels of convolutions in a byte a weight with a scale an output;
    `load` gives them back, rounded by about a 254th of an output's largest, or 2^-15."""
    packed = {}
    for name, tensor in tensors.items():
        packed[name] = tensor
        if tensor.ndim == 4:
            largest = np.abs(tensor).max((1, 2, 3), keepdims=True)
            scales = np.maximum(largest.astype(np.float32) / 127, 2**-14).astype(np.float16)
            packed[name] = np.rint(tensor / scales.astype(np.float32)).astype(np.int8)
            packed[name + SCALES] = scales
    return packed


def _from_bytes(stored: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The tensors that `in_bytes` was given, in half precision; others as they are."""
    scales = {name: stored.pop(name) for name in [*stored] if name.endswith(SCALES)}
    of = {name.removesuffix(SCALES): scale for name, scale in scales.items()}
    return {name: tensor * of[name] if name in of else tensor for name, tensor in stored.items()}


def read_card(path: Path, recipe: str) -> dict[str, Any]:
    """The card beside the weights file `path`; `recipe` is the command that makes the file.

    Raises SemcomError when the card is missing or is no card.
    """
    card = path.with_suffix(".json")
    if not card.is_file():
        raise MissingWeights(
            f"The card {card} is missing: restore models/ from the repository "
            f"or make it with `{recipe}`."
        )
    try:
        if card.stat().st_size > MOST_TOLD:
            raise ValueError
        content = json.loads(card.read_text())
        bytes.fromhex(content["sha256"]), int(content["parameters"])
    except (ValueError, KeyError, TypeError):
        raise SemcomError(
            f"The card {card} is damaged: restore models/ from the repository."
        ) from None
    return content


def load(path: Path, recipe: str) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """The tensors of `path` and its card, the file checked against the card's hash.

    A file that is larger than its card's parameters can be is not read. Raises SemcomError when a
    file is missing or altered; `recipe` is the command that makes it.
    """
    if not path.is_file():
        ships = path.resolve().parent == models_dir().resolve()
        restore = "restore models/ from the repository or " if ships else ""
        raise MissingWeights(f"The weights {path} are missing: {restore}make them with `{recipe}`.")
    card = read_card(path, recipe)
    why, size = "", path.stat().st_size
    with path.open("rb") as file:
        header = int.from_bytes(file.read(8), "little")
    if size > 8 * int(card["parameters"]) + MOST_TOLD:
        why = f"it has {size:,} bytes for {card['parameters']} parameters"
    elif header > min(size, MOST_TOLD):
        why = f"its header would have {header:,} bytes"
    elif hashlib.sha256(data := path.read_bytes()).hexdigest() != card["sha256"]:
        why = "the hash differs"
    if why:
        raise SemcomError(
            f"The weights {path} are not those of their card ({why}): "
            f"restore models/ from the repository or make them anew with `{recipe}`."
        )
    try:
        return _from_bytes(load_bytes(data)), card
    except (SafetensorError, ValueError) as error:
        raise SemcomError(f"The weights {path} cannot be read: {error}.") from None


def space_of(
    card: dict[str, Any], path: Path, known: Collection[str] = (LABEL_SPACE,)
) -> LabelSpace:
    """The label space of the network in `path`, by its card.

    Raises SemcomError unless it is one of `known`, names in `SPACES`.
    """
    name = str(card.get("label_space"))
    if name not in known:
        raise SemcomError(
            f"The weights {path} speak the label space {name!r}, "
            f"not {' or '.join(map(repr, known))}: restore models/ from the repository."
        )
    return SPACES[name]


def classes_of(card: dict[str, Any], path: Path) -> tuple[int, ...]:
    """The trainIds that the planes of the network in `path` stand for, by its card.

    Raises SemcomError when it was made for another label space.
    """
    space_of(card, path)
    try:
        return tuple(TRAIN_ID[name] for name in card["classes"])
    except KeyError as missing:
        raise SemcomError(
            f"The card of {path} is damaged, it lacks {missing}: restore models/ from the "
            "repository."
        ) from None


def fill(network: nn.Module, tensors: dict[str, np.ndarray], path: Path) -> None:
    """Copy `tensors` into `network` (a torch module), whose shapes they must have exactly.

    Raises SemcomError naming the first tensor that does not fit.
    """
    import torch

    # Counters of seen batches are scalars that no one reads; they are not stored.
    state = {k: v for k, v in network.state_dict().items() if v.ndim}
    odd = sorted(state.keys() ^ tensors.keys())
    odd += [k for k in state.keys() & tensors.keys() if tuple(state[k].shape) != tensors[k].shape]
    if odd:
        raise SemcomError(
            f"The weights {path} were made for another network ({odd[0]} does not fit): "
            "restore models/ from the repository."
        )
    loaded = {k: torch.from_numpy(v).to(state[k].dtype) for k, v in tensors.items()}
    network.load_state_dict(loaded, strict=False)


def tensors_of(network: nn.Module) -> dict[str, np.ndarray]:
    """The tensors of `network` that `fill` puts back."""
    return {k: v.detach().cpu().numpy() for k, v in network.state_dict().items() if v.ndim}


def commit() -> str:
    """The commit of the checkout that the package runs from, "" outside one."""
    here = Path(__file__).resolve().parent
    try:
        done = subprocess.run(
            ["git", "describe", "--always", "--dirty"], cwd=here, capture_output=True, text=True
        )
    except OSError:
        return ""
    return done.stdout.strip()
