"""`SpikingNeuron.instances` behaves as the list of 1.0.0, and keeps no neuron alive."""

from __future__ import annotations

import contextlib
import copy
import gc
import operator
import random
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import nn

import snntorch as snn
from snntorch._neurons._instances import WeakList

Neuron = snn.SpikingNeuron


@pytest.fixture(autouse=True)
def others() -> Iterator[None]:
    """Start from an empty list, and put back the neurons of other tests."""
    before = Neuron.instances
    Neuron.instances = []
    yield
    Neuron.instances = before


def made(count: int) -> list[snn.Leaky]:
    return [snn.Leaky(beta=0.1 * i) for i in range(1, count + 1)]


def test_it_is_read_as_a_list() -> None:
    first, second, third = made(3)
    instances = Neuron.instances
    assert instances[0] is first
    assert instances[-1] is third
    assert instances[1:] == [second, third]
    assert instances[::-1] == [third, second, first]
    assert len(instances) == 3
    assert list(instances) == [first, second, third]
    assert second in instances
    assert nn.Linear(1, 1) not in instances
    assert instances.index(third) == 2
    assert instances.count(first) == 1
    assert isinstance(instances[:1], list)
    with pytest.raises(IndexError, match="out of range"):
        instances[3]


@pytest.mark.parametrize("cls", [snn.SpikingNeuron, snn.LIF, snn.Leaky, snn.SLSTM])
def test_every_class_shows_the_same_list(cls: Any) -> None:
    neurons = [snn.Leaky(0.5), snn.SLSTM(2, 2), snn.Lapicque(0.5)]
    assert cls.instances is Neuron.instances
    assert cls.instances == neurons


def test_assigning_starts_anew() -> None:
    old = made(2)
    Neuron.instances = []
    assert len(Neuron.instances) == 0
    new = made(2)
    assert list(Neuron.instances) == new
    Neuron.instances = old[:1]
    kept = snn.Leaky(0.5)
    assert list(Neuron.instances) == [old[0], kept]
    Neuron.init()
    assert not Neuron.instances


CHANGES: dict[str, Callable[[Any, list[Any]], Any]] = {
    "append": lambda found, other: found.append(other[0]),
    "append again": lambda found, other: found.append(found[0]),
    "extend": lambda found, other: found.extend(other),
    "insert": lambda found, other: found.insert(1, other[0]),
    "remove": lambda found, other: found.remove(found[1]),
    "pop": lambda found, other: found.pop(),
    "pop first": lambda found, other: found.pop(0),
    "set": lambda found, other: operator.setitem(found, 2, other[0]),
    "set slice": lambda found, other: operator.setitem(found, slice(1, 3), other),
    "delete": lambda found, other: operator.delitem(found, -1),
    "delete slice": lambda found, other: operator.delitem(found, slice(0, 2)),
    "reverse": lambda found, other: found.reverse(),
    "sort": lambda found, other: found.sort(key=lambda neuron: -float(neuron.beta)),
    "clear": lambda found, other: found.clear(),
    "+=": operator.iadd,
    "+": operator.add,
    "on the right": lambda found, other: other + found,
    "copy": lambda found, other: found.copy(),
    "missing": lambda found, other: found.remove(other[0]),
    "pop beyond": lambda found, other: found.pop(7),
}


@pytest.mark.parametrize("name", CHANGES)
def test_it_changes_as_a_list(name: str) -> None:
    neurons, other = made(4), made(2)
    results = []
    for found in (WeakList(neurons), list(neurons)):
        try:
            returned = CHANGES[name](found, other)
        except (ValueError, IndexError) as error:
            returned = type(error)
        results.append((returned, list(found)))
    (got, left), (want, remains) = results
    assert left == remains
    assert got == want


def test_it_is_a_list_under_any_changes() -> None:
    random.seed(0)
    known, neurons = list(CHANGES.values()), made(4)
    found, want = WeakList(neurons), list(neurons)
    for _ in range(300):
        change, other = random.choice(known), made(2)
        neurons += other  # kept
        for one in (found, want):
            with contextlib.suppress(ValueError, IndexError):
                change(one, other)
        assert list(found) == want
        if len(want) > 20:
            found.clear()
            want.clear()


def test_what_is_gone_is_no_longer_in_it() -> None:
    first, second, third = made(3)
    Neuron.instances.append(second)
    watched = weakref.ref(second)
    del second
    gc.collect()
    assert watched() is None
    assert list(Neuron.instances) == [first, third]
    assert len(Neuron.instances) == 2
    assert Neuron.instances[-1] is third


def test_thousands_of_neurons_come_and_go() -> None:
    kept = [snn.Leaky(0.5)]
    for i in range(3000):
        neuron = snn.Leaky(0.5)
        if i % 1000 == 0:
            kept.append(neuron)
    del neuron
    gc.collect()
    assert list(Neuron.instances) == kept


def test_a_neuron_may_go_while_the_list_is_walked() -> None:
    neurons = made(5)
    seen = 0
    for _ in Neuron.instances:
        seen += 1
        neurons.clear()
        gc.collect()
    assert 1 <= seen <= 5
    del _
    gc.collect()
    assert len(Neuron.instances) == 0


def test_copies_are_in_it_and_class_wide_calls_reach_them() -> None:
    neuron = snn.Leaky(0.5, init_hidden=True)
    copied = copy.deepcopy(neuron)
    assert list(Neuron.instances) == [neuron, copied]
    for one in (neuron, copied):
        one(torch.ones(1, 2))
    snn.Leaky.reset_hidden()
    assert not neuron.mem.any()
    assert not copied.mem.any()


def test_a_neuron_taken_out_is_left_alone_by_class_wide_calls() -> None:
    one, other = (snn.Leaky(0.5, init_hidden=True) for _ in range(2))
    for neuron in (one, other):
        neuron(torch.ones(1, 2))
    Neuron.instances.remove(one)
    snn.Leaky.reset_hidden()
    assert one.mem.all()
    assert not other.mem.any()


def test_tensors_are_detached_in_place() -> None:
    leaf = torch.ones(2, requires_grad=True)
    states = [2 * leaf, 3 * leaf]
    assert Neuron.detach(*states) is None
    assert [state.tolist() for state in states] == [[2, 2], [3, 3]]
    assert not any(state.requires_grad for state in states)
    assert leaf.requires_grad
