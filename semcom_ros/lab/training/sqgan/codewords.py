# SPDX-License-Identifier: Apache-2.0
"""The order of a codebook: neighbours in meaning share the upper bits of their indices."""

from __future__ import annotations

import numpy as np


def ordered(codebook: np.ndarray) -> np.ndarray:
    """Places int [J] of the codewords float [J, dims] in an order to code them in, J a power of 2.

    They are halved along the direction of their largest spread, and each half again: so the first
    bits of an index name a cluster, which a neighbour foretells where the codeword itself is rare.
    """
    places = np.arange(len(codebook))
    if len(codebook) == 1:
        return places
    centred = codebook - codebook.mean(0)
    _, _, directions = np.linalg.svd(centred, full_matrices=False)
    along = np.argsort(centred @ directions[0], kind="stable")
    halves = np.split(along, 2)
    return np.concatenate([half[ordered(codebook[half])] for half in halves])
