"""What a time loop does again: known without looking it up.

A loop does the same at each step. So the operation that followed another one in the step before
is the first guess of what follows it now, and is right if its arguments come from where they came
from then.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from torch import Tensor

from snntorch._unroll.deferred.arguments import CONSTANTS
from snntorch._unroll.deferred.columns import Chain, Column, Operand
from snntorch._unroll.deferred.facts import are_same
from snntorch._unroll.deferred.modes import is_mode
from snntorch._unroll.deferred.placeholder import Deferred


class From(NamedTuple):
    """A value that a column will give, at whatever step."""

    column: Column
    out: int


class Parts(NamedTuple):
    """Several values, the last ones of which have names that precede them."""

    kind: type
    likes: list[Any]
    named: int


def pattern_of(args: Any, named: int = 0) -> Parts:
    """Return by what arguments are known again: where they are from, or that they are the same."""
    likes = []
    for one in args:
        kind = type(one)
        if kind is Deferred:
            slot = one.slot
            likes.append(From(slot.column, slot.out) if slot.value is None else slot)
        elif kind is list or (kind is tuple and not CONSTANTS.issuperset(map(type, one))):
            likes.append(pattern_of(one))
        else:
            likes.append(one)
    return Parts(type(args), likes, named)


def are_again(args: Any, pattern: Parts, operands: list[Operand], named: int = 0) -> bool:
    """Return whether arguments are what they were, the time step apart; collects the tensors."""
    if len(args) != len(pattern.likes) or (type(args), named) != (pattern.kind, pattern.named):
        return False
    for one, like in zip(args, pattern.likes):  # noqa: B905 (as long; to say so takes time)
        kind = type(one)
        if kind is Deferred:
            slot = one.slot
            if slot.value is None:
                if type(like) is not From or slot.column is not like[0] or slot.out != like[1]:
                    return False
                operands.append(slot)
            elif slot is like:
                operands.append(slot.value)
            else:
                return False
        elif one is like:
            if isinstance(one, Tensor):
                operands.append(one)
        elif kind is tuple or kind is list:
            if type(like) is not Parts or not are_again(one, like, operands):
                return False
        elif kind not in CONSTANTS or kind is not type(like) or one != like:
            return False
    return True


def goes_on(chain: Chain, given: tuple[Any, ...]) -> bool:
    """Return whether a step starts from the states that the last one left, the neuron unchanged.

    Args:
        chain: The steps so far.
        given: The states passed, or None for those that the neuron has.
    """
    neuron = chain.neuron
    hidden, own = neuron.init_hidden, neuron._buffers  # noqa: SLF001
    for passed, name, slot in zip(given, neuron.state_names, chain.newest):  # noqa: B905
        state: Any = own[name] if passed is None else passed
        if type(state) is not Deferred or state.slot is not slot:
            return False
        if hidden and passed is not None:
            return False  # an error
    return is_mode(chain.mode) and are_same(chain.facts)
