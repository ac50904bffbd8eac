"""What a new neuron or surrogate has to add: what the package has lacks nothing, a toy is told all.

``docs/contributing.rst`` walks through both.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import snntorch as snn
from snntorch import surrogate
from snntorch.surrogate import SurrogateFunction, _functions
from tests.cases import CASES, NEURONS, RANDOM, STEPWISE, SURROGATES, Case
from tests.neurons import test_sequence
from tests.neurons.reference import UPDATES

ROOT = Path(snn.__file__).parents[1]
README = (ROOT / "README.rst").read_text()
C = (ROOT / "snntorch/_kernels/cpu/tables.inc").read_text()
TRITON = (ROOT / "snntorch/_kernels/cuda/kernels.py").read_text()
CLASSES = [
    one
    for one in vars(_functions).values()
    if isinstance(one, type)
    and issubclass(one, SurrogateFunction)
    and one not in (SurrogateFunction, surrogate.CustomSurrogate)
]


def missing_of_neuron(cls: type[Any], cases: Iterable[Case] = CASES) -> list[str]:
    """Return what a neuron still has to add: a file, and the edit there."""
    name, found = cls.__name__, []
    if name not in snn._neurons.__all__:
        found.append(f"snntorch/_neurons/__init__.py: import {name}, and add it to __all__")
    if f"``{name}``" not in README:
        found.append("README.rst: paste the table that `python docs/reference.py` prints")
    if not hasattr(cls, "step"):
        if all(case.cls is not cls for case in test_sequence.CASES):
            found.append(f"tests/neurons/test_sequence.py: add a record of {name} to CASES")
        return found
    own = [case for case in cases if case.cls is cls] or [Case(cls)]
    unknown = [f"`{argument}`" for case in own for argument in case.unknown]
    if unknown:
        record = f"snn.{name}: ({{'extra': ...}},)"
        found.append(f"tests/cases.py: give {', '.join(unknown)} to VARIANTS, {record}")
    if cls.model is None and name not in UPDATES:
        found.append(f"tests/neurons/reference.py: add its update in NumPy to UPDATES, as {name!r}")
    return found


def missing_of_surrogate(cls: type[SurrogateFunction]) -> list[str]:
    """Return what a surrogate still has to add, to be exported and to run in the kernels."""
    name, found = cls.__name__, []
    own = [one for one in SURROGATES.values() if one.function is cls]
    if name not in surrogate.__all__:
        found.append(f"snntorch/surrogate/__init__.py: import {name}, and add it to __all__")
    if not own:
        found.append(f"snntorch/surrogate/_factories.py: write and export what returns {name}")
    if any(one.name in RANDOM for one in own):
        return found  # a kernel draws nothing
    if f"X({name}, " not in C:
        found.append(f"snntorch/_kernels/cpu/tables.inc: add its dS/dx in C, as {name}")
    if not re.search(rf"^def slope_{name}\(", TRITON, re.MULTILINE):
        found.append(f"snntorch/_kernels/cuda/kernels.py: write its dS/dx, def slope_{name}")
    return found


@pytest.mark.parametrize("cls", [c for c in NEURONS if c not in (snn.SpikingNeuron, snn.LIF)])
def test_a_neuron_lacks_nothing(cls: type[Any]) -> None:
    assert missing_of_neuron(cls) == []


@pytest.mark.parametrize("cls", CLASSES)
def test_a_surrogate_lacks_nothing(cls: type[SurrogateFunction]) -> None:
    assert missing_of_surrogate(cls) == []


class Toy(snn.LIF):
    model = "leaky"

    def __init__(self, tau: Any, beta: Any) -> None:
        super().__init__(beta)
        self._register("tau", tau)

    @staticmethod
    def step(input_: Tensor, mem: Tensor, *, beta: Tensor) -> tuple[Tensor, ...]:
        return (beta * mem + input_,)


class ToySequence(torch.nn.Module):
    pass


class ToySurrogate(SurrogateFunction):
    @staticmethod
    def gradient(x: Tensor, grad: Tensor) -> Tensor:
        return grad * torch.exp(-x.abs())


EXPORTED = [
    "snntorch/_neurons/__init__.py: import Toy, and add it to __all__",
    "README.rst: paste the table that `python docs/reference.py` prints",
]


def test_a_new_neuron_is_told_what_to_add() -> None:
    unknown = "tests/cases.py: give `tau` to VARIANTS, snn.Toy: ({'extra': ...},)"
    assert missing_of_neuron(Toy) == [*EXPORTED, unknown]
    assert missing_of_neuron(Toy, [Case(Toy, {"tau": 2.0})]) == EXPORTED


def test_a_neuron_that_no_kernel_knows_needs_a_reference() -> None:
    class Toy(snn.LIF):
        step = staticmethod(lambda input_, mem: (mem + input_,))

    update = "tests/neurons/reference.py: add its update in NumPy to UPDATES, as 'Toy'"
    assert missing_of_neuron(Toy) == [*EXPORTED, update]


def test_a_new_neuron_of_whole_sequences_is_told_what_to_add() -> None:
    record = "tests/neurons/test_sequence.py: add a record of ToySequence to CASES"
    export = EXPORTED[0].replace("Toy", "ToySequence")
    assert missing_of_neuron(ToySequence) == [export, EXPORTED[1], record]


def test_a_new_surrogate_is_told_what_to_add() -> None:
    assert missing_of_surrogate(ToySurrogate) == [
        "snntorch/surrogate/__init__.py: import ToySurrogate, and add it to __all__",
        "snntorch/surrogate/_factories.py: write and export what returns ToySurrogate",
        "snntorch/_kernels/cpu/tables.inc: add its dS/dx in C, as ToySurrogate",
        "snntorch/_kernels/cuda/kernels.py: write its dS/dx, def slope_ToySurrogate",
    ]


def test_the_records_are_of_all_neurons() -> None:
    """Negative control: a list of exported neurons that is empty, or a sequence alone, shows."""
    assert {snn.Leaky, snn.SLSTM} <= {*STEPWISE} == {case.cls for case in CASES}
    assert {snn.StateLeaky, snn.LeakyParallel} <= {*NEURONS} - {*STEPWISE}
    assert {"atan", "SSO", "custom_surrogate"} <= SURROGATES.keys()
    assert RANDOM == ("SSO",)
