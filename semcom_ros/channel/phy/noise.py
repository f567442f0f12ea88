# SPDX-License-Identifier: Apache-2.0
"""White Gaussian noise of complex symbols."""

from __future__ import annotations

import numpy as np


def complex_noise(rng: np.random.Generator, n: int, variance: float) -> np.ndarray:
    """Circular complex Gaussian noise, complex64 [n], with E|noise|^2 = `variance`."""
    noise = rng.standard_normal(2 * n, dtype=np.float32)
    noise *= np.float32((variance / 2) ** 0.5)
    return noise.view(np.complex64)
