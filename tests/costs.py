"""Nets whose costs NeuroBench counted, too; ``data/neurobench.json`` has what it found.

``make neurobench ARGS=--write`` records it, see ``benchmarks/costs.py``.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

import snntorch as snn
from tests import golden

RECORDED = Path(__file__).parent / "data" / "neurobench.json"
SAMPLES, STEPS = 3, 12
HIDDEN = {"init_hidden": True}
OUT = {"init_hidden": True, "output": True}


class Residual(nn.Module):
    """A block whose spikes are added to those that enter it: twos need a multiplier."""

    def __init__(self) -> None:
        super().__init__()
        self.fc1, self.lif1 = nn.Linear(8, 12), snn.Leaky(0.5, **HIDDEN)
        self.fc2, self.lif2 = nn.Linear(12, 12), snn.Leaky(0.5, **HIDDEN)
        self.fc3, self.lif3 = nn.Linear(12, 4), snn.Leaky(0.5, **OUT)

    def forward(self, x: Tensor) -> Any:
        spk = self.lif1(self.fc1(x))
        return self.lif3(self.fc3(spk + self.lif2(self.fc2(spk))))


class Loop(nn.Module):
    """A loop over time around one step, for what takes its states: (batch, time, ...)."""

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        *before, self.neuron = layers
        self.before = nn.Sequential(*before)

    def forward(self, x: Tensor) -> Tensor:
        states, spikes = self.neuron.reset_mem(), []
        states = states if isinstance(states, tuple) else (states,)
        for step in x.unbind(1):
            out = self.neuron(self.before(step), *states)
            spikes.append(out[0])
            states = out[-len(states) :]
        return torch.stack(spikes, 1)


def linear() -> nn.Module:
    return nn.Sequential(
        nn.Linear(8, 12), snn.Leaky(0.5, **HIDDEN), nn.Linear(12, 4), snn.Leaky(0.5, **OUT)
    )


def conv() -> nn.Module:
    return nn.Sequential(
        *(nn.Conv2d(2, 4, 3, padding=1), nn.BatchNorm2d(4), snn.Leaky(0.5, **HIDDEN)),
        *(nn.MaxPool2d(2), nn.Conv2d(4, 4, 3, stride=2, padding=2, groups=2)),
        *(snn.Leaky(0.5, **HIDDEN), nn.Flatten(), nn.Linear(36, 4), snn.Leaky(0.5, **OUT)),
    ).eval()


def recurrent() -> nn.Module:
    return nn.Sequential(nn.Linear(8, 6), snn.RLeaky(0.5, linear_features=6, **OUT))


def dropped() -> nn.Module:
    net = linear()
    for layer, key in ((net[0], "first"), (net[2], "last")):
        kept = torch.from_numpy(golden.rng(key).rand(*layer.weight.shape) < 0.5)
        layer.register_buffer("kept", kept)
    return net


def one_to_one() -> nn.Module:
    return Loop(nn.Linear(8, 6), snn.RLeaky(0.5, all_to_all=False, V=0.5))


def lstm() -> nn.Module:
    return Loop(snn.SLSTM(8, 6, threshold=0.1))


def transposed() -> nn.Module:
    return Loop(nn.ConvTranspose2d(2, 3, 3, stride=2), snn.Leaky(0.5))


#: Nets of which NeuroBench finds the same, by name.
SAME: dict[str, Callable[[], nn.Module]] = {
    "linear": linear,
    "conv": conv,
    "recurrent": recurrent,
    "residual": Residual,
    "dropped": dropped,
}
#: Those of which it does not; why, stands in ``docs/energy.rst``.
OTHER: dict[str, Callable[[], nn.Module]] = {
    "one_to_one": one_to_one,
    "lstm": lstm,
    "transposed": transposed,
}


def built(name: str) -> nn.Module:
    """Return a net with weights whose sums are exact in any order, so that spikes are the same."""
    net = {**SAME, **OTHER}[name]()
    for key, value in net.named_parameters():
        if value.dim():
            drawn = torch.from_numpy(golden.rng(name, key).randint(-6, 11, value.shape)) / 16
            value.data.copy_(drawn)
    for layer in net.modules():
        if hasattr(layer, "kept"):
            layer.weight.data *= layer.kept
            del layer.kept
    return net


def sequence(name: str) -> Tensor:
    """Return spikes, (batch, time, ...); those of an LSTM are all there."""
    shape = (2, 8, 8) if name in ("conv", "transposed") else (8,)
    drawn = golden.rng("costs", name).rand(SAMPLES, STEPS, *shape)
    return torch.from_numpy(drawn < (1 if name == "lstm" else 0.3)).float()


def ours(name: str) -> snn.Profile:
    """Return what the package counts."""
    net, x = built(name), sequence(name)
    if isinstance(net, Loop):
        return snn.profile(net, x, samples=SAMPLES)
    return snn.profile(net, x.transpose(0, 1), run=snn.unroll, samples=SAMPLES)


def in_their_terms(profile: snn.Profile) -> dict[str, Any]:
    """Return the numbers that NeuroBench has, too, rounded as it does."""
    total = profile.total
    sparsity = total.connection_sparsity
    return {
        "Footprint": total.footprint,
        "ConnectionSparsity": None if sparsity is None else round(sparsity, 4),
        "ParameterCount": total.parameters,
        "ActivationSparsity": total.activation_sparsity,
        "MembraneUpdates": total.membrane_updates,
        "Dense": total.dense,
        "Effective_MACs": total.macs,
        "Effective_ACs": total.acs,
    }


def differing(ours: dict[str, Any], theirs: dict[str, Any]) -> list[str]:
    """Return the names of the numbers that are not the same, but for rounding of a mean."""
    return [
        name
        for name, number in ours.items()
        if (number is None) != (theirs[name] is None)
        or (number is not None and abs(number - theirs[name]) > 1e-9 * max(1, abs(number)))
    ]
