"""Start values: what membranes do with them, and what cannot be."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import nn

import snntorch as snn
from snntorch import surrogate
from snntorch.weight_init import fluctuation_driven_centered_normal_, fluctuation_driven_normal_

INPUTS, RATE = 200, 0.05
NEURONS = {
    "leaky": lambda: snn.Leaky(beta=0.9, threshold=2.0),
    "synaptic": lambda: snn.Synaptic(alpha=0.8, beta=0.9),
    "alpha": lambda: snn.Alpha(alpha=0.9, beta=0.8),
    "lapicque": lambda: snn.Lapicque(beta=0.9),
    "rleaky": lambda: snn.RLeaky(beta=0.9, linear_features=300),
    "hidden": lambda: snn.Leaky(beta=0.9, init_hidden=True, output=True),
}


def quiet(neuron: Any) -> Any:
    """Return the neuron as it is without firing, feedback's bias included."""
    neuron = copy.deepcopy(neuron)
    with torch.no_grad():
        neuron.threshold.fill_(float("inf"))
        for value in getattr(neuron, "recurrent", nn.Identity()).parameters():
            value.zero_()
    return neuron


@pytest.mark.parametrize("xi", [1.0, 2.5])
@pytest.mark.parametrize("mean", [0.0, 0.4])
@pytest.mark.parametrize("name", NEURONS)
def test_membranes_fluctuate_as_told(name: str, mean: float, xi: float) -> None:
    """In the definition's terms: over neurons and time, without firing, under Poisson spikes."""
    torch.manual_seed(0)
    neuron = NEURONS[name]()
    weight = torch.empty(300, INPUTS)
    assert fluctuation_driven_normal_(weight, neuron, RATE, mean, xi) is weight
    spikes = torch.poisson(torch.full((3000, 1, INPUTS), RATE))
    mem = snn.unroll(quiet(neuron), spikes @ weight.T, record="mem")[200:, 0]
    # weights differ between neurons, and so does the mean over time of each
    mem = mem.detach()
    means = mem.mean(0)
    assert abs(means.mean() - mean) < 4 * means.std() / 300**0.5
    spread = mem.std(0).square().mean().sqrt()
    assert float(spread) == pytest.approx((float(neuron.threshold) - mean) / xi, rel=0.06)


def test_centered_is_a_mean_of_zero() -> None:
    neuron, weight, other = snn.Leaky(0.9), torch.empty(8, 3, 5, 5), torch.empty(8, 3, 5, 5)
    seed = torch.Generator().manual_seed
    fluctuation_driven_centered_normal_(weight, neuron, 0.1, 2.0, generator=seed(1))
    fluctuation_driven_normal_(other, neuron, 0.1, xi=2.0, generator=seed(1))
    assert torch.equal(weight, other)
    assert weight.std() == pytest.approx(1 / (2 * (75 * 0.1 / (1 - 0.81)) ** 0.5), rel=0.1)


def test_parameters_and_states_are_left_alone() -> None:
    net = nn.Sequential(nn.Linear(5, 4), snn.Leaky(0.9, learn_beta=True, init_hidden=True))
    net(torch.ones(2, 5))
    before = copy.deepcopy(net[1].state_dict()), net[1].mem.clone()
    fluctuation_driven_normal_(net[0].weight, net[1], 0.1)
    assert net[0].weight.requires_grad
    assert all(torch.equal(value, net[1].state_dict()[key]) for key, value in before[0].items())
    assert torch.equal(net[1].mem, before[1])


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"weight": [1.0]}, TypeError, "expected `weight` to be a torch.Tensor"),
        ({"weight": torch.zeros(2, 2).int()}, ValueError, "a floating-point `weight`"),
        ({"weight": torch.zeros(5)}, ValueError, r"of shape \(outputs, inputs, ...\)"),
        ({"weight": torch.zeros(4, 0)}, ValueError, "not empty"),
        ({"weight": torch.zeros(1, 3).expand(4, 3)}, ValueError, "got an expanded tensor"),
        ({"xi": 1e-300}, ValueError, "a smaller `xi` or a larger `rate`"),
        ({"neuron": nn.ReLU()}, TypeError, "takes current once per time step, but got ReLU"),
        ({"neuron": snn.SLSTM(3, 3)}, TypeError, "but got SLSTM"),
        ({"neuron": snn.LinearLeaky(0.9, 3, 3)}, TypeError, "but got LinearLeaky"),
        ({"neuron": snn.Leaky(beta=1.0)}, ValueError, "a neuron that forgets"),
        ({"neuron": snn.Leaky(0.9, threshold=torch.ones(3))}, ValueError, "one finite threshold"),
        ({"neuron": snn.Leaky(beta=torch.tensor([0.5, 0.9]))}, ValueError, "the same for all"),
        ({"rate": 0.0}, ValueError, "`rate` > 0, but got 0.0"),
        ({"rate": "often"}, TypeError, "`rate` to be a number"),
        ({"xi": -1.0}, ValueError, "`xi` > 0"),
        ({"mean": 1.0}, ValueError, "`mean` below the threshold of 1.0"),
        ({"mean": 0.9, "rate": 0.001}, ValueError, "a smaller `xi` or a larger `rate`"),
        ({"generator": 3}, TypeError, "`generator`"),
    ],
)
def test_what_cannot_be(change: dict[str, Any], error: type[Exception], message: str) -> None:
    arguments: dict[str, Any] = {"weight": torch.zeros(4, 3), "neuron": snn.Leaky(0.9), "rate": 0.1}
    with pytest.raises(error, match=message):
        fluctuation_driven_normal_(**{**arguments, **change})


def rates(net: nn.Sequential, x: torch.Tensor) -> list[float]:
    """Return how often the neurons of each layer fire."""
    found = []
    for layer, neuron in zip(net[::2], net[1::2], strict=True):
        x = snn.unroll(neuron, layer(x))
        found.append(float(x.mean()))
    return found


def test_ten_layers_fire() -> None:
    """With torch's start values the fifth layer is silent; balanced ones reach the last."""
    torch.manual_seed(0)
    layers: list[nn.Module] = []
    for _ in range(10):
        lif = snn.Leaky(beta=0.9, spike_grad=surrogate.fast_sigmoid(10), init_hidden=True)
        layers += [nn.Linear(128, 128, bias=False), lif]
    net, x = nn.Sequential(*layers), torch.bernoulli(torch.full((100, 8, 128), 0.1))
    with torch.no_grad():
        assert rates(net, x)[4:] == [0.0] * 6
        for layer, lif in zip(net[::2], net[1::2], strict=True):
            fluctuation_driven_centered_normal_(layer.weight, lif, rate=0.05)
            lif.reset_mem()
        assert min(rates(net, x)) > 0.01
