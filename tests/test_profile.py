"""What nets cost: counted by hand, by plain loops, and by NeuroBench."""

from __future__ import annotations

import copy
import json
import re
from dataclasses import asdict
from itertools import product
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import parametrize, prune

import snntorch as snn
from snntorch.functional import probe
from tests import costs, golden

HIDDEN = {"init_hidden": True}
RECORDED = json.loads(costs.RECORDED.read_text())


def spikes(*shape: int, rate: float = 0.4) -> Tensor:
    return torch.from_numpy(golden.rng("profile", shape).rand(*shape) < rate).float()


def mixed(*shape: int) -> Tensor:
    """Return three samples or more: spikes, spikes of size two, and numbers."""
    x = spikes(*shape)
    x[1] *= 2
    x[2] *= torch.from_numpy(golden.rng("mixed").rand(*shape[1:])).float()
    return x


def sparse(layer: Any, share: float = 0.3) -> Any:
    """Return a layer after a share of its weights became zero."""
    for name, value in layer.named_parameters():
        gone = golden.rng("sparse", name).rand(*value.shape) < share
        value.data[torch.from_numpy(gone)] = 0
    return layer


def found(profile: snn.Profile | snn.LayerProfile) -> list[float]:
    """Return dense operations, multiply-accumulates and accumulations."""
    layer = profile.total if isinstance(profile, snn.Profile) else profile
    return [layer.dense, layer.macs, layer.acs]


class Tally:
    """Counts products of inputs and weights one by one, as the definition says."""

    def __init__(self) -> None:
        self.counts = [0, 0, 0]

    def add(self, sample: Any, at: Any, weight: float) -> None:
        self.counts[0] += 1
        if sample[at] != 0 and weight != 0:
            spiking = all(value in (-1, 0, 1) for value in sample.flatten())
            self.counts[2 if spiking else 1] += 1

    def linear(self, x: Any, weight: Any) -> None:
        """Count (samples, inputs) through (neurons, inputs)."""
        x, weight = np.asarray(x), np.asarray(weight.detach())
        for sample, (i, j) in product(x, product(*map(range, weight.shape))):
            self.add(sample, j, weight[i, j])

    def conv(self, x: Any, layer: Any) -> None:
        """Count (samples, channels, ...) through a convolution, transposed or not."""
        x, weight = np.asarray(x), np.asarray(layer.weight.detach())
        out = layer(torch.from_numpy(x)).shape[2:]
        # a transposed one scatters what a convolution gathers: inputs and outputs change places
        wide, narrow = (out, x.shape[2:]) if layer.transposed else (x.shape[2:], out)
        axes = range(x.ndim - 2)
        for sample, a, b in product(x, *map(range, weight.shape[:2])):
            for p, k in product(np.ndindex(*narrow), np.ndindex(*weight.shape[2:])):
                far = tuple(
                    p[d] * layer.stride[d] - layer.padding[d] + k[d] * layer.dilation[d]
                    for d in axes
                )
                if not all(0 <= far[d] < wide[d] for d in axes):
                    continue
                group = a // (layer.out_channels // layer.groups)
                at = (a, *p) if layer.transposed else (group * weight.shape[1] + b, *far)
                self.add(sample, at, weight[(a, b, *k)])


CONVOLUTIONS = [
    (nn.Conv1d, {}),
    (nn.Conv1d, {"stride": 2, "padding": 3, "dilation": 2}),
    (nn.Conv1d, {"groups": 2, "padding": 1}),
    (nn.Conv2d, {"padding": 1}),
    (nn.Conv2d, {"stride": (2, 1), "padding": (0, 2), "dilation": (1, 2)}),
    (nn.Conv2d, {"groups": 4}),
    (nn.Conv3d, {"padding": 1, "stride": 2}),
    (nn.Conv3d, {"groups": 2, "dilation": 2, "padding": 2}),
    (nn.ConvTranspose1d, {"stride": 2, "padding": 1, "output_padding": 1}),
    (nn.ConvTranspose1d, {"groups": 2, "dilation": 2}),
    (nn.ConvTranspose2d, {"stride": 2, "padding": 1}),
    (nn.ConvTranspose2d, {"groups": 4, "stride": (1, 2), "dilation": (2, 1)}),
    (nn.ConvTranspose3d, {"stride": 2, "padding": 1, "groups": 2}),
]


@pytest.mark.parametrize(("kind", "how"), CONVOLUTIONS)
def test_convolutions(kind, how):
    layer = sparse(kind(4, 4, 3, **how))
    size = {"1": (7,), "2": (5, 4), "3": (4, 3, 3)}[kind.__name__[-2]]
    x, tally = mixed(3, 4, *size), Tally()
    tally.conv(x, layer)
    assert found(snn.profile(layer, x)) == tally.counts
    assert min(tally.counts) > 0


@pytest.mark.parametrize(("kind", "how"), [CONVOLUTIONS[1], CONVOLUTIONS[10]])
def test_a_convolution_counted_otherwise_is_noticed(kind, how):
    layer, x, tally = kind(4, 4, 3, **how), mixed(3, 4, 7, 7)[..., :7], Tally()
    x = x[..., 0] if kind is nn.Conv1d else x
    tally.conv(x, layer)
    layer.padding = tuple(p + 1 for p in layer.padding)
    assert found(snn.profile(layer, x)) != tally.counts


def test_samples_of_a_convolution_without_a_batch():
    layer, x = nn.Conv2d(2, 3, 3), spikes(2, 5, 5)
    assert found(snn.profile(layer, x)) == found(snn.profile(layer, x.unsqueeze(0)))


def by(function: Any) -> Any:
    """Return a net whose forward is a function of its weight and the input."""

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.w = nn.Parameter(torch.from_numpy(golden.rng("w").randn(4, 6)).float())

        def forward(self, x: Tensor) -> Tensor:
            return function(self.w, x)

    return sparse(Net())


@pytest.mark.parametrize(
    "function",
    [
        lambda w, x: F.linear(x, w),
        lambda w, x: F.linear(x, w, torch.ones(4)),
        lambda w, x: x @ w.T,
        lambda w, x: (w @ x.T).T,
        lambda w, x: torch.addmm(torch.zeros(4), x, w.T),
        lambda w, x: torch.einsum("oi,bi->bo", w, x),
        lambda w, x: torch.stack([w @ row for row in x]),
        lambda w, x: torch.stack([F.linear(row, w, torch.ones(4)) for row in x]),
        lambda w, x: torch.stack([torch.dot(w[i], row) for row in x for i in range(4)]),
        lambda w, x: torch.bmm(x.unsqueeze(1), w.T.expand(len(x), -1, -1)),
        lambda w, x: F.conv1d(x.unsqueeze(-1), w.unsqueeze(-1)),
        lambda w, x: F.linear(x.reshape(1, 3, 1, 6), w),
    ],
)
def test_functions_and_products(function):
    net, x, tally = by(function), mixed(3, 6), Tally()
    tally.linear(x, net.w)
    profile = snn.profile(net, x)
    assert found(profile) == tally.counts
    assert min(tally.counts) > 0
    # weights are found wherever they stand
    (layer,) = profile.layers
    assert layer.weight_reads == sum(tally.counts[1:])
    assert layer.weight_bytes == 4 * layer.weight_reads
    assert layer.connection_sparsity == (net.w == 0).sum() / 24


def test_weights_that_need_no_multiplier():
    layer, x = nn.Linear(6, 4), torch.rand(3, 6)
    layer.weight.data[1:3] = layer.weight.data[1:3].sign()
    assert found(snn.profile(layer, x)) == [72, 36, 36]


def test_products_of_activations_have_no_weight():
    class Attention(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return F.scaled_dot_product_attention(x, x, x)

    profile = snn.profile(Attention(), torch.rand(2, 3, 5, 4) + 0.1)
    assert found(profile) == [2 * 2 * 3 * 5 * 5 * 4, 2 * 2 * 3 * 5 * 5 * 4, 0]
    assert profile.total.weight_reads == profile.total.weights == 0


# --- neurons and recurrent layers -----------------------------------------------------------


def record(net: nn.Module, x: Tensor) -> list[tuple[Tensor, ...]]:
    """Return what a neuron returned at each step."""
    states = net.reset_mem()
    states = states if isinstance(states, tuple) else (states,)
    out = []
    for step in x:
        out.append(net(step, *states))
        states = out[-1][-len(states) :]
    return out


def stepped(net: nn.Module, x: Tensor) -> snn.Profile:
    return snn.profile(net, x, run=record)


def layers(profile: snn.Profile) -> dict[str, snn.LayerProfile]:
    return {layer.name: layer for layer in profile.layers}


@torch.no_grad()
@pytest.mark.parametrize("cls", [snn.RLeaky, snn.RSynaptic])
@pytest.mark.parametrize("how", ["linear", "conv", "V", "each V"])
def test_feedback(cls, how):
    size = (4, 3, 3) if how == "conv" else (6,)
    given = {
        "linear": {"linear_features": 6},
        "conv": {"conv2d_channels": 4, "kernel_size": 3},
        "V": {"all_to_all": False, "V": 0.5},
        "each V": {"all_to_all": False, "V": torch.tensor([0, 0.5, 1, 0, -1, 2])},
    }[how]
    decays = (0.8,) if cls is snn.RLeaky else (0.9, 0.8)
    neuron, x, tally = cls(*decays, **given), 2 * spikes(5, 2, *size), Tally()
    sparse(neuron.recurrent) if how in ("linear", "conv") else None
    fed = torch.cat([torch.zeros(1, 2, *size), torch.stack([o[0] for o in record(neuron, x)])[:-1]])
    assert 0 < fed.mean() < 1
    for step in fed:
        if how == "linear":
            tally.linear(step, neuron.recurrent.weight)
        elif how == "conv":
            tally.conv(step, neuron.recurrent)
        else:
            for value, weight in zip(step.flatten(), neuron.V.expand(2, 6).flatten(), strict=True):
                tally.add(value.reshape(1), 0, weight)
    parts = layers(stepped(neuron, x))
    assert found(parts["recurrent"]) == tally.counts
    assert tally.counts[2] > 0
    states = 1 if cls is snn.RLeaky else 2  # the spikes are bits
    assert parts["."].state_accesses == 2 * states * x.numel()


@torch.no_grad()
def test_the_gates_of_an_lstm():
    cell, x, tally = snn.SLSTM(5, 3, threshold=0.05), spikes(4, 2, 5), Tally()
    sparse(cell.lstm_cell)
    hidden = torch.zeros(2, 3)
    for step, (_, _, mem) in zip(x, record(cell, x), strict=True):
        tally.linear(step, cell.lstm_cell.weight_ih)
        tally.linear(hidden, cell.lstm_cell.weight_hh)
        hidden = mem
    profile = stepped(cell, x)
    assert found(layers(profile)["lstm_cell"]) == tally.counts
    assert min(tally.counts) > 0
    assert profile.total.weights == 4 * 3 * (5 + 3)
    assert profile.total.updates == 4 * 2 * 3
    assert profile.total.state_accesses == 2 * 2 * 4 * 2 * 3


@torch.no_grad()
def test_the_gates_of_a_convolutional_lstm():
    cell, x, tally = (
        snn.SConv2dLSTM(2, 3, 3, threshold=0.05, max_pool=2),
        spikes(3, 1, 2, 4, 4),
        Tally(),
    )
    hidden = torch.zeros(1, 3, 4, 4)
    for step, (_, _, mem) in zip(x, record(cell, x), strict=True):
        tally.conv(torch.cat([step, hidden], 1), cell.conv)
        hidden = mem
    parts = layers(stepped(cell, x))
    assert found(parts["conv"]) == tally.counts
    assert parts["."].updates == 3 * 3 * 4 * 4
    assert parts["."].outputs == 3 * 3 * 2 * 2  # pooled


@pytest.mark.parametrize(
    ("neuron", "states"),
    [
        (snn.Leaky(0.5, **HIDDEN), 1),
        (snn.Lapicque(0.5, **HIDDEN), 1),
        (snn.Synaptic(0.9, 0.8, **HIDDEN), 2),
        (snn.Alpha(0.9, 0.8, **HIDDEN), 3),
        (snn.DeltaLeaky(beta=0.5, **HIDDEN), 2),
        (snn.Leaky(0.5, **HIDDEN).enable_homeostasis(), 2),
        (snn.ALIF(0.5, **HIDDEN), 2),
    ],
)
def test_updates_of_neurons(neuron, states):
    x = 2 * spikes(6, 2, 5, rate=0.6) * spikes(2, 5, rate=0.6)
    spk, mem = map(torch.stack, zip(*((neuron(step), neuron.mem) for step in x), strict=True))
    fired, changed = int(spk.count_nonzero()), 10 + int((mem[1:] != mem[:-1]).sum())
    assert fired
    snn.utils.reset(neuron)
    (layer,) = snn.profile(neuron, x).layers
    assert (layer.updates, layer.outputs, layer.neuron_outputs) == (60, 60, 60)
    assert layer.membrane_updates == changed < 60
    assert (layer.spikes, layer.zero_outputs) == (fired, 60 - fired)
    assert layer.spike_rate == pytest.approx(1 - layer.activation_sparsity)
    assert (layer.other_macs, layer.other_acs) == (60 * states, 0)
    assert (layer.state_accesses, layer.state_bytes) == (120 * states, 480 * states)
    assert layer.state_footprint == 4 * 10 * states


@pytest.mark.parametrize(
    ("neuron", "dense"),
    [
        (snn.StateLeaky(0.9, 4), 0),
        (snn.LinearLeaky(0.9, 5, 4), 20),
        (snn.LeakyParallel(5, 4), 20),
        (snn.LeakyParallel(5, 4, weight_hh_enable=True), 20 + 16),
        (snn.AssociativeLeaky(5, 2, 2, 4, use_q_projection=False), 3 * 10),
        (snn.AssociativeLeaky(5, 2, 2, 4), 3 * 10 + 20 + 8),
    ],
)
def test_neurons_of_whole_sequences(neuron, dense):
    x = torch.rand(6, 2, 4 if type(neuron) is snn.StateLeaky else 5)
    profile = snn.profile(neuron, x)
    assert profile.steps == 6
    assert profile.total.updates == 6 * 2 * 4
    assert profile.total.dense == 6 * 2 * dense


def test_a_delay_moves_what_it_holds():
    net = nn.Sequential(snn.SynapticDelay(3, 2.0), snn.Leaky(0.5, **HIDDEN))
    delay, _ = snn.profile(net, spikes(5, 2, 4)).layers
    assert (delay.state_accesses, delay.state_bytes) == (5 * 2 * 8, 4 * 5 * 2 * 8)
    assert delay.state_footprint == 4 * 3 * 2 * 4


# --- what stands between ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("layer", "macs", "acs"),
    [
        (nn.BatchNorm2d(4), 288, 0),
        (nn.BatchNorm2d(4).eval(), 288, 0),
        (nn.GroupNorm(2, 4), 288, 0),
        (nn.LayerNorm(6), 288, 0),
        (nn.AvgPool2d(2), 0, 288),
        (nn.AvgPool2d(3, stride=1), 0, 2 * 4 * 4 * 4 * 9),
        (nn.AdaptiveAvgPool2d(3), 0, 288),
        (nn.AdaptiveAvgPool2d(1), 0, 288),
        (nn.MaxPool2d(2), 0, 0),
        (nn.Flatten(), 0, 0),
        (nn.Dropout(), 0, 0),
    ],
)
def test_layers_without_synapses(layer, macs, acs):
    total = snn.profile(layer, torch.rand(2, 4, 6, 6)).total
    assert (total.other_macs, total.other_acs) == (macs, acs)
    assert found(total) == [0, 0, 0]
    assert total.spike_rate is total.connection_sparsity is None


@pytest.mark.parametrize(("pool", "size"), [(nn.AvgPool1d(2), (4,)), (nn.AvgPool3d(2), (4, 4, 4))])
def test_average_pooling_in_other_dimensions(pool, size):
    x = torch.rand(2, 3, *size)
    assert snn.profile(pool, x).total.other_acs == x.numel()


def test_activations_have_zeros_and_no_spikes():
    x = torch.tensor([[-1.0, 2, -3, 4, 0]])
    total = snn.profile(nn.ReLU(), x).total
    assert total.activation_sparsity == 3 / 5
    assert total.spike_rate is None
    assert snn.profile(nn.Sigmoid(), x).total.activation_sparsity == 0


def test_torchs_recurrent_layers_and_attention():
    lstm, x = nn.LSTM(5, 4), torch.rand(3, 2, 5)
    profile = snn.profile(lstm, x)
    assert profile.total.dense == 3 * 2 * 4 * 4 * (5 + 4)
    assert profile.uncounted == ()
    attention = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True).eval()
    profile = snn.profile(attention, torch.rand(3, 5, 8))
    assert profile.uncounted == ()
    # projections, two products of queries, keys and values, two layers
    assert profile.total.dense == 3 * 5 * (4 * 8 * 8 + 2 * 5 * 8 + 2 * 8 * 16)


def test_what_is_not_counted_is_told():
    net = nn.Bilinear(3, 4, 5)
    profile = snn.profile(net, torch.rand(2, 4), run=lambda net, x: net(x[:, :3], x))
    assert profile.uncounted == ("aten._trilinear in .",)
    assert str(profile).endswith("not counted: aten._trilinear in .")


# --- weights ---------------------------------------------------------------------------------


def test_parameters_and_their_bytes():
    shared = nn.Linear(3, 3)
    net = nn.Sequential(shared, nn.BatchNorm1d(3), nn.Linear(3, 3).double(), nn.Linear(3, 3))
    net[3].weight = shared.weight
    first, norm, double, last = snn.profile(net, torch.rand(2, 3), run=lambda *_: None).layers
    assert (first.parameters, first.footprint) == (12, 48)
    assert (norm.parameters, norm.footprint) == (6, 4 * 12 + 8)
    assert (double.parameters, double.footprint) == (12, 96)
    assert (last.parameters, last.footprint) == (3, 12)


def test_weights_that_are_pruned_or_computed():
    pruned = prune.random_unstructured(nn.Linear(6, 4), "weight", 8)
    halved = nn.Linear(6, 4)
    mask = torch.arange(24).reshape(4, 6) % 2

    class Masked(nn.Module):
        def forward(self, weight: Tensor) -> Tensor:
            return weight * mask

    parametrize.register_parametrization(halved, "weight", Masked())
    for layer, zeros in ((pruned, 8), (halved, 12)):
        total = snn.profile(layer, torch.rand(3, 6) + 1).total
        assert (total.weights, total.zero_weights) == (24, zeros)
        assert total.macs == 3 * (24 - zeros) == total.weight_reads


def test_a_weight_counts_once_however_often_it_is_used():
    net = nn.Sequential(nn.Linear(3, 3), snn.Leaky(0.5, **HIDDEN))
    total = snn.profile(net, spikes(7, 2, 3)).total
    assert (total.weights, total.dense) == (9, 7 * 2 * 9)


# --- time ------------------------------------------------------------------------------------


class Loop(nn.Module):
    """A net with its loop in ``forward``."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv, self.lif1 = nn.Conv2d(1, 3, 3), snn.Leaky(0.8)
        self.fc, self.lif2 = nn.Linear(48, 4), snn.Leaky(0.8)

    def forward(self, x: Tensor) -> Tensor:
        mem1, mem2, out = self.lif1.reset_mem(), self.lif2.reset_mem(), []
        for step in x:
            spk, mem1 = self.lif1(2 * self.conv(step), mem1)
            spk, mem2 = self.lif2(self.fc(spk.flatten(1)), mem2)
            out.append(spk)
        return torch.stack(out)


class Step(nn.Module):
    """The same net, one step at a time."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv, self.lif1 = nn.Conv2d(1, 3, 3), snn.Leaky(0.8, **HIDDEN)
        self.fc, self.lif2 = nn.Linear(48, 4), snn.Leaky(0.8, **HIDDEN)

    def forward(self, x: Tensor) -> Tensor:
        spk = self.lif1(2 * self.conv(x))
        return self.lif2(self.fc(spk.flatten(1)))


def sequential() -> nn.Sequential:
    """Return the same net as layers."""
    net = Step()
    net.conv.weight.data *= 2
    net.conv.bias.data *= 2
    return nn.Sequential(net.conv, net.lif1, nn.Sequential(nn.Flatten(), net.fc), net.lif2)


X = spikes(6, 2, 1, 6, 6)


@pytest.mark.parametrize(
    "profile",
    [
        lambda: snn.profile(snn.fuse(Loop()), X),
        lambda: snn.profile(Step(), X, run=snn.unroll),
        lambda: snn.profile(Step(), X, run=lambda net, x: [net(step) for step in x]),
        lambda: snn.profile(sequential(), X),
        lambda: snn.profile(snn.fuse(sequential()), X),
    ],
)
def test_however_the_loop_is_written(profile):
    one, other = snn.profile(Loop(), X), profile()
    assert one.steps == other.steps == 6
    numbers = one.total.to_dict()
    assert numbers["acs"] > 0
    for name, number in other.total.to_dict().items():
        assert name == "kind" or number == numbers[name], name


def test_an_input_that_is_repeated():
    for net in (Step(), sequential()):
        repeated = snn.profile(net, X[0], num_steps=5)
        assert repeated == snn.profile(net, X[:1].expand(5, *X[0].shape), run=snn.unroll)
        assert repeated.steps == 5


def test_a_fused_net_stays_as_it_was():
    net = snn.fuse(Loop())
    net(X)
    told = str(snn.plan(net))
    snn.profile(net, X)
    assert str(snn.plan(net)) == told
    assert net(X).equal(Loop()(X))


def test_a_neuron_alone():
    assert snn.profile(snn.Leaky(0.5), spikes(6, 2, 5)).steps == 6


def test_a_net_without_neurons_is_called_once():
    profile = snn.profile(nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU()), torch.rand(4, 1, 5, 5))
    assert profile.steps == 1
    assert profile.total.dense == 4 * 2 * 9 * 9


def test_samples_add_up():
    whole, net = snn.profile(Loop(), X), Loop()
    parts = [snn.profile(net, X[:, i : i + 1]).total for i in range(2)]
    mean = snn.profile(net, X, samples=2).total
    for name, number in whole.total.to_dict().items():
        if name in ("dense", "macs", "acs", "updates", "membrane_updates", "state_footprint"):
            assert number == sum(getattr(part, name) for part in parts)
            assert getattr(mean, name) == number / 2
    assert mean.footprint == whole.total.footprint


# --- the net afterwards -------------------------------------------------------------------------


class Breaks(nn.Module):
    """Raises an error, or handles one, in mid-loop."""

    def __init__(self, handled: bool) -> None:
        super().__init__()
        self.handled, self.seen = handled, []
        self.fc, self.lif, self.norm = nn.Linear(3, 3), snn.Leaky(0.5, **HIDDEN), nn.BatchNorm1d(3)
        self.part = nn.Sequential(nn.Identity(), nn.Linear(4, 4))

    def forward(self, x: Tensor) -> Any:
        self.seen.append(x)
        out = self.lif(self.norm(self.fc(x)))
        try:
            self.part(x)
        except RuntimeError:
            if not self.handled:
                raise
        return out @ self.fc.weight


@pytest.mark.parametrize("handled", [True, False])
def test_the_net_is_as_it_was(handled):
    net, x = Breaks(handled), torch.rand(4, 3)
    monitor = probe.OutputMonitor(net, snn.Leaky)
    net.lif(torch.ones(4, 3))
    monitor.clear_recorded_data()
    net.part.eval()
    values = copy.deepcopy(list(net.named_parameters()) + list(net.named_buffers()))
    modes, hooks = (
        [m.training for m in net.modules()],
        [len(m._forward_hooks) for m in net.modules()],
    )
    seed = torch.get_rng_state()
    if handled:
        parts = layers(snn.profile(net, x))
        # what follows the error is not said to be of where it was raised
        assert found(parts["."]) == [36, 0, parts["."].acs]
        assert parts["part.1"].dense == 0
    else:
        with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
            snn.profile(net, x)
    for (name, old), (_, new) in zip(
        values, list(net.named_parameters()) + list(net.named_buffers()), strict=True
    ):
        assert torch.equal(old, new), name
    assert [m.training for m in net.modules()] == modes
    assert [len(m._forward_hooks) for m in net.modules()] == hooks
    assert net.seen == monitor.records == []
    assert torch.get_rng_state().equal(seed)
    assert torch.backends.mha.get_fastpath_enabled()
    assert torch.is_grad_enabled()


def test_states_are_where_it_starts():
    net = nn.Sequential(snn.Leaky(1.0, threshold=5.0, **HIDDEN))
    net(torch.full((1, 1), 4.0))
    assert snn.profile(net, 2 * torch.ones(1, 1, 1)).total.spikes == 1
    assert net[0].mem.item() == 4.0


# --- energy -----------------------------------------------------------------------------------


def test_energy_is_the_sum_of_its_operations():
    net = nn.Sequential(nn.Linear(3, 2), snn.Leaky(0.5, **HIDDEN), nn.AvgPool1d(2))
    x = torch.tensor([[[1.0, 0, 1]], [[0.5, 0, 0]]])  # 4 accumulations, then 2 that multiply
    profile = snn.profile(net, x)
    assert found(profile) == [12, 2, 4]
    assert (profile.total.other_macs, profile.total.other_acs) == (4, 4)
    assert (profile.total.weight_reads, profile.total.state_accesses) == (6, 8)
    energy = profile.energy()
    assert energy.operations == pytest.approx((6 * 4.6 + 8 * 0.9) * 1e-12)
    assert energy.memory == pytest.approx(14 * 4 * 2.5e-12)
    assert energy.total == energy.operations + energy.memory
    own = snn.EnergyTable("own", add=1, multiply=10, access=100, width=2)
    assert profile.energy(own) == snn.Energy(6 * 11 + 8, 14 * 2 * 100)
    # as an ANN: 6 weights, once
    ann = profile.as_ann()
    assert ann.energy("int8").operations == pytest.approx(6 * 0.23e-12)
    assert ann.energy(own) == snn.Energy(6 * 11, 6 * 2 * 100)
    assert (ann.steps, ann.total.parameters, ann.total.footprint, ann.total.updates) == (1, 8, 8, 0)
    assert sum(layer.energy(own).total for layer in profile.layers) == profile.energy(own).total


@pytest.mark.parametrize(
    ("name", "add", "multiply", "width"),
    [
        ("float32", 0.9, 3.7, 4),
        ("float16", 0.4, 1.1, 2),
        ("int32", 0.1, 3.1, 4),
        ("int8", 0.03, 0.2, 1),
    ],
)
def test_tables_are_as_published(name, add, multiply, width):
    """Horowitz (2014): 45 nm, 0.9 V; 20 pJ for 64 bits from a cache of 32 KB."""
    table = snn.EnergyTable.named[name]
    assert (table.add, table.multiply) == pytest.approx((add * 1e-12, multiply * 1e-12))
    assert (table.access, table.width) == (2.5e-12, width)
    assert table.mac == table.add + table.multiply


NET = nn.Sequential(nn.Linear(2, 2), snn.Leaky(0.5, **HIDDEN))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: snn.profile(3, X),
            TypeError,
            "profile expected `net` to be .* but got int",
        ),
        (lambda: snn.profile(NET, X, samples=0), ValueError, "profile expected `samples` >= 1"),
        (lambda: snn.profile(NET, X, run=3), TypeError, "`run` to be a function of net and input"),
        (
            lambda: snn.profile(NET, X, 3, run=snn.unroll),
            TypeError,
            "profile expected one of `num_steps` and `run`, but got both",
        ),
        (lambda: snn.profile(NET, X, 0), ValueError, "profile expected `num_steps` >= 1"),
        (lambda: snn.profile(NET, "a"), TypeError, "profile expected `x` to be a torch.Tensor"),
        (
            lambda: snn.profile(NET, spikes(3, 1, 2)).energy("int4"),
            ValueError,
            "energy expected `table` to be one of",
        ),
        (
            lambda: snn.profile(NET, spikes(3, 1, 2)).energy(8),
            TypeError,
            "energy expected `table` to be a name or an EnergyTable, but got 8",
        ),
        (
            lambda: snn.EnergyTable("x", -1, 1, 1, 1),
            ValueError,
            "EnergyTable expected `add` >= 0, but got -1",
        ),
        (lambda: snn.EnergyTable("x", 1, "1", 1, 1), TypeError, "`multiply` to be a number"),
        (lambda: snn.EnergyTable("x", 1, 1, float("inf"), 1), ValueError, "a finite `access`"),
        (lambda: snn.EnergyTable("x", 1, 1, 1, 0), ValueError, "`width` >= 1"),
    ],
)
def test_errors(call, error, message):
    with pytest.raises(error, match=message.replace("(", r"\(")):
        call()


# --- to read ------------------------------------------------------------------------------------


def test_a_dict_of_all_numbers():
    profile = snn.profile(Loop(), X, samples=2)
    data = json.loads(json.dumps(profile.to_dict()))
    assert list(data["layers"]) == ["conv", "lif1", "fc", "lif2"]
    assert data["layers"]["lif1"]["spike_rate"] == profile.layers[1].spike_rate
    assert data["total"]["acs"] == sum(layer["acs"] for layer in data["layers"].values())
    for table in snn.EnergyTable.named:
        assert data["energy"][table] == asdict(profile.energy(table))
        assert data["ann_energy"][table] == asdict(profile.as_ann().energy(table))
    assert (data["steps"], data["samples"], data["net"]) == (6, 2, "Loop")


def test_a_table_to_print():
    net = nn.Sequential(nn.Linear(3, 2, bias=False), snn.Leaky(0.5, **HIDDEN))
    net[0].weight.data = torch.tensor([[1.5, 0, 1.5], [0.5, 0.5, 0.25]])
    profile = snn.profile(
        net, torch.tensor([[[1.0, 0, 1]], [[0, 1, 0]]]).expand(2, 3, 3), samples=3
    )
    head, columns, *rows, snn_energy, quantized, ann_energy = str(profile).splitlines()
    assert head == "Sequential, 2 steps, for 1 sample (mean of 3):"
    assert columns.split("  ")[0] == "layer"
    cells = [" ".join(row.split()) for row in rows]
    assert cells[0] == "0 Linear 6 16.7 % 12 5 20 B 54.5 pJ"
    assert cells[1] == "1 Leaky 4 4 0.250 75.0 % 32 B 98.4 pJ"
    assert cells[2] == "total Sequential 6 16.7 % 12 5 4 4 0.250 75.0 % 52 B 153 pJ"
    assert snn_energy == ("energy (32-bit float, 45 nm): 153 pJ, operations 22.9 pJ, memory 130 pJ")
    assert quantized == "energy (8-bit int, 45 nm): 33.6 pJ, operations 1.07 pJ, memory 32.5 pJ"
    assert ann_energy == (
        "energy as an ANN, once (8-bit int, 45 nm): 16.4 pJ, operations 1.38 pJ, memory 15 pJ"
    )


# --- NeuroBench -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", costs.SAME)
def test_neurobench_found_the_same(name):
    own = costs.in_their_terms(costs.ours(name))
    assert costs.differing(own, RECORDED[name]) == []
    assert own["Effective_ACs"] > 0


def test_the_page_has_what_was_recorded():
    page = (costs.RECORDED.parents[2] / "docs" / "energy.rst").read_text()
    for name in costs.SAME:
        of = RECORDED[name]
        bytes_, connections, activation, *counts = re.search(
            rf"^{name} +(\d+) B +([\d.]+) % +([\d.]+) %" + r" +([\d.]+)" * 4, page, re.MULTILINE
        ).groups()
        assert int(bytes_) == of["Footprint"]
        assert float(connections) == round(100 * of["ConnectionSparsity"], 1)
        assert float(activation) == round(100 * of["ActivationSparsity"], 1)
        names = ("Dense", "Effective_MACs", "Effective_ACs", "MembraneUpdates")
        assert list(map(float, counts)) == [round(of[what], 1) for what in names]


def test_another_number_is_noticed():
    own = costs.in_their_terms(costs.ours("residual"))
    assert costs.differing({**own, "Dense": own["Dense"] + 1}, RECORDED["residual"]) == ["Dense"]
    assert costs.differing({**own, "Footprint": None}, RECORDED["residual"]) == ["Footprint"]


def test_neurobench_leaves_feedback_one_to_one_out():
    theirs, profile = RECORDED["one_to_one"], costs.ours("one_to_one")
    rest = layers(profile)["before.0"]
    assert found(rest) == [theirs[n] for n in ("Dense", "Effective_MACs", "Effective_ACs")]
    assert round(rest.connection_sparsity, 4) == theirs["ConnectionSparsity"]


def test_neurobench_leaves_transposed_convolutions_out():
    theirs = RECORDED["transposed"]
    assert (theirs["Dense"], theirs["Effective_ACs"], theirs["ConnectionSparsity"]) == (0, 0, None)


def test_neurobench_counts_what_gates_multiply_among_synapses():
    theirs, total = RECORDED["lstm"], costs.ours("lstm").total
    hidden, steps = 6, costs.STEPS
    gates = 3 * hidden * steps - hidden  # the first step has no cell state
    silent = 4 * hidden * hidden  # and no hidden state
    assert theirs["Dense"] == total.dense + gates - silent
    assert theirs["Effective_ACs"] == pytest.approx(total.macs + total.acs + gates)
    assert theirs["Effective_MACs"] == 0  # the input alone decides
