"""Derivatives of every rule, held against finite differences.

Between the thresholds the equations are smooth. With a surrogate that is 0 everywhere their
backward pass has to be the derivative of what the forward pass computes, of every number and
every state: nobody wrote that by hand.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor

import snntorch as snn
from snntorch import surrogate
from snntorch._kernels import autograd, plain
from snntorch._kernels.autograd import Call
from snntorch._kernels.problem import STATES, Rule
from tests.unroll.test_native import each_rule, inputs, numbers, states
from tests.unroll.test_unroll import kernels  # noqa: F401 (a fixture)

STEPS = 4
FLAT = surrogate.SFS(1, 1e9)  # 0 wherever a membrane can be


def some_problem(rule: Rule) -> tuple[Call, Tensor, list[Tensor]]:
    torch.manual_seed(3)
    values = numbers(rule, torch.float64, (1, 3))._asdict()
    values = {name: value for name, value in values.items() if value is not None}
    x = inputs(STEPS, 2, 3, dtype=torch.float64) - 0.6
    old = states(rule, x)
    records = ("spk", *STATES[rule.model])
    call = Call(rule, FLAT, (*old, *values), records)
    return call, x, [*old.values(), *values.values()]


def run(call: Call, x: Tensor, *tensors: Tensor) -> tuple[Tensor, ...]:
    recorded, last = autograd.run(call, x, STEPS, tensors)
    return *recorded.values(), *last.values()


@each_rule
def test_gradcheck(rule: Rule, kernels: ModuleType) -> None:  # noqa: F811
    call, x, tensors = some_problem(rule)
    spikes = run(call, x, *tensors)[0]
    assert 0 < (spikes != 0).double().mean() < 1, "resets, and none"
    leaves = [one.requires_grad_() for one in (x, *tensors)]
    assert torch.autograd.gradcheck(lambda *a: run(call, *a), leaves)


def test_a_wrong_derivative_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    right = plain.backward

    def wrong(*arguments: Any) -> Any:
        grad_x, old, values = right(*arguments)
        return grad_x, {**old, "spk": old["spk"] * 1.01}, values

    monkeypatch.setattr(autograd, "backend", lambda *_: plain)
    monkeypatch.setattr(plain, "backward", wrong)
    call, x, tensors = some_problem(Rule("alpha", "subtract", True, True))
    leaves = [one.requires_grad_() for one in (x, *tensors)]
    with pytest.raises(RuntimeError, match="Jacobian mismatch"):
        torch.autograd.gradcheck(lambda *a: run(call, *a), leaves)


class RecurrentAlpha(snn.Alpha):
    """An Alpha neuron of a user's, whose spikes come back to its excitatory current."""

    state_names = ("spk", "syn_exc", "syn_inh", "mem")

    @staticmethod
    def step(
        input_: Tensor,
        fed: Tensor,
        syn_exc: Tensor,
        syn_inh: Tensor,
        mem: Tensor,
        *,
        alpha: Tensor,
        beta: Tensor,
        tau: Tensor,
    ) -> tuple[Tensor, ...]:
        syn_exc = alpha * syn_exc + input_ + fed
        syn_inh = beta * syn_inh - input_
        return syn_exc, syn_inh, tau * (syn_exc + syn_inh)

    def _update(self, input_: Tensor, states: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        return super()._update(input_, (self.V * states[0], *states[1:]))

    def recurrence(self, input_: Tensor) -> Any:
        return "alpha", input_, {**self.step_parameters(), "V": self.V}

    def forward(self, input_: Tensor, *states: Tensor) -> Any:
        return self._advance(input_, *(states or (None,) * 4))


def test_a_recurrent_alpha_of_a_users(stepped: list[Any]) -> None:
    neuron = RecurrentAlpha(0.9, 0.5, threshold=0.4).double()
    neuron.V = torch.nn.Parameter(torch.tensor([0.8, -0.3, 0.5], dtype=torch.float64))
    x = torch.rand(12, 2, 3, dtype=torch.float64)
    found = []
    for unrolled in (True, False):
        neuron.reset_mem()
        before = len(stepped)
        spk = neuron.unroll(x)[0] if unrolled else torch.stack([neuron(row)[0] for row in x])
        assert (len(stepped) == before) is unrolled
        mem = neuron.mem.square().sum()
        found.append([spk, *torch.autograd.grad(spk.sum() + mem, [neuron.V])])
    assert found[0][0].any()
    assert torch.equal(found[0][0], found[1][0])
    torch.testing.assert_close(found[0][1], found[1][1])


@pytest.fixture
def stepped(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """List the single steps that ran in torch operations; the kernel's own are left out."""
    calls: list[Any] = []
    transition = snn.SpikingNeuron.transition

    def counted(self: Any, *arguments: Any) -> Any:
        calls.append(self)
        return transition(self, *arguments)

    monkeypatch.setattr(snn.SpikingNeuron, "transition", counted)
    monkeypatch.setattr("snntorch._neurons.neurons.fused_step", lambda *_: None)
    return calls
