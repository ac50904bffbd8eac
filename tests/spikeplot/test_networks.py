"""Pictures of networks: what they show is what the layers do."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from torch import Tensor, nn

import snntorch as snn
import snntorch.spikeplot as splt
from snntorch.functional.probe import OutputMonitor
from tests.cases import CASES
from tests.spikeplot.drawing import HIDDEN, plt, spikes, values


class Loops(nn.Module):
    """A network as in the tutorials: states passed by hand, a time loop of its own."""

    def __init__(self, steps: int | None = None) -> None:
        super().__init__()
        self.steps = steps
        self.unused = snn.Leaky(beta=0.5)
        self.output_layer = snn.Synaptic(alpha=0.5, beta=0.8)
        self.hidden = snn.Leaky(beta=0.9)  # runs first

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        mem = self.hidden.init_leaky()
        syn2, mem2 = self.output_layer.init_synaptic()
        spk_rec, mem_rec = [], []
        for step in x if self.steps is None else [x] * self.steps:
            spk, mem = self.hidden(step, mem)
            spk2, syn2, mem2 = self.output_layer(spk, syn2, mem2)
            spk_rec.append(spk2)
            mem_rec.append(mem2)
        return torch.stack(spk_rec), torch.stack(mem_rec)


NETWORKS = {
    **{
        str(case): (
            lambda case=case: nn.Sequential(case.make(**{case.threshold: 0.1}, **HIDDEN)),
            values(8, *case.shape),
        )
        for case in CASES
    },
    "in front of a layer": (
        lambda: nn.Sequential(snn.Leaky(0.9, **HIDDEN), nn.Linear(4, 3)),
        values(8, 2, 4),
    ),
    "output": (lambda: nn.Sequential(snn.Leaky(0.9, **HIDDEN, output=True)), values(8, 2, 4)),
    "graded": (
        lambda: nn.Sequential(snn.Leaky(0.9, **HIDDEN, graded_spikes_factor=0.5)),
        values(8, 2, 4),
    ),
    "channels": (
        lambda: nn.Sequential(snn.Leaky(0.9, threshold=torch.rand(3, 1, 1), **HIDDEN)),
        values(8, 2, 3, 2, 2),
    ),
    "LeakyParallel": (
        lambda: nn.Sequential(snn.LeakyParallel(4, 5, beta=0.9)),
        3 * values(8, 2, 4),
    ),
    "StateLeaky": (lambda: nn.Sequential(snn.StateLeaky(0.9, 4)), values(8, 2, 4)),
    "membrane": (lambda: nn.Sequential(snn.StateLeaky(0.9, 4, output=False)), values(8, 2, 4)),
    "LinearLeaky": (
        lambda: nn.Sequential(snn.LinearLeaky(0.9, 4, 3, threshold=0.01)),
        4 * values(8, 2, 4),
    ),
    "AssociativeLeaky": (
        lambda: nn.Sequential(snn.AssociativeLeaky(4, 2, 2, 4, use_q_projection=False)),
        10 * values(8, 2, 4),
    ),
}


def shown_spikes(ax) -> Tensor:
    """Return the places of the spikes of a raster."""
    return torch.from_numpy(np.asarray(ax.collections[0].get_offsets())).long()


def left_axes(fig: Figure) -> list:
    return [ax for ax in fig.axes if ax.get_title("left")]


@pytest.mark.parametrize("name", NETWORKS)
def test_summary_of_any_network(name):
    make, x = NETWORKS[name]
    net = make()
    fig = splt.summary(net, x, sample=1)
    layer = copy.deepcopy(net)[0]
    # the same in plain torch, without the network
    returned = [layer(step) for step in x] if hasattr(layer, "step") else [layer(x)]
    spk = [out[0] if isinstance(out, tuple) else out for out in returned]
    spk = torch.stack(spk) if hasattr(layer, "step") else spk[0]
    if name == "membrane":
        spk = layer.fire(spk)
    spk = spk.detach()[:, 1].flatten(1)
    assert spk.any(), "a test without spikes shows nothing"
    raster = left_axes(fig)[1]
    assert torch.equal(shown_spikes(raster), spk.nonzero())
    title = raster.get_title("left")
    assert title.startswith(f"0: {type(layer).__name__}, {spk.shape[1]} neurons, rate")
    rate = (spk != 0).double().mean().item()
    assert float(title.split()[-1]) == pytest.approx(rate, abs=0.0051)


def test_summary_shows_input_rates_and_membranes():
    net = nn.Sequential(nn.Linear(6, 12), snn.Leaky(0.9, **HIDDEN, threshold=0.2))
    x = spikes(10, 3, 6)
    fig = splt.summary(net, x, sample=2, neurons=4)
    input_, _, membranes = left_axes(fig)
    assert torch.equal(shown_spikes(input_), x[:, 2].nonzero())
    neuron = copy.deepcopy(net)
    mem = torch.stack([(neuron(step), neuron[1].mem)[1] for step in x])[:, 2].detach()
    curves = [line.get_ydata() for line in membranes.lines]
    assert len(curves) == 8  # four traces and their thresholds
    for n in range(4):
        trace, level = curves[2 * n], curves[2 * n + 1]
        assert np.allclose(trace - level[0], mem[:, n] - 0.2, atol=1e-5)
    assert membranes.get_title("left") == "Membrane potential of 1: Leaky (first 4)"
    sides = [ax for ax in fig.axes if not ax.get_title("left")]
    assert len(sides) == 2
    rates, edges, _ = sides[0].patches[0].get_data()
    assert np.allclose(rates, x[:, 2].mean(0))
    assert np.array_equal(edges, np.arange(7) - 0.5)
    assert [side.get_xlabel() for side in sides] == ["", "Rate"]


def test_summary_of_values_that_are_no_spikes_is_an_image():
    x = 10 * values(8, 2, 4)
    fig = splt.summary(nn.Sequential(snn.AssociativeLeaky(4, 2, 2, 4)), x)
    input_, layer = left_axes(fig)  # it has no membrane to show
    assert np.array_equal(input_.images[0].get_array(), x[:, 0].T)
    assert len(layer.images) == 1
    assert len(fig.axes) == 2  # and no rates


@pytest.mark.parametrize("free", [False, True], ids=["subplot", "axes"])
def test_summary_in_the_place_of_given_axes(free):
    net, x = nn.Sequential(snn.Leaky(0.9, **HIDDEN)), spikes(8, 2, 4)
    fig = plt.figure(figsize=(9, 5))
    if free:
        ax, other = fig.add_axes((0.1, 0.1, 0.3, 0.8)), fig.add_axes((0.6, 0.1, 0.3, 0.8))
    else:
        ax, other = fig.subplots(1, 2)
    place = ax.get_position()
    assert splt.summary(net, x, ax) is fig
    assert plt.get_fignums() == [fig.number]
    assert not ax.axison
    assert not other.lines
    assert len(left_axes(fig)) == 3
    for panel in set(fig.axes) - {ax, other}:
        assert place.padded(1e-6).contains(*panel.get_position().min)
        assert place.padded(1e-6).contains(*panel.get_position().max)


@pytest.mark.parametrize(
    ("steps", "x", "kwargs"),
    [
        (None, spikes(9, 2, 4), {}),
        (9, spikes(2, 4), {}),
        (9, spikes(9, 2, 2), {"num_steps": 9}),
    ],
    ids=["sequence", "constant", "constant as long as the run"],
)
def test_summary_of_a_network_with_its_own_loop(steps, x, kwargs):
    net = Loops(steps)
    fig = splt.summary(net, x, **kwargs)
    input_, hidden, output, _ = left_axes(fig)
    constant = steps is not None
    seen = x[0].expand(9, *x.shape[1:]) if constant else x[:, 0]
    assert torch.equal(shown_spikes(input_), seen.flatten(1).nonzero())
    assert hidden.get_title("left").startswith("hidden: Leaky")  # in the order they ran
    assert output.get_title("left").startswith("output_layer: Synaptic")
    spk, _ = net(x)
    assert torch.equal(shown_spikes(output), spk[:, 0].flatten(1).nonzero())


@pytest.mark.parametrize("net", ["Leaky", "StateLeaky"])
def test_summary_repeats_a_constant_input(net):
    make, x = NETWORKS[net]
    repeated = splt.summary(make(), x[0], num_steps=7)
    given = splt.summary(make(), x[0].expand(7, *x[0].shape))
    for a, b in zip(left_axes(repeated)[1:2], left_axes(given)[1:2], strict=True):
        assert torch.equal(shown_spikes(a), shown_spikes(b))


def test_summary_can_be_told_that_a_network_loops_itself():
    class Looping(nn.Sequential):
        def forward(self, x: Tensor) -> Tensor:
            return torch.stack([super(Looping, self).forward(step) for step in x])

    x = values(8, 2, 4)
    looped = splt.summary(Looping(snn.Leaky(0.9, **HIDDEN)), x, stepwise=False)
    stepped = splt.summary(nn.Sequential(snn.Leaky(0.9, **HIDDEN)), x)
    for a, b in zip(left_axes(looped)[1:2], left_axes(stepped)[1:2], strict=True):
        assert torch.equal(shown_spikes(a), shown_spikes(b))


@pytest.mark.parametrize("function", [splt.summary, splt.firing_rates])
def test_a_picture_leaves_the_network_alone(function):
    net = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4), snn.Leaky(0.9, **HIDDEN), nn.Dropout())
    x = values(6, 2, 4)
    net(x[0])
    monitor = OutputMonitor(net, snn.Leaky)
    state = copy.deepcopy(net.state_dict())
    mem = net[2].mem.clone()
    function(net, x)
    assert net.training
    assert torch.equal(net[2].mem, mem)
    assert monitor.records == []
    assert all(torch.equal(value, net.state_dict()[key]) for key, value in state.items())


def test_firing_rates_of_a_network():
    net = nn.Sequential(nn.Linear(4, 6), snn.Leaky(0.9, **HIDDEN, threshold=0.3))
    x = values(20, 3, 4)
    ax = splt.firing_rates(net, x)
    neuron = copy.deepcopy(net)
    rates = torch.stack([neuron(step) for step in x]).detach().mean((0, 1))
    dots = ax.collections[0].get_offsets()
    assert np.allclose(dots[:, 0], rates)
    assert 0 < rates.mean() < 1
    assert np.allclose(ax.collections[1].get_segments()[0][:, 0], rates.mean())
    silent = f"{(rates == 0).float().mean():.0%}".replace("%", " %")
    assert [t.get_text() for t in ax.texts] == [f"mean {rates.mean():.2f}, {silent} silent"]
    assert [tick.get_text() for tick in ax.get_yticklabels()] == ["1: Leaky\n6 neurons"]


def test_firing_rates_of_recorded_spikes_on_given_axes():
    _, (ax, other) = plt.subplots(1, 2)
    recorded = {"a": spikes(10, 2, 3, 3), "b": torch.zeros(10, 2, 5)}
    assert splt.firing_rates(recorded, ax=ax) is ax
    assert not other.collections
    assert np.allclose(ax.collections[0].get_offsets()[:, 0], recorded["a"].mean((0, 1)).flatten())
    assert ax.texts[1].get_text() == "mean 0.00, 100 % silent"
