# SPDX-License-Identifier: Apache-2.0
"""What users rely on in the depth: metres, no depth in the sky, its scores."""

import numpy as np
import pytest
import torch

from semcom_ros.datasets import open_source
from semcom_ros.frame import fit
from semcom_ros.lab.ground_truth import frames_with_truth
from semcom_ros.lab.metrics.perception_scores import DepthScores
from semcom_ros.lab.training.perception.losses import depth_loss
from semcom_ros.labels import TRAIN_ID
from semcom_ros.perception.networks import MIDDLE, Outputs
from semcom_ros.perception.perceive import Perception, read_depth


def outputs(metres):
    """A network's answer of one depth everywhere."""
    depth = torch.full((1, 1, 8, 8), metres / MIDDLE).log()
    return Outputs(depth, depth, depth, depth)


def test_depth_is_in_metres():
    depth = read_depth(outputs(20.0), [1.0])
    assert depth.shape == (1, 16, 16) and depth.dtype == np.float32
    np.testing.assert_allclose(depth, 20.0, rtol=1e-5)


def test_twice_the_focal_length_is_twice_the_distance():
    np.testing.assert_allclose(read_depth(outputs(20.0), [2.0]), 40.0, rtol=1e-5)


def test_the_loss_falls_to_nothing_for_the_truth_and_leaves_unknown_pixels_out():
    said = outputs(20.0).depth
    truth = torch.full((1, 16, 16), 20.0)
    assert depth_loss(said, truth) < 1e-3 < depth_loss(said + 0.2, truth)
    truth[:, :8] = float("nan")
    assert depth_loss(said, truth) < 1e-3
    assert depth_loss(said, torch.full_like(truth, float("nan"))) == 0


def test_scores_are_relative_errors_and_metres_up_to_80_m():
    scores = DepthScores()
    scores.add(np.array([10.0, 20.0, 100.0, np.nan]), np.array([12.0, 20.0, 5.0, 7.0]))
    found = scores.compute()
    assert found["absrel"] == pytest.approx(0.1)
    assert found["rmse"] == pytest.approx(2**0.5)
    assert found["delta"] == 1.0 and found["missed"] == 0


@pytest.fixture(scope="module")
def estimate():
    perception = Perception.from_pretrained()
    return lambda image, focal=None: perception([image], [focal])[0].depth


def test_it_measures_towns_that_it_never_saw(estimate):
    scores = DepthScores()
    for seed in (1, 2):
        for frame in frames_with_truth(f"scenes:{seed}", "", (0, 40, 80)):
            scores.add(frame.depth, estimate(frame.image))
    assert scores.compute()["absrel"] < 0.2


def road_profile(depth, labels):
    """Median depth of the road, bands of 8 rows from the bottom of the image upwards."""
    bands = [np.s_[y - 8 : y] for y in range(256, 160, -8)]
    roads = [depth[b][labels[b] == TRAIN_ID["road"]] for b in bands]
    return [np.nanmedian(road) for road in roads if road.size > 300]


def test_the_road_of_a_town_recedes_row_by_row(estimate):
    (frame,) = frames_with_truth("scenes:1", "", [20])
    profile = road_profile(estimate(frame.image), frame.labels)
    assert len(profile) > 6 and np.all(np.diff(profile) > 0)


def test_real_roads_recede_and_the_real_sky_has_no_depth(estimate, camvid):
    source = open_source(f"camvid:{camvid}", "val")
    for i in (0, 50, 100):
        frame = fit(source[i])
        depth = estimate(frame.image, frame.camera.fx)
        profile = road_profile(depth, frame.labels)
        assert len(profile) > 4 and np.all(np.diff(profile) > 0)
        assert np.isnan(depth[frame.labels == TRAIN_ID["sky"]]).mean() > 0.85
        assert np.isfinite(depth[frame.labels == TRAIN_ID["road"]]).mean() > 0.98
