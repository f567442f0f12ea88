# SPDX-License-Identifier: Apache-2.0
"""What is written down of the nodes' parameters, made from what the nodes read."""

from __future__ import annotations

import json
import re
from pathlib import Path

from semcom_ros.errors import SemcomError
from semcom_ros.graph import VEHICLE_RSU, table

CONFIG_HEAD = """\
# Parameters of the nodes with their defaults; README.md says what they mean. Made by
# `python tools/write_tables.py`.
#   ros2 launch semcom_ros vehicle_rsu.launch.py config:=<this file, copied and changed>
# What is set here wins over the launch arguments, so keep only the lines that you need. The quality
# of service of a topic is a parameter too, such as, for a payload that may get lost on the way:
#   qos_overrides./vehicle_1/camera/image_raw/semcom.publisher.reliability: best_effort
"""


def markdown(executable: str) -> str:
    """One node's table as README and docs show it."""
    rows = ["| parameter | default | allowed | takes effect | meaning |", "|---|---|---|---|---|"]
    for p in table(executable).values():
        default = str(p.default).lower() if isinstance(p.default, bool) else p.default
        rows.append(f"| `{p.name}` | `{default}` | {p.range} | {p.when} | {p.text} |")
    return "\n".join(rows)


def config() -> str:
    """The parameter file with all defaults."""
    lines = []
    for executable in VEHICLE_RSU:
        lines += [f"/**/{executable}:", "  ros__parameters:"]
        lines += [
            f"    {p.name}: {json.dumps(p.default)}"
            for p in table(executable).values()
            if p.name != "autostart"
        ]
    return CONFIG_HEAD + "\n".join(lines) + "\n"


def with_tables(text: str) -> str:
    """`text` with a table anew between every `<!-- parameters of NODE -->` and `<!-- end -->`."""
    return re.sub(
        r"(<!-- parameters of (\w+) -->\n).*?(<!-- end -->)",
        lambda found: f"{found[1]}{markdown(found[2])}\n{found[3]}",
        text,
        flags=re.DOTALL,
    )


def write(root: Path) -> list[Path]:
    """Bring every page and the parameter file under `root` up to date; returns what changed."""
    pages = [root / "README.md", *sorted((root / "docs").glob("*.md"))]
    wanted = {page: with_tables(page.read_text()) for page in pages}
    wanted[root / "config" / "vehicle_rsu.yaml"] = config()
    changed = [path for path, text in wanted.items() if path.read_text() != text]
    for path in changed:
        try:
            path.write_text(wanted[path])
        except OSError as error:
            raise SemcomError(f"Cannot write {path}: {error.strerror}.") from error
    return changed
