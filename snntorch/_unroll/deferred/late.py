"""Writes to tensors that are there, of values that are not yet."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from snntorch._torch import memory_of
from snntorch._unroll.deferred.arguments import taken
from snntorch._unroll.deferred.columns import Operand
from snntorch._unroll.deferred.modes import Mode, mode_now, within
from snntorch._unroll.deferred.placeholder import Deferred, Slot


class Late:
    """What is to be written to tensors once it is known.

    Attributes:
        waits: Whether there is anything.
    """

    def __init__(self) -> None:
        self.waits = False
        #: By the id of a tensor the tensor, and the value that replaces its own.
        self._rebound: dict[int, tuple[Tensor, Deferred, Mode]] = {}
        #: The same of single rows, by index.
        self._rows: dict[int, tuple[Tensor, list[tuple[int, Operand, Mode]]]] = {}

    def current(self, tensor: Any) -> Any:
        """Return the value that a tensor will have; itself where nothing waits."""
        found = self._rebound.get(id(tensor))
        return tensor if found is None else found[1]

    def rebind(self, target: Tensor, value: Deferred) -> None:
        """Let a tensor have another value."""
        self._rebound[id(target)] = target, value, mode_now()
        self.waits = True

    def write_row(self, target: Any, index: Any, value: Any) -> bool:
        """Let a row of a tensor have another value, if it is no more than that; returns whether."""
        if type(target) is not Tensor or type(index) is not int or type(value) is not Deferred:
            return False
        shared = target._base is not None or target.requires_grad or id(target) in self._rebound  # noqa: SLF001
        fits = (value.shape, value.dtype) == (target.shape[1:], target.dtype)
        if shared or not fits or not -len(target) <= index < len(target):
            return False
        row = index % len(target), taken(value), mode_now()
        self._rows.setdefault(id(target), (target, []))[1].append(row)
        self.waits = True
        return True

    def is_stale(self, one: Tensor, written_to: bool) -> bool:
        """Return whether something waits for the memory of a tensor, under another name.

        Args:
            one: The tensor.
            written_to: Whether it is not read, but one more row is written to it.
        """
        if not self.waits or id(one) in self._rebound or (written_to and id(one) in self._rows):
            return False
        targets = [target for target, *_ in (*self._rebound.values(), *self._rows.values())]
        return memory_of(one) in map(memory_of, targets)

    def write_back(self) -> None:
        """Write all, in the mode in which the program did."""
        rebound, self._rebound = self._rebound, {}
        rows, self._rows = self._rows, {}
        self.waits = False
        for target, value, mode in rebound.values():
            with within(mode):
                target.copy_(value.slot.real())
        for target, written in rows.values():
            for index, operand, mode in written:
                with within(mode):
                    target[index] = operand.real() if isinstance(operand, Slot) else operand
