# SPDX-License-Identifier: Apache-2.0
"""GESCO's paper network, narrow and untrained, and its file beside the shipped ones."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import torch

from semcom_ros import weights
from semcom_ros.codecs.gesco.paper.network import GescoPaperSizes, PaperNetwork
from semcom_ros.codecs.gesco.shared import PAPER_FILE
from semcom_ros.label_spaces import CITYSCAPES35

SIZE = (16, 32)
NARROW = GescoPaperSizes(32, (1, 2), blocks=1, attention=(2,), head=32, hidden=8)


def narrow_network() -> PaperNetwork:
    """One whose output is not yet that of a new one, 0."""
    torch.manual_seed(3)
    network = PaperNetwork(NARROW)
    for parameter in network.parameters():
        if not parameter.any():
            torch.nn.init.normal_(parameter, std=0.05)
    return network.eval()


def write_paper(folder: Path) -> Path:
    """Its weights file in `folder`."""
    card = {"label_space": "cityscapes35", "classes": list(CITYSCAPES35.names)}
    card |= {"network": asdict(NARROW), "size": list(SIZE)}
    weights.save(folder / PAPER_FILE, weights.tensors_of(narrow_network()), card)
    return folder / PAPER_FILE


def shipped_beside(folder: Path) -> Path:
    """`folder`, with what ships, but no network of the paper's, which a test writes itself: a link
    would lead it into models/."""
    for file in weights.models_dir().iterdir():
        if file.stem != Path(PAPER_FILE).stem:
            (folder / file.name).symlink_to(file)
    return folder
