# SPDX-License-Identifier: Apache-2.0
"""Checkpoints on disk that several tests of the perception read."""

import pytest
import torch
from tiny_checkpoints import COCO

from semcom_ros.runtime import declare_operators

declare_operators()


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory):
    """Saves a tiny network that was never trained, once, and gives its folder."""
    folders = {}

    def save(make, names=COCO):
        key = (make.__name__, *names.values())
        if key not in folders:
            torch.manual_seed(0)
            network, processor = make(names)
            folders[key] = tmp_path_factory.mktemp(make.__name__)
            network.save_pretrained(folders[key])
            processor.save_pretrained(folders[key])
        return folders[key]

    return save
