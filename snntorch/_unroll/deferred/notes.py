"""What was noted and has not run yet: its columns, and the tensors that they read."""

from __future__ import annotations

import weakref
from collections.abc import Iterable
from typing import Any

from torch import Tensor

from snntorch._torch import memory_of, no_torch_function
from snntorch._unroll.deferred.columns import Column, Node, Operand, Rows
from snntorch._unroll.deferred.placeholder import Meta, Slot


class Notes:
    """A program's operations since the last time that something ran.

    Attributes:
        columns: In the order in which they began.
        last: That of the latest operation.
        updated: Running statistics that will change, by id, and by what they are told of.
        full: Whether to run all of it before another step is noted.
    """

    def __init__(self) -> None:
        self.columns: list[Column] = []
        self.last: Column | None = None
        self.updated: dict[int, Any] = {}
        self.full = False
        self._first: Column | None = None
        self._by_key: dict[Any, Column] = {}
        self._held: dict[int, Tensor] = {}
        self._memory: set[int] = set()
        self._count = 0

    def column(self, key: Any) -> Column | None:
        """Return the column of a key, if there is one."""
        return self._by_key.get(key)

    def begin(self, column: Column, key: Any, reads: Iterable[Any] = ()) -> None:
        """Take a new column, and what all of its operations read."""
        self.columns.append(column)
        self._by_key[key] = column
        if self._first is None and type(column) is not Rows:
            self._first = column
        self.hold(reads)

    def begins_anew(self, column: Column) -> bool:
        """Return whether a step begins with an operation, and what was noted has to run first."""
        return self.full and column is self._first

    def add(self, column: Column, operands: list[Operand], metas: tuple[Meta, ...]) -> list[Slot]:
        """Add an operation to a column; returns the slots of what it gives."""
        index = len(column.nodes)
        slots = [Slot(column, place, index, meta) for place, meta in enumerate(metas)]
        outs = [weakref.ref(slot) for slot in slots]
        column.nodes.append(Node(operands, outs, self._count))
        self._count += 1
        if self.last is not None:
            self.last.after = column
        self.last = column
        return slots

    def hold(self, operands: Iterable[Any]) -> None:
        """Keep in mind that the tensors among these are read later."""
        for one in operands:
            if isinstance(one, Tensor) and id(one) not in self._held:
                self._held[id(one)] = one
                with no_torch_function():
                    self._memory.add(memory_of(one))

    def read_any(self, targets: Iterable[Any]) -> bool:
        """Return whether what waits reads the memory of any of these."""
        with no_torch_function():
            return not self._memory.isdisjoint(map(memory_of, targets))
