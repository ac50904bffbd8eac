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
from snntorch._unroll.deferred.placeholder import Meta, Slot
from snntorch._unroll.layout import comes_back_turned, fitting

#: What an operation takes: what is there, or what will be.
Operand = Tensor | Slot
#: In the form of arguments: a tensor, and what cannot be compared.
OPERAND, UNKNOWN = object(), object()


class Node:
    """One operation at one time.

    Attributes:
        operands: What it takes.
        outs: What it gives; dead where nobody will ask.
        order: Its place in the program.
    """

    __slots__ = ("operands", "order", "outs")

    def __init__(self, operands: list[Operand], outs: list[weakref.ref[Slot]], order: int) -> None:
        self.operands, self.outs, self.order = operands, outs, order

    def wanted(self) -> list[Slot | None]:
        """Return the slots that someone still holds."""
        return [ref() for ref in self.outs]


class Column:
    """Operations that differ in nothing but the values they take.

    Attributes:
        nodes: The operations, in the order of the program.
        mode: What torch is in.
    """

    def __init__(self, mode: Mode) -> None:
        self.mode = mode
        self.nodes: list[Node] = []
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

    def sources(self) -> list[Operand]:
        """Return all that its nodes take."""
        return [operand for node in self.nodes for operand in node.operands]

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
        if self.turned and not any_order:
            with within(self.mode):
                self.buffers[out] = comes_back_turned(self.buffers[out]).contiguous()
        return self.buffers[out]

    def finish(self, buffers: list[Tensor], shared: bool = False) -> None:
        """Keep what was computed, and let go of what it was computed from."""
        self.buffers, self.shared, self.done = buffers, shared, True
        for node in self.nodes:
            node.operands = []

    def forget(self) -> None:
        """Let go of all but the results: a circle would keep them until Python looks for such."""
        self.nodes, self.after = [], None

    def finish_node(self, node: Node, values: Sequence[Tensor]) -> None:
        """Keep what one node alone gave."""
        for ref, value in zip(node.outs, values, strict=True):
            slot = ref()
            if slot is not None:
                slot.value, slot.column = value, None
        node.operands = []


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
        same: Whether each call takes the same, so that one is enough.
        pattern: By what the arguments of the latest call are known again, see `repeats`.
        most: How many calls to run at once, as what they give is large; None for all.
    """

    def __init__(
        self, func: Any, spec: Any, mode: Mode, alone: bool, gives: Outputs, same: bool
    ) -> None:
        super().__init__(mode)
        self.func, self.spec, self.alone, self.gives = func, spec, alone, gives
        self.pattern: Any = None
        meta = gives.metas[0]
        large = func is torch.conv2d and not same and meta.device.type == "cpu"
        self.most = fitting(meta.shape.numel() * meta.dtype.itemsize) if large else None

    def forget(self) -> None:
        """Let go of all but the results."""
        super().forget()
        self.pattern = None


class Rows(Column):
    """Rows of one tensor, by their index; what is known of each is `meta`."""

    def __init__(self, base: Operand, meta: Meta, mode: Mode) -> None:
        super().__init__(mode)
        self.base, self.meta = base, meta

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
        states: Where among these each state is.
        newest: The states that the last step left.
        pattern: By what the input of the latest step is known again, see `repeats`.
        metas: What is known of the outputs of a step.
    """

    def __init__(
        self, neuron: SpikingNeuron, start: list[Operand], facts: list[Fact], mode: Mode
    ) -> None:
        super().__init__(mode)
        self.neuron, self.start, self.facts = neuron, start, facts
        self.names = tuple(dict.fromkeys(("spk", *neuron.state_names)))
        self.states = [self.names.index(name) for name in neuron.state_names]
        self.newest: list[Slot] = []
        self.pattern: Any = None
        self.metas: tuple[Meta, ...] = ()
        self.learns = any(one.requires_grad for one in neuron.parameters())

    def sources(self) -> list[Operand]:
        """Return all that its nodes take, the states to start from included."""
        return [*self.start, *super().sources()]

    def forget(self) -> None:
        """Let go of all but the results."""
        super().forget()
        self.start, self.newest, self.pattern = [], [], None
