# SPDX-License-Identifier: Apache-2.0
"""A second device for machines that have one: values as on the CPU, on a device of another name.

As on a GPU an operation that mixes tensors of both raises, but for scalars. It bears the name of
torch's "meta", which every build knows.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_map_only, tree_unflatten

ANOTHER = "meta"
_WHOLE: set[Any] = set()
"""Operations that are made of no others."""


class There(torch.Tensor):
    """A tensor on the other device; `here` has its values."""

    here: torch.Tensor

    @staticmethod
    def __new__(cls, here: torch.Tensor) -> There:
        return torch.Tensor._make_wrapper_subclass(
            cls,
            here.shape,
            strides=here.stride(),
            storage_offset=here.storage_offset(),
            dtype=here.dtype,
            device=ANOTHER,
        )

    def __init__(self, here: torch.Tensor):
        self.here = here

    def __repr__(self) -> str:
        return f"There({self.here!r})"

    def __deepcopy__(self, memo: dict) -> There:
        copied = memo[id(self)] = self.detach().clone().requires_grad_(self.requires_grad)
        copied._is_param = getattr(self, "_is_param", False)
        return copied

    @classmethod
    def __torch_dispatch__(cls, operation, types, args=(), kwargs=None):
        return run(operation, args, kwargs or {})


def run(operation: Any, args: tuple, kwargs: dict) -> Any:
    """The operation on the device of its tensors, or on the one that it names."""
    if operation not in _WHOLE:
        # In inference mode what is made of other operations arrives whole.
        with Operations():
            result = operation.decompose(*args, **kwargs)
        if result is not NotImplemented:
            return result
        _WHOLE.add(operation)
    target = kwargs.get("device")
    if target is not None:
        kwargs = kwargs | {"device": torch.device("cpu")}
    leaves, form = tree_flatten((args, kwargs))
    outer = {id(t.here): t for t in leaves if isinstance(t, There)}
    if outer and target is None and operation is not torch.ops.aten.copy_.default:
        for stray in leaves:
            if isinstance(stray, torch.Tensor) and not isinstance(stray, There) and stray.ndim:
                raise RuntimeError(f"{operation} meets a tensor {tuple(stray.shape)} of the CPU.")
    here = [t.here if isinstance(t, There) else t for t in leaves]
    args, kwargs = tree_unflatten(here, form)
    result = operation(*args, **kwargs)
    if not (outer if target is None else torch.device(target).type == ANOTHER):
        return result
    return tree_map_only(
        torch.Tensor, lambda t: outer[id(t)] if id(t) in outer else There(t), result
    )


class Operations(TorchDispatchMode):
    """Sends every operation through `run`, those that make tensors of nothing too."""

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        return run(operation, args, kwargs or {})


class Constants(TorchFunctionMode):
    """Moves what torch, knowing "meta", would make there without an operation."""

    def __torch_function__(self, function, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if function in (torch.tensor, torch.as_tensor) and "device" in kwargs:
            device = kwargs.pop("device")
            return function(*args, **kwargs).to(device)
        return function(*args, **kwargs)


@contextmanager
def another_device() -> Iterator[str]:
    """Within, "meta" is that device; gives its name."""
    autocast, before = torch.autocast, torch.__future__.get_overwrite_module_params_on_conversion()
    torch.__future__.set_overwrite_module_params_on_conversion(True)
    # Torch has no mixed precision there.
    torch.autocast = lambda kind, *a, **k: (
        nullcontext() if kind == ANOTHER else autocast(kind, *a, **k)
    )
    try:
        with Operations(), Constants():
            yield ANOTHER
    finally:
        torch.autocast = autocast
        torch.__future__.set_overwrite_module_params_on_conversion(before)
