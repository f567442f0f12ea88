# SPDX-License-Identifier: Apache-2.0
"""`semcom launch`: what `ros2 launch` starts, where ROS's launch is not installed."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable

from semcom_ros import bringup
from semcom_ros.errors import SemcomError
from semcom_ros.parameter import Parameter
from semcom_ros.runtime import check_ros


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `semcom launch`, as `ros2 launch` has them."""
    parser.add_argument("description", help=f"What to start: {', '.join(bringup.DESCRIPTIONS)}.")
    parser.add_argument(
        "arguments", nargs="*", metavar="NAME:=VALUE", help="Arguments; the last of a name counts."
    )
    parser.add_argument(
        "-s", "--show-args", "--show-arguments", action="store_true", help="List the arguments."
    )


def run(args: argparse.Namespace) -> int:
    """Run the nodes until all have ended or Ctrl-C: 0. What is refused starts nothing: 1. Both are
    the statuses of `ros2 launch`."""
    try:
        known = bringup.arguments(args.description)
        if args.show_args:
            show(known.values())
            return 0
        nodes = bringup.processes(parse(args.arguments), args.description)
        check_ros()
    except SemcomError as error:
        print(f"semcom: {error}", file=sys.stderr)
        return 1
    # Here and not above: it needs ROS, and without ROS the user is told so by then.
    from semcom_ros.nodes.supervision import supervise

    supervise(nodes)
    return 0


def parse(words: Iterable[str]) -> dict[str, str]:
    """The values by name. Raises SemcomError for a word that is no argument."""
    found = {}
    for word in words:
        name, _, value = word.partition(":=")
        if not (name and value):
            raise SemcomError(f"'{word}' is no launch argument: they are written NAME:=VALUE.")
        found[name] = value
    return found


def show(arguments: Iterable[Parameter]) -> None:
    """Print the arguments as `ros2 launch --show-args` does."""
    lines = ["Arguments (pass arguments as '<name>:=<value>'):"]
    for argument in arguments:
        default, text, choices = bringup.in_words(argument)
        valid = f" Valid choices are: {choices}" if choices else ""
        lines += ["", f"    '{argument.name}':", f"        {text}{valid}"]
        lines += [f"        (default: '{default}')"]
    print("\n".join(lines))
