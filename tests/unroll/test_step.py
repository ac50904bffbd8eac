"""A step by the compiled kernel equals the step in torch operations, which is the reference."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

import snntorch as snn
from snntorch import surrogate
from snntorch._kernels.cpu import binding as cpu
from snntorch._kernels.cpu import memory
from snntorch._neurons import neurons
from snntorch._neurons._fused import fused_step
from tests.cases import CASES, Case, by_mechanism, options
from tests.unroll.test_unroll import (
    SPIKE_GRADS,
    assert_close,
    gradients,
    learnable,
    loop,
    some_states,
    unrolled,
)

pytestmark = pytest.mark.skipif(cpu.available() is not None, reason=f"no kernel: {cpu.available()}")
#: One step of them is a kernel's, through whatever layer their spikes come back.
STEP_CASES = tuple(case for case in CASES if case.cls.model is not None)
each = pytest.mark.parametrize("case", STEP_CASES, ids=str)
each_mechanism = by_mechanism(STEP_CASES)


def by_torch(neuron: Any, x: Tensor, *states: Tensor) -> list[Tensor]:
    """Run the loop in torch operations."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(neurons, "fused_step", lambda *_: None)
        return loop(neuron, x, *states)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16], ids=str)
@each_mechanism
def test_the_numbers_are_the_same(
    case: Case, mechanism: str, delay: bool, dtype: torch.dtype, kernel_steps: list[str]
) -> None:
    neuron = case.make(**options(mechanism, delay)).to(dtype)
    x, states = case.input(15, dtype), some_states(case, neuron, dtype)
    with torch.no_grad():
        want = by_torch(neuron, x, *states)
        kernel_steps.clear()
        got = loop(neuron, x, *states)
    assert kernel_steps == ["snn_forward"] * 15
    assert 0 < want[0].float().mean() < 1
    for one, other in zip(got, want, strict=True):
        assert torch.equal(one, other)


@each_mechanism
def test_the_gradients_are_the_same(
    case: Case, mechanism: str, delay: bool, kernel_steps: list[str]
) -> None:
    for dtype, rtol in ((torch.float64, 1e-10), (torch.float32, 1e-5)):
        neuron = learnable(case, **options(mechanism, delay)).to(dtype)
        x, states = case.input(15, dtype).requires_grad_(), some_states(case, neuron, dtype)
        want = gradients(by_torch, neuron, x, states)
        got = gradients(loop, neuron, x, states)
        assert_close(got, want, rtol)
    assert kernel_steps.count("snn_backward") == 2 * 15


@pytest.mark.parametrize("name", SPIKE_GRADS)
@each
def test_every_surrogate(case: Case, name: str) -> None:
    neuron = learnable(case, spike_grad=SPIKE_GRADS[name]).double()
    x, states = (
        case.input(10, torch.float64).requires_grad_(),
        some_states(case, neuron, torch.float64),
    )
    want = gradients(by_torch, neuron, x, states)
    assert_close(gradients(loop, neuron, x, states), want, 1e-9)


@pytest.mark.parametrize("shape", [(3,), (2, 1, 3), (1,), (2, 4, 3)])
def test_numbers_of_any_shape_that_expands(shape: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    neuron = snn.Leaky(torch.rand(shape), torch.rand(shape), learn_beta=True).double()
    x = torch.randn(10, 2, 4, 3, dtype=torch.float64).transpose(1, 2).contiguous().transpose(1, 2)
    x.requires_grad_()
    assert_close(gradients(loop, neuron, x, []), again(neuron, x), 1e-9)


def again(neuron: Any, x: Tensor) -> list[Tensor | None]:
    neuron.reset_mem()
    return gradients(by_torch, neuron, x, [])


def test_an_input_buffer_may_be_used_again() -> None:
    neuron = snn.Leaky(0.9, learn_beta=True)
    x = torch.randn(6, 4, 3)
    buffer = torch.empty(4, 3)
    out = []
    for row in x:
        out.append(neuron(buffer.copy_(row))[0])
    torch.stack(out).sum().backward()
    other = snn.Leaky(0.9, learn_beta=True)
    torch.stack([other(row)[0] for row in x]).sum().backward()
    assert other.beta.grad.item() != 0
    torch.testing.assert_close(neuron.beta.grad, other.beta.grad)


def test_what_comes_out_may_be_written_to() -> None:
    neuron, other = snn.Leaky(0.9), snn.Leaky(0.9)
    x = torch.randn(4, 3, requires_grad=True)
    _, mem = neuron(x)
    mem[:, 0] = 0
    spk, _ = neuron(x, mem)
    spk.sum().backward()
    got, x.grad = x.grad, None
    _, mem = other(x)
    (other(x, mem * torch.tensor([0.0, 1.0, 1.0]))[0]).sum().backward()
    torch.testing.assert_close(got, x.grad)


@pytest.mark.parametrize("run", [loop, unrolled], ids=["loop", "unroll"])
@each
def test_second_derivatives(case: Case, run: Any, kernel_steps: list[str]) -> None:
    """As for a gradient penalty, or for learning to learn."""
    spike_grad = surrogate.fast_sigmoid(2)  # 1/(1 + k|x|)^2 has a derivative
    neuron = learnable(case, spike_grad=spike_grad).double()
    found = []
    for way in (by_torch, run):
        x = (case.input(4, torch.float64) * 0.5).requires_grad_()
        neuron.reset_mem()
        kernel_steps.clear()
        total = sum(out.pow(2).sum() + out.sum() for out in way(neuron, x))
        assert ("snn_forward" in kernel_steps) is (way is run)
        leaves = [x, *neuron.parameters()]
        first = torch.autograd.grad(total, leaves, create_graph=True)
        assert "snn_backward" not in kernel_steps
        found.append([*first, *torch.autograd.grad(sum(g.pow(2).sum() for g in first), leaves)])
    want, got = ([one.detach() for one in row] for row in found)
    assert_close(got, want, 1e-9)
    assert want[-1].abs().sum() > 0


@pytest.mark.parametrize("run", [loop, unrolled], ids=["loop", "unroll"])
@each
def test_many_gradients_at_once(case: Case, run: Any) -> None:
    neuron = learnable(case).double()
    x = case.input(4, torch.float64).requires_grad_()
    neuron.reset_mem()
    out = run(neuron, x)[0]
    leaves, grads = [x, *neuron.parameters()], torch.randn(3, *out.shape, dtype=out.dtype)
    got = torch.autograd.grad(out, leaves, grads, is_grads_batched=True, retain_graph=True)
    want = [torch.autograd.grad(out, leaves, grad, retain_graph=True) for grad in grads]
    assert_close(list(got), [torch.stack(one) for one in zip(*want, strict=True)], 1e-9)


def test_a_wrong_step_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    case = Case(snn.Leaky)
    neuron, x = case.make(), case.input()
    right = loop(neuron, x)
    monkeypatch.setitem(memory.RESETS, "zero_old", memory.RESETS["none"])
    memory._parts.cache_clear()
    neuron = case.make(reset_mechanism="zero")
    wrong = loop(neuron, x)[0]
    memory._parts.cache_clear()
    assert not torch.equal(wrong, by_torch(case.make(reset_mechanism="zero"), x)[0])
    assert torch.equal(loop(case.make(), x)[0], right[0])


def test_a_surrogate_with_odd_numbers_is_left_to_torch(kernel_steps: list[str]) -> None:
    slope = surrogate.fast_sigmoid(torch.tensor([1.0, 2.0, 3.0]))  # type: ignore[arg-type]
    assert (
        fused_step(snn.Leaky(0.9, spike_grad=slope), torch.ones(2, 3), (torch.ones(2, 3),)) is None
    )
    assert not kernel_steps
