"""What layers keep for the backward pass: spikes as bits."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from snntorch._torch import hooks_what_is_saved, is_traced, is_transformed, memory_of
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


def is_mine() -> bool:
    """Return whether nobody else decides what is kept, as `torch.utils.checkpoint` does."""
    seen = is_traced() or is_transformed() or hooks_what_is_saved()
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

    def keep(tensor: Tensor) -> Any:
        if isinstance(tensor, nn.Parameter):
            return tensor
        kept = find(tensor) if find is not None else None
        if kept is not None:
            return kept
        # a device moves numbers faster than torch's operations make bits of them there
        kept = to_bits(tensor) if tensor.is_cpu and tensor.nbytes >= LEAST else None
        kept = tensor if kept is None else kept
        if count is not None:
            count(kept)
        return kept

    return torch.autograd.graph.saved_tensors_hooks(keep, _given_back)


def _given_back(kept: Any) -> Tensor:
    tensor: Tensor = kept if isinstance(kept, Tensor) else kept.tensor()
    return tensor
