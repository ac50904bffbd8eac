"""What operations are called with, told apart from the time step."""

from __future__ import annotations

import sys
from pathlib import Path
from types import FunctionType
from typing import Any

import torch
from torch import Tensor, nn

from snntorch._torch import tree_map
from snntorch._unroll.deferred.columns import OPERAND, UNKNOWN, Operand
from snntorch._unroll.deferred.placeholder import Deferred, Meta, Slot

#: What can be compared by its value.
CONSTANTS = frozenset(
    (
        *(int, float, bool, str, complex, type(None), type(Ellipsis)),
        *(torch.dtype, torch.device, torch.memory_format, torch.layout, FunctionType),
    )
)


def taken(one: Any) -> Operand:
    """Return what an operation takes: a slot, or what is there."""
    if type(one) is Deferred:
        slot = one.slot
        return slot if slot.value is None else slot.value
    return one  # type: ignore[no-any-return]


def form_of(one: Any, operands: list[Operand], placed: list[Any]) -> Any:
    """Return the form of arguments, and collect the tensors; `UNKNOWN` if it has none."""
    kind = type(one)
    if kind is Deferred or isinstance(one, Tensor):
        operands.append(taken(one))
        placed.append(one)
        return OPERAND
    if kind is tuple or kind is list or kind is torch.Size:
        parts = [form_of(part, operands, placed) for part in one]
    elif kind is slice:
        parts = [form_of(part, operands, placed) for part in (one.start, one.stop, one.step)]
    else:
        return (kind, one) if kind in CONSTANTS else UNKNOWN
    return UNKNOWN if UNKNOWN in parts else (kind, *parts)


def meta_of(one: Operand) -> Meta:
    """Return what is known of an operand."""
    if isinstance(one, Slot):
        return one.source.meta
    return Meta(one.shape, one.dtype, one.device, one.requires_grad)


def identity_of(one: Operand, by_id: bool) -> Any:
    """Return what an operand is, the time step apart."""
    if type(one) is Slot:
        return one.source.column, one.source.out
    if by_id or type(one) is nn.Parameter:
        return id(one)
    return one.shape, one.dtype, one.device, one.requires_grad  # type: ignore[union-attr]


def flat(tree: Any) -> list[Any]:
    found: list[Any] = []
    tree_map(found.append, tree)
    return found


def is_fact(func: Any) -> bool:
    return getattr(func, "__name__", "") in (
        "__get__",
        "size",
        "dim",
        "numel",
        "__len__",
        "__hash__",
    )


def name_of(func: Any) -> str:
    owner = getattr(getattr(func, "__self__", None), "__name__", "")
    name = getattr(func, "__name__", repr(func))
    return owner if name == "__get__" else name.strip("_")


_HERE = str(Path(__file__).parents[2])
_TORCH = str(Path(torch.__file__).parent)


def users_line() -> str:
    """Return file and line of the user's code that runs."""
    frame = sys._getframe(1)  # noqa: SLF001
    while frame is not None and frame.f_code.co_filename.startswith((_HERE, _TORCH)):
        if frame.f_back is None:
            break
        frame = frame.f_back
    return f"{frame.f_code.co_filename}:{frame.f_lineno}"
