# SPDX-License-Identifier: Apache-2.0
"""The generators that GESCO is held against as systems of a study: its maps, their pictures."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from semcom_ros.codecs.gesco import CODEC, GescoSettings, planes
from semcom_ros.codecs.gesco.decoder import Decoder
from semcom_ros.codecs.gesco.encoder import Encoder
from semcom_ros.lab.evaluation.study.codec_systems import planes_system
from semcom_ros.lab.evaluation.study.systems import System, weights_of
from semcom_ros.lab.papers.generators import networks, painter

_painter = cache(painter.from_pretrained)


def generator(
    network: str,
    weights: str = "",
    payload_bytes: int | None = None,
    fds: str = "none",
    guidance: float = 0.0,
    rows: int = planes.ROWS[0],
    device: str = "cpu",
) -> System:
    """GESCO without a picture layer, whose images the generator `network` paints.

    weights: its file, by default in `networks.FOLDER`. payload_bytes: of a coded map; without them
    the map goes as planes, as of the system `gesco_planes`, whose `fds` and `rows` these are.
    guidance: of diffusions. Raises SemcomError.
    """
    path = Path(weights) if weights else networks.file_of(network)
    paints = _painter(network, path, device)
    if payload_bytes is None:
        values = {"guidance": float(guidance), "picture": "none"}
        return planes_system(paints, path, fds, rows, device, values)
    settings = GescoSettings.of("gesco", {"gesco_picture": "none", "gesco_guidance": guidance})
    return System(
        "gesco",
        payload_bytes,
        CODEC,
        Encoder(settings=settings, device=device),
        Decoder(paints, settings=settings, device=device),
        name="gesco",
        budget=payload_bytes,
        models=(path, *weights_of("gesco")),
        of_road=True,
    )
