# SPDX-License-Identifier: Apache-2.0
"""Which topics of a bag are a camera's: its pictures, its intrinsics, and what is known of them."""

from __future__ import annotations

from typing import NamedTuple

from semcom_ros.datasets.bags.reader import BagReader
from semcom_ros.errors import SemcomError

IMAGE, COMPRESSED = "sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage"
INFO, LABEL_INFO = "sensor_msgs/msg/CameraInfo", "vision_msgs/msg/LabelInfo"
TRUTH = "ground_truth"
"""Below this name beside a camera's pictures lies what is known of them."""
_USUAL = ("image_raw", "image_rect", "image_color", "image_rect_color")
"""How the pictures of cameras are called, and no other's."""


class CameraTopics(NamedTuple):
    """Names of topics; "" where there is none. label_info: what the numbers in labels mean."""

    picture: str
    info: str
    labels: str
    label_info: str


def find_camera(bag: BagReader, picture: str = "") -> CameraTopics:
    """The camera of `bag` whose pictures are on the topic `picture`, or the only one there is.

    Pictures are known by their type, Image or CompressedImage, and of several by the names that
    cameras' drivers give them; where the same are there in both types, the former is taken.
    Raises SemcomError where there are none, or those of several cameras.
    """
    picture = bag.topic(picture).name if picture else _only_picture(bag)
    camera = picture.removesuffix("/compressed").rpartition("/")[0]
    known = [name for name in bag.topics if name.startswith(f"{camera}/{TRUTH}/")]
    label_info = next((t for t in known if bag.topics[t].type_name == LABEL_INFO), "")
    labels = label_info.removesuffix("/label_info")
    return CameraTopics(
        picture,
        f"{camera}/camera_info" * (f"{camera}/camera_info" in bag.topics),
        next((t for t in known if t in (labels, f"{labels}/compressed")), ""),
        label_info,
    )


def transport_of(path: str, picture: str = "") -> str:
    """How the camera of the bag at `path` sends its pictures: "raw", "compressed", or "" where no
    one camera is found. Raises SemcomError for what is no bag, or has no topic `picture`."""
    with BagReader(path) as bag:
        try:
            found = find_camera(bag, picture).picture
        except SemcomError:
            if picture:
                raise
            return ""
        return "compressed" if bag.topics[found].type_name == COMPRESSED else "raw"


def _only_picture(bag: BagReader) -> str:
    # By the name without the transport; a payload is no picture, nor is what nothing was said on.
    found: dict[str, str] = {}
    for kind in (COMPRESSED, IMAGE):
        for name, topic in bag.topics.items():
            payload = name.endswith(("/semcom", "/semcom/received"))
            if topic.type_name == kind and topic.count and not payload and f"/{TRUTH}/" not in name:
                found[name.removesuffix("/compressed")] = name
    usual = [name for plain, name in found.items() if plain.rpartition("/")[2] in _USUAL]
    pictures = usual or list(found.values())
    if not pictures:
        raise SemcomError(
            f"'{bag.path}' has no pictures: no topic of type Image or CompressedImage has messages."
        )
    if len(pictures) > 1:
        raise SemcomError(
            f"'{bag.path}' has the pictures of several cameras: {', '.join(pictures)}. Name one, "
            f"as in 'bag:{bag.path}#{pictures[0]}'."
        )
    return pictures[0]
