"""Export, write, read, import: the same spikes, and the same membranes but for rounding."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nir
import nirtorch
import pytest
import torch
from torch import Tensor, nn

import snntorch as snn
from snntorch import utils
from snntorch.export_nir import export_to_nir
from snntorch.import_nir import import_from_nir
from tests.nir.nets import LAYERS, NETS, NEURONS, STEPS, Shape, hidden


def there_and_back(net: nn.Module, shape: Shape, path: Path, **kwargs: Any) -> nn.Module:
    nir.write(path, export_to_nir(net, torch.rand(1, *shape)))
    return import_from_nir(nir.read(path), **kwargs)


def records(net: nn.Module, x: Tensor) -> tuple[Tensor, list[Tensor]]:
    """Return what a net gives over time, and the last states of its parts in their order."""
    neurons = list(utils.with_states(net))
    mems: list[list[Tensor]] = [[] for _ in neurons]
    utils.reset(net)
    outs = []
    for step in x:
        out = net(step)
        outs.append(out[0] if isinstance(out, tuple) else out)
        for neuron, mem in zip(neurons, mems, strict=True):
            mem.append(getattr(neuron, neuron.state_names[-1]))
    return torch.stack(outs), [torch.stack(mem) for mem in mems]


def expect_same(net: nn.Module, other: nn.Module, shape: Shape, fires: bool = True) -> None:
    net.eval()
    x = 2 * torch.rand(STEPS, 3, *shape) * torch.bernoulli(torch.full((STEPS, 3, *shape), 0.5))
    with torch.no_grad():
        (spk, mems), (spk2, mems2) = records(net, x), records(other.eval(), x)
    if fires:
        assert 0.01 < (spk != 0).float().mean() < 0.99
    assert torch.equal(spk, spk2)
    for mem, mem2 in zip(mems, mems2, strict=True):
        torch.testing.assert_close(mem2, mem, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", LAYERS)
def test_layers(name: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    make, shape = LAYERS[name]
    layer = make()
    threshold = 6.0 if name in ("SumPool2d", "LPPool2d") else 0.5
    net = nn.Sequential(layer, hidden(snn.Leaky, 0.5, threshold=threshold))
    back = there_and_back(net, shape, tmp_path / "net.nir")
    assert type(back[0]) is type(layer)
    if "Pool" not in name and "valid" not in name:  # one number for two, 0 for "valid"
        assert repr(back[0]) == repr(layer)
    assert [*back.state_dict()] == [*net.state_dict()]
    expect_same(net, back, shape)


@pytest.mark.parametrize("name", NEURONS)
def test_neurons(name: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    make, shape = NEURONS[name]
    net = nn.Sequential(make())
    back = there_and_back(net, shape, tmp_path / "net.nir")
    assert repr(back) == repr(net)
    expect_same(net, back, shape)
    mine, theirs = net.state_dict(), back.state_dict()
    assert [*mine] == [*theirs]
    for key, value in mine.items():
        assert torch.equal(value, theirs[key]), key
    flags = [(n, p.requires_grad) for n, p in net.named_parameters()]
    assert flags == [(n, p.requires_grad) for n, p in back.named_parameters()]
    assert back[0].spike_grad == net[0].spike_grad


@pytest.mark.parametrize("name", NETS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_nets(name: str, dtype: torch.dtype, tmp_path: Path) -> None:
    torch.manual_seed(1)
    make, shape = NETS[name]
    net = make().to(dtype)
    for parameter in net.parameters():
        parameter.data *= 2.5  # so that the last layer fires, too
    nir.write(tmp_path / "net.nir", export_to_nir(net, torch.rand(1, *shape, dtype=dtype)))
    back = import_from_nir(nir.read(tmp_path / "net.nir"))
    assert {p.dtype for p in back.parameters()} == {dtype}
    old = torch.get_default_dtype()
    try:
        torch.set_default_dtype(dtype)
        expect_same(net, back, shape)
    finally:
        torch.set_default_dtype(old)


def test_another_time_step_is_noticed(tmp_path: Path) -> None:
    """Negative control: what was noted does not hide what the graph says."""
    net = nn.Sequential(hidden(snn.Leaky, 0.9))
    graph = export_to_nir(net, torch.rand(1, 5))
    assert float(import_from_nir(graph)[0].beta) == float(net[0].beta)
    (neuron,) = utils.with_states(import_from_nir(graph, dt=5e-5))
    assert neuron.beta.tolist() == pytest.approx([0.95] * 5)
    graph.nodes["0"].tau *= 2
    with pytest.raises(AssertionError):
        expect_same(net, import_from_nir(graph), (5,))


class TheirLIF(nn.Module):
    """NIR's neuron as others write it: Euler steps, and a reset at once."""

    def __init__(self, node: nir.LIF, dt: float) -> None:
        super().__init__()
        self.keep = 1 - dt / torch.from_numpy(node.tau)
        self.gain = dt * torch.from_numpy(node.r / node.tau)
        self.threshold = torch.from_numpy(node.v_threshold)

    def forward(self, x: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        v = self.keep * (0 if state is None else state) + self.gain * x
        z = (v > self.threshold).float()
        return z, v * (1 - z)


def test_nirtorch_runs_it(tmp_path: Path) -> None:
    """A graph whose neurons are NIR's own gives the same spikes in another executor."""
    torch.manual_seed(0)
    at_once = {"reset_mechanism": "zero", "reset_delay": False}
    net = nn.Sequential(
        nn.Linear(12, 30, bias=False),  # nirtorch forgets the bias of an Affine
        hidden(snn.Leaky, 0.875, **at_once),
        nn.Linear(30, 5, bias=False),
        hidden(snn.Leaky, 0.75, threshold=0.25, **at_once),
    )
    nir.write(tmp_path / "net.nir", export_to_nir(net, torch.rand(1, 12), dt=1e-3))
    theirs = nirtorch.nir_to_torch(tmp_path / "net.nir", {nir.LIF: lambda n: TheirLIF(n, 1e-3)})
    state, total = None, 0.0
    with torch.no_grad():
        for step in 2 * torch.rand(STEPS, 1, 12):
            out, state = theirs(step, state)
            mine = net(step)
            assert torch.equal(out, mine)
            total += mine.mean().item()
    assert 0.01 < total / STEPS < 0.99
