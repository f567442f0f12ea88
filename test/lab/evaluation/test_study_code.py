# SPDX-License-Identifier: Apache-2.0
"""What a cell's key hangs on: all code that measuring it runs, and nothing of how it is shown."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from semcom_ros.lab.evaluation.study.provenance import CELLS, PACKAGE, closure, code_hash, hash_of

STUDY = "lab/evaluation/study"
RUN = (
    "lab/metrics/overlap.py",  # imported by what a metric imports
    f"{STUDY}/systems.py",
    f"{STUDY}/codec_systems.py",  # named in a registry as module:Class
    "lab/learned_denoiser.py",
    "codecs/sqgan/decoder.py",  # by a registry's package and the name of an end
    "channel/fading/ofdm.py",  # by a package's name and that of a module
    "channel/phy/block_errors.json",
    "perception/perceive.py",  # imported in a method
    "errors.py",
)
SHOWN = (
    f"{STUDY}/tables.py",
    f"{STUDY}/report.py",
    f"{STUDY}/plots.py",
    f"{STUDY}/run.py",
    f"{STUDY}/study_file.py",
    "lab/training/segmenter.py",
    "nodes/rsu_node.py",
)
CELL = """
import sys
from pathlib import Path
from semcom_ros.lab.evaluation.study.runner import Runner
from semcom_ros.lab.evaluation.study.study_file import parse_study
before = set(sys.modules)
table = {"data": "scenes:1", "frames": 2, "sheet": 0, "links": {"channel": "tdl_c"},
         "systems": ["jpeg2000", "gesco_planes", "label_map"],
         "metrics": ["miou", "map", "miss_rate_0_20"]}
Runner(parse_study({"tables": [table]}), {}, Path(sys.argv[1])).run(lambda *_: None)
for name in set(sys.modules) - before:
    if name.startswith("semcom_ros."):
        print(sys.modules[name].__file__)
"""


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a copy of the package."""
    folder = tmp_path_factory.mktemp("copy")
    shutil.copytree(PACKAGE, folder / PACKAGE.name, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


@pytest.mark.parametrize("name", [*RUN, *SHOWN])
def test_the_key_changes_with_what_is_run_and_not_with_what_is_shown(copy: Path, name: str) -> None:
    path = copy / PACKAGE.name / name
    before, text = hash_of(closure(CELLS, copy), copy), path.read_text()
    path.write_text(text + "\n")
    changed = hash_of(closure(CELLS, copy), copy) != before
    path.write_text(text)
    assert changed == (name in RUN)


def test_every_module_of_the_closure_changes_the_key(copy: Path) -> None:
    files = closure(CELLS, copy)
    before = hash_of(files, copy)
    for path in files:
        text = path.read_bytes()
        path.write_bytes(text + b"\n")
        assert hash_of(files, copy) != before, path
        path.write_bytes(text)


def test_what_is_loaded_while_cells_are_measured_lies_in_the_closure(tmp_path: Path) -> None:
    command = [sys.executable, "-c", CELL, str(tmp_path)]
    done = subprocess.run(command, cwd=PACKAGE.parent, capture_output=True, text=True, check=True)
    loaded = {Path(line) for line in done.stdout.split()}
    assert PACKAGE / "codecs/image/encoder.py" in loaded
    assert loaded <= closure(CELLS, PACKAGE.parent)


def test_somebody_elses_code_is_followed_within_its_own_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "theirs"
    package.mkdir()
    for name, text in (
        ("__init__", ""),
        ("codec", "import numpy\nfrom . import net\nfrom .layers import Layer\n"),
        ("net", ""),
        ("layers", "import theirs.deep\n"),
        ("deep", ""),
        ("training", ""),
    ):
        (package / f"{name}.py").write_text(text)
    found = closure("theirs.codec", tmp_path)
    assert {path.stem for path in found} == {"__init__", "codec", "net", "layers", "deep"}
    monkeypatch.syspath_prepend(tmp_path)
    assert code_hash("theirs.codec") == hash_of(found, tmp_path)
