# SPDX-License-Identifier: Apache-2.0
"""Networks of other people, stored as TensorFlow.js graph models, run by torch."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from semcom_ros.errors import SemcomError


class GraphModel:
    """A convolutional graph: file NAME.json, which names the file of weights beside it.

    Knows the operators of mobile detectors up to their heads. Raises SemcomError where file or
    weights are missing or damaged, and on an operator that it does not know.
    """

    def __init__(self, path: Path, device: str = "cpu") -> None:
        self.path = path
        try:
            model = json.loads(path.read_text())
            [manifest] = model["weightsManifest"]
            raw = b"".join((path.parent / name).read_bytes() for name in manifest["paths"])
            self._known, offset = {}, 0
            for weight in manifest["weights"]:
                stored = np.dtype(weight.get("quantization", {}).get("dtype", weight["dtype"]))
                count = int(np.prod(weight["shape"]))
                flat = np.frombuffer(raw, stored, count, offset).astype(weight["dtype"])
                value = torch.from_numpy(flat).reshape(weight["shape"]).to(device)
                if value.ndim == 4:  # kernels as torch has them: [out, in, h, w]
                    value = value.permute(3, 2, 0, 1)
                self._known[weight["name"]] = value
                offset += count * stored.itemsize
            self._nodes = {node["name"]: node for node in model["modelTopology"]["node"]}
        except (OSError, KeyError, ValueError, TypeError) as error:
            raise SemcomError(f"'{path}' is no graph model that can be read: {error!r}.") from None
        if offset != len(raw):
            raise SemcomError(f"'{path}' names {offset} bytes of weights; there are {len(raw)}.")

    @torch.inference_mode()
    def __call__(self, inputs: dict[str, torch.Tensor], outputs: list[str]) -> list[torch.Tensor]:
        """Values [N, C, H, W] of the nodes `outputs`, from those of the placeholders `inputs`."""
        values = self._known | inputs
        for name in outputs:
            # Depth first, without recursion: such a graph is hundreds of nodes deep.
            waiting = [name]
            while waiting:
                node = self._nodes[waiting[-1]]
                missing = [n for n in node.get("input", ()) if n not in values]
                if node["name"] in values or not missing:
                    waiting.pop()
                    if node["name"] not in values:
                        values[node["name"]] = self._run(node, [values[n] for n in node["input"]])
                waiting += missing
        return [values[name] for name in outputs]

    def _run(self, node: dict[str, Any], x: list[torch.Tensor]) -> torch.Tensor:
        operator, attributes = node["op"], node.get("attr", {})
        if operator in _CONVOLUTIONS:
            value = _convolve(x[0], x[1], attributes, "epthwise" in operator)
            for fused in attributes.get("fused_ops", {}).get("list", {}).get("s", ()):
                word = _text(fused)
                value = value + _spread(x[2]) if word == "BiasAdd" else _SIMPLE[word](value)
            return value
        if operator not in _SIMPLE:
            raise SemcomError(f"'{self.path}' uses the operator {operator}, which is not known.")
        return _SIMPLE[operator](*x)


_CONVOLUTIONS = (
    "Conv2D", "_FusedConv2D", "DepthwiseConv2dNative", "FusedDepthwiseConv2dNative",
)  # fmt: skip


def _text(encoded: str) -> str:
    return base64.b64decode(encoded).decode()


def _spread(value: torch.Tensor) -> torch.Tensor:
    """A vector [C] along the channels; all else as it is."""
    return value[:, None, None] if value.ndim == 1 else value


def _convolve(
    x: torch.Tensor, kernel: torch.Tensor, attributes: dict[str, Any], depthwise: bool
) -> torch.Tensor:
    """TensorFlow's convolution: SAME pads what is missing, the odd pixel right and below."""
    stride = int(attributes["strides"]["list"]["i"][1])
    if depthwise:  # stored [h, w, in, 1]
        kernel = kernel.transpose(0, 1)
    if _text(attributes["padding"]["s"]) == "SAME":
        pads = []
        for size, extent in zip(reversed(x.shape[2:]), reversed(kernel.shape[2:]), strict=True):
            pad = max((-(-size // stride) - 1) * stride + extent - size, 0)
            pads += [pad // 2, pad - pad // 2]
        x = F.pad(x, pads)
    return F.conv2d(x, kernel, stride=stride, groups=x.shape[1] if depthwise else 1)


def _resize(x: torch.Tensor, size: torch.Tensor) -> torch.Tensor:
    """Bilinear as TensorFlow has it without half-pixel centres: output i looks at i * in / out."""
    for axis, n in zip((2, 3), size.tolist(), strict=True):
        at = torch.arange(n, device=x.device) * (x.shape[axis] / n)
        low = at.floor().long()
        high = (low + 1).clamp(max=x.shape[axis] - 1)
        part = (at - low).reshape(-1, *[1] * (3 - axis))
        x = torch.lerp(x.index_select(axis, low), x.index_select(axis, high), part.to(x.dtype))
    return x


_SIMPLE: dict[str, Callable[..., torch.Tensor]] = {
    "Identity": lambda x: x,
    "Add": lambda x, y: _spread(x) + _spread(y),
    "AddV2": lambda x, y: _spread(x) + _spread(y),
    "Mul": lambda x, y: _spread(x) * _spread(y),
    "Relu": F.relu,
    "Relu6": F.relu6,
    "Sigmoid": torch.sigmoid,
    "Mean": lambda x, axes: x.mean((2, 3), keepdim=True),
    "ConcatV2": lambda *x: torch.cat(x[:-1], 1),
    "ResizeBilinear": _resize,
}
