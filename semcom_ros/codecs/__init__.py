# SPDX-License-Identifier: Apache-2.0
"""The codecs by name. A new one is a folder and a line here."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from pkgutil import resolve_name
from typing import Any

from semcom_ros.codecs import foreign
from semcom_ros.codecs.base import Codec, Decoder, Encoder, End, Settings
from semcom_ros.errors import SemcomError, choose

CODECS: dict[str, str] = {
    "gesco": "semcom_ros.codecs.gesco:CODEC",
    "sqgan": "semcom_ros.codecs.sqgan:CODEC",
    "gsc": "semcom_ros.codecs.gsc:CODEC",
    "classical": "semcom_ros.codecs.image:JPEG",
    "jpeg2000": "semcom_ros.codecs.image:JPEG2000",
    "hevc": "semcom_ros.codecs.image:HEVC",
    "av1": "semcom_ros.codecs.image:AV1",
}


def codec_of(name: str) -> Codec:
    """The codec `name`, of the registry or "module:attribute". Raises SemcomError."""
    if ":" in name:
        return foreign.codec(name)
    return resolve_name(CODECS[choose(name, CODECS, "codec")])


def settings_of(name: str, values: Mapping[str, Any]) -> Settings:
    """The settings of codec `name` among `values` by parameter name. Raises SemcomError."""
    return codec_of(name).settings.of(name, values)


def create_encoder(name: str, **options: Any) -> Encoder:
    """The encoder of codec `name`; raises SemcomError for an unknown name, option or value.

    options: settings by parameter name, such as gesco_map="planes", `device`, `models` (a folder),
    and what else the encoder's constructor takes.
    """
    return _create(name, "encoder", options)


def create_decoder(name: str, **options: Any) -> Decoder:
    """The decoder of codec `name`, as `create_encoder`."""
    return _create(name, "decoder", options)


def _create(name: str, end: End, options: dict[str, Any]) -> Any:
    codec = codec_of(name)
    made = resolve_name(getattr(codec, end))
    taken = inspect.signature(made).parameters.values()
    known = {p.name for p in taken if p.kind != p.VAR_KEYWORD} | {"device", "models"}
    known -= {"settings", *codec.options}
    own = {k: v for k, v in options.items() if k.startswith(f"{name}_")}
    rest = {k: v for k, v in options.items() if k not in own}
    for option in rest:
        if option not in known:
            valid = ", ".join(sorted([*known, *(p.name for p in codec.settings.parameters(name))]))
            raise SemcomError(f"The {end} of codec '{name}' has no option '{option}': {valid}.")
    return made(settings=codec.settings.of(name, own), **codec.options, **rest)
