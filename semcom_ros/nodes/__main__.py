# SPDX-License-Identifier: Apache-2.0
"""`python -m semcom_ros.nodes NODE`, and the executable of each node: a signal ends it without a
word though its modules are still being imported, which takes a second."""

from __future__ import annotations

import importlib
import os
import signal
import sys
from pathlib import Path

NODES = sorted(path.stem for path in Path(__file__).parent.glob("*_node.py"))


def main() -> None:
    """Run the node that this program is named after."""
    for number in (signal.SIGINT, signal.SIGTERM):
        # Until the node has handlers of its own; nothing is up that had to be ended before.
        signal.signal(number, lambda *_: os._exit(0))
    name = Path(sys.argv[0]).name if sys.argv else ""
    if name not in NODES:
        sys.exit(f"'{name}' is no node of semcom_ros: they are {', '.join(NODES)}.")
    importlib.import_module(f"{__package__}.{name}").main()


if __name__ == "__main__":
    del sys.argv[0]
    main()
