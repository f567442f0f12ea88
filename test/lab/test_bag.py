# SPDX-License-Identifier: Apache-2.0
"""`semcom bag` makes bags of data sets: what is in them, and what it says where it cannot."""

from __future__ import annotations

import hashlib
import json
import math
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation
from tiny_cityscapes import FX, calibration, cityscapes_frame
from tiny_images import SIZE, picture, write

from semcom_ros.cli import main
from semcom_ros.datasets import open_source
from semcom_ros.datasets.bags import STORAGES, BagReader
from semcom_ros.datasets.bags.frames import stamp_of
from semcom_ros.lab.bag.camera_bag import START_NS

MS = 10**6
MOUNTING = {"x": 1.7, "y": 0.1, "z": 1.22, "roll": 0.0, "pitch": 0.04, "yaw": -0.02}
TIMES = {
    "frankfurt_000000_000018": 0,
    "frankfurt_000000_000019": 59 * MS,
    "frankfurt_000000_000020": 121 * MS,
    "munster_000001_000000": 0,
    "munster_000001_000001": 60 * MS,
}
"""Frames of two snippets, and their times since each began."""
TRUTH = "/camera/ground_truth"


@pytest.fixture
def drive(tmp_path: Path) -> Path:
    """Two snippets with all that the archives hold for them, one labelled frame among them."""
    root = tmp_path / "cityscapes"
    cityscapes_frame(root, "frankfurt_000000_000019")
    cityscapes_frame(root, "munster_000001_000019")
    for city, snippet in (("frankfurt", "000000"), ("munster", "000001")):
        path = root / f"camera/val/{city}/{city}_{snippet}_000019_camera.json"
        values = json.loads(path.read_text())
        values["extrinsic"] |= MOUNTING | ({"z": 1.3} if city == "munster" else {})
        path.write_text(json.dumps(values))
    for i, (name, time) in enumerate(TIMES.items()):
        at = f"val/{name.split('_')[0]}/{name}"
        picture(root / f"leftImg8bit_sequence/{at}_leftImg8bit.png", 40 + i)
        for kind, suffix, text in (
            ("vehicle_sequence", "vehicle.json", json.dumps({"speed": 10.0, "yawRate": 0.5})),
            ("timestamp_sequence", "timestamp.txt", f"{time}\n"),
        ):
            path = root / f"{kind}/{at}_{suffix}"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
    return root


def read(path: Path) -> dict[str, list]:
    """Stamp and message of all that is in a bag, by topic."""
    with BagReader(path) as bag:
        found: dict[str, list] = {name: [] for name in bag.topics}
        for topic, stamp, cdr in bag.messages():
            if topic != "/tf_static" and not topic.startswith("/tf"):
                assert stamp == stamp_of(cdr)
            found[topic].append((stamp, bag.deserialize(topic, cdr)))
    return found


def digest(bag: Path) -> str:
    files = sorted(bag.iterdir())
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


@pytest.mark.parametrize("storage", STORAGES)
def test_a_drive_of_cityscapes_keeps_its_pictures_times_and_places(
    drive: Path, tmp_path: Path, storage: str, capsys: pytest.CaptureFixture
) -> None:
    words = ["bag", "cityscapes", str(drive), str(tmp_path / "drive"), "--storage", storage]
    assert main([*words, "--labels", "--depth", "--odometry"]) == 0
    found, printed = read(tmp_path / "drive"), capsys.readouterr().out
    second = START_NS + 121 * MS + 2 * 10**9
    stamps = [START_NS, START_NS + 59 * MS, START_NS + 121 * MS, second, second + 60 * MS]
    pictures = found["/camera/image_raw/compressed"]
    assert [stamp for stamp, _ in pictures] == stamps
    files = [drive / f"leftImg8bit_sequence/val/{name.split('_')[0]}/{name}_leftImg8bit.png"
             for name in TIMES]  # fmt: skip
    assert [one.data.tobytes() for _, one in pictures] == [file.read_bytes() for file in files]
    assert {one.format for _, one in pictures} == {"rgb8; png compressed bgr8"}
    infos = found["/camera/camera_info"]
    assert [stamp for stamp, _ in infos] == stamps
    scale = SIZE[1] / 2048
    assert all(one.k[0] == pytest.approx(FX * scale) and one.p[0] == one.k[0] for _, one in infos)
    assert {(one.height, one.width, one.header.frame_id) for _, one in infos} == {
        (*SIZE, "camera_optical")
    }
    # One frame of the snippets is labelled, and has a disparity.
    ((stamp, labels),) = found[f"{TRUTH}/segmentation"]
    assert stamp == stamps[1] and labels.encoding == "mono8"
    ((stamp, names),) = found[f"{TRUTH}/segmentation/label_info"]
    assert stamp == START_NS and names.class_map[13].class_name == "car"
    ((_, depth),) = found[f"{TRUTH}/depth"]
    assert depth.encoding == "32FC1"
    # The cameras of the two cities are mounted at different heights.
    placed = [(at, one.transforms[0]) for at, one in found["/tf_static"]]
    assert [at for at, _ in placed] == [START_NS, second]
    assert [one.transform.translation.z for _, one in placed] == [1.22, 1.3]
    one = placed[0][1]
    assert (one.header.frame_id, one.child_frame_id) == ("base_link", "camera_optical")
    q = one.transform.rotation
    ahead = Rotation.from_quat([q.x, q.y, q.z, q.w]).apply([0, 0, 1])
    # ISO 8855: pitch turns down what looks ahead, yaw to the left.
    assert ahead == pytest.approx([1, -0.02, -0.04], abs=2e-3)
    moved = [one.pose.pose.position for _, one in found["/odom"]]
    seconds = 0.121
    assert (moved[0].x, moved[3].x) == (0, 0)
    assert moved[2].x == pytest.approx(10 * math.sin(0.5 * seconds) / 0.5, rel=1e-3)
    assert moved[2].y == pytest.approx(10 * (1 - math.cos(0.5 * seconds)) / 0.5, rel=1e-2)
    speeds = [one.twist.twist for _, one in found["/odom"]]
    assert {(one.linear.x, one.angular.z) for one in speeds} == {(10.0, 0.5)}
    links = {(t.header.frame_id, t.child_frame_id) for _, m in found["/tf"] for t in m.transforms}
    assert links == {("odom", "base_link")}
    rows = {line.split()[0]: line for line in printed.splitlines()}
    assert rows.keys() == {"topic", *found} and "latched" in rows["/tf_static"]
    assert main(["bag", "info", str(tmp_path / "drive")]) == 0
    assert capsys.readouterr().out == printed
    assert main([*words[:3], str(tmp_path / "two" / "drive"), *words[4:], "--labels", "--depth",
                 "--odometry"]) == 0  # fmt: skip
    assert digest(tmp_path / "drive") == digest(tmp_path / "two" / "drive")


def test_only_the_cities_and_snippets_asked_for_are_written(drive: Path, tmp_path: Path) -> None:
    def stamps(name: str, *words: str) -> list[int]:
        out = tmp_path / name
        assert main(["bag", "cityscapes", str(drive), str(out), *words]) == 0
        found = read(out)
        # What is not asked for is not there, and what is not asked for is not needed.
        assert found.keys() == {"/camera/image_raw/compressed", "/camera/camera_info", "/tf_static"}
        return [stamp - START_NS for stamp, _ in found["/camera/camera_info"]]

    (drive / "vehicle_sequence").rename(drive / "not_unpacked")
    assert stamps("city", "--cities", "munster") == [0, 60 * MS]
    assert stamps("snippet", "--snippets", "frankfurt_000000") == [0, 59 * MS, 121 * MS]
    assert stamps("both", "--snippets", "frankfurt_000000,munster_000001") == [
        0, 59 * MS, 121 * MS, 2121 * MS, 2181 * MS,
    ]  # fmt: skip
    # Without their times they play at 17 Hz; without snippets the labelled frames play at 10.
    (drive / "timestamp_sequence").rename(drive / "nor_this")
    assert stamps("timeless", "--cities", "munster") == [0, round(1e9 / 17)]
    for kind in ("leftImg8bit_sequence", "gtFine"):
        (drive / kind).rename(drive / f"no_{kind}")
    assert stamps("stills") == [0, 100 * MS]


@pytest.mark.parametrize(
    ("missing", "words", "sentence"),
    [
        ("camera", "", "camera/val'"),
        ("gtFine", "--labels", "gtFine/val'"),
        ("disparity", "--depth", "disparity_sequence/val'"),
        ("vehicle_sequence", "--odometry", "vehicle_sequence/val'"),
        ("", "--split train", "leftImg8bit_sequence/train'"),
        ("", "--cities bonn", "has no 'bonn' in val: there are frankfurt, munster"),
        ("", "--labels --cities munster", "No frame that was asked for has labels"),
        ("timestamp_sequence/val/munster", "", "munster_000001_000000_timestamp.txt'"),
    ],
)  # fmt: skip
def test_what_is_missing_is_named_and_no_bag_is_left(
    missing: str, words: str, sentence: str, drive: Path, tmp_path: Path,
    capsys: pytest.CaptureFixture,
) -> None:  # fmt: skip
    if missing:
        (drive / missing).rename(tmp_path / "not_unpacked")
    out = tmp_path / "drive"
    assert main(["bag", "cityscapes", str(drive), str(out), *words.split()]) == 2
    assert sentence in capsys.readouterr().err and not out.exists()


def test_odd_files_of_a_drive_are_named(
    drive: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    words = ["bag", "cityscapes", str(drive), str(tmp_path / "drive"), "--odometry"]
    vehicle = drive / "vehicle_sequence/val/munster/munster_000001_000001_vehicle.json"
    vehicle.write_text('{"speed": 3}')
    assert main(words) == 2
    assert "_vehicle.json' cannot be used (KeyError('yawRate'))" in capsys.readouterr().err
    time = drive / "timestamp_sequence/val/munster/munster_000001_000001_timestamp.txt"
    time.write_text("0\n")
    assert main(words[:4]) == 2
    assert "munster_000001_000001_leftImg8bit.png' of stamp" in capsys.readouterr().err
    time.write_text("noon\n")
    assert main(words[:4]) == 2
    assert "_timestamp.txt' holds no whole number of ns" in capsys.readouterr().err
    calibration(drive / "camera/val/munster/munster_000001_000019_camera.json")
    time.write_text(f"{60 * MS}\n")
    # A camera file need not tell where the camera is.
    assert main([*words[:4], "--cities", "munster"]) == 0
    assert "/tf_static" not in read(tmp_path / "drive")


@pytest.mark.parametrize("words", ["", "--raw --storage sqlite3"])
def test_the_procedural_drive_comes_back_as_it_was(tmp_path: Path, words: str) -> None:
    out = tmp_path / "drive"
    assert main(["bag", "from", "scenes:7", str(out), "--frames", "3", *words.split()]) == 0
    source, bag = open_source("scenes:7", truth=True), open_source(f"bag:{out}")
    assert len(bag) == 3 and bag.rate_hz == 10.0
    for i in range(3):
        frame, again = source[i], bag[i]
        assert np.array_equal(frame.image, again.image)
        assert np.array_equal(frame.labels, again.labels)
        assert again.camera == frame.camera and again.stamp == START_NS + frame.stamp
    found = read(out)
    depths = [one.data.view("<f4").reshape(256, 512) for _, one in found[f"{TRUTH}/depth"]]
    for i in range(3):
        assert np.array_equal(depths[i], source[i].depth, equal_nan=True)
    for i, ((_, flat), (_, solid)) in enumerate(
        zip(found[f"{TRUTH}/detections"], found[f"{TRUTH}/detections_3d"], strict=True)
    ):
        objects = source[i].objects
        assert objects
        for one, thing, box in zip(objects, solid.detections, flat.detections, strict=True):
            assert box.results[0].hypothesis.class_id == one.name and thing.id == str(one.id)
            left, _, width, _ = one.box
            assert box.bbox.center.position.x == pytest.approx(left + width / 2)
            corners = np.array([(i, j, k) for i in (-1, 1) for j in (-1, 1) for k in (-1, 1)])
            size, at = thing.bbox.size, thing.bbox.center.position
            q = thing.bbox.center.orientation
            turned = Rotation.from_quat([q.x, q.y, q.z, q.w])
            corners = turned.apply(corners * [size.x / 2, size.y / 2, size.z / 2])
            corners += [at.x, at.y, at.z]
            wanted = one.box_3d.corners()
            nearest = np.linalg.norm(corners[:, None] - wanted[None], axis=-1).min(1)
            assert nearest.max() < 1e-6


def test_files_of_png_and_jpeg_go_in_as_they_are_and_others_as_png(tmp_path: Path) -> None:
    folder = tmp_path / "camvid/images/val"
    picture(folder / "a.png", 10)
    write(folder / "b.jpg", np.full((*SIZE, 3), 90, np.uint8))
    write(folder / "c.webp", np.random.default_rng(1).integers(0, 256, (*SIZE, 3), np.uint8))
    write(tmp_path / "camvid/labels/val/b.png", np.full(SIZE, 8, np.uint8))
    spec = f"camvid:{tmp_path}/camvid"
    assert main(["bag", "from", spec, str(tmp_path / "drive"), "--rate-hz", "4"]) == 0
    pictures = [one for _, one in read(tmp_path / "drive")["/camera/image_raw/compressed"]]
    assert pictures[0].data.tobytes() == (folder / "a.png").read_bytes()
    assert pictures[1].data.tobytes() == (folder / "b.jpg").read_bytes()
    assert [one.format.split()[1] for one in pictures] == ["png", "jpeg", "png"]
    source, bag = open_source(spec), open_source(f"bag:{tmp_path}/drive")
    for frame, again in zip(source, bag, strict=True):
        assert np.array_equal(frame.image, again.image) and again.camera == frame.camera
    assert [frame.labels is not None for frame in bag] == [False, True, False]
    assert np.array_equal(bag[1].labels, source[1].labels)
    assert [frame.stamp - START_NS for frame in bag] == [0, 250 * MS, 500 * MS]
    # A photo that is turned as its EXIF data says is written as it is seen.
    from PIL import Image

    photo, exif = Image.fromarray(np.zeros((*SIZE, 3), np.uint8)), Image.Exif()
    exif[0x0112] = 6
    (tmp_path / "photos").mkdir()
    photo.save(tmp_path / "photos" / "a.jpg", exif=exif)
    assert main(["bag", "from", f"folder:{tmp_path}/photos", str(tmp_path / "turned")]) == 0
    assert open_source(f"bag:{tmp_path}/turned")[0].image.shape == (*SIZE[::-1], 3)


def test_a_bag_of_a_bag_keeps_its_stamps(tmp_path: Path) -> None:
    assert main(["bag", "from", "scenes:1", str(tmp_path / "a"), "--frames", "2", "--raw"]) == 0
    assert main(["bag", "from", str(tmp_path / "a"), str(tmp_path / "b")]) == 0
    frames, again = (list(open_source(f"bag:{tmp_path}/{name}")) for name in "ab")
    assert [frame.stamp for frame in frames] == [frame.stamp for frame in again]
    assert all(np.array_equal(a.image, b.image) for a, b in zip(frames, again, strict=True))


def test_what_gives_no_bag_is_a_sentence(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    for words, sentence in (
        (f"from scenes:1 {tmp_path}", f"'{tmp_path}' exists: a bag is written to a place"),
        (f"from camvid:{tmp_path}/x {tmp_path}/y", f"There is no '{tmp_path}/x'"),
        (f"from scenes:1 {tmp_path}/y --rate-hz 0", "The rate is 0.0 Hz: give one above 0"),
        (f"info {tmp_path}", "it is no bag"),
        (f"from scenes:1 {tmp_path}/y --frames -1", "at most -1 frames"),
    ):
        assert main(["bag", *words.split()]) == 2
        assert sentence in capsys.readouterr().err
    assert not (tmp_path / "y").exists()
