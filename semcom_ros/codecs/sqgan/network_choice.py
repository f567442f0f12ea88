# SPDX-License-Identifier: Apache-2.0
"""An end of SQ-GAN with the networks that its setting names."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from semcom_ros.codecs.asked_classes import MapEnd
from semcom_ros.codecs.sqgan import FAST, PAPER, SqganSettings, inference
from semcom_ros.codecs.sqgan.paper import inference as paper
from semcom_ros.codecs.sqgan.shared import ENCODER_FILE, RECIPE, SqganShared
from semcom_ros.codecs.sqgan.split import HALVES, Split, read
from semcom_ros.weights import read_card


class Networks(NamedTuple):
    """Classes of the ends' networks; load_shared, split: from the folder of their weights, what
    both ends hold, and how bytes are shared between map and image."""

    load_shared: Callable[[Path], SqganShared]
    split: Callable[[Path], Split]
    transmitters: tuple[type[inference.MapTransmitter], type[inference.ImageTransmitter]]
    receivers: tuple[type[inference.MapReceiver], type[inference.ImageReceiver]]


NETWORKS = {
    FAST: Networks(
        SqganShared.load,
        lambda models: read(read_card(models / ENCODER_FILE, RECIPE)),
        (inference.MapTransmitter, inference.ImageTransmitter),
        (inference.MapReceiver, inference.ImageReceiver),
    ),
    PAPER: Networks(
        paper.load_shared,
        lambda models: HALVES,
        (paper.PaperMapTransmitter, paper.PaperImageTransmitter),
        (paper.PaperMapReceiver, paper.PaperImageReceiver),
    ),
}


class SqganEnd(MapEnd):
    """Other settings bring other networks where they name them; raises SemcomError where there are
    none, and stays as it was."""

    defaults = SqganSettings
    shared: SqganShared
    _settings: SqganSettings | None = None

    @property
    def settings(self) -> Any:
        return self._settings

    @settings.setter
    def settings(self, settings: SqganSettings) -> None:
        if self._settings is None or self._settings.network != settings.network:
            networks = NETWORKS[settings.network]
            held = networks.load_shared(self.models)
            self.use(networks, held)
            self.shared, self.model = held, held.model
        self._settings = settings

    def use(self, networks: Networks, held: SqganShared) -> None:
        """Take the end's own of `networks`, all or none, which fit what both ends hold."""
        raise NotImplementedError
