# SPDX-License-Identifier: Apache-2.0
"""Videos play to their end in every container, and begin anew."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import pytest
from tiny_videos import make_video, numbers

from semcom_ros.datasets import open_source
from semcom_ros.datasets.streams import VideoFile
from semcom_ros.errors import SemcomError

CONTAINERS = ["avi", "mp4", "mkv", "ts", "mpg", "m4v", "mjpeg"]
"""Of these an `.mpg` misstates its length, and a bare stream of JPEGs states none."""


class Claiming:
    """A `cv2.VideoCapture` that says it had `frames`, goes to none of them, and counts reads."""

    opened = cv2.VideoCapture
    frames, grabbed = 0.0, 0

    def __init__(self, path: str) -> None:
        self._capture = self.opened(path)
        self.retrieve = self._capture.retrieve

    def get(self, what: int) -> float:
        return self.frames if what == cv2.CAP_PROP_FRAME_COUNT else self._capture.get(what)

    def grab(self) -> bool:
        Claiming.grabbed += 1
        return self._capture.grab()


@pytest.mark.parametrize("container", CONTAINERS)
def test_every_pass_over_a_video_has_every_frame_in_order(tmp_path: Path, container: str) -> None:
    source = open_source(str(make_video(tmp_path / f"drive.{container}", 11)))
    for _ in range(3):
        assert numbers(frame.image for frame in source) == list(range(11))
    assert len(source) == 11 and source[3].stamp == round(3e9 / source.rate_hz)


@pytest.mark.parametrize("frames", [-2.8e17, 0.0, 1.0, 1000.0])
def test_what_a_container_says_of_its_length_is_not_believed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, frames: float
) -> None:
    path = make_video(tmp_path / "drive.avi", 6)
    monkeypatch.setattr(Claiming, "frames", frames)
    monkeypatch.setattr(cv2, "VideoCapture", Claiming)
    source = VideoFile(str(path))
    assert numbers(frame.image for frame in source) == [0, 1, 2, 3, 4, 5]
    assert len(source) == 6 and numbers([source[-1].image, source[0].image]) == [5, 0]


def test_any_frame_of_a_video_is_given_and_beyond_the_end_none(tmp_path: Path) -> None:
    source = open_source(f"video:{make_video(tmp_path / 'drive.mp4', 8)}")
    asked = [6, 2, 2, 3, 7, 0, 7]
    assert numbers(source[i].image for i in asked) == asked
    for index in (8, 100, -9):
        with pytest.raises(IndexError):
            source[index]
        assert numbers([source[7].image, source[-8].image]) == [7, 0]


def test_a_video_is_not_gone_through_to_play_its_beginning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = make_video(tmp_path / "drive.avi", 30)
    monkeypatch.setattr(Claiming, "grabbed", 0)
    monkeypatch.setattr(cv2, "VideoCapture", Claiming)
    source = VideoFile(str(path))
    assert numbers(frame.image for frame in islice(iter(source), 4)) == [0, 1, 2, 3]
    assert Claiming.grabbed == 4


def test_a_video_of_one_frame_plays_it_again(tmp_path: Path) -> None:
    source = open_source(str(make_video(tmp_path / "one.mp4", 1)))
    for _ in range(3):
        assert len(list(source)) == 1


def test_a_video_that_is_gone_is_told_and_plays_when_it_is_back(tmp_path: Path) -> None:
    path = make_video(tmp_path / "drive.avi", 3)
    source = open_source(str(path))
    assert len(list(source)) == 3
    path.rename(tmp_path / "away.avi")
    with pytest.raises(SemcomError, match=r"drive\.avi' cannot be played"):
        source[0]
    (tmp_path / "away.avi").rename(path)
    assert numbers(frame.image for frame in source) == [0, 1, 2]


def test_a_file_without_a_picture_is_refused(tmp_path: Path) -> None:
    for name, data in {"a.mp4": b"no film", "b.ts": bytes(4000), "c.mjpeg": b""}.items():
        (tmp_path / name).write_bytes(data)
        with pytest.raises(SemcomError, match=rf"{name}' cannot be played"):
            open_source(f"video:{tmp_path / name}")
    assert np.isfinite(VideoFile(str(make_video(tmp_path / "d.mjpeg", 2))).rate_hz)
