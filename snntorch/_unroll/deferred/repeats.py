"""What a time loop does again: known without looking it up.

A loop does the same at each step. So the operation that followed another one in the step before
is the first guess of what follows it now, and is right if its arguments come from where they came
from then.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from torch import Tensor

from snntorch._unroll.deferred.arguments import CONSTANTS
from snntorch._unroll.deferred.columns import Chain, Operand
from snntorch._unroll.deferred.facts import are_same
from snntorch._unroll.deferred.modes import is_mode
from snntorch._unroll.deferred.placeholder import Deferred, Source


class Hole:
    """Where arguments have another value at each step, from the same source.

    Attributes:
        source: The source.
        place: Where among the operands it is.
    """

    __slots__ = ("place", "source")

    def __init__(self, source: Source, place: int) -> None:
        self.source, self.place = source, place


class Parts(NamedTuple):
    """Several arguments in one: a list, a tuple, a slice."""

    kind: type
    likes: list[Any]


class Pattern(NamedTuple):
    """By what arguments are known again.

    Attributes:
        likes: Where they are from, or that they are the same.
        named: How many of them, the last ones, have names that precede them.
        operands: The tensors among them, to be filled up where there are holes.
    """

    likes: list[Any]
    named: int
    operands: list[Any]


def pattern_of(args: Any, named: int = 0) -> Pattern:
    """Return by what arguments are known again."""
    operands: list[Any] = []
    return Pattern(_likes_of(args, operands), named, operands)


def _likes_of(args: Any, operands: list[Any]) -> list[Any]:
    likes: list[Any] = []
    for one in args:
        kind, like = type(one), one
        if kind is Deferred:
            like = Hole(one.slot.source, len(operands))
            operands.append(None)
        elif kind is slice or kind is list:
            like = Parts(kind, _likes_of(_parts_of(one), operands))
        elif kind is tuple and not CONSTANTS.issuperset(map(type, one)):
            like = Parts(kind, _likes_of(one, operands))
        elif isinstance(one, Tensor):
            operands.append(one)
        likes.append(like)
    return likes


def _parts_of(one: Any) -> Any:
    return (one.start, one.stop, one.step) if type(one) is slice else one


def are_again(args: Any, likes: list[Any], operands: list[Any]) -> bool:
    """Return whether arguments are what they were, the time step apart; fills up the operands."""
    if len(args) != len(likes):
        return False
    for one, like in zip(args, likes):  # noqa: B905 (as long; to say so takes time)
        if one is like:
            continue
        kind = type(one)
        if kind is Deferred:
            slot = one.slot
            if type(like) is not Hole or slot.source is not like.source:
                return False
            operands[like.place] = slot if slot.value is None else slot.value
        elif kind is tuple or kind is list or kind is slice:
            if type(like) is not Parts or kind is not like.kind:
                return False
            if not are_again(_parts_of(one), like.likes, operands):
                return False
        elif kind not in CONSTANTS or kind is not type(like) or one != like:
            return False
    return True


def goes_on(chain: Chain, input_: Any, given: tuple[Any, ...]) -> list[Operand] | None:
    """Return what a step takes if it starts from what the last one left, the neuron unchanged.

    Args:
        chain: The steps so far.
        input_: The input.
        given: The states passed, or None for those that the neuron has.
    """
    operand = input_
    if type(input_) is Deferred:
        slot = input_.slot
        input_, operand = slot.source, slot if slot.value is None else slot.value
    if input_ is not chain.like:
        return None
    neuron, newest = chain.neuron, len(chain.order) - 1
    for passed, name, source in zip(given, neuron.state_names, chain.states):  # noqa: B905
        state: Any = passed
        if passed is None:
            state = neuron._buffers[name]  # noqa: SLF001
        elif neuron.init_hidden:
            return None  # an error
        if type(state) is not Deferred:
            return None
        slot = state.slot
        if slot.source is not source or slot.index != newest:
            return None
    return [operand] if is_mode(chain.mode) and are_same(chain.facts) else None
