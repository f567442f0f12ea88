# SPDX-License-Identifier: Apache-2.0
"""Writes the parameters into README, docs and config, from the tables that the nodes read."""

from pathlib import Path

from semcom_ros.lab.parameter_tables import write

if __name__ == "__main__":
    for path in write(Path(__file__).resolve().parent.parent):
        print(f"updated {path.name}")
