# SPDX-License-Identifier: Apache-2.0
"""Random noise on the maps that a generator learns from, so that it bears a noisy one later.

Grassucci, Barbarossa, Comminiello, "Generative semantic communication: diffusion models beyond
bit recovery", arXiv 2306.04321, section III-D. Levels are PSNR as `channel.map_noise` defines it.
"""

from __future__ import annotations

import numpy as np

from semcom_ros.lab.map_noise import gaussian

LEVELS_DB = (30.0, 25.0, 20.0, 15.0, 10.0, 5.0, 1.0)
"""PSNR in dB, each as likely as the others where there is noise."""
CLEAN = 0.3
"""Share of the samples whose map has no noise."""


def draw_level(rng: np.random.Generator) -> float | None:
    """A PSNR in dB for one sample of training, none for a clean map."""
    return None if rng.random() < CLEAN else float(rng.choice(LEVELS_DB))


def noisy_planes(
    one_hot: np.ndarray, level_db: float | None, rng: np.random.Generator
) -> np.ndarray:
    """`one_hot`, float32 [classes, H, W], with Gaussian noise, independent in class and pixel.

    A level of none gives the planes as they are. The released code adds one plane of noise to
    all classes alike, but tests with independent noise, which is what a channel makes.
    """
    return one_hot if level_db is None else gaussian(one_hot, level_db, rng)
