# SPDX-License-Identifier: Apache-2.0
"""Let timm import a torchvision whose compiled operators do not load beside this build of torch."""

from __future__ import annotations

import functools
import importlib.util
from pathlib import Path

import torch

# torchvision registers these two by name while it is imported, loaded or not.
SCHEMAS = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)


@functools.cache
def declare_operators() -> torch.library.Library | None:
    """Call this before `import timm`: makes `import torchvision` pass beside a CPU build of torch.

    Returns the declarations, which last as long as this object (so it is cached), or None where
    torchvision's own operators load and nothing is needed. The declared ones cannot be called.
    """
    spec = importlib.util.find_spec("torchvision")
    if spec is None:
        return None
    try:
        torch.ops.load_library(str(Path(spec.origin).with_name("_C.so")))
    except OSError:
        library = torch.library.Library("torchvision", "DEF")
        for schema in SCHEMAS:
            library.define(schema)
        return library
    return None
