# SPDX-License-Identifier: Apache-2.0
"""What users rely on in the depth, the instances and the objects of the procedural drive."""

from __future__ import annotations

import math

import numpy as np
import pytest

from semcom_ros.datasets.scenes import Drive
from semcom_ros.datasets.scenes.drive import CAMERA, CAMERA_HEIGHT
from semcom_ros.datasets.scenes.geometry import Viewpoint
from semcom_ros.datasets.scenes.surfaces import Surfaces, labels_shown, surfaces_shown
from semcom_ros.frame import Camera, Frame, fit
from semcom_ros.labels import CLASSES, TRAIN_ID
from semcom_ros.objects import Box3D, Object

PLACES = [(0, 37), (1, 500), (5, 40), (5, 41), (8, 150), (6, 107), (9, 495)]


@pytest.fixture(scope="module")
def frames() -> list[Frame]:
    drives = {seed: Drive(seed) for seed, _ in PLACES}
    return [drives[seed].render(index, truth=True) for seed, index in PLACES]


def points(frame: Frame) -> np.ndarray:
    """What each pixel shows, [H, W, 3] in the optical frame."""
    k = frame.camera
    rows, columns = np.mgrid[: k.height, : k.width]
    rays = np.stack([(columns - k.cx) / k.fx, (rows - k.cy) / k.fy, np.ones(rows.shape)], -1)
    return rays * frame.depth[..., None]


def in_town(frame: Frame, optical: np.ndarray) -> np.ndarray:
    """Optical points [..., 3] in the frame of `Pose`: x right, y up, z ahead."""
    x, y, z, yaw, pitch = frame.pose
    level = math.cos(pitch) * optical[..., 2] + math.sin(pitch) * optical[..., 1]
    up = math.sin(pitch) * optical[..., 2] - math.cos(pitch) * optical[..., 1]
    right = math.cos(yaw) * optical[..., 0] + math.sin(yaw) * level
    ahead = math.cos(yaw) * level - math.sin(yaw) * optical[..., 0]
    return np.stack([x + right, y + up, z + ahead], -1)


def test_truth_changes_neither_image_nor_labels_and_depends_on_seed_and_index_alone() -> None:
    played, jumped = Drive(3), Drive(3)
    for index in range(3):
        frame = played.render(index, truth=True)
    alone, plain = jumped.render(2, truth=True), jumped.render(2)
    for name in ("image", "labels", "depth", "instances"):
        assert np.array_equal(*(getattr(f, name) for f in (frame, alone)), equal_nan=True)
    assert frame.objects == alone.objects and frame.pose == alone.pose == plain.pose
    assert np.array_equal(plain.image, alone.image) and np.array_equal(plain.labels, alone.labels)
    assert plain.depth is None and plain.instances is None and plain.objects is None


def test_everything_has_a_depth_but_the_sky(frames: list[Frame]) -> None:
    for frame in frames:
        assert frame.depth.dtype == np.float32 and frame.depth.shape == frame.labels.shape
        assert np.array_equal(np.isnan(frame.depth), frame.labels == TRAIN_ID["sky"])
        assert np.nanmin(frame.depth) > 0.5


def test_the_road_lies_in_the_ground_plane(frames: list[Frame]) -> None:
    for frame in frames:
        rows = np.arange(frame.camera.height)
        down = math.cos(frame.pose.pitch) * (rows - frame.camera.cy) / frame.camera.fy
        plane = CAMERA_HEIGHT / (down - math.sin(frame.pose.pitch))
        road = frame.labels == TRAIN_ID["road"]
        expected = np.broadcast_to(plane[:, None], road.shape)[road]
        np.testing.assert_allclose(frame.depth[road], expected, rtol=0.001)


def test_fences_and_houses_stand_on_the_ground(frames: list[Frame]) -> None:
    for frame in frames:
        height = in_town(frame, points(frame))[..., 1]
        standing = np.isin(frame.labels, [TRAIN_ID["building"], TRAIN_ID["fence"]])
        near = standing & (frame.depth < 100)
        assert near.any() and height[near].min() > -0.3 and height[near].max() < 30


def test_every_pixel_of_a_thing_belongs_to_one_object_of_its_class(frames: list[Frame]) -> None:
    for frame in frames:
        assert frame.instances.dtype == np.uint16
        things = np.isin(frame.labels, [i for i, c in enumerate(CLASSES) if c.thing])
        assert np.array_equal(frame.instances > 0, things)
        assert sorted(o.id for o in frame.objects) == np.unique(frame.instances)[1:].tolist()
        for it in frame.objects:
            assert set(frame.labels[frame.instances == it.id].tolist()) == {TRAIN_ID[it.name]}
            assert 0 < it.visible <= 1


def test_the_2d_box_is_tight_around_the_visible_pixels(frames: list[Frame]) -> None:
    for frame in frames:
        for it in frame.objects:
            rows, columns = np.nonzero(frame.instances == it.id)
            left, top = columns.min(), rows.min()
            size = columns.max() + 1 - left, rows.max() + 1 - top
            assert it.box == (left, top, *size)
            assert 0 < it.visible <= 1


def test_the_2d_box_lies_in_the_projection_of_the_3d_box(frames: list[Frame]) -> None:
    checked = 0
    for frame in frames:
        k = frame.camera
        for it in frame.objects:
            corners = it.box_3d.corners()
            if corners[:, 2].min() > 0.5:
                pixels = corners[:, :2] / corners[:, 2:] * (k.fx, k.fy) + (k.cx + 0.5, k.cy + 0.5)
                start, end = np.array(it.box[:2]), np.array(it.box[:2]) + it.box[2:]
                assert (start > pixels.min(0) - 1).all() and (end < pixels.max(0) + 1).all()
                checked += 1
    assert checked > 100


def test_every_class_of_things_has_objects(frames: list[Frame]) -> None:
    known = {"car", "truck", "bus", "person", "rider", "bicycle", "traffic sign", "traffic light"}
    assert {it.name for frame in frames for it in frame.objects} == known


def test_a_rider_and_the_bicycle_are_two_objects_at_one_place() -> None:
    frame = Drive(9).render(495, truth=True)
    riders = [it for it in frame.objects if it.name == "rider"]
    bicycles = [it for it in frame.objects if it.name == "bicycle"]
    pairs = [
        (rider, bicycle)
        for rider in riders
        for bicycle in bicycles
        if math.dist(rider.box_3d.centre, bicycle.box_3d.centre) < 1.0
    ]
    assert pairs
    for rider, bicycle in pairs:
        assert rider.id != bicycle.id
        # The body sits above the wheels, whose lowest point is on the road.
        assert rider.box[1] < bicycle.box[1]
        lowest = [in_town(frame, it.box_3d.corners())[:, 1].min() for it in (rider, bicycle)]
        assert lowest[1] == pytest.approx(0, abs=0.05) and lowest[0] > lowest[1]


def test_trucks_and_buses_have_the_sizes_of_trucks_and_buses(frames: list[Frame]) -> None:
    sizes = {
        "truck": ((6.5, 8.2), (2.0, 2.6), (2.6, 3.8)),
        "bus": ((9.7, 10.8), (2.3, 2.6), (3, 4.4)),
    }
    seen = [it for frame in frames for it in frame.objects if it.name in sizes]
    assert seen
    for it in seen:
        for metres, (least, most) in zip(it.box_3d.size, sizes[it.name], strict=True):
            assert least <= metres <= most


def test_the_3d_box_of_a_whole_car_is_as_tight_as_its_shape_allows() -> None:
    frame = Drive(1).render(500, truth=True)
    k, whole = frame.camera, 0
    for it in frame.objects:
        x, y, w, h = it.box
        inside = x > 0 and y > 0 and x + w < k.width and y + h < k.height
        if it.name == "car" and it.visible == 1 and inside:
            corners = it.box_3d.corners()
            pixels = corners[:, :2] / corners[:, 2:] * (k.fx, k.fy) + (k.cx + 0.5, k.cy + 0.5)
            assert w * h > 0.75 * np.ptp(pixels, axis=0).prod()
            whole += 1
    assert whole


def test_depth_at_an_object_lies_in_its_3d_box(frames: list[Frame]) -> None:
    for frame in frames:
        seen = points(frame)
        for it in frame.objects:
            mask = frame.instances == it.id
            near, far = it.box_3d.corners()[:, 2].min(), it.box_3d.corners()[:, 2].max()
            assert near - 0.01 < frame.depth[mask].min() and frame.depth[mask].max() < far + 0.01
            beyond = np.abs(it.box_3d.local(seen[mask])) - np.array(it.box_3d.size) / 2
            # A pixel on an edge shows the thing though its middle is beside it.
            pixel = it.box_3d.centre[2] / frame.camera.fx
            assert np.mean(beyond.max(1) < 0.05 + pixel) > 0.9


def test_what_stands_keeps_its_id_and_its_place(frames: list[Frame]) -> None:
    before, after = frames[2], frames[3]
    places = [
        {o.id: in_town(f, np.array(o.box_3d.centre)) for o in f.objects} for f in (before, after)
    ]
    names = {o.id: o.name for o in before.objects}
    both = set(places[0]) & set(places[1])
    moved = {i: float(np.linalg.norm(places[1][i] - places[0][i])) for i in both}
    assert len(both) > 0.7 * len(before.objects)
    # A pedestrian walks at 1.35 m/s; the plate of a sign stands.
    assert [i for i in both if names[i] == "person"]
    for i in both:
        if names[i] == "person":
            assert moved[i] == pytest.approx(0.135, abs=0.02)
        if names[i] == "traffic sign":
            assert moved[i] < 0.01


def test_a_box_is_turned_right_by_its_yaw_and_leans_by_the_cameras_pitch() -> None:
    level = Box3D((1.0, 2.0, 10.0), (4.0, 2.0, 1.5), 0.0)
    assert np.ptp(level.corners(), axis=0) == pytest.approx([2.0, 1.5, 4.0])
    beside = Box3D((1.0, 2.0, 10.0), (4.0, 2.0, 1.5), math.pi / 2)
    assert beside.axes[0] == pytest.approx([1, 0, 0]) and beside.axes[2] == pytest.approx(
        [0, -1, 0]
    )
    # A camera that looks up sees the top of what is ahead lean towards its back.
    leaning = Box3D((0.0, 0.0, 10.0), (4.0, 2.0, 1.5), 0.3, 0.1)
    assert leaning.axes[2] == pytest.approx([0, -math.cos(0.1), math.sin(0.1)])
    assert leaning.axes @ leaning.axes.T == pytest.approx(np.eye(3))
    assert np.abs(leaning.local(leaning.corners())) == pytest.approx(
        np.tile((2.0, 1.0, 0.75), (8, 1))
    )


def test_a_pixel_is_what_half_of_it_shows_and_of_two_halves_the_nearer() -> None:
    sky, house, pole, sign = (
        TRAIN_ID[name] for name in ("sky", "building", "pole", "traffic sign")
    )
    pixels = {
        (sky, sky, sky, pole): sky,
        (sky, pole, sky, pole): pole,
        (pole, sky, pole, sky): pole,
        (house, house, house, sign): house,
        (sky, pole, sign, sky): pole,
        (house, sign, sign, sign): sign,
    }
    canvas = np.array(list(pixels), np.uint8).reshape(-1, 2, 2).transpose(1, 0, 2).reshape(2, -1)
    assert labels_shown(canvas).tolist() == [list(pixels.values())]
    numbers = np.arange(1, canvas.size + 1, dtype=np.uint16).reshape(canvas.shape)
    shown = surfaces_shown(numbers, canvas, labels_shown(canvas))
    assert canvas.ravel()[shown.ravel() - 1].tolist() == list(pixels.values())
    # Of two poles the one painted last, and a pole before the bare sky.
    numbers = np.array([[0, 4], [5, 0]], np.uint16)
    canvas = np.array([[sky, pole], [pole, sky]], np.uint8)
    assert surfaces_shown(numbers, canvas, labels_shown(canvas)) == [[5]]


def test_labels_lie_where_the_camera_sees_things() -> None:
    beside = []
    drives = [Drive(seed) for seed in (3, 4, 5)]
    for frame in (drive.render(index, truth=True) for drive in drives for index in (0, 60, 120)):
        for o in frame.objects:
            left, top, width, height = o.box
            cut = left == 0 or top == 0 or left + width == frame.camera.width
            if o.name == "traffic sign" and o.visible == 1 and width > 5 and not cut:
                x, y, z = o.box_3d.corners().T
                u, v = x / z * CAMERA.fx + CAMERA.cx, y / z * CAMERA.fy + CAMERA.cy
                # A pixel's centre lies at its integer coordinate.
                beside.append(left + (width - 1) / 2 - (u.min() + u.max()) / 2)
                beside.append(top + (height - 1) / 2 - (v.min() + v.max()) / 2)
    assert len(beside) > 20 and abs(np.mean(beside)) < 0.15


def test_surfaces_give_the_depth_of_slanted_planes_and_the_share_not_hidden() -> None:
    camera = Camera(40, 60, 50.0, 50.0, 29.5, 19.5)
    view = Viewpoint(camera, (0.0, 1e6, 0.0), 0.0, 0.0)
    surfaces = Surfaces(80, 120, 0)

    def square(left: int, right: int) -> list[np.ndarray]:
        corners = [(left, 20), (right, 20), (right, 59), (left, 59)]
        return [np.array(corners, np.int32)]

    # Depth 8 + 2 * (x / z): a wall that turns away to the right.
    rays = np.array([(-0.4, 0.2), (0.4, 0.2), (0.4, -0.2), (-0.4, -0.2)])
    depth = 8 / (1 - 0.5 * rays[:, :1])
    wall = np.hstack([rays, np.ones((4, 1))]) * depth
    surfaces.polygons(square(20, 99), wall, [4], 7)
    front = np.hstack([rays, np.ones((4, 1))]) * 3
    surfaces.polygons(square(60, 119), front, [4], 9)
    depths, instances = surfaces.maps(
        view, np.zeros((80, 120), np.uint8), np.zeros((40, 60), np.uint8)
    )
    right = (np.arange(10, 30) - camera.cx) / camera.fx
    np.testing.assert_allclose(depths[15, 10:30], 8 / (1 - 0.5 * right), rtol=1e-5)
    assert (depths[10:30, 30:] == 3).all() and (instances[10:30, 30:] == 9).all()
    assert surfaces.seen(7, instances) == ((10.0, 10.0, 20.0, 20.0), 0.5)
    assert surfaces.seen(9, instances) == ((30.0, 10.0, 30.0, 20.0), 1.0)
    assert surfaces.seen(3, instances) is None


def test_fitting_a_frame_crops_and_scales_its_objects() -> None:
    image = np.zeros((300, 512, 3), np.uint8)
    instances = np.zeros((300, 512), np.uint16)
    instances[100:140, 200:260] = 5
    instances[:10] = 6
    box_3d = Box3D((0.0, 0.0, 9.0), (4.0, 2.0, 1.5), 0.0)
    boxes = {5: (200.0, 100.0, 60.0, 40.0), 6: (0.0, 0.0, 512.0, 10.0)}
    objects = tuple(Object("car", i, box, box_3d) for i, box in boxes.items())
    fitted = fit(Frame(image, instances=instances, objects=objects), (128, 256))
    (kept,) = fitted.objects
    rows, columns = np.nonzero(fitted.instances == 5)
    assert kept.box == (100.0, 39.0, 30.0, 20.0) and kept.box_3d == box_3d
    assert (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1) == (100, 39, 130, 59)
    assert not (fitted.instances == 6).any()
