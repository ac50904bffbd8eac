"""`torch.jit.trace` of nets, trained or not: the numbers, gradients and files of a trace."""

from __future__ import annotations

import copy
import io
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import snntorch as snn
from snntorch import surrogate, utils
from tests.cases import DENSE, RANDOM, SURROGATES, flat

# A trace holds for one shape, and says so
pytestmark = pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning")

STEPS, BATCH, SIZE = 6, 3, 5

NEURONS: dict[str, Callable[..., Any]] = {
    **{
        str(case): lambda case=case, **o: case.make(
            **case.sized(SIZE), **{case.threshold: 0.1}, **o
        )
        for case in DENSE
    },
    "Leaky, learned": lambda **o: snn.Leaky(
        0.9, threshold=0.4, learn_beta=True, learn_threshold=True, **o
    ),
    "Leaky, zero": lambda **o: snn.Leaky(0.9, threshold=0.4, reset_mechanism="zero", **o),
}
#: What a trace records is the gradient itself, so one that draws at random would not be the same.
SPIKE_GRADS = {
    **{name: one for name, one in SURROGATES.items() if name not in RANDOM},
    "Sigmoid.apply": surrogate.Sigmoid.apply,
}

each = pytest.mark.parametrize("name", NEURONS)
each_grad = pytest.mark.parametrize("grad", [True, False], ids=["grad", "no grad"])


class Loop(nn.Module):
    """A net of one layer with a time loop in its forward, and states in variables."""

    def __init__(self, neuron: Any) -> None:
        super().__init__()
        self.fc, self.neuron = nn.Linear(SIZE, SIZE), neuron

    def forward(self, x: Tensor) -> Tensor:
        """Return the spikes over time."""
        start = self.neuron.reset_mem()
        states = (start,) if isinstance(start, Tensor) else start
        spikes = []
        for step in x:
            out = flat(self.neuron(self.fc(step), *states))
            states = out[len(out) - len(states) :]
            spikes.append(out[0])
        return torch.stack(spikes)


def made(name: str, **options: Any) -> Loop:
    torch.manual_seed(0)
    return Loop(NEURONS[name](**options))


def data(seed: int = 1) -> Tensor:
    torch.manual_seed(seed)
    return 2 * torch.rand(STEPS, BATCH, SIZE)


def train(net: nn.Module, *inputs: Tensor) -> None:
    optimizer = torch.optim.SGD(net.parameters(), 0.01)
    for x in inputs:
        (net(x).mean() - 1).square().backward()
        optimizer.step()
        optimizer.zero_grad()


def from_file(traced: Any) -> Any:
    file = io.BytesIO()
    torch.jit.save(traced, file)
    file.seek(0)
    return torch.jit.load(file)


@each
@each_grad
@pytest.mark.parametrize("trained", [False, True], ids=["fresh", "trained"])
def test_a_trace_and_its_file_give_the_numbers_of_the_net(
    name: str, grad: bool, trained: bool
) -> None:
    net = made(name)
    if trained:
        train(net, data(2), data(3))
    with torch.set_grad_enabled(grad):
        traced = torch.jit.trace(net, data())
    for seed in (4, 5):
        want = net(data(seed))
        assert 0.02 < want.mean() < 0.98
        assert torch.equal(traced(data(seed)), want)
        assert torch.equal(from_file(traced)(data(seed)), want)


@each
@pytest.mark.parametrize("stored", [False, True], ids=["in memory", "file"])
def test_a_trace_has_the_gradients_of_the_net(name: str, stored: bool) -> None:
    net = made(name)
    traced = torch.jit.trace(copy.deepcopy(net), data())
    if stored:
        traced = from_file(traced)
    weight = torch.linspace(-1, 1, STEPS).reshape(-1, 1, 1)
    for one in (net, traced):
        (one(data(4)) * weight).sum().backward()
    want = {key: p.grad for key, p in net.named_parameters()}
    assert want["fc.weight"].abs().sum() > 0
    for key, p in traced.named_parameters():
        # in a trace, V is held twice, and either may have got the gradient
        if want.get(key) is not None and p.grad is not None:
            torch.testing.assert_close(p.grad, want[key], rtol=1e-4, atol=1e-5)
    assert traced.fc.weight.grad is not None


@pytest.mark.parametrize("name", SPIKE_GRADS)
def test_every_surrogate(name: str) -> None:
    net = made("Leaky", spike_grad=SPIKE_GRADS[name])
    traced = from_file(torch.jit.trace(copy.deepcopy(net), data()))
    for one in (net, traced):
        one(data(4)).sum().backward()
    assert torch.equal(traced(data(4)), net(data(4)))
    torch.testing.assert_close(traced.fc.weight.grad, net.fc.weight.grad, rtol=1e-4, atol=1e-5)


def test_an_infinite_excess_is_a_spike_and_no_nan() -> None:
    def fire(x: Tensor) -> Tensor:
        return surrogate.atan()(x)

    traced = torch.jit.trace(fire, torch.ones(4, requires_grad=True))
    x = torch.tensor([torch.inf, -torch.inf, 1.0, -1.0], requires_grad=True)
    spk = traced(x)
    assert spk.tolist() == [1, 0, 1, 0]
    spk.sum().backward()
    assert x.grad is not None
    assert x.grad.isfinite().all()


@each
@each_grad
@pytest.mark.parametrize("reset", [False, True], ids=["going on", "reset"])
def test_a_trained_sequential_with_hidden_states(name: str, grad: bool, reset: bool) -> None:
    """A trace starts each call from the states that the net had."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(SIZE, SIZE), NEURONS[name](init_hidden=True))
    x = data()
    loss = sum((net(step).mean() - 1).square() for step in x)
    loss.backward()
    if reset:
        utils.reset(net)
    start = copy.deepcopy(net)
    with torch.set_grad_enabled(grad):
        traced = torch.jit.trace(net, x[0])
    for step in data(4):
        with torch.no_grad():
            want = copy.deepcopy(start)(step)
        assert torch.equal(traced(step), want)
        assert torch.equal(from_file(traced)(step), want)


def test_the_trace_of_a_trained_net_can_be_trained_on() -> None:
    net = made("Leaky, learned")
    train(net, data(2))
    traced = from_file(torch.jit.trace(copy.deepcopy(net), data()))
    for one in (net, traced):
        train(one, data(3), data(4))
    for (_, p), (_, q) in zip(net.named_parameters(), traced.named_parameters(), strict=True):
        torch.testing.assert_close(p, q, rtol=1e-4, atol=1e-5)


@each
def test_the_older_onnx_export_of_a_trained_net(name: str) -> None:
    """What it begins with: it takes no states with a graph for constants."""
    net = made(name)
    net(data()).sum().backward()
    graph, got = torch.jit._get_trace_graph(net, (data(4),))  # type: ignore[no-untyped-call]
    assert torch.equal(got, net(data(4)))
    assert "^" not in str(graph), "no operations of Python's"
