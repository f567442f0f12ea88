# SPDX-License-Identifier: Apache-2.0
"""What a process does where it may write nowhere but among the temporary files."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from semcom_ros.runtime import check_output

CODE = """
from semcom_ros.runtime import compiled, find_log_folder

@compiled()
def twice(x):
    return 2 * x

@compiled(inline="always")
def once(x):
    return x

find_log_folder()
"""


def run_without_home(folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Compile in a process whose module lies in `folder`, which it cannot write to."""
    (folder / "kernels.py").write_text(CODE)
    # Root may write to what is read-only: a file is in the folder's place instead.
    (folder / "__pycache__").touch()
    shown = "kernels.twice(4), kernels.once(3), os.getenv('ROS_LOG_DIR') or None"
    code = f"import os, kernels; print({shown})"
    nowhere = ("XDG_CACHE_HOME", "NUMBA_CACHE_DIR", "ROS_HOME", "ROS_LOG_DIR")
    known = {name: value for name, value in os.environ.items() if name not in nowhere}
    own = {"HOME": "/proc/nohome", "PYTHONDONTWRITEBYTECODE": "1", "TMPDIR": str(folder)}
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env=known | own | environment,
        capture_output=True,
        text=True,
    )


@pytest.fixture
def temporary(tmp_path: Path) -> Path:
    return tmp_path / f"semcom_ros-{os.getuid()}"


def test_code_and_logs_go_to_temporary_files_and_it_is_said_once(
    tmp_path: Path, temporary: Path
) -> None:
    done = run_without_home(tmp_path)
    assert done.stdout.split() == ["8", "3", str(temporary)], done.stderr
    assert done.stderr.count("NUMBA_CACHE_DIR") == done.stderr.count(str(temporary)) == 1
    assert list(temporary.rglob("*.nbc")) and temporary.stat().st_mode & 0o777 == 0o700


def test_a_temporary_folder_that_others_can_write_to_is_not_trusted(
    tmp_path: Path, temporary: Path
) -> None:
    temporary.mkdir()
    temporary.chmod(0o777)
    done = run_without_home(tmp_path)
    assert done.stdout.split() == ["8", "3", "None"], done.stderr
    assert "nowhere" in done.stderr and not list(temporary.iterdir())


def test_a_process_without_any_home_logs_to_temporary_files(
    tmp_path: Path, temporary: Path
) -> None:
    done = run_without_home(tmp_path, HOME="", NUMBA_CACHE_DIR=str(tmp_path / "cache"))
    assert done.stdout.split() == ["8", "3", str(temporary)], done.stderr


def test_a_home_that_can_be_written_is_used_without_a_word(tmp_path: Path, temporary: Path) -> None:
    done = run_without_home(tmp_path, HOME=str(tmp_path / "home"))
    assert done.stdout.split() == ["8", "3", "None"] and not done.stderr
    assert not temporary.exists() and list(tmp_path.rglob("home/**/*.nbc"))


def test_an_output_is_tried_without_a_trace(tmp_path: Path) -> None:
    check_output(tmp_path / "new" / "folder")
    check_output(tmp_path / "new" / "file.json", is_file=True)
    assert not list(tmp_path.iterdir())
    file = tmp_path / "file.json"
    file.write_text("old")
    check_output(file, is_file=True)
    assert file.read_text() == "old" and len(list(tmp_path.iterdir())) == 1
    with file.open() as opened:  # nobody can make another file there
        check_output(Path(f"/proc/self/fd/{opened.fileno()}"), is_file=True)
    with pytest.raises(NotADirectoryError, match=str(file)):
        check_output(file)
    with pytest.raises(IsADirectoryError, match=str(tmp_path)):
        check_output(tmp_path, is_file=True)
