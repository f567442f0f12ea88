# SPDX-License-Identifier: Apache-2.0
"""Install the package the ament way: nodes under lib/semcom_ros, data under share/semcom_ros."""

from __future__ import annotations

from pathlib import Path

from setuptools import find_packages, setup

NAME = "semcom_ros"
NODES = sorted(path.stem for path in Path(NAME, "nodes").glob("*_node.py"))


def share_files() -> list[tuple[str, list[str]]]:
    """List the files of launch/, config/ and models/ for share/semcom_ros, folder by folder."""
    folders: dict[str, list[str]] = {}
    for top in ("launch", "config", "models"):
        for path in sorted(Path(top).rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                folders.setdefault(f"share/{NAME}/{path.parent}", []).append(str(path))
    return list(folders.items())


setup(
    name=NAME,
    version="0.1.0",
    description="Send meaning instead of pixels from a vehicle to a roadside unit.",
    maintainer="semcom_ros maintainers",
    maintainer_email="maintainers@example.com",
    license="Apache-2.0",
    packages=find_packages(include=[NAME, f"{NAME}.*"]),
    package_data={
        f"{NAME}.channel.phy": ["block_errors.json"],
        f"{NAME}.nodes": ["*.xml"],
        f"{NAME}.nodes.dashboard": ["static/*"],
    },
    data_files=[
        ("share/ament_index/resource_index/packages", [f"resource/{NAME}"]),
        (f"share/{NAME}", ["package.xml"]),
        *share_files(),
    ],
    install_requires=["setuptools"],
    zip_safe=True,
    entry_points={
        "console_scripts": [
            f"semcom = {NAME}.cli:main",
            *(f"{node} = {NAME}.nodes.__main__:main" for node in NODES),
        ]
    },
)
