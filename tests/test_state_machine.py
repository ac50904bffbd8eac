"""A neuron's life: whatever is done to it in whatever order, its states are those of its equations.

Hypothesis draws the orders; beside the neuron goes ``tests/neurons/reference.py``, float64 NumPy
that knows nothing of modules, copies or files.
"""

from __future__ import annotations

import copy
import io
import pickle
from collections.abc import Callable
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from hypothesis import Phase, settings
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)
from torch import Tensor, nn

import snntorch as snn
from snntorch import utils
from tests.cases import CASES, flat
from tests.drawn import WAYS, Drawn, hidden, inputs, kernel_calls, neurons, own, share
from tests.neurons.reference import UPDATES, Twin

KNOWN = tuple(case for case in CASES if case.cls.__name__ in UPDATES)
#: Largest difference that is rounding, and how close to its threshold it lets a neuron fire or not.
ROUNDING = {torch.float64: 1e-10, torch.float32: 1e-4}


def is_written_down(drawn: Drawn) -> bool:
    """Return whether the reference has these arguments, too."""
    by_R_and_C = drawn.case.cls is snn.Lapicque and drawn.kwargs["learn_beta"]
    return not ({"inhibition", "state_quant"} & drawn.kwargs.keys() or by_R_and_C)


def pickled(neuron: Any) -> Any:
    neuron.pickle_states = True
    return pickle.loads(pickle.dumps(neuron))


def saved(neuron: Any) -> Any:
    neuron.pickle_states = True
    return read(neuron, weights_only=False)


def read(value: Any, *, weights_only: bool) -> Any:
    torch.save(value, file := io.BytesIO())
    file.seek(0)
    return torch.load(file, weights_only=weights_only)


COPIES: dict[str, Callable[[Any], Any]] = {
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "pickle": pickled,
    "torch.save": saved,
}


class Life(RuleBasedStateMachine):
    """One neuron with states of its own."""

    @initialize(drawn=neurons(KNOWN).filter(is_written_down))
    def build(self, drawn: Drawn) -> None:
        self.drawn, self.shape, self.dtype = drawn, drawn.shape, torch.float64
        self.neuron = hidden(drawn.make())
        self.twin = Twin(self.neuron)
        #: Those of which it is a copy, and the states that they had.
        self.left: list[tuple[Any, list[Tensor]]] = []

    # --- time ---

    @rule(data=st.data())
    def step(self, data: st.DataObject) -> None:
        self.run(data, "loop", 1)

    @rule(data=st.data(), steps=st.integers(1, 4))
    def unroll(self, data: st.DataObject, steps: int) -> None:
        self.run(data, "unroll", steps)

    @rule(data=st.data(), steps=st.integers(1, 4))
    def fuse(self, data: st.DataObject, steps: int) -> None:
        self.run(data, "fuse", steps)

    def run(self, data: st.DataObject, way: str, steps: int) -> None:
        """Run the neuron, and one like it that is given the states."""
        x = data.draw(inputs(self.shape, self.dtype, steps))
        before, free = own(self.neuron), copy.deepcopy(self.neuron)
        with kernel_calls() as calls:
            rows = WAYS[way](self.neuron, x)
        assert bool(calls) is self.drawn.has_kernel(self.dtype)
        if before[-1].shape == own(self.neuron)[-1].shape:
            free.init_hidden = free.output = False
            passed = flat(free.unroll(x, *before))
            assert all(torch.equal(a, b) for a, b in zip(passed, rows, strict=True))
        self.follow(x, rows)

    def follow(self, x: Tensor, rows: list[Tensor]) -> None:
        """Compare each step with the equations, which then go on from what the neuron has."""
        rounding = ROUNDING[self.dtype]
        if self.twin.last and self.twin.last["mem"].shape != rows[-1][0].shape:
            self.twin.last = {}  # of another batch
        for t in range(len(x)):
            want = self.twin.step(x[t].double().numpy())
            got = {n: row[t].detach().double().numpy() for n, row in zip(want, rows, strict=True)}
            if self.twin.clearance > rounding:
                for name, value in got.items():
                    np.testing.assert_allclose(value, want[name], rounding, rounding, err_msg=name)
            self.twin.last = got

    @rule(batch=st.integers(1, 4))
    def change_the_batch(self, batch: int) -> None:
        self.shape = (batch, *self.shape[1:])

    @rule(data=st.data())
    def change_the_reset(self, data: st.DataObject) -> None:
        mechanism = data.draw(st.sampled_from(self.drawn.case.resets))
        self.neuron.reset_mechanism = self.twin.v.mechanism = mechanism

    @rule(whole=st.booleans())
    def reset(self, whole: bool) -> None:
        utils.reset(nn.Sequential(self.neuron)) if whole else self.neuron.reset_mem()
        self.twin.last = {}

    # --- gradients ---

    @rule(backward=st.booleans())
    def cut_off(self, backward: bool) -> None:
        """Detach the states; before, run a backward pass, but take no step along it."""
        total = sum(state.sum() for state in own(self.neuron))
        if backward and isinstance(total, Tensor) and total.requires_grad:
            total.backward()
            self.neuron.zero_grad()
        self.neuron.detach_mem()
        assert not any(state.requires_grad for state in own(self.neuron))

    # --- copies, files, moves ---

    @rule(way=st.sampled_from(sorted(COPIES)))
    def go_on_as_a_copy(self, way: str) -> None:
        self.left.append((self.neuron, [state.detach().clone() for state in own(self.neuron)]))
        self.neuron = COPIES[way](self.neuron)

    @rule(other=st.booleans())
    def load(self, other: bool) -> None:
        """Load its checkpoint into itself, or into one that has learned otherwise."""
        values = read(self.neuron.state_dict(), weights_only=True)
        self.neuron.detach_mem()  # loading writes to what a backward pass would read
        if other:
            self.neuron = hidden(self.drawn.make(self.dtype))
            for parameter in self.neuron.parameters():
                parameter.data.add_(1)
            self.twin.last = {}
        self.neuron.load_state_dict(values)

    @rule(dtype=st.sampled_from(tuple(ROUNDING)))
    def move(self, dtype: torch.dtype) -> None:
        # a shallow copy has the parameters of the original, which would move along
        self.neuron = copy.deepcopy(self.neuron).to(dtype)
        moved = Twin(self.neuron)
        for name in self.neuron._parameter_names:
            got, want = getattr(moved.v, name), getattr(self.twin.v, name)
            np.testing.assert_allclose(got, want, rtol=1e-6, err_msg=name)
        kind = torch.empty(0, dtype=dtype).numpy().dtype
        moved.last = {n: v.astype(kind).astype(float) for n, v in self.twin.last.items()}
        self.twin, self.dtype = moved, dtype

    # --- what always holds ---

    @invariant()
    def states_are_those_of_the_equations(self) -> None:
        states = dict(zip(self.neuron.state_names, own(self.neuron), strict=True))
        assert not states.keys() & self.neuron.state_dict().keys()
        for name, state in states.items():
            assert state.dtype == self.dtype
            if self.twin.last:
                assert np.array_equal(state.detach().double().numpy(), self.twin.last[name])
            else:
                assert not state.any()

    @invariant()
    def originals_stay_as_they_were(self) -> None:
        for neuron, states in self.left:
            assert all(map(torch.equal, own(neuron), states))


TestLife = Life.TestCase
TestLife.settings = settings(share(1.0), stateful_step_count=30)


@pytest.mark.parametrize("wrong", ["equation", "reset", "file"])
def test_a_wrong_life_is_noticed(wrong: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Negative control: with an error in the reference or the neuron, some life goes wrong."""
    if wrong == "equation":
        for name, right in UPDATES.items():
            monkeypatch.setitem(UPDATES, name, lambda *args, f=right: (*f(*args)[:-1], 0.0))
    elif wrong == "reset":
        monkeypatch.setattr(snn.SpikingNeuron, "reset_mem", snn.SpikingNeuron.detach_mem)
    else:
        monkeypatch.setattr(nn.Module, "load_state_dict", lambda *_: None)
    found = settings(TestLife.settings, phases=[Phase.generate], report_multiple_bugs=False)
    with pytest.raises(AssertionError):
        run_state_machine_as_test(Life, settings=found)
