# SPDX-License-Identifier: Apache-2.0
"""GESCO over noisy planes, with every choice that its paper and its ablations make."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np

from semcom_ros.channel.parameters import NONE
from semcom_ros.codecs.base import Received
from semcom_ros.codecs.gesco import GescoSettings, planes
from semcom_ros.codecs.gesco.decoder import Decoder
from semcom_ros.codecs.gesco.diffusion import FILE, ImageDiffusion
from semcom_ros.codecs.gesco.encoder import Encoder
from semcom_ros.codecs.gesco.shared import CLASSES_PART, PLANES_PART
from semcom_ros.errors import choose
from semcom_ros.frame import Frame
from semcom_ros.lab.evaluation.study.links import Link
from semcom_ros.lab.evaluation.study.systems import Outcome, concealed, rate_of, symbols_sent, timed
from semcom_ros.lab.learned_denoiser import LearnedDenoiser
from semcom_ros.labels import fold
from semcom_ros.payload import Payload
from semcom_ros.pipeline.single import encode
from semcom_ros.reconstruction import Reconstruction
from semcom_ros.weights import models_dir

DENOISING = ("auto", "paper", "learned", "none")


class GescoPlanes:
    """The map as one-hot planes of `rows` rows, over noise on their values or as QPSK symbols.

    By default the planes are of the frame's own size, as the paper has them; the codec sends half
    of it each way. They are of CamVid's classes, which all networks here know.

    thumbnail: 64 bytes of colours beside it, which noise on values leaves alone. fds: fast
    denoising, ours or as published, the learned denoiser's, or none: then the network is given
    what arrived. weights: of another diffusion network, a file. steps, guidance, noise: see
    `Decoder`. Over a channel the set of classes and the colours are coded bits; without the set
    the frame is lost, and the last good one stands.
    """

    codec = "gesco"
    uses_labels = True
    links = frozenset({NONE, "noise", "channel"})

    def __init__(
        self,
        thumbnail: bool = True,
        fds: str = "auto",
        weights: str = "",
        steps: int = 1,
        guidance: float = 0.0,
        noise: str = "same",
        rows: int = planes.ROWS[0],
    ) -> None:
        choose(fds, DENOISING, "fast denoising")
        path = Path(weights) if weights else models_dir() / FILE
        self.setting = None
        self.models = (path, *sorted(models_dir().glob("gesco_*.safetensors")))
        self._encoder = Encoder(rows, settings=GescoSettings(map="planes", thumbnail=thumbnail))
        instead = fds if fds in ("learned", "none") else None
        values = {"steps": steps, "guidance": float(guidance), "noise": noise}
        values["fds"] = "auto" if instead else fds
        settings = GescoSettings.of("gesco", {f"gesco_{k}": v for k, v in values.items()})
        self._decoder = _Decoder(settings, path, instead)

    def begin(self, link: Link, seed: int) -> None:
        self._link, self._seed = link, seed
        self._channel = link.channel(seed) if link.kind == "channel" else None
        self._last: Reconstruction | None = None

    def run(self, frame: Frame, labels: np.ndarray | None, index: int) -> Outcome:
        labels = None if labels is None else fold(labels)
        fed = replace(frame, labels=labels)
        payload, encode_ms = timed(lambda: encode("gesco", self._encoder, fed, 0, index))
        rate = rate_of(payload, frame)
        arrived = self._channel.transmit(payload) if self._channel else payload
        outcome = Outcome(
            concealed(frame, self._last, gives_labels=True),
            labels,
            bits_per_pixel=rate.bits_per_pixel,
            channel_uses=symbols_sent(self._channel) if self._channel else rate.channel_uses,
            encode_ms=encode_ms,
            lost=True,
        )
        if arrived.part(CLASSES_PART).erased or arrived.part(PLANES_PART).erased:
            return outcome
        received = planes.decode(arrived.bits(CLASSES_PART), arrived.part(PLANES_PART))
        if self._link.kind == "noise":
            random = np.random.default_rng([self._seed, index])
            noisy = self._link.add_noise(received.planes, random)
            received = received._replace(planes=noisy, noise_variance=None)
        shown, decode_ms = timed(lambda: self._decoder.show(received, arrived))
        self._last = shown
        return replace(outcome, reconstruction=shown, decode_ms=decode_ms, lost=False)

    def end(self) -> None:
        """Nothing was kept."""


class _Decoder(Decoder):
    """The RSU's end, with what it is compared with in place of fast denoising."""

    def __init__(self, settings: GescoSettings, path: Path, instead: str | None) -> None:
        super().__init__(settings=settings, network=_diffusion(path))
        self.instead = instead

    def denoised(self, received: planes.ReceivedPlanes, fds: str) -> np.ndarray:
        if self.instead is None:
            return super().denoised(received, fds)
        found = np.zeros((planes.VOID_PLANE + 1, *received.planes.shape[1:]), np.float32)
        if self.instead == "none":
            found[received.present] = received.planes
        else:
            found[: planes.VOID_PLANE] = _learned()(received.planes, received.present)
        return found

    def show(self, received: planes.ReceivedPlanes, payload: Payload) -> Reconstruction:
        """All that is made of the planes; the colours come from `payload`."""
        known = self._from_planes(received, self.settings.fds)
        (image,) = self.decode_images([Received(payload)], [known])
        return replace(known, image=image)


@cache
def _diffusion(path: Path) -> ImageDiffusion:
    return ImageDiffusion.from_pretrained(path)


@cache
def _learned() -> LearnedDenoiser:
    return LearnedDenoiser()
