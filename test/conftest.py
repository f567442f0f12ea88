# SPDX-License-Identifier: Apache-2.0
"""Fixtures that many tests share."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what needs a GPU where there is none; share out the rest where several processes test.

    The tests of a file stay together, for what they set up once, those of nodes, which would wait
    for one another's, and those of the one Ray cluster.
    """
    for item in items:
        group = "nodes" if "nodes" in item.path.parts else str(item.path)
        group = "ray" if "ray_address" in getattr(item, "fixturenames", ()) else group
        item.add_marker(pytest.mark.xdist_group(group))
    of_gpu = [item for item in items if item.get_closest_marker("cuda")]
    if not of_gpu:
        return
    import torch

    if not torch.cuda.is_available():
        for item in of_gpu:
            item.add_marker(pytest.mark.skip(reason="needs a CUDA GPU"))


@pytest.fixture(scope="session")
def camvid() -> Path:
    """The CamVid frames beside the repository, or a skip where they are not there."""
    path = Path(__file__).resolve().parents[2] / "shared" / "data" / "camvid"
    if not (path / "images" / "val").is_dir():
        pytest.skip("needs the CamVid frames in ../shared/data/camvid beside the repository")
    return path


@pytest.fixture(scope="session")
def small_camvid(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The spec of a small data set: four frames in CamVid's layout, three of them to train on."""
    folder, rng = tmp_path_factory.mktemp("camvid"), np.random.default_rng(1)
    for kind, shape in (("images", (32, 64, 3)), ("labels", (32, 64))):
        for name in ("train/a", "train/b", "train/c", "val/d"):
            path = folder / kind / f"{name}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(path), rng.integers(0, 12, shape).astype(np.uint8))
    return f"camvid:{folder}"


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Saves a tiny network of `transformers` that was never trained, once, and gives its folder."""
    from semcom_ros.runtime import declare_operators

    declare_operators()
    import torch
    from tiny_checkpoints import COCO

    folders: dict[tuple, Path] = {}

    def save(make: Callable, names: dict[int, str] = COCO) -> Path:
        key = (make.__name__, *names.values())
        if key not in folders:
            torch.manual_seed(0)
            network, processor = make(names)
            folders[key] = tmp_path_factory.mktemp(make.__name__)
            network.save_pretrained(folders[key])
            processor.save_pretrained(folders[key])
        return folders[key]

    return save


@pytest.fixture(scope="session")
def ray_address() -> Iterator[str]:
    """Of a small Ray cluster here, one for the whole run; a skip where there is no Ray."""
    utils = pytest.importorskip("ray.cluster_utils", reason="needs requirements/ray.txt")
    # Paths of sockets must be short: pytest's folder is too deep.
    made = tempfile.TemporaryDirectory(prefix="ray", ignore_cleanup_errors=True)
    with made as folder, pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_TMPDIR", folder)
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("OMP_NUM_THREADS", "1")
        head = {"num_cpus": 2, "num_gpus": 0, "object_store_memory": 100_000_000}
        cluster = utils.Cluster(True, head_node_args={**head, "include_dashboard": False})
        yield cluster.address
        cluster.shutdown()


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    """Small networks of a module's tests run on one thread."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
