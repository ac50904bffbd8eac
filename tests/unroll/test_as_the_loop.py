"""What the loop does, `unroll` does: with surrogates, layers and states of all kinds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import snntorch as snn
from snntorch import surrogate, utils
from tests.unroll.test_unroll import assert_close, gradients, loop, unrolled

STEPS = 5


# --- surrogates of the user's --------------------------------------------------------------


def normalized(x: Tensor, grad: Tensor, spikes: Tensor) -> Tensor:
    return grad / grad.norm(dim=-1, keepdim=True).clamp(min=1e-6)


def largest(x: Tensor, grad: Tensor, spikes: Tensor) -> Tensor:
    return grad * (x == x.amax(-1, keepdim=True))


def saturated(x: Tensor, grad: Tensor, spikes: Tensor) -> Tensor:
    return torch.where(x.abs() > 3, grad.clamp(-0.1, 0.1), grad)


def by_shape(x: Tensor, grad: Tensor, spikes: Tensor) -> Tensor:
    return grad / x.shape[-1] * x.shape[0]


SURROGATES = {
    **{f.__name__: surrogate.custom_surrogate(f) for f in (normalized, largest, saturated)},
    "by_shape": surrogate.custom_surrogate(by_shape),
    "a slope each": surrogate.fast_sigmoid(torch.tensor([1.0, 5.0, 25.0])),  # type: ignore[arg-type]
}


@pytest.mark.parametrize("name", SURROGATES)
@pytest.mark.parametrize(
    "make",
    [
        lambda **kw: snn.Leaky(0.9, **kw),
        lambda **kw: snn.Synaptic(0.7, 0.9, reset_delay=False, **kw),
        lambda **kw: snn.RLeaky(0.9, linear_features=3, **kw),
    ],
)
def test_any_surrogate_learns_alike(make: Any, name: str) -> None:
    torch.manual_seed(0)
    neuron = make(spike_grad=SURROGATES[name]).double()
    x = (4 * torch.randn(STEPS, 4, 3, dtype=torch.float64)).requires_grad_()
    found = []
    for run in (loop, unrolled):
        neuron.reset_mem()
        found.append(gradients(run, neuron, x, []))
    assert found[0][0].abs().sum() > 0
    assert_close(found[1], found[0], 1e-12)
    assert "spike_grad is a function of each step" in str(snn.plan(neuron))


# --- layers that write to their input ------------------------------------------------------

FED = {
    "one to one": lambda **kw: snn.RLeaky(0.9, V=-0.5, all_to_all=False, threshold=0.5, **kw),
    "dense": lambda **kw: snn.RLeaky(0.9, linear_features=6, threshold=0.5, **kw),
    "synaptic": lambda **kw: snn.RSynaptic(0.5, 0.9, linear_features=6, threshold=0.5, **kw),
    "leaky": lambda **kw: snn.Leaky(0.9, threshold=0.5, **kw),
}


@pytest.mark.parametrize("name", FED)
@pytest.mark.parametrize(
    "layer", [nn.Hardtanh(-0.2, 0.2, True), nn.ReLU(True), nn.Dropout(1, True)]
)
def test_a_layer_behind_may_work_in_place(name: str, layer: nn.Module) -> None:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(4, 6), FED[name](init_hidden=True), layer, nn.Linear(6, 3))
    x = torch.rand(STEPS, 2, 4)

    def out_of_place() -> Tensor:
        return torch.stack([net[3](layer(net[1](net[0](row)).clone())) for row in x])

    found = []
    for run in (
        out_of_place,
        lambda: torch.stack([net(row) for row in x]),
        lambda: snn.unroll(net, x),
    ):
        utils.reset(net)
        net.zero_grad()
        out = run()
        out.square().sum().backward()
        found.append(
            [out.detach(), net[1].mem.detach(), *(p.grad.clone() for p in net.parameters())]
        )
    for other in found[1:]:
        assert torch.equal(other[1], found[0][1])
        assert_close(other, found[0], 1e-5)


# --- layers that look at several dimensions ------------------------------------------------

LAYERS: dict[str, tuple[nn.Module, tuple[int, ...]]] = {
    "LayerNorm": (nn.LayerNorm([STEPS, 2, 3]), (2, 3)),
    "RMSNorm": (nn.RMSNorm([STEPS, 2, 3]), (2, 3)),
    "Softmax": (nn.Softmax(-3), (2, 3)),
    "LogSoftmax": (nn.LogSoftmax(-2), (3,)),
    "PixelShuffle": (nn.PixelShuffle(1), (2, 3)),
    "PixelUnshuffle": (nn.PixelUnshuffle(1), (2, 3)),
    "GradedSpikes": (snn.GradedSpikes(STEPS, 2.0), (1,)),
}


@pytest.mark.parametrize("name", LAYERS)
def test_time_is_none_of_a_layers_dimensions(name: str) -> None:
    layer, shape = LAYERS[name]
    x = torch.rand(STEPS, *shape)
    with pytest.raises(Exception) as of_loop:  # noqa: PT011 (torch's own, of many kinds)
        torch.stack([layer(row) for row in x])
    with pytest.raises(type(of_loop.value)):
        snn.unroll(nn.Sequential(layer), x)


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (nn.LayerNorm([2, 3]), (2, 3)),
        (nn.Softmax(-2), (2, 3)),
        (nn.PixelShuffle(2), (4, 2, 3)),
        (snn.GradedSpikes(2, 2.0), (2, 1)),
    ],
)
def test_such_layers_fold_where_the_loop_runs(layer: nn.Module, shape: tuple[int, ...]) -> None:
    x = torch.rand(STEPS, *shape)
    want = torch.stack([layer(row) for row in x])
    torch.testing.assert_close(snn.unroll(nn.Sequential(layer), x), want)
    assert "one batch" in str(snn.plan(nn.Sequential(layer)))


# --- states --------------------------------------------------------------------------------


@pytest.mark.parametrize("run", [lambda n, x: n.unroll(x), snn.unroll], ids=["neuron", "net"])
@pytest.mark.parametrize("name", FED)
def test_a_neuron_that_keeps_no_states_starts_from_zeros(
    name: str, run: Callable[..., Any]
) -> None:
    neuron = FED[name]()
    fc, x = nn.Linear(6, 6), torch.rand(STEPS, 4, 6)
    first = run(neuron, x)
    assert all(torch.equal(a, b) for a, b in zip(run(neuron, x), first, strict=True))
    for _ in range(2):
        run(neuron, fc(x))[1].sum().backward()  # the graph of the first is gone
    states = [torch.full((4, 6), 0.3) for _ in neuron.state_names]
    passed = neuron.unroll(x, *states)
    assert not torch.equal(passed[1], first[1])
    assert all(
        torch.equal(a, b)
        for a, b in zip(loop(FED[name](), x, *states)[: len(passed)], passed, strict=True)
        if name in ("one to one", "leaky")  # without weights that are drawn
    )


def test_a_neuron_with_hidden_states_goes_on() -> None:
    neuron, x = snn.Leaky(0.9, init_hidden=True, output=True), torch.rand(2 * STEPS, 4, 6)
    whole = neuron.unroll(x)[1]
    utils.reset(neuron)
    halves = torch.cat([neuron.unroll(x[:STEPS])[1], neuron.unroll(x[STEPS:])[1]])
    assert torch.equal(whole, halves)


@pytest.mark.parametrize("hidden", [True, False])
def test_chunks_go_on_from_each_other(hidden: bool) -> None:
    neuron, x = snn.Leaky(0.9, init_hidden=hidden), torch.rand(7, 4, 6)
    utils.reset(neuron)
    whole = snn.unroll(neuron, x, record="mem")
    utils.reset(neuron)
    assert torch.equal(snn.unroll(neuron, x, record="mem", chunk=3), whole)


@pytest.mark.parametrize("run", [loop, unrolled], ids=["loop", "unroll"])
@pytest.mark.parametrize("name", FED)
def test_a_forgotten_reset_is_named(name: str, run: Any) -> None:
    neuron, fc = FED[name](init_hidden=True), nn.Linear(6, 6)
    run(neuron, fc(torch.rand(STEPS, 4, 6)))[-1].sum().backward()
    with pytest.raises(RuntimeError, match=r"a second time(?s:.*)utils\.reset\(net\)"):
        run(neuron, fc(torch.rand(STEPS, 4, 6)))[-1].sum().backward()


@pytest.mark.parametrize("inner", [snn.Leaky(0.9), snn.Leaky(0.9, init_hidden=True, output=True)])
def test_states_in_the_way_of_a_layer_are_named(inner: nn.Module) -> None:
    net = nn.Sequential(nn.Linear(3, 4), inner, nn.Linear(4, 2))
    with pytest.raises(TypeError, match=r"one tensor from Leaky \(layer '1'\)(?s:.*)init_hidden"):
        snn.unroll(net, torch.rand(STEPS, 2, 3))
