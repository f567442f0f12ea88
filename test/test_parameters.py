# SPDX-License-Identifier: Apache-2.0
"""The table of parameters, and that README, config file and graph are true to it."""

from __future__ import annotations

import math
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from semcom_ros import graph
from semcom_ros.channel.fading.propagation import PROPAGATIONS
from semcom_ros.codecs import CODECS
from semcom_ros.codecs.base import Settings, setting
from semcom_ros.errors import SemcomError
from semcom_ros.graph import EXECUTABLES, table
from semcom_ros.lab.parameter_tables import markdown, write

ROOT = Path(__file__).resolve().parent.parent


@pytest.mark.parametrize("executable", EXECUTABLES)
def test_readme_or_docs_show_every_table(executable):
    pages = [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]
    assert any(markdown(executable) in page.read_text() for page in pages)


def test_readme_docs_and_config_are_as_the_tables_make_them(tmp_path):
    for folder in ("docs", "config"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    shutil.copy(ROOT / "README.md", tmp_path)
    assert not write(tmp_path), "run `python tools/write_tables.py`"


@pytest.mark.parametrize("executable", EXECUTABLES)
def test_every_default_is_allowed_and_every_text_is_a_sentence(executable):
    for parameter in table(executable).values():
        assert parameter.check(parameter.default) == parameter.default
        assert parameter.text.endswith(".")
        assert (parameter.minimum is None) == (parameter.maximum is None)


def test_parameters_of_one_name_are_the_same_in_every_node():
    known = {}
    for parameters in (table(e).values() for e in EXECUTABLES):
        for parameter in parameters:
            assert known.setdefault(parameter.name, parameter) == parameter


def test_every_codec_and_channel_can_be_chosen():
    assert set(table("vehicle_node")["codec"].choices) == set(CODECS)
    assert set(table("channel_node")["channel"].choices) == {"none", *PROPAGATIONS}


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("payload_bytes", 127, "payload_bytes is 127; it must be 128 to 1200."),
        ("payload_bytes", "512", "payload_bytes is '512'; it must be of type int."),
        ("payload_bytes", True, "payload_bytes is True; it must be of type int."),
        ("rate_hz", math.nan, "rate_hz is nan; it must be 0.1 to 120.0."),
        ("codec", "gescoo", "There is no codec 'gescoo': did you mean 'gesco'?"),
        ("loop", 1, "loop is 1; it must be of type bool."),
    ],
)
def test_a_wrong_value_is_refused_with_a_sentence(name, value, sentence):
    with pytest.raises(SemcomError, match=re.escape(sentence)):
        graph.arguments()[name].check(value)


def test_a_whole_number_stands_for_a_float():
    assert repr(table("camera_node")["rate_hz"].check(5)) == "5.0"


def test_text_is_read_in_the_type_of_the_parameter():
    known = graph.arguments()
    assert known["loop"].parse("False") is False
    assert known["rate_hz"].parse("5") == 5.0
    assert known["data"].parse("1e3") == "1e3"
    for name, text in (("loop", "yes"), ("frames", "1.5"), ("loss", "much")):
        with pytest.raises(SemcomError, match=f"{name} is '{text}'; it must be"):
            known[name].parse(text)


def test_the_config_file_names_every_parameter_with_its_default():
    config = yaml.safe_load((ROOT / "config" / "vehicle_rsu.yaml").read_text())
    for process in graph.vehicle_rsu():
        given = config.pop(f"/**/{process.name}")["ros__parameters"]
        assert given == {n: v for n, v in process.parameters.items() if n != "autostart"}
    assert not config


def test_a_codecs_setting_changes_at_once_or_where_files_hang_on_it_at_configure():
    @dataclass(frozen=True)
    class Own(Settings):
        step: int = setting(1, "Steps.", 1, 8, end="decoder")
        network: str = setting("a", "Network.", end="decoder", when="at configure")

    assert [p.when for p in Own.parameters("own")] == ["at once", "at configure"]
