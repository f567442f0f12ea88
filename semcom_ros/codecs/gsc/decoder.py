# SPDX-License-Identifier: Apache-2.0
"""gsc at the roadside: from noisy symbols to the map, the picture, or both, as the header says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from semcom_ros import weights
from semcom_ros.codecs.asked_classes import asked_of, names_classes, sureness
from semcom_ros.codecs.base import CodecEnd, Reading, Received
from semcom_ros.codecs.batches import attempt, on_good
from semcom_ros.codecs.gsc import GscSettings
from semcom_ros.codecs.gsc.image_network import ImageHead, refine
from semcom_ros.codecs.gsc.networks import GscReceiver, Heard
from semcom_ros.codecs.gsc.shared import (
    DECODER,
    PERCEPTUAL,
    ArrivedPlanes,
    file_of,
    grid_of,
    load_file,
    read_planes,
)
from semcom_ros.codecs.gsc.sizes import GscSizes
from semcom_ros.codecs.gsc.task import WANTED, TaskKnowledge, wanted
from semcom_ros.errors import given
from semcom_ros.frame import WORK_SIZE
from semcom_ros.layers.image_input import to_images
from semcom_ros.layers.residual import for_inference
from semcom_ros.payload import PayloadError
from semcom_ros.reconstruction import Reconstruction

WARM_UPS = 3
RECEIVED = 128
"""Confidence from which a pixel of the map counts as received: rather right than wrong."""
SEED = 7
"""Of the noise that further passes grow from: the same for every frame."""


@dataclass(frozen=True)
class HeardFrame(Reconstruction):
    """A map where one was asked for, and what the picture is made of where one was.

    context: [1, C, h, w], told: [1, 4], as the picture's decoder takes them.
    """

    context: torch.Tensor | None = None
    told: torch.Tensor | None = None


class ReceiverFile(NamedTuple):
    """What one file brings. heads: what makes pixels, by setting. classes: trainIds of the map's
    logits. passes: of the picture's decoder, those that were found to pay."""

    receiver: GscReceiver
    heads: dict[str, nn.Module]
    sizes: GscSizes
    model: bytes
    classes: np.ndarray
    passes: list[int]


class Decoder(CodecEnd):
    """Payloads in; the map first where it is asked for, then the picture where that is.

    An item that asks for the map alone has no image. Settings are refused whose networks, or whose
    perceptual decoder, are missing; the decoder then stays as it was.
    """

    defaults = GscSettings
    loaded: ReceiverFile
    _settings: GscSettings | None = None

    def __init__(self, **end: Any) -> None:
        self.tasks = TaskKnowledge()
        super().__init__(**end)

    @property
    def settings(self) -> GscSettings:
        return given(self._settings)

    @settings.setter
    def settings(self, settings: GscSettings) -> None:
        name, same = settings.network, self._settings and self._settings.network
        loaded = self.loaded if same == name else self._load(name)
        if settings.decoder not in loaded.heads:
            loaded.heads[settings.decoder] = self._perceptual(name)
        self.loaded, self._settings, self.model = loaded, settings, loaded.model

    def _load(self, name: str) -> ReceiverFile:
        path = self.models / file_of(DECODER, name)
        tensors, card, sizes, model = load_file(path, name)
        classes = np.array(weights.classes_of(card, path), np.uint8)
        passes = [step for step in card.get("steps", ()) if type(step) is int] or [1]
        network = GscReceiver(sizes, len(classes))
        weights.fill(network, tensors, path)
        receiver = for_inference(network, torch.bfloat16).to(self.device)
        heads: dict[str, nn.Module] = {"mse": receiver.image.head}
        return ReceiverFile(receiver, heads, sizes, model, classes, passes)

    def _perceptual(self, name: str) -> nn.Module:
        """What makes pixels, taught to make them look true. Raises SemcomError."""
        path = self.models / file_of(PERCEPTUAL, name)
        tensors, _, sizes, _ = load_file(path, name)
        head = ImageHead(sizes)
        weights.fill(head, tensors, path)
        return for_inference(head, torch.bfloat16).to(self.device)

    def read(self, words: str) -> Reading:
        """Which instruction a planner's words are. Raises SemcomError."""
        return self.tasks.read(words)

    def warm_up(self) -> None:
        grid = grid_of(self.loaded.sizes)
        blank = ArrivedPlanes(np.zeros((1, *grid), np.complex64), np.ones((1, *grid), np.float32))
        for _ in range(WARM_UPS):
            for known in self._labels([(blank, (True, True))]):
                self._paint([known])

    def decode_labels(self, batch: Sequence[Received]) -> list[HeardFrame | PayloadError]:
        """Map, confidence and support of each that asks for a map; the networks see all at once."""
        known = on_good([attempt(self._read, one) for one in batch], self._labels)
        return [
            _asked_alone(one, item.payload.header.task) if isinstance(one, HeardFrame) else one
            for one, item in zip(known, batch, strict=True)
        ]

    def decode_images(
        self, batch: Sequence[Received], known: Sequence[HeardFrame]
    ) -> list[np.ndarray | PayloadError | None]:
        """Images uint8 [H, W, 3] of those that ask for a picture; None for the others."""
        return on_good([None if one.context is None else one for one in known], self._paint)

    def _read(self, received: Received) -> tuple[ArrivedPlanes, tuple[bool, bool]]:
        task = received.payload.header.task
        try:
            asked = wanted(task)
        except KeyError:
            known = ", ".join(f"'{name}'" for name in WANTED if name)
            raise PayloadError(
                "malformed",
                f"Task '{task}' is none of {known}, and names no classes.",
            ) from None
        return read_planes(received.payload, self.loaded.sizes), asked

    @torch.inference_mode()
    def _labels(self, items: list[tuple[ArrivedPlanes, tuple[bool, bool]]]) -> list[HeardFrame]:
        grid, count = grid_of(self.loaded.sizes), self.loaded.sizes.planes
        symbols = np.zeros((len(items), count, *grid), np.complex64)
        variance = np.ones(symbols.shape, np.float32)
        for at, (planes, _) in enumerate(items):
            symbols[at, : planes.kept], variance[at, : planes.kept] = planes
        kept = torch.tensor([planes.kept for planes, _ in items], device=self.device)
        wanted = torch.tensor([task for _, task in items], device=self.device).float()
        arrived, noise = (
            torch.from_numpy(values.reshape(len(items), -1)).to(self.device)
            for values in (symbols, variance)
        )
        heard = Heard.of(arrived, noise, kept, wanted, grid)
        contexts = self.loaded.receiver.understand(heard)
        found: list[HeardFrame] = []
        mapped = [at for at, (_, task) in enumerate(items) if task[1]]
        chosen = contexts.shapes[torch.tensor(mapped, dtype=torch.long, device=self.device)]
        maps = iter(self._maps(chosen, variance[mapped]) if mapped else ())
        for at, (_, (image, labels)) in enumerate(items):
            known = next(maps) if labels else {}
            if image:
                known |= {"context": contexts.context[at : at + 1], "told": heard.told[at : at + 1]}
            found.append(HeardFrame(**known))
        return found

    def _maps(self, shapes: torch.Tensor, variance: np.ndarray) -> list[dict[str, Any]]:
        """Labels, confidence and support of each, uint8, uint8 and bool [H, W]."""
        logits = self.loaded.receiver.map(shapes)
        # By maxima: on a processor topk takes twice as long, and argmax half as long again.
        posteriors = logits.float().softmax(1)
        first, places = posteriors.max(1, keepdim=True)
        second = posteriors.scatter_(1, places, 0.0).amax(1, keepdim=True)
        margin = F.interpolate(first - second, size=WORK_SIZE, mode="bilinear")
        full = F.interpolate(logits, size=WORK_SIZE, mode="bilinear")
        labels = self.loaded.classes[full.max(1).indices.to(torch.uint8).cpu().numpy()]
        # As if all planes of a place told the same: their SNRs add up.
        snr = (1 / np.clip(variance, 1e-6, 1) - 1).sum(1, keepdims=True)
        evidence = torch.from_numpy(snr / (1 + snr)).to(margin)
        sure = margin * F.interpolate(evidence, size=WORK_SIZE, mode="bilinear")
        confidence = (255 * sure[:, 0]).clamp(0, 255).to(torch.uint8).cpu().numpy()
        return [
            {"labels": own, "confidence": told, "support": told >= RECEIVED}
            for own, told in zip(labels, confidence, strict=True)
        ]

    @torch.inference_mode()
    def _paint(self, known: Sequence[HeardFrame]) -> list[np.ndarray]:
        if not known:
            return []
        settings = self.settings
        context = torch.cat([one.context for one in known if one.context is not None])
        told = torch.cat([one.told for one in known if one.told is not None])
        small = tuple(2 * side for side in context.shape[-2:])
        random = torch.Generator().manual_seed(SEED)
        noise = torch.randn(1, 3, *small, generator=random).to(self.device)
        images = refine(
            partial(
                self.loaded.receiver.image, context, told, head=self.loaded.heads[settings.decoder]
            ),
            (small[0], small[1]),
            max(step for step in self.loaded.passes if step <= settings.steps),
            noise.expand(len(known), -1, -1, -1),
        )
        return list(to_images(images.mul_(255)))


def _asked_alone(known: HeardFrame, task: str) -> HeardFrame:
    """Without what an instruction that names classes did not ask for."""
    if known.labels is None or known.confidence is None or not names_classes(task):
        return known
    labels = asked_of(known.labels, task)
    confidence = sureness(labels, known.confidence, task)
    return replace(known, labels=labels, confidence=confidence, support=confidence >= RECEIVED)
