# SPDX-License-Identifier: Apache-2.0
"""The command line that makes a set of weights again, for its card."""

from __future__ import annotations

import argparse
from pathlib import Path


def command_line(name: str, args: argparse.Namespace) -> str:
    """`semcom train NAME` with every option in `args` but the folders, which differ by machine."""
    words = [f"semcom train {name} --camvid DIR"]
    for option, value in vars(args).items():
        if isinstance(value, Path):
            continue
        text = " ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
        words.append(f"--{option.replace('_', '-')} {text}")
    return " ".join(words)
