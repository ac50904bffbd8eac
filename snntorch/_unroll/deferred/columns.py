"""What was noted, in columns: the same operation at many time steps."""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from snntorch._neurons.neurons import SpikingNeuron
from snntorch._unroll.deferred.placeholder import Slot

#: What an operation takes: what is there, or what will be.
Operand = Tensor | Slot
#: In the form of arguments: a tensor, and what cannot be compared.
OPERAND, UNKNOWN = object(), object()


class Mode(NamedTuple):
    """What torch is in while an operation is noted: it is run in the same."""

    grad: bool
    inference: bool
    autocast: tuple[tuple[str, torch.dtype, bool], ...]


class Node:
    """One operation at one time.

    Attributes:
        operands: What it takes.
        outs: What it gives; dead where nobody will ask.
        order: Its place in the program.
        index: Its row in what the column computes.
    """

    __slots__ = ("index", "operands", "order", "outs")

    def __init__(self, operands: list[Operand], order: int, index: int) -> None:
        self.operands, self.order, self.index = operands, order, index
        self.outs: list[weakref.ref[Slot]] = []

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
        self.done = False
        #: Of each output the rows in one tensor, or the same for all of them.
        self.buffers: list[Tensor] = []
        self.shared = False
        self._rows: dict[int, Sequence[Tensor]] = {}

    def sources(self) -> list[Operand]:
        """Return all that its nodes take."""
        return [operand for node in self.nodes for operand in node.operands]

    def row(self, out: int, index: int) -> Tensor:
        """Return one value of what has run."""
        if self.shared:
            return self.buffers[out]
        if out not in self._rows:
            # one unbind: each select would write a zero tensor in the backward pass
            self._rows[out] = self.buffers[out].unbind(0)
        return self._rows[out][index]

    def finish(self, buffers: list[Tensor], shared: bool = False) -> None:
        """Keep what was computed, and let go of what it was computed from."""
        self.buffers, self.shared, self.done = buffers, shared, True
        for node in self.nodes:
            node.operands = []

    def finish_node(self, node: Node, values: Sequence[Tensor]) -> None:
        """Keep what one node alone gave."""
        for ref, value in zip(node.outs, values, strict=True):
            slot = ref()
            if slot is not None:
                slot.value, slot.column = value, None
        node.operands = []


class Operation(Column):
    """Calls of one function of torch.

    Attributes:
        func: The function.
        spec: How its arguments are made of operands and constants.
        alone: Whether each call has to be one of its own.
    """

    def __init__(self, func: Any, spec: Any, mode: Mode, alone: bool) -> None:
        super().__init__(mode)
        self.func, self.spec, self.alone = func, spec, alone


class Rows(Column):
    """Rows of one tensor, by their index."""

    def __init__(self, base: Operand, mode: Mode) -> None:
        super().__init__(mode)
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
        newest: The states that the last step left.
    """

    def __init__(
        self, neuron: SpikingNeuron, start: list[Operand], facts: tuple[Any, ...], mode: Mode
    ) -> None:
        super().__init__(mode)
        self.neuron, self.start, self.facts = neuron, start, facts
        self.names = tuple(dict.fromkeys(("spk", *neuron.state_names)))
        self.newest: list[Slot] = []
        self.learns = any(one.requires_grad for one in neuron.parameters())

    def sources(self) -> list[Operand]:
        """Return all that its nodes take, the states to start from included."""
        return [*self.start, *super().sources()]
