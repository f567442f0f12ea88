# SPDX-License-Identifier: Apache-2.0
"""Writes drives of Cityscapes to a bag, with time, mounting and motion of the car."""

from __future__ import annotations

import argparse
import math
from typing import Any

from rich.console import Console
from rich.progress import track
from scipy.spatial.transform import Rotation

from semcom_ros.errors import SemcomError
from semcom_ros.lab.bag import camera_bag
from semcom_ros.lab.bag.camera_bag import (
    CAMERA_FRAME,
    GEOMETRY,
    NAV,
    START_NS,
    TF,
    header_of,
    new_bag,
)
from semcom_ros.lab.bag.cityscapes_drive import CityscapesDrive, Motion
from semcom_ros.messages.placing import camera_transform, transform_message, turn

BASE, WORLD = "base_link", "odom"
EXTRAS = {
    "labels": "from gtFine or gtCoarse",
    "depth": "from disparity",
    "odometry": "from vehicle",
}
"""What is written beside pictures and camera when it is asked for, and from which archive."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", help="where the archives lie side by side")
    camera_bag.add_arguments(parser)
    parser.add_argument("--cities", help="only these, as frankfurt,munster")
    parser.add_argument("--snippets", help="only these, as frankfurt_000000,munster_000001")
    for name, where in EXTRAS.items():
        parser.add_argument(f"--{name}", action="store_true", help=where)


def run(args: argparse.Namespace) -> None:
    wanted = [name for name in EXTRAS if vars(args)[name]]
    only = [names.split(",") for names in (args.cities, args.snippets) if names]
    drive = CityscapesDrive(args.folder, args.split, only, wanted)
    written, mounting, car = set[str](), None, Car()
    console = Console(stderr=True)
    with new_bag(args, drive.name) as bag:
        for one in track(drive.frames(START_NS), "frames", len(drive), console=console):
            frame, motion = one.frame, one.motion
            bag.write(frame, one.file)
            if one.mounting not in (None, mounting):
                stamp, mounting = frame.stamp if mounting else bag.first_ns, one.mounting
                base = header_of(stamp, BASE)
                placed = camera_transform(GEOMETRY, base, CAMERA_FRAME, mounting)
                bag.put("/tf_static", TF.TFMessage(transforms=[placed]), stamp, latched=True)
            if motion:
                car.move(motion, frame.stamp, one.follows)
                world = header_of(frame.stamp, WORLD)
                bag.put("/odom", car.odometry(world, motion), frame.stamp)
                at, turned = (car.x, car.y, 0.0), Rotation.from_euler("z", car.yaw)
                placed = transform_message(GEOMETRY, world, BASE, at, turned)
                bag.put("/tf", TF.TFMessage(transforms=[placed]), frame.stamp)
            told = zip(EXTRAS, (frame.labels, frame.depth, motion), strict=True)
            written |= {name for name, found in told if found is not None}
        for name in wanted:
            if name not in written:
                raise SemcomError(f"No frame that was asked for has {name}: leave out --{name}.")


class Car:
    """Where the car is, in metres and radians from where the snippet began (x ahead, y left)."""

    def __init__(self) -> None:
        self.x = self.y = self.yaw = 0.0
        self._stamp = 0

    def move(self, motion: Motion, stamp: int, follows: bool) -> None:
        """Drive on until `stamp`, or, where it does not follow, begin a snippet there."""
        if follows:
            seconds = (stamp - self._stamp) / 1e9
            heading = self.yaw + motion.yaw_rate * seconds / 2
            self.x += motion.speed * seconds * math.cos(heading)
            self.y += motion.speed * seconds * math.sin(heading)
            self.yaw += motion.yaw_rate * seconds
        else:
            self.x = self.y = self.yaw = 0.0
        self._stamp = stamp

    def odometry(self, header: Any, motion: Motion) -> Any:
        """The pose in the frame of `header`, and the motion in the car's own."""
        message = NAV.Odometry(header=header, child_frame_id=BASE)
        pose, twist = message.pose.pose, message.twist.twist
        pose.position.x, pose.position.y = self.x, self.y
        turn(pose.orientation, Rotation.from_euler("z", self.yaw))
        twist.linear.x, twist.angular.z = motion
        return message
