"""What layers keep for the backward pass: spikes as bits."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from snntorch._checks import expect, shape_of
from snntorch._torch import (
    hook_of_what_is_saved,
    hooks_what_is_saved,
    is_traced,
    is_transformed,
    memory_of,
    version_of,
)
from snntorch._unroll.bits import to_bits

#: Tensors below this many bytes are kept as they are.
LEAST = 16 << 20

#: Returns what to keep instead of a tensor, with a ``tensor()`` that gives it again, or None.
Find = Callable[[Tensor], Any]


class Counter:
    """Adds up what is kept, each tensor once."""

    def __init__(self) -> None:
        self.bytes = 0
        self._places: set[int] = set()

    def __call__(self, kept: Any) -> None:
        """Count what was kept, or is kept already."""
        place = memory_of(kept) if isinstance(kept, Tensor) else id(kept)
        if place not in self._places:
            self._places.add(place)
            self.bytes += kept.nbytes


class AsItIs(NamedTuple):
    """A tensor that is kept, and must not be written to: torch doesn't look where others keep."""

    kept: Tensor
    version: int | None

    def tensor(self) -> Tensor:
        """Return the tensor."""
        expect(
            version_of(self.kept) == self.version,
            "backward",
            f"a tensor of shape {shape_of(self.kept)} to be as it was in the forward pass",
            "one that was written to since",
            "Call backward() before you change parameters, and write to a clone() of others.",
            RuntimeError,
        )
        return self.kept


class Keep:
    """Decides what is kept of a tensor.

    Args:
        find: Asked first, if there is one.
        count: Told what is kept.
    """

    def __init__(self, find: Find | None, count: Counter | None) -> None:
        self.find, self.count = find, count

    def __call__(self, tensor: Tensor) -> Any:
        """Return what to keep."""
        if isinstance(tensor, nn.Parameter):
            return AsItIs(tensor, version_of(tensor))
        found = self.find(tensor) if self.find is not None else None
        if found is not None:
            return found
        # a device moves numbers faster than torch's operations make bits of them there
        bits = to_bits(tensor) if tensor.is_cpu and tensor.nbytes >= LEAST else None
        if self.count is not None:
            self.count(tensor if bits is None else bits)
        return AsItIs(tensor, version_of(tensor)) if bits is None else bits


def _given_back(kept: Any) -> Tensor:
    tensor: Tensor = kept.tensor()
    return tensor


def _who_keeps() -> Any:
    """Return who decides what is kept within a `keeping`; None for nobody, and for others."""
    hook = hook_of_what_is_saved()
    return hook if isinstance(hook, Keep) else None


def counter() -> Counter | None:
    """Return who is told what is kept."""
    keep = _who_keeps()
    return keep.count if keep is not None else None


def is_mine() -> bool:
    """Return whether nobody else decides what is kept, as `torch.utils.checkpoint` does."""
    seen = is_traced() or is_transformed() or (hooks_what_is_saved() and _who_keeps() is None)
    return torch.is_grad_enabled() and not seen


def keeping(
    *values: Tensor, find: Find | None = None, count: Counter | None = None
) -> contextlib.AbstractContextManager[Any]:
    """Keep large tensors of spikes as bits, while a layer runs within.

    Args:
        values: What the layer takes: what is small is not looked at.
        find: Asked first what to keep of a tensor.
        count: Told what is kept.
    """
    asked = find is not None or count is not None
    if not (asked or any(value.nbytes >= LEAST for value in values)) or not is_mine():
        return contextlib.nullcontext()
    return torch.autograd.graph.saved_tensors_hooks(Keep(find, count), _given_back)
