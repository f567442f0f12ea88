# SPDX-License-Identifier: Apache-2.0
"""The paper's network at the roadside: received maps in, images out, by weights from a file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import torch

from semcom_ros import weights
from semcom_ros.codecs.gesco import shared
from semcom_ros.codecs.gesco.paper.network import GescoPaperSizes, PaperNetwork
from semcom_ros.codecs.gesco.paper.sampling import sample
from semcom_ros.errors import SemcomError
from semcom_ros.frame import WORK_SIZE
from semcom_ros.label_spaces import LabelSpace, instance_edges
from semcom_ros.labels import CLASSES
from semcom_ros.layers.image_input import to_images
from semcom_ros.layers.residual import for_inference


class PaperDiffusion:
    """Runs `network`, whose planes are those of `space`, in bfloat16 on `device`, compiled where
    that is CUDA.

    size: (H, W) that it was trained at and paints at; images are brought to the size of work. seed:
    of the noise that all grow from where none is given.
    """

    def __init__(
        self,
        network: PaperNetwork,
        space: LabelSpace,
        size: tuple[int, int] = WORK_SIZE,
        device: str = "cpu",
        seed: int = 0,
    ):
        self.space, self.size, self.seed = space, size, seed
        self.device = torch.device(device)
        self.network = for_inference(network, torch.bfloat16).to(self.device)
        if self.device.type == "cuda":
            self.network.compile()

    @classmethod
    def from_pretrained(cls, path: Path | None = None, device: str = "cpu") -> PaperDiffusion:
        """That of a weights file, or of a folder that holds it. Raises SemcomError."""
        return cls(*load_network(weights.file_at(path, shared.PAPER_FILE)), device)

    def __call__(
        self,
        maps: Sequence[np.ndarray],
        steps: int,
        sampler: str = "ancestral",
        guidance: float = 0.0,
        seeds: Sequence[int] | None = None,
    ) -> list[np.ndarray]:
        """Images uint8 [256, 512, 3], all the same for the same arguments.

        maps: labels uint8 [H, W] trainId, or posteriors float32 [20, h, w] by trainId, void last.
        steps, sampler and guidance: as in `sample`, the paper's s. seeds: of each image's noise.
        Raises SemcomError.
        """
        planes = np.stack([planes_of(one, self.space, self.size) for one in maps])
        told = torch.from_numpy(planes).to(self.device, torch.bfloat16)
        told = told.contiguous(memory_format=torch.channels_last)
        seeds = [self.seed] * len(maps) if seeds is None else seeds
        images = sample(self.network, told, seeds, steps, guidance, sampler)
        painted = to_images((images + 1).mul_(127.5))
        return [cv2.resize(one, WORK_SIZE[::-1], interpolation=cv2.INTER_CUBIC) for one in painted]


def planes_of(received: np.ndarray, space: LabelSpace, size: tuple[int, int]) -> np.ndarray:
    """A map as `PaperDiffusion` takes it -> a network's input float32 [planes, H, W] in `space`.

    The road tells neither Cityscapes' other classes nor instances: void and what the space lacks
    are its void, and edges those between classes.
    """
    to = size[::-1]
    if received.ndim == 2:
        labels = cv2.resize(received, to, interpolation=cv2.INTER_NEAREST_EXACT)
        return space.one_hot(space.of_train_ids[labels])
    way = cv2.INTER_AREA if received.shape[1] > size[0] else cv2.INTER_LINEAR
    # Where void is no class its plane comes last.
    places = np.minimum([*space.of_train_ids[: len(CLASSES)], space.void], len(space.names))
    planes = np.zeros((space.planes, *size), np.float32)
    for place, posterior in zip(places, received, strict=True):
        planes[place] += cv2.resize(posterior, to, interpolation=way)
    if space.edges:
        planes[-1] = instance_edges(planes[: space.class_planes].argmax(0))
    return planes


def load_network(path: Path) -> tuple[PaperNetwork, LabelSpace, tuple[int, int]]:
    """The network in `path`, float32, for inference; its label space, and the size (H, W) that it
    was trained at.

    Raises SemcomError for weights that are missing, altered, of a space that is not known or of
    another network than their card says.
    """
    tensors, card = weights.load(path, shared.PAPER_RECIPE)
    sizes = GescoPaperSizes.of_card(card, None, path, shared.PAPER_RECIPE)
    space = weights.space_of(card, path, GescoPaperSizes.spaces)
    if sizes.planes != space.planes:
        raise SemcomError(
            f"The weights {path} read maps of {sizes.planes} planes, and {space.name} has "
            f"{space.planes}: make others with `{shared.PAPER_RECIPE}`."
        )
    with torch.device("meta"):  # to draw 654 M weights for nothing takes long
        network = PaperNetwork(sizes)
    network.to_empty(device="cpu")
    weights.fill(network, tensors, path)
    return network.eval().requires_grad_(False), space, tuple(card["size"])
