"""Delays: their equation, their gradients, their state, and the ways in which a net runs them."""

from __future__ import annotations

import copy
import io
import pickle
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import snntorch as snn
from snntorch import backprop, utils
from snntorch import functional as SF

K, CHANNELS = 4, 3
CASES: dict[str, dict[str, Any]] = {
    "one": {"delay": 1.3},
    "whole": {"delay": 2},
    "longest": {"delay": torch.tensor([0.0, 4.0, 3.999])},
    "channels": {"delay": torch.tensor([0.0, 2.25, 3.5])},
    "gaussian": {"delay": 1.3, "kernel": "gaussian", "sigma": 0.7},
    "gaussian channels": {
        "delay": torch.tensor([0.0, 2.25, 3.5]),
        "kernel": "gaussian",
        "sigma": 1.5,
    },
}
SHAPES = {"dense": (2, CHANNELS), "images": (2, CHANNELS, 2, 5)}


def by_equation(x: Tensor, layer: snn.SynapticDelay) -> np.ndarray:
    """Return the sum over taps in NumPy, one output at a time."""
    values, delay = x.double().numpy(), layer.delay.detach().double().numpy()
    k = np.arange(K + 1)
    out = np.zeros_like(values)
    for place in np.ndindex(*values.shape):
        t, channel = place[0], place[2]
        d = delay[channel] if delay.ndim else delay
        if layer.kernel == "linear":
            taps = np.maximum(0, 1 - abs(k - d))
        else:
            taps = np.exp(-((k - d) ** 2) / 2 / float(layer.sigma) ** 2)
            taps /= taps.sum()
        past = [values[(t - i, *place[1:])] if t >= i else 0 for i in k]
        out[place] = np.dot(taps, past)
    return out


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("case", CASES)
def test_equation(case: str, shape: str) -> None:
    torch.manual_seed(0)
    layer, x = snn.SynapticDelay(K, **CASES[case]), torch.randn(9, *SHAPES[shape])
    np.testing.assert_allclose(layer.unroll(x).numpy(), by_equation(x, layer), atol=1e-6)


@pytest.mark.parametrize("cut", [1, 3, 8])
@pytest.mark.parametrize("case", CASES)
def test_steps_and_parts_are_the_sequence(case: str, cut: int) -> None:
    layer, x = snn.SynapticDelay(K, **CASES[case]), torch.randn(9, *SHAPES["dense"])
    whole, state = layer.unroll(x), layer.past
    layer.reset_mem()
    stepped = torch.stack([layer(row) for row in x])
    assert torch.equal(whole, stepped)
    assert torch.equal(state, layer.past)
    layer.reset_mem()
    assert torch.equal(whole, torch.cat([layer.unroll(x[:cut]), layer.unroll(x[cut:])]))


@pytest.mark.parametrize("case", CASES)
def test_gradients_are_those_of_finite_differences(case: str) -> None:
    layer = snn.SynapticDelay(K, learn_delay=True, **CASES[case]).double()
    x = torch.randn(6, *SHAPES["dense"], dtype=torch.float64, requires_grad=True)

    def run(x: Tensor, delay: Tensor) -> Tensor:
        layer.reset_mem()
        return torch.func.functional_call(layer, {"delay": delay}, (x,))

    # off whole numbers, where the neighbours change, and off the bounds
    inside = 0.9 * layer.delay.detach() + 0.15
    layer.forward = layer.unroll  # type: ignore[method-assign]
    assert torch.autograd.gradcheck(run, (x, inside.requires_grad_()))


@pytest.mark.parametrize(("delay", "grad", "comes_back"), [(4.5, 1, True), (4.5, -1, False)])
def test_a_delay_beyond_its_bounds_comes_back(delay: float, grad: int, comes_back: bool) -> None:
    layer = snn.SynapticDelay(K, learn_delay=True)
    with torch.no_grad():
        layer.delay.fill_(delay)
    out = layer.unroll(torch.arange(9.0).view(9, 1, 1))
    (-grad * out.sum()).backward()
    assert bool(layer.delay.grad > 0) is comes_back
    assert torch.equal(out, snn.SynapticDelay(K, 4).unroll(torch.arange(9.0).view(9, 1, 1)))


def net(**kwargs: Any) -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Linear(5, CHANNELS),
        snn.SynapticDelay(K, 1.5, channels=CHANNELS, learn_delay=True, **kwargs),
        snn.Leaky(beta=0.9, init_hidden=True),
    )


class Looped(nn.Module):
    """The net as people write it."""

    def __init__(self, layers: nn.Sequential) -> None:
        super().__init__()
        self.fc, self.late, self.lif = layers

    def forward(self, x: Tensor) -> Tensor:
        utils.reset(self)
        return torch.stack([self.lif(self.late(self.fc(row))) for row in x])


@pytest.mark.parametrize("kernel", ["linear", "gaussian"])
@pytest.mark.parametrize("way", ["unroll", "chunks", "fuse", "constant"])
def test_a_net_runs_it_as_its_loop_does(kernel: str, way: str) -> None:
    layers, x = net(kernel=kernel), torch.rand(20, 2, 5)
    if way == "constant":
        x = x[:1].expand(20, -1, -1)
    looped, other = Looped(layers), copy.deepcopy(layers)
    expected = looped(x)
    if way == "fuse":
        fused = snn.fuse(Looped(other))
        out = fused(x)
        assert "deferred" in str(snn.plan(fused))
    else:
        utils.reset(other)
        assert "1  SynapticDelay  all time steps shifted at once" in str(snn.plan(other, x))
        kwargs = {"chunk": 6} if way == "chunks" else {}
        steps = {"num_steps": 20} if way == "constant" else {}
        out = snn.unroll(other, x[0] if way == "constant" else x, **kwargs, **steps)
    assert torch.equal(out, expected)
    assert type(other[1].past) is Tensor
    assert torch.equal(other[1].past, layers[1].past)
    out.sum().backward()
    expected.sum().backward()
    for one, two in zip(layers.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(one.grad, two.grad)


def by_synapses(kernel: str, **kwargs: Any) -> snn.SynapticDelay:
    """Return a dense layer with a delay for each weight, some of them whole or at a bound."""
    torch.manual_seed(0)
    delay = torch.tensor([[0.0, 2.0, 4.0], [0.3, 1.5, 3.75]])
    layer = nn.Linear(CHANNELS, 2)
    width = {"sigma": 0.8} if kernel == "gaussian" else {}
    return snn.SynapticDelay(K, delay, kernel=kernel, synapses=layer, **width, **kwargs)


kernels = pytest.mark.parametrize("kernel", ["linear", "gaussian"])


@kernels
def test_each_weight_has_a_delay(kernel: str) -> None:
    """It is a sum over channels that are delayed one by one, for each output."""
    layer, x = by_synapses(kernel).double(), torch.randn(9, 2, CHANNELS, dtype=torch.float64)
    width = {"sigma": 0.8} if kernel == "gaussian" else {}
    with torch.no_grad():
        want = torch.stack(
            [
                snn.SynapticDelay(K, row, kernel=kernel, **width).double().unroll(x) @ weight
                for row, weight in zip(layer.delay, layer.synapses.weight, strict=True)
            ],
            -1,
        )
        torch.testing.assert_close(layer.unroll(x), want + layer.synapses.bias)
        layer.reset_mem()
        torch.testing.assert_close(torch.stack([layer(row) for row in x]), layer_of(layer, x))


def layer_of(layer: snn.SynapticDelay, x: Tensor) -> Tensor:
    """Return what arrives in a whole sequence that begins anew."""
    layer.reset_mem()
    arrived: Tensor = layer.unroll(x)
    return arrived


@kernels
def test_gradients_of_each_weight_and_its_delay(kernel: str) -> None:
    layer = by_synapses(kernel, learn_delay=True).double()
    x = torch.randn(6, 2, CHANNELS, dtype=torch.float64, requires_grad=True)
    names = dict(layer.named_parameters())
    assert names.keys() == {"delay", "synapses.weight", "synapses.bias"}

    def run(x: Tensor, *values: Tensor) -> Tensor:
        layer.reset_mem()
        return torch.func.functional_call(layer, dict(zip(names, values, strict=True)), (x,))

    layer.forward = layer.unroll  # type: ignore[method-assign]
    inside = [0.9 * layer.delay.detach() + 0.15, layer.synapses.weight, layer.synapses.bias]
    assert torch.autograd.gradcheck(run, (x, *(v.detach().requires_grad_() for v in inside)))


@kernels
@pytest.mark.parametrize("way", ["unroll", "chunks", "fuse"])
def test_a_net_of_delayed_weights_runs_as_its_loop_does(kernel: str, way: str) -> None:
    torch.manual_seed(1)
    late = by_synapses(kernel, learn_delay=True).double()
    layers = nn.Sequential(nn.Linear(5, CHANNELS), late, snn.Leaky(0.9, init_hidden=True)).double()
    x, other = 3 * torch.rand(20, 2, 5, dtype=torch.float64), copy.deepcopy(layers)
    expected = Looped(layers)(x)
    if way == "fuse":
        out = snn.fuse(Looped(other))(x)
    else:
        assert "1  SynapticDelay  all time steps shifted at once" in str(snn.plan(other, x))
        utils.reset(other)
        out = snn.unroll(other, x, **({"chunk": 6} if way == "chunks" else {}))
    assert expected.any()
    torch.testing.assert_close(out, expected)
    torch.testing.assert_close(other[1].past, layers[1].past)
    out.sum().backward()
    expected.sum().backward()
    for one, two in zip(layers.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(one.grad, two.grad)


def test_hooks_see_each_step() -> None:
    layers, seen = net(), []
    layers[1].register_forward_hook(lambda *_: seen.append(1))
    assert "1  SynapticDelay  step by step: it has hooks" in str(snn.plan(layers))
    snn.unroll(layers, torch.rand(7, 2, 5))
    assert len(seen) == 7


def test_its_state_is_a_state() -> None:
    layers = net()
    layers(torch.ones(2, 5))
    layer = layers[1]
    assert layer.past.shape == (K, 2, CHANNELS)
    assert layer.past.grad_fn is not None
    layer.detach_mem()
    assert layer.past.grad_fn is None
    assert "1.past" not in layers.state_dict()
    assert torch.equal(copy.deepcopy(layers)[1].past, layer.past)
    assert pickle.loads(pickle.dumps(layers))[1].past.numel() == 0
    layers.double()
    assert layer.past.dtype == torch.float64
    utils.reset(layers)
    assert not layer.past.any()
    assert torch.equal(layer(torch.ones(7, CHANNELS).double())[:, 0], torch.zeros(7).double())


def test_truncated_backpropagation_cuts_it() -> None:
    layers = net()
    layers[2].output = True
    optimizer = torch.optim.SGD(layers.parameters(), lr=0.1)
    before = layers[1].delay.clone()
    data = [(torch.rand(12, 4, 5), torch.tensor([0, 1, 2, 0]))]
    backprop.TBPTT(layers, data, optimizer, SF.ce_rate_loss(), K=4)
    assert layers[1].past.grad_fn is None
    assert not torch.equal(before, layers[1].delay)


def test_files_carry_delays() -> None:
    layers, other, file = net(kernel="gaussian"), net(kernel="gaussian", sigma=2.0), io.BytesIO()
    with torch.no_grad():
        layers[1].delay.copy_(torch.tensor([0.5, 1.5, 3.0]))
    torch.save(layers.state_dict(), file)
    file.seek(0)
    other.load_state_dict(torch.load(file, weights_only=True))
    assert other[1].delay.tolist() == [0.5, 1.5, 3.0]
    assert other[1].sigma == 1


def test_it_compiles_in_one_graph() -> None:
    layers, x = net(), torch.rand(2, 2, 5)
    expected = [layers(row) for row in x]
    utils.reset(layers)
    compiled = torch.compile(layers, backend="eager", fullgraph=True)
    for row, out in zip(x, expected, strict=True):
        assert torch.equal(compiled(row), out)


def test_what_it_is_called() -> None:
    shown = repr(snn.SynapticDelay(5, 2.5, kernel="gaussian", sigma=2))
    assert shown == "SynapticDelay(5, delay=2.5, kernel='gaussian', sigma=2)"
    assert snn.SynapticDelay(5, learn_delay=True).channels is None
    assert snn.SynapticDelay(5, [1, 2]).channels == 2


def test_integers_and_other_batches() -> None:
    layer = snn.SynapticDelay(2)
    assert layer(torch.ones(3, 1, dtype=torch.int64)).dtype == torch.float32
    assert torch.equal(layer(torch.ones(5, 1)), torch.zeros(5, 1))
    assert torch.equal(layer(torch.zeros(5, 1)), torch.ones(5, 1))


@pytest.mark.parametrize(
    ("kwargs", "error", "message"),
    [
        ({"max_delay": 0}, ValueError, "`max_delay`"),
        ({"max_delay": 2.5}, TypeError, "`max_delay`"),
        ({"delay": 5}, ValueError, r"`delay` from 0 to max_delay=4, but got 5\.0"),
        ({"delay": [0.5, -1.0]}, ValueError, "`delay` from 0 to max_delay=4"),
        ({"delay": float("nan")}, ValueError, "`delay` from 0"),
        ({"delay": torch.ones(2, 2)}, ValueError, "of one dimension at most"),
        ({"delay": "long"}, TypeError, "`delay` to be a number"),
        ({"delay": [1, 2], "channels": 3}, ValueError, r"one `delay`, or 3, but got \(2,\)"),
        ({"channels": 0}, ValueError, "`channels`"),
        ({"kernel": "box"}, ValueError, r"one of \('linear', 'gaussian'\), but got 'box'"),
        ({"sigma": 0}, ValueError, "`sigma` > 0"),
        ({"sigma": 2.0}, ValueError, 'with a window, but got 2.0.\nPass kernel="gaussian"'),
        ({"learn_delay": "yes"}, TypeError, "`learn_delay`"),
        ({"synapses": nn.Conv1d(3, 2, 1)}, TypeError, "dense layer, nn.Linear, but got Conv1d"),
        ({"synapses": nn.Linear(3, 2), "channels": 3}, ValueError, "no `channels` with `synapses`"),
        (
            {"synapses": nn.Linear(3, 2), "delay": [1, 2, 3]},
            ValueError,
            r"one `delay`, or \(2, 3\)",
        ),
    ],
)
def test_what_cannot_be(kwargs: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        snn.SynapticDelay(**{"max_delay": K, **kwargs})


@pytest.mark.parametrize(
    ("x", "error", "message"),
    [
        ([1.0], TypeError, "`input_` to be a torch.Tensor"),
        (torch.ones(2, 4), ValueError, r"steps of shape \(batch, 3, ...\), but got \(2, 4\)"),
        (torch.ones(3), ValueError, r"steps of shape \(batch, 3, ...\)"),
        (torch.ones(2, 3, dtype=torch.complex64), TypeError, "a real `x`"),
    ],
)
def test_what_cannot_pass(x: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        snn.SynapticDelay(K, channels=3)(x)


def test_weights_take_the_dtype_of_their_input() -> None:
    layer = by_synapses("linear")
    out = layer(torch.ones(2, CHANNELS, dtype=torch.float64))
    assert out.dtype == torch.float64
    layer.reset_mem()
    torch.testing.assert_close(out, layer(torch.ones(2, CHANNELS)).double())


def test_what_cannot_pass_synapses() -> None:
    layer = by_synapses("linear")
    with pytest.raises(ValueError, match=r"steps of shape \(batch, 3\), but got \(2, 3, 4\)"):
        layer(torch.ones(2, 3, 4))


def test_a_whole_sequence_can_be_exported() -> None:
    class Whole(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.late = snn.SynapticDelay(K, [0.0, 0.5, 2.0])

        def forward(self, x: Tensor) -> Tensor:
            self.late.reset_mem()
            return self.late.unroll(x)

    whole, x = Whole(), torch.rand(6, 2, CHANNELS)
    program = torch.export.export(whole, (torch.rand_like(x),))
    assert torch.equal(program.module()(x), whole(x))


@pytest.mark.parametrize("case", CASES)
def test_explicit_states_are_hidden_ones(case: str) -> None:
    hidden = snn.SynapticDelay(K, **CASES[case])
    passed = snn.SynapticDelay(K, **CASES[case], init_hidden=False)
    x = torch.randn(9, *SHAPES["dense"])
    want, past, rows = hidden.unroll(x), passed.reset_mem(), []
    for step in x:
        arrived, past = passed(step, past)
        rows.append(arrived)
    assert torch.equal(torch.stack(rows), want)
    assert torch.equal(past, hidden.past)
    first, past = passed.unroll(x[:4])
    second, _ = passed.unroll(x[4:], past)
    assert torch.equal(torch.cat((first, second)), want)
    with pytest.raises(TypeError, match="no `past` with init_hidden=True"):
        hidden(x[0], past)
    with pytest.raises(ValueError, match=r"(?s)`past` of shape .*reset_mem"):
        passed(x[0], past[:, :1])
