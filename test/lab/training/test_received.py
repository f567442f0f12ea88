# SPDX-License-Identifier: Apache-2.0
"""The noise on maps that generators learn from."""

import numpy as np

from semcom_ros.lab.training.gesco import received


def test_training_noise_is_absent_in_three_samples_of_ten_and_else_at_every_level_alike():
    rng = np.random.default_rng(0)
    levels = [received.draw_level(rng) for _ in range(7000)]
    assert abs(levels.count(None) - 2100) < 120
    assert all(abs(levels.count(level) - 700) < 80 for level in received.LEVELS_DB)


def test_training_noise_is_independent_in_class_and_pixel_at_its_psnr():
    one = np.zeros((4, 128, 128), np.float32)
    one[2] = 1
    noise = received.noisy_planes(one, 10.0, np.random.default_rng(0)) - one
    assert noise.dtype == np.float32
    np.testing.assert_allclose(noise.var((1, 2)), 0.1, rtol=0.05)
    assert np.abs(np.corrcoef(noise.reshape(4, -1)) - np.eye(4)).max() < 0.05
    assert received.noisy_planes(one, None, np.random.default_rng(0)) is one
