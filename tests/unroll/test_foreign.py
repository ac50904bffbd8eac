"""What traces, transforms or replaces tensors and calls gets the numbers of torch operations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.autograd import forward_ad
from torch.fx.experimental.proxy_tensor import make_fx

import snntorch as snn
from snntorch._neurons import neurons
from tests.unroll.test_unroll import loop, unrolled

STEPS, SHAPE = 6, (3, 4)
Run = Callable[..., list[Tensor]]

NEURONS: dict[str, Callable[..., Any]] = {
    "Leaky": lambda **options: snn.Leaky(0.9, **options),
    "Alpha": lambda **options: snn.Alpha(0.9, 0.8, **options),
    "one to one": lambda **options: snn.RLeaky(0.9, all_to_all=False, V=0.7, **options),
    "dense": lambda **options: snn.RLeaky(0.9, linear_features=4, **options),
}
each_neuron = pytest.mark.parametrize("name", NEURONS)
each_run = pytest.mark.parametrize("run", [loop, unrolled], ids=["loop", "unroll"])


def made(name: str, **options: Any) -> Any:
    torch.manual_seed(0)
    return NEURONS[name](**options)


def by_torch(neuron: Any, x: Tensor, *states: Tensor) -> list[Tensor]:
    """Run the loop in torch operations, from zero."""
    neuron.reset_mem()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(neurons, "fused_step", lambda *_: None)
        return loop(neuron, x, *states)


def from_zero(run: Run, neuron: Any, x: Tensor) -> list[Tensor]:
    neuron.reset_mem()
    return run(neuron, x)


def assert_same(got: list[Tensor], want: list[Tensor]) -> None:
    for one, other in zip(got, want, strict=True):
        assert torch.equal(one, other)


# A trace holds for one shape, and says so
@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning")
@pytest.mark.parametrize("tracer", ["jit", "fx"])
@each_run
@each_neuron
def test_a_trace_computes_with_its_own_input(name: str, run: Run, tracer: str) -> None:
    neuron, x = made(name).requires_grad_(False), torch.rand(STEPS, *SHAPE)

    def recorded(x: Tensor) -> tuple[Tensor, ...]:
        return tuple(from_zero(run, neuron, x))

    with torch.no_grad():
        traced = (
            torch.jit.trace(recorded, (x,), check_trace=False)
            if tracer == "jit"
            else make_fx(recorded)(x)
        )
        other = 2 * torch.rand(STEPS, *SHAPE)
        assert_same(list(traced(other)), by_torch(neuron, other))


# A trace holds for one shape, and says so
@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning")
@pytest.mark.parametrize("tracer", ["jit", "fx"])
def test_a_trace_of_a_scan_computes_with_its_own_input(tracer: str) -> None:
    neuron = snn.StateLeaky(0.9, channels=4)
    x, other = torch.rand(2, STEPS, *SHAPE)
    with torch.no_grad():
        traced = (
            torch.jit.trace(neuron, (x,), check_trace=False)
            if tracer == "jit"
            else make_fx(neuron)(x)
        )
        for got, want in zip(traced(other), neuron(other), strict=True):
            torch.testing.assert_close(got, want)


@each_run
def test_forward_mode_agrees_with_the_way_back(run: Run) -> None:
    neuron = made("Leaky", reset_mechanism="zero").double()
    x, v, w = (torch.rand(STEPS, *SHAPE, dtype=torch.float64) for _ in range(3))
    with forward_ad.dual_level():
        mem = from_zero(run, neuron, forward_ad.make_dual(x, v))[1]
        tangent = forward_ad.unpack_dual(mem).tangent
    x.requires_grad_()
    (grad,) = torch.autograd.grad(from_zero(run, neuron, x)[1], x, w)
    torch.testing.assert_close((tangent * w).sum(), (grad * v).sum())


@each_run
@each_neuron
def test_numbers_with_a_sign_to_come(name: str, run: Run) -> None:
    neuron = made(name)
    x = torch.randn(STEPS, *SHAPE, dtype=torch.cfloat).conj().imag
    assert x.is_neg()
    want = by_torch(neuron, x.resolve_neg())
    assert_same(from_zero(run, neuron, x), want)
    plain = x.resolve_neg().requires_grad_()
    grad = torch._neg_view(torch.ones(STEPS, *SHAPE))
    from_zero(run, neuron, plain)[0].backward(grad)
    got, plain.grad = plain.grad, None
    by_torch(neuron, plain)[0].backward(grad.resolve_neg())
    torch.testing.assert_close(got, plain.grad)


@each_neuron
def test_a_state_is_not_what_was_recorded(name: str) -> None:
    neuron = made(name, init_hidden=True, output=True)
    with torch.no_grad():
        mem = neuron.unroll(torch.rand(STEPS, *SHAPE), record="mem")
        before = mem.clone()
        neuron.mem.zero_()
    assert torch.equal(mem, before)


@each_run
@pytest.mark.parametrize("name", ["one to one", "dense"])
def test_a_feedback_with_a_forward_of_its_own(name: str, run: Run) -> None:
    neuron, x = made(name), torch.rand(STEPS, *SHAPE)
    once = by_torch(neuron, x)
    feedback = neuron.recurrent.forward
    neuron.recurrent.forward = lambda spk: 3 * feedback(spk)
    want = by_torch(neuron, x)
    assert not torch.equal(want[1], once[1])
    assert_same(from_zero(run, neuron, x), want)


def test_a_layer_with_a_forward_of_its_own_is_stepped() -> None:
    net = nn.Sequential(nn.Linear(4, 4), snn.Leaky(0.9, init_hidden=True))
    shapes = []
    linear = net[0].forward

    def watched(x: Tensor) -> Tensor:
        shapes.append(x.shape)
        return linear(x)

    net[0].forward = watched
    snn.unroll(net, torch.rand(STEPS, *SHAPE))
    assert shapes == [SHAPE] * STEPS


@each_run
@pytest.mark.parametrize("name", ["Leaky", "Alpha", "one to one"])  # nn.Linear refuses such spikes
def test_training_goes_on_from_states_of_inference(name: str, run: Run) -> None:
    neuron = made(name, init_hidden=True).requires_grad_(False)
    with torch.inference_mode():
        neuron.unroll(torch.rand(STEPS, *SHAPE))
    x = torch.rand(STEPS, *SHAPE, requires_grad=True)
    run(neuron, x)[0].sum().backward()
    assert x.grad is not None
    assert x.grad.abs().sum() > 0


@each_run
@each_neuron
def test_a_neuron_of_inference(name: str, run: Run) -> None:
    x = 2 * torch.rand(STEPS, *SHAPE)
    want = by_torch(made(name), x)
    with torch.inference_mode():
        assert_same(run(made(name).to("cpu"), x), want)


def test_a_sparse_step() -> None:
    neuron, x = made("Leaky"), 2 * torch.rand(1, *SHAPE)
    (want,) = by_torch(neuron, x)[1]
    neuron.reset_mem()
    _, mem = neuron(x[0].to_sparse(), torch.zeros(SHAPE))
    assert torch.equal(mem, want)


@each_run
@each_neuron
def test_tensors_without_data(name: str, run: Run) -> None:
    got = from_zero(run, made(name).to("meta"), torch.empty(STEPS, *SHAPE, device="meta"))
    with FakeTensorMode():
        fake = from_zero(run, made(name), torch.rand(STEPS, *SHAPE))
    want = from_zero(run, made(name), torch.rand(STEPS, *SHAPE))
    for one, other, real in zip(got, fake, want, strict=True):
        assert one.is_meta
        assert one.shape == other.shape == real.shape


@pytest.mark.parametrize("batch", [3, 1 << 16])  # large results come from memory that is kept
@each_run
@each_neuron
def test_the_input_says_where_to_compute(name: str, run: Run, batch: int) -> None:
    neuron, x = made(name), torch.rand(STEPS, batch, 4)
    want = from_zero(run, neuron, x)
    neuron.reset_mem()
    with torch.device("meta"):
        got = run(neuron, x)
    assert_same(got, want)


@pytest.mark.parametrize(
    "layer", [nn.Linear(4, 1), nn.Linear(4, 1, bias=False), nn.Linear(4, 4)], ids=str
)
@each_run
def test_feedback_that_broadcasts(layer: nn.Linear, run: Run) -> None:
    neuron, x = made("dense"), 2 * torch.rand(STEPS, *SHAPE, requires_grad=True)
    neuron.recurrent = layer
    if layer.out_features == 4:
        layer.bias = nn.Parameter(torch.rand(1, 4))
    want = by_torch(neuron, x)
    assert_same(from_zero(run, neuron, x), want)
    got = torch.autograd.grad(from_zero(run, neuron, x)[0].sum(), [x, *layer.parameters()])
    same = torch.autograd.grad(want[0].sum(), [x, *layer.parameters()])
    for one, other in zip(got, same, strict=True):
        torch.testing.assert_close(one, other)
