# SPDX-License-Identifier: Apache-2.0
"""The command line as a user meets it: help at once, mistakes answered with a sentence."""

from __future__ import annotations

import errno
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from semcom_ros.cli import COMMANDS, main, within
from semcom_ros.payload import Header, Part, Payload, pack


def test_help_lists_the_commands_without_loading_what_they_need() -> None:
    code = (
        "import sys; from semcom_ros.cli import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        "print([m for m in ('torch', 'numba', 'cv2', 'rclpy', 'numpy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert all(name in done.stdout for name in within(""))
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_its_module_or_names_others(name: str) -> None:
    _, module, part = COMMANDS[name]
    path = f"semcom_ros.{part}.{module.partition(':')[0]}"
    assert find_spec(path) if module else within(name)


def test_a_mistyped_command_is_answered_with_the_nearest(capsys: pytest.CaptureFixture) -> None:
    assert main(["dmeo"]) == 2
    assert "did you mean 'demo'?" in capsys.readouterr().err


def test_a_group_that_is_a_command_too_takes_options_and_names_its_commands(
    capsys: pytest.CaptureFixture,
) -> None:
    with pytest.raises(SystemExit):
        main(["eval", "--help"])
    told = capsys.readouterr().out
    assert "--snr-db" in told and "denoising" in told
    with pytest.raises(SystemExit):
        main(["eval", "denoising", "--help"])
    assert "--snr-db" not in capsys.readouterr().out


def test_a_reader_that_has_seen_enough_is_no_fault() -> None:
    line = [sys.executable, "-m", "semcom_ros.cli", "launch", "vehicle_rsu", "--show-args"]
    with subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as shown:
        shown.stdout.close()
        assert shown.stderr.read() == b""
    assert shown.returncode == 141  # as a shell has it of a process that a pipe ended


def test_a_missing_command_shows_the_choices(capsys: pytest.CaptureFixture) -> None:
    assert main([]) == 2
    assert "inspect" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--codec", "clasical"], "did you mean 'classical'?"),
        (["--channel", "awgm"], "did you mean 'awgn'?"),
        (["--rate-hz", "0"], "rate_hz is 0.0; it must be 0.1 to 120.0."),
        (["--dashboard", "0"], "dashboard_port is 0; it must be 1 to 65535."),
        (["--payload-bytes", "many"], "payload_bytes is 'many'; it must be of type int."),
        (["--data", "camvid:/nowhere"], "/nowhere"),
    ],
)
def test_a_wrong_setting_of_the_demo_is_a_sentence_before_anything_starts(
    words: list[str], sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    out = tmp_path / "demo"
    assert main(["demo", *words, "--out", str(out)]) == 2
    said = capsys.readouterr()
    assert said.err.startswith("semcom: ") and sentence in said.err
    assert not out.exists()


@pytest.mark.parametrize("words", ["bench gesco", "eval segmenter", "eval perception", "demo"])
def test_a_device_that_is_not_there_is_a_sentence(
    words: str, capsys: pytest.CaptureFixture
) -> None:
    assert main([*words.split(), "--device", "xpu"]) == 2
    assert "The device 'xpu' cannot be used" in capsys.readouterr().err


def test_inspect_prints_what_a_payload_holds(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    header = Header("gesco", 1, b"", 256, 512, "cityscapes19", 7, 1_500_000_000)
    file = tmp_path / "payload.bin"
    file.write_bytes(pack(Payload(header, (Part("map", 0, bits=b"abc"),))))
    assert main(["inspect", str(file)]) == 0
    assert "gesco" in (printed := capsys.readouterr().out) and "3 bytes" in printed


def test_inspect_of_something_else_is_a_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    file = tmp_path / "notes.txt"
    assert main(["inspect", str(file)]) == 2
    assert str(file) in capsys.readouterr().err
    file.write_text("no payload")
    assert main(["inspect", str(file)]) == 2
    assert capsys.readouterr().err.startswith("semcom: ")


@pytest.mark.parametrize(
    "words",
    [
        "demo --out",
        "eval --out",
        "channel make-trace --out",
        "channel plot --out",
        "channel table --out",
        "bench map --json",
        "train thumbnail --camvid nowhere --out",
        "train segmenter --camvid nowhere --log",
        "train gesco-paper --data scenes:1 --state",
    ],
)
def test_a_place_that_cannot_be_written_is_a_sentence_before_any_work(
    words: str, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    # Root may write to what is read-only; nobody can write below a file.
    (tmp_path / "file").touch()
    place = tmp_path / "file" / "x" / "results.txt"
    assert main([*words.split(), str(place)]) == 2
    said = capsys.readouterr()
    assert said.err.startswith(f"semcom: '{place}' cannot be used: Not a directory.")
    assert not said.out and said.err.count("\n") == 1


def test_a_disk_that_fills_up_on_the_way_is_a_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(error: OSError) -> None:
        def run(args: object) -> None:
            raise error

        monkeypatch.setattr("semcom_ros.lab.evaluation.synthetic_trace.run", run)

    words = ["channel", "make-trace", "--out", str(tmp_path / "trace")]
    fail(OSError(errno.ENOSPC, "No space left on device"))
    assert main(words) == 2
    assert f"'{tmp_path}/trace' cannot be used: No space left" in capsys.readouterr().err
    fail(PermissionError(errno.EACCES, "Permission denied", "/elsewhere/file"))
    assert main(words) == 2
    assert "'/elsewhere/file' cannot be used: Permission denied" in capsys.readouterr().err
    # What is no matter of files is a fault of ours, and is shown as one.
    fail(OSError(errno.EINVAL, "Invalid argument"))
    with pytest.raises(OSError, match="Invalid argument"):
        main(words)
