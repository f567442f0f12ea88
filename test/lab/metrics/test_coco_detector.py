# SPDX-License-Identifier: Apache-2.0
"""The detector that outside figures rest on: its graph is run as TensorFlow would, boxes are the
image's."""

import base64
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from semcom_ros.errors import SemcomError
from semcom_ros.lab.metrics import coco_detector
from semcom_ros.lab.metrics.coco_detector import CocoDetector
from semcom_ros.lab.metrics.graph_model import GraphModel
from semcom_ros.lab.metrics.overlap import found_again


def word(text: str) -> dict[str, str]:
    return {"s": base64.b64encode(text.encode()).decode()}


def save(path: Path, nodes: list[dict[str, Any]], weights: dict[str, np.ndarray]) -> Path:
    """A graph model with its weights, of which those of 32 bits are stored in 16."""
    (path.parent / "weights.bin").write_bytes(
        b"".join(
            w.astype(np.float16 if w.dtype == np.float32 else w.dtype).tobytes()
            for w in weights.values()
        )
    )
    half = {"quantization": {"dtype": "float16"}}
    manifest = [
        {"name": name, "shape": list(w.shape), "dtype": str(w.dtype)}
        | (half if w.dtype == np.float32 else {})
        for name, w in weights.items()
    ]
    model = {
        "modelTopology": {"node": nodes},
        "weightsManifest": [{"paths": ["weights.bin"], "weights": manifest}],
    }
    path.write_text(json.dumps(model))
    return path


def convolution(stride: int, padding: str, *fused: str) -> dict[str, Any]:
    strides = {"list": {"i": ["1", str(stride), str(stride), "1"]}}
    steps = {"list": {"s": [word(f)["s"] for f in fused]}}
    return {"strides": strides, "padding": word(padding), "fused_ops": steps}


def test_a_graph_gives_what_tensorflow_would(tmp_path: Path) -> None:
    """SAME at stride 2 pads an even image right and below alone; bilinear starts at its corner."""
    weights = {
        "kernel": np.ones((3, 3, 1, 2), np.float32) * np.float32([1, -1]),
        "bias": np.float32([0.5, 1]),
        "size": np.int32([4, 4]),
    }
    nodes = [
        {"name": "x", "op": "Placeholder"},
        {"name": "conv", "op": "_FusedConv2D", "input": ["x", "kernel", "bias"],
         "attr": convolution(2, "SAME", "BiasAdd", "Relu")},
        {"name": "up", "op": "ResizeBilinear", "input": ["conv", "size"]},
    ]  # fmt: skip
    run = GraphModel(save(tmp_path / "net.json", nodes, weights))
    conv, up = run({"x": torch.arange(16.0).reshape(1, 1, 4, 4)}, ["conv", "up"])
    sums = torch.tensor([[45.0, 39.0], [66.0, 50.0]])  # of rows and columns 0..2, and 2..3
    assert torch.equal(conv[0, 0], sums + 0.5) and not conv[0, 1].any()
    assert up[0, 0, 0].tolist() == [45.5, 42.5, 39.5, 39.5]


def test_a_graph_that_cannot_be_run_is_refused_with_what_is_wrong(tmp_path: Path) -> None:
    with pytest.raises(SemcomError, match=r"none\.json' is no graph model"):
        GraphModel(tmp_path / "none.json")
    path = save(tmp_path / "net.json", [{"name": "x", "op": "Unheard", "input": []}], {})
    with pytest.raises(SemcomError, match="operator Unheard, which is not known"):
        GraphModel(path)({}, ["x"])
    (tmp_path / "weights.bin").write_bytes(b"more")
    with pytest.raises(SemcomError, match="names 0 bytes of weights; there are 4"):
        GraphModel(path)


def test_boxes_are_those_of_the_image_whatever_its_size(monkeypatch: pytest.MonkeyPatch) -> None:
    heat, sides = torch.zeros(1, 80, 128, 128), torch.full((1, 4, 128, 128), 8.0)
    heat[0, 2, 10, 20], heat[0, 0, 30, 40], heat[0, 7, 50, 60] = 0.9, 0.5, 0.8
    heat[0, 2, 10, 21] = 0.7  # beside the peak: the same car
    seen = []

    def answer(inputs: dict[str, torch.Tensor], outputs: list[str]) -> list[torch.Tensor]:
        seen.append(inputs["tower_0/images"])
        return [heat, sides]

    monkeypatch.setattr(coco_detector, "GraphModel", lambda path, device: answer)
    car, person = CocoDetector(Path())(np.full((512, 1024, 3), 200, np.uint8))
    assert seen[0].shape == (1, 3, 512, 512)
    assert (seen[0][:, :, :256] == 200).all() and (seen[0][:, :, 256:] == coco_detector.GREY).all()
    assert (car.name, car.box) == ("car", (144.0, 64.0, 32.0, 32.0))
    assert (person.name, person.score) == ("person", 0.5)


def test_what_is_found_again_is_found_once() -> None:
    truth = [(0.0, 0.0, 10.0, 10.0), (4.0, 0.0, 10.0, 10.0), (50.0, 0.0, 10.0, 10.0)]
    assert found_again(truth, [(1.0, 0.0, 10.0, 10.0), (53.0, 0.0, 10.0, 10.0)]) == [
        True, False, True,
    ]  # fmt: skip
    assert found_again(truth, []) == [False] * 3 and found_again([], truth) == []
