"""What was noted and has not run yet: its columns, and the tensors that they read."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any
from weakref import ref

from torch import Tensor

from snntorch._torch import memory_of, no_torch_function
from snntorch._unroll.deferred.columns import Column, Operand, Rows
from snntorch._unroll.deferred.modes import mode_now
from snntorch._unroll.deferred.placeholder import Deferred, Slot

if TYPE_CHECKING:
    from snntorch._unroll.deferred.recorder import Recorder


class Notes:
    """A program's operations since the last time that something ran.

    Attributes:
        columns: In the order in which they began.
        last: That of the latest operation; what followed it a step ago is its `after`.
        updated: Running statistics that will change, by id, and by what they are told of.
        first: That of the operation with which a step begins.
        full: Whether to run all of it before another step is noted.
    """

    def __init__(self) -> None:
        self.columns: list[Column] = []
        self.last = Column(mode_now())
        self.updated: dict[int, Any] = {}
        self.full = False
        self.first: Column | None = None
        self._by_key: dict[Any, Column] = {}
        self._held: dict[int, Tensor] = {}
        self._memory: set[int] = set()
        self._new: list[Tensor] = []  # held, and not yet in there
        self._count = 0

    def column(self, key: Any) -> Column | None:
        """Return the column of a key, if there is one."""
        return self._by_key.get(key)

    def begin(self, column: Column, key: Any, reads: Iterable[Any] = ()) -> None:
        """Take a new column, and what all of its operations read."""
        self.columns.append(column)
        self._by_key[key] = column
        if self.first is None and type(column) is not Rows:
            self.first = column
        column.after = self.first  # as long as nothing else is: a loop begins anew
        self.hold(reads)

    def add(self, column: Column, operands: list[Operand], recorder: Recorder) -> list[Deferred]:
        """Add an operation to a column; returns placeholders of what it gives."""
        index, given, made = len(column.order), column.given, []
        try:
            for source in column.outs:
                one = Deferred()
                one.recorder, one.origin, one.views = recorder, None, None
                one.slot = slot = Slot(source, index)
                given.append(ref(slot))
                made.append(one)
            column.taken.extend(operands)
            column.order.append(self._count)
        except BaseException:  # an interrupt: all of it is noted, or nothing
            del given[index * len(column.outs) :], column.taken[index * len(operands) :]
            del column.order[index:]
            raise
        self._count += 1
        self.last.after = column
        self.last = column
        if column.most is not None and index + 1 >= column.most:
            self.full = True
        return made

    def hold(self, operands: Iterable[Any]) -> None:
        """Keep in mind that the tensors among these are read later."""
        for one in operands:
            if isinstance(one, Tensor) and id(one) not in self._held:
                self._held[id(one)] = one
                self._new.append(one)

    def read_any(self, targets: Iterable[Any]) -> bool:
        """Return whether what waits reads the memory of any of these."""
        with no_torch_function():
            self._memory.update(map(memory_of, self._new))  # now, as most loops never ask
            self._new.clear()
            return not self._memory.isdisjoint(map(memory_of, targets))
