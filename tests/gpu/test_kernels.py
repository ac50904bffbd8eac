"""What runs on CUDA alone: steps of any class, compiled for the device; spikes kept as bits."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

import snntorch as snn
from snntorch import utils
from snntorch._unroll import bits
from tests.unroll.test_traced import (
    CASES,
    FUNCTIONS,
    HALVES,
    OPERATIONS,
    STEPS,
    assert_gradients,
    assert_same,
    check_operation,
    loop,
    made,
    unrolled,
)
from tests.unroll.test_unroll import (
    gradients,
    stepped_calls,  # noqa: F401 (a fixture)
)

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no CUDA device")


@pytest.mark.parametrize(("name", "dtype"), CASES)
def test_a_step_of_any_class(name: str, dtype: torch.dtype, stepped_calls: list[Any]) -> None:  # noqa: F811
    neuron, x = made(name, dtype)
    neuron, x = neuron.to("cuda"), x.to("cuda").requires_grad_()
    want, want_grads = loop(neuron, x), gradients(loop, neuron, x, [])
    assert 0.02 < (want[0] != 0).double().mean() < 0.98, "spikes and silence"
    stepped_calls.clear()
    assert_same(unrolled(neuron, x), want, name)
    got = gradients(unrolled, neuron, x, [])
    assert not stepped_calls
    assert_gradients(got, want_grads, dtype)
    assert "its step, compiled for CUDA" in str(snn.plan(neuron))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, *HALVES], ids=str)
@pytest.mark.parametrize("name", OPERATIONS)
def test_each_operation(name: str, dtype: torch.dtype, stepped_calls: list[Any]) -> None:  # noqa: F811
    check_operation(name, dtype, "cuda", stepped_calls)


@pytest.mark.parametrize("dtype", [torch.float32, *HALVES], ids=str)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_what_steps_are_made_of(name: str, dtype: torch.dtype, stepped_calls: list[Any]) -> None:  # noqa: F811
    class Made(snn.SpikingNeuron):
        @staticmethod
        def step(input_: Tensor, mem: Tensor) -> Any:
            return (0.5 * mem + FUNCTIONS[name](input_),)

    x = torch.randn(STEPS, 4, 3, generator=torch.Generator().manual_seed(1))
    neuron, x = Made().to("cuda", dtype), x.to("cuda", dtype)
    want = loop(neuron, x)
    stepped_calls.clear()
    rounds = name in ("smooth", "of powers", "mixed")
    assert_same(unrolled(neuron, x), want, "Softened" if rounds else "")
    assert not stepped_calls


@pytest.mark.parametrize("shape", [(1,), (3,), (700, 3), (33, 17, 3)], ids=str)
@pytest.mark.parametrize("steps", [1, 17, 300])
def test_any_number_of_neurons_and_steps(shape: tuple[int, ...], steps: int) -> None:
    neuron, _ = made("Resonator", torch.float64)
    neuron = neuron.to("cuda")
    x = torch.randn(steps, *shape, dtype=torch.float64, device="cuda", requires_grad=True)
    assert_same(unrolled(neuron, x), loop(neuron, x), "Resonator")
    got, want = (gradients(run, neuron, x, []) for run in (unrolled, loop))
    for one, other in zip(got, want, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-9)


def test_it_runs_on_the_stream_that_torch_uses() -> None:
    neuron, x = made("Izhikevich", torch.float32)
    neuron, x = neuron.to("cuda"), x.to("cuda")
    want = unrolled(neuron, x)
    torch.cuda.synchronize()
    with torch.cuda.stream(torch.cuda.Stream()):
        torch.cuda._sleep(10**8)
        given = x * 1
        x.zero_()
        got = unrolled(neuron, given)
    torch.cuda.synchronize()
    assert_same(got, want, "")


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, *HALVES], ids=str)
@pytest.mark.parametrize("value", [1.0, -0.7, float("nan"), -0.0])
def test_bits_are_exact(dtype: torch.dtype, value: float) -> None:
    ones = torch.rand(70_001, device="cuda") < 0.3
    x = torch.where(ones, value, 0.0).to(dtype)
    found = bits.to_bits(x)
    assert found is not None
    assert found.bits.is_cuda
    assert found.nbytes == 8751
    whole = {2: torch.int16, 4: torch.int32, 8: torch.int64}[dtype.itemsize]
    assert torch.equal(found.tensor().view(whole), x.view(whole))
    assert bits.to_bits(x + torch.rand_like(x)) is None


@pytest.mark.parametrize("again", [False, True])
def test_what_is_kept(again: bool) -> None:
    """With ``recompute``, fewer bytes wait for the backward pass, which computes the same."""
    torch.manual_seed(0)
    lifs = (snn.Leaky(0.9, threshold=0.1, init_hidden=True) for _ in range(3))
    net = nn.Sequential(*(one for lif in lifs for one in (nn.Linear(512, 512), lif)))
    net, x = net.to("cuda", torch.float64), (torch.rand(64, 256, 512) < 0.5).to("cuda").double()
    kept, grads = [], []
    for as_they_are in (True, False):
        utils.reset(net)
        net.zero_grad()
        before = torch.cuda.memory_allocated()
        same = torch.autograd.graph.saved_tensors_hooks(lambda one: one, lambda one: one)
        with same if as_they_are else torch.enable_grad():
            out = snn.unroll(net, x, recompute=again)
        kept.append(torch.cuda.memory_allocated() - before)
        out.square().sum().backward()
        grads.append([p.grad.clone() for p in net.parameters()])
        del out
    assert kept[1] < 0.5 * kept[0] if again else kept[1] == kept[0]
    for one, other in zip(*grads, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-12)
