"""What was noted, in columns: the same operation at many time steps."""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from snntorch._neurons.neurons import SpikingNeuron
from snntorch._unroll.deferred.facts import Fact
from snntorch._unroll.deferred.modes import Mode, within
from snntorch._unroll.deferred.placeholder import Meta, Slot, Source
from snntorch._unroll.layout import comes_back_turned, fitting

#: What an operation takes: what is there, or what will be.
Operand = Tensor | Slot
#: In the form of arguments: a tensor, and what cannot be compared.
OPERAND, UNKNOWN = object(), object()
#: What an operation that ran takes.
GONE: Any = None


class Column:
    """Operations that differ in nothing but the values they take.

    Attributes:
        mode: What torch is in.
        outs: What one of them gives.
        most: How many to run at once, as what they give is large; None for all.
        order: Of each operation the place in the program.
        taken: What they take, one after the other.
        given: What they give, one after the other; dead where nobody will ask.
    """

    def __init__(self, mode: Mode, metas: tuple[Meta, ...] = ()) -> None:
        self.mode = mode
        self.outs = [Source(self, out, meta) for out, meta in enumerate(metas)]
        self.most: int | None = None
        self.order: list[int] = []
        self.taken: list[Operand] = []
        self.given: list[weakref.ref[Slot]] = []
        #: What was noted next after the latest one of these.
        self.after: Column | None = None
        self.done = False
        #: Of each output the rows in one tensor, or the same for all of them.
        self.buffers: list[Tensor] = []
        self.shared = False
        #: Whether the rows may have another order in memory than the program's would.
        self.turned = False
        self._rows: dict[int, Sequence[Tensor]] = {}
        self._asked: set[int] = set()

    def __len__(self) -> int:
        return len(self.order)

    def sources(self) -> list[Operand]:
        """Return all that its operations take."""
        return self.taken

    def operands(self, index: int) -> list[Operand]:
        """Return what one operation takes."""
        return self.taken[_part(self.taken, len(self), index)]

    def wanted(self, out: int) -> list[Slot | None]:
        """Return the slots of one output that someone still holds."""
        return [ref() for ref in self.given[out :: len(self.outs)]]

    def row(self, out: int, index: int) -> Tensor:
        """Return one value of what has run, whoever asks: it may be used with its graph later."""
        with within(self.mode):
            buffer = self.buffer(out)
            if self.shared:
                return buffer
            if out not in self._rows:
                if out not in self._asked:  # it may stay the only one, such as a last state
                    self._asked.add(out)
                    return buffer[index]
                # one unbind: each select would write a zero tensor in the backward pass
                self._rows[out] = buffer.unbind(0)
            return self._rows[out][index]

    def buffer(self, out: int, any_order: bool = False) -> Tensor:
        """Return all rows, in whatever order in memory or as the program would have them."""
        found = self.buffers[out]
        if self.turned and not any_order and not found.is_contiguous():
            with within(self.mode):
                found = self.buffers[out] = comes_back_turned(found).contiguous()
        return found

    def finish(self, buffers: list[Tensor], shared: bool = False) -> None:
        """Keep what was computed, and let go of what it was computed from."""
        self.buffers, self.shared, self.done = buffers, shared, True
        self.taken = []

    def forget(self) -> None:
        """Let go of all but the results: a circle would keep them until Python looks for such."""
        self.outs, self.order, self.taken, self.given, self.after = [], [], [], [], None

    def finish_one(self, index: int, values: Sequence[Tensor]) -> None:
        """Keep what one operation alone gave, and let go of what it was computed from."""
        given, taken = (_part(some, len(self), index) for some in (self.given, self.taken))
        for ref, value in zip(self.given[given], values, strict=True):
            slot = ref()
            if slot is not None:
                slot.settle(value)
        self.taken[taken] = [GONE] * (taken.stop - taken.start)


def _part(things: list[Any], count: int, index: int) -> slice:
    """Return where the things of one of so many operations are."""
    width = len(things) // count
    return slice(index * width, (index + 1) * width)


class Outputs(NamedTuple):
    """What a function gives.

    Attributes:
        metas: What is known of each tensor.
        kind: In what they are, if they are several.
        is_view: Whether they share memory with what the function takes.
    """

    metas: tuple[Meta, ...]
    kind: Any
    is_view: bool


class Operation(Column):
    """Calls of one function of torch.

    Attributes:
        func: The function.
        spec: How its arguments are made of operands and constants.
        alone: Whether each call has to be one of its own.
        gives: What a call gives.
        gives_one: Whether that is one tensor with memory of its own.
        same: Whether each call takes the same, so that one is enough.
        pattern: By what the arguments of the latest call are known again, see `repeats`.
    """

    def __init__(
        self, func: Any, spec: Any, mode: Mode, alone: bool, gives: Outputs, same: bool
    ) -> None:
        super().__init__(mode, gives.metas)
        self.func, self.spec, self.alone, self.gives = func, spec, alone, gives
        self.gives_one = gives.kind is None and not gives.is_view
        self.pattern: Any = ([], -1, [])  # that of no call, until there is one
        meta = gives.metas[0]
        large = func is torch.conv2d and not same and meta.device.type == "cpu"
        self.most = fitting(meta.shape.numel() * meta.dtype.itemsize) if large else None

    def forget(self) -> None:
        """Let go of all but the results."""
        super().forget()
        self.pattern = None


class Rows(Column):
    """Rows of one tensor, by their index."""

    def __init__(self, base: Operand, meta: Meta, mode: Mode) -> None:
        super().__init__(mode, (meta,))
        self.base = base

    def sources(self) -> list[Operand]:
        """Return the tensor."""
        return [self.base]


class Chain(Column):
    """Steps of one neuron, each from the states that the one before left.

    Attributes:
        neuron: The neuron.
        start: The states to start from.
        facts: What the neuron was while the steps were noted, see `facts_of`.
        names: Names of the outputs: the spikes, and the states.
        first: Where among these the states begin: a neuron may have its spikes as one.
        states: The outputs from there on.
        like: The source of the latest input, or that input itself.
        learns: Whether the neuron has parameters with a gradient.
    """

    def __init__(
        self,
        neuron: SpikingNeuron,
        start: list[Operand],
        facts: list[Fact],
        mode: Mode,
        learns: bool,
    ) -> None:
        super().__init__(mode)
        self.neuron, self.start, self.facts = neuron, start, facts
        self.names = tuple(dict.fromkeys(("spk", *neuron.state_names)))
        self.first = len(self.names) - len(neuron.state_names)
        self.states: list[Source] = []
        self.like: Any = None
        self.learns = learns

    def sources(self) -> list[Operand]:
        """Return all that its operations take, the states to start from included."""
        return [*self.start, *super().sources()]

    def left(self, states: list[Operand]) -> bool:
        """Return whether states are those that the last step left."""
        newest = len(self) - 1
        return all(
            type(one) is Slot
            and (one.source.column, one.source.out, one.index) == (self, out, newest)
            for out, one in enumerate(states, self.first)
        )

    def will_give(self, like: Meta) -> None:
        """Let what the next steps give be like something."""
        if not self.outs or self.outs[0].meta != like:
            self.outs = [Source(self, out, like) for out in range(len(self.names))]
            self.states = self.outs[self.first :]

    def forget(self) -> None:
        """Let go of all but the results."""
        super().forget()
        self.start, self.states, self.like = [], [], None
