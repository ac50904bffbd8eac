"""What a neuron was while its steps were noted."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from snntorch._neurons.neurons import SpikingNeuron

#: A place where a fact stands, its name there, and its value.
Fact = tuple[dict[str, Any], str, Any]
_ATTRIBUTES = ("spike_grad", "inhibition", "state_quant", "_reset_mechanism", "reset_delay")
_ABSENT = object()


def facts_of(neuron: SpikingNeuron) -> list[Fact]:
    """Return what a step of a neuron depends on besides its input and its states."""
    learned: dict[str, Any] = neuron._parameters  # noqa: SLF001
    buffers: dict[str, Any] = neuron._buffers  # noqa: SLF001
    found = []
    for name in (*neuron._parameter_names, *_ATTRIBUTES):  # noqa: SLF001
        others = buffers if name in buffers else neuron.__dict__
        place = learned if name in learned else others
        found.append((place, name, place.get(name, _ABSENT)))
    return found


def are_same(facts: list[Fact]) -> bool:
    """Return whether nothing was replaced."""
    for place, name, value in facts:  # noqa: SIM110 (each step pays for a generator)
        if place.get(name, _ABSENT) is not value:
            return False
    return True


@contextlib.contextmanager
def as_noted(facts: list[Fact]) -> Iterator[None]:
    """Let a neuron be for a while what it was."""
    now = [(place, name, place.get(name, _ABSENT)) for place, name, _ in facts]
    _restore(facts)
    try:
        yield
    finally:
        _restore(now)


def _restore(facts: list[Fact]) -> None:
    for place, name, value in facts:
        if value is _ABSENT:
            place.pop(name, None)
        else:
            place[name] = value
