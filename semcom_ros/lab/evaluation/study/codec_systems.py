# SPDX-License-Identifier: Apache-2.0
"""The package's codecs as vehicle and RSU use them, and GESCO over noisy planes.

The latter has every choice that its paper and its ablations make.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

import numpy as np

from semcom_ros.channel.parameters import NONE
from semcom_ros.codecs import codec_of, create_decoder, create_encoder
from semcom_ros.codecs.base import Decoder, Encoder
from semcom_ros.codecs.gesco import CODEC, GescoSettings, planes
from semcom_ros.codecs.gesco.decoder import Decoder as GescoDecoder
from semcom_ros.codecs.gesco.decoder import ReceivedMap
from semcom_ros.codecs.gesco.diffusion import ImageDiffusion
from semcom_ros.codecs.gesco.encoder import Encoder as GescoEncoder
from semcom_ros.codecs.gesco.paper.generator import PaperDiffusion
from semcom_ros.codecs.gesco.shared import DIFFUSION_FILE, PAPER_FILE
from semcom_ros.errors import choose
from semcom_ros.lab import learned_denoiser
from semcom_ros.lab.evaluation.study.systems import System, weights_of
from semcom_ros.lab.learned_denoiser import LearnedDenoiser
from semcom_ros.labels import fold
from semcom_ros.weights import models_dir

LEARNED = {"learned": models_dir() / learned_denoiser.FILE, "sunet": learned_denoiser.SUNET_FILE}
"""Weights of the learned denoisers by name."""
DENOISING = ("auto", "paper", *LEARNED, "none")
FILES = {"fast": DIFFUSION_FILE, "paper": PAPER_FILE}
_diffusion, _learned = cache(ImageDiffusion.from_pretrained), cache(LearnedDenoiser.from_pretrained)
_paper = cache(PaperDiffusion.from_pretrained)


def codec_system(
    codec: str, payload_bytes: int = 512, device: str = "cpu", models: str = "", **options: Any
) -> System:
    """Codec `codec`, of the registry or "module:attribute", at `payload_bytes`.

    models: folder of both ends' weights in place of those that ship. options: of the encoder where
    it knows them, else of the decoder. Raises SemcomError.
    """
    folder = Path(models) if models else None
    return System(
        codec,
        payload_bytes,
        codec_of(codec),
        *_ends(codec, device, folder, tuple(sorted(options.items()))),
        # The name of somebody else's codec takes no more bytes than that of one of ours.
        name="foreign" if ":" in codec else codec,
        budget=payload_bytes,
        models=weights_of(codec, folder),
        of_road=True,
    )


@cache
def _ends(
    codec: str, device: str, models: Path | None, options: tuple[tuple[str, Any], ...]
) -> tuple[Encoder, Decoder]:
    """Both ends, warmed up, for every size and every link. Raises SemcomError."""
    made = codec_of(codec)
    settings = made.settings.parameters(codec)
    # A setting goes by the name of its parameter, or without the codec's.
    full = {p.name.removeprefix(f"{codec}_"): p.name for p in settings}
    known = inspect.signature(resolve_name(made.encoder)).parameters
    named = {full.get(name, name): value for name, value in options}
    both = {n: v for n, v in named.items() if n in full.values()}
    both |= {"device": device} | ({"models": models} if models else {})
    sending = {n: v for n, v in named.items() if n in known}
    reading = {n: v for n, v in named.items() if n not in known}
    ends = (
        create_encoder(codec, **both | sending),
        create_decoder(codec, **both | reading),
    )
    for end in ends:
        end.warm_up()
    return ends


def gesco_planes(
    thumbnail: bool = True,
    fds: str = "auto",
    weights: str = "",
    steps: int = 1,
    guidance: float = 0.0,
    noise: str = "same",
    rows: int = planes.ROWS[0],
    network: str = "fast",
    paper_steps: int = 50,
    sampler: str = "ddim",
    guidance_rule: str = "paper",
    device: str = "cpu",
) -> System:
    """The map as one-hot planes of `rows` rows, over noise on their values or as QPSK symbols.

    By default the planes are of the frame's own size, as the paper has them; the codec sends half
    of it each way. They are of CamVid's classes, which all networks here know.

    thumbnail: 64 bytes of colours beside it, which noise on values leaves alone. fds: fast
    denoising, ours or as published, a learned denoiser's, or none: then the network is given what
    arrived. weights: of another diffusion network, a file. steps, guidance, noise: see
    `GescoSettings`. Over a channel the set of classes and the colours are coded bits; without the
    set the frame is lost.
    """
    path = Path(weights) if weights else models_dir() / FILES[choose(network, FILES, "network")]
    values = {"steps": steps, "guidance": float(guidance), "noise": noise, "network": network}
    values |= {"paper_steps": paper_steps, "sampler": sampler, "guidance_rule": guidance_rule}
    values["picture"] = "thumbnail" if thumbnail else "none"
    made = _paper if network == "paper" else _diffusion
    return planes_system(made(path, device), path, fds, rows, device, values)


def planes_system(
    network: Any, path: Path, fds: str, rows: int, device: str, values: dict[str, Any]
) -> System:
    """The system `gesco_planes` with the network in `path`, or another that paints as it does.

    values: of GESCO's settings, by their names without the codec's. Raises SemcomError.
    """
    choose(fds, DENOISING, "fast denoising")
    values = values | {"fds": "paper" if fds == "paper" else "auto", "map": "planes"}
    settings = GescoSettings.of("gesco", {f"gesco_{k}": v for k, v in values.items()})
    decoder = _PlanesDecoder(network, settings=settings, device=device)
    models = [path, *weights_of("gesco")]
    if fds in LEARNED:
        denoiser = LEARNED[fds]
        decoder.instead, models = _learned(denoiser, device), [*models, denoiser]
    elif fds == "none":
        decoder.instead = _undenoised
    return System(
        "gesco",
        None,
        CODEC,
        GescoEncoder(rows, settings=settings, device=device),
        decoder,
        name="gesco",
        links=frozenset({NONE, "noise", "channel"}),
        models=tuple(models),
        keeps=False,
        mapped=fold,
    )


class _PlanesDecoder(GescoDecoder):
    """The RSU's end behind noise, with what it is compared with in place of fast denoising.

    instead: from planes float32 [n, h, w] and their classes to posteriors float32 [19 or 20, h, w].
    """

    disturb: Callable[[np.ndarray], np.ndarray]
    instead: Callable[[np.ndarray, Sequence[int]], np.ndarray] | None = None

    def _from_planes(self, received: planes.ReceivedPlanes, fds: str) -> ReceivedMap:
        return super()._from_planes(received._replace(planes=self.disturb(received.planes)), fds)

    def denoised(self, received: planes.ReceivedPlanes, fds: str) -> np.ndarray:
        if self.instead is None:
            return super().denoised(received, fds)
        found = self.instead(received.planes, received.present)
        return np.pad(found, ((0, planes.VOID_PLANE + 1 - len(found)), (0, 0), (0, 0)))


def _undenoised(received: np.ndarray, present: Sequence[int]) -> np.ndarray:
    found = np.zeros((planes.VOID_PLANE + 1, *received.shape[1:]), np.float32)
    found[present] = received
    return found
