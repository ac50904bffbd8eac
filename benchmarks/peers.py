"""Other packages' nets, each run in the fastest way its documentation offers.

All of them reset a neuron as soon as it fires, by subtracting the threshold: what
``snntorch.Leaky`` calls ``reset_mechanism="soft"``. Nets run layer by layer, stateless
layers on one batch of all steps, and once for an input that is the same at every step.
"""

# ruff: noqa: D102
from __future__ import annotations

import copy
import importlib.util
import logging
import math
from collections.abc import Callable

import torch
from contenders import LIF, Contender, Layers, Records, surrogate_of
from torch import Tensor, nn

# spikingjelly asks torch for Triton; that there is none here is no news
logging.getLogger("torch._library.triton").setLevel(logging.ERROR)


class Neuron(nn.Module):
    """A layer of LIF neurons over a sequence, one step at a time.

    Args:
        lif: What to build.
        keep_mem: Whether to return the membrane potentials, too.
    """

    def __init__(self, lif: LIF, keep_mem: bool) -> None:
        super().__init__()
        self.feedback = copy.deepcopy(lif.feedback)
        self.keep_mem = keep_mem

    def reset(self) -> None:
        """Forget the states."""
        raise NotImplementedError

    def step(self, x: Tensor) -> Tensor:
        """Return the spikes of one step."""
        raise NotImplementedError

    def membrane(self, spk: Tensor) -> Tensor:
        """Return the membrane potential before the reset of the last step's spikes."""
        raise NotImplementedError

    def forward(self, x: Tensor) -> Records:
        self.reset()
        spk_rec, mem_rec = [], []
        spk = None
        for current in x.unbind(0):
            if self.feedback is not None:
                spk = torch.zeros_like(current) if spk is None else spk
                current = current + self.feedback(spk)  # noqa: PLW2901
            spk = self.step(current)
            spk_rec.append(spk)
            if self.keep_mem:
                mem_rec.append(self.membrane(spk))
        return torch.stack(spk_rec), torch.stack(mem_rec) if self.keep_mem else None


class LayerWise(nn.Module):
    """A net that runs each layer over all steps before the next."""

    def __init__(self, layers: Layers, keep_mem: bool, neuron: type[Neuron]) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            neuron(layer, keep_mem and number == len(layers))
            if isinstance(layer, LIF)
            else copy.deepcopy(layer)
            for number, layer in enumerate(layers, 1)
        )

    def forward(self, x: Tensor, num_steps: int | None) -> Records:
        constant, mem = num_steps is not None, None
        for layer in self.layers:
            if isinstance(layer, Neuron):
                x, mem = layer(x.expand(num_steps, *x.shape) if constant else x)
                constant = False
            elif constant:
                x = layer(x)
            else:
                x = layer(x.flatten(0, 1)).unflatten(0, x.shape[:2])
        return x, mem


class SpikingJelly(Neuron):
    """spikingjelly's LIFNode, multi-step unless it is fed back."""

    def __init__(self, lif: LIF, keep_mem: bool) -> None:
        from spikingjelly.activation_based import neuron, surrogate  # noqa: PLC0415

        super().__init__(lif, keep_mem)
        self.node = neuron.LIFNode(
            tau=1 / (1 - lif.beta),
            decay_input=False,
            v_threshold=1.0,
            v_reset=None,
            surrogate_function=surrogate.ATan(2.0) if lif.slope is None else surrogate_of(lif),
            detach_reset=True,
            step_mode="s" if lif.feedback else "m",
            store_v_seq=keep_mem and not lif.feedback,
        )

    def reset(self) -> None:
        self.node.reset()

    def step(self, x: Tensor) -> Tensor:
        return self.node(x)

    def membrane(self, spk: Tensor) -> Tensor:
        return self.node.v + spk.detach()

    def forward(self, x: Tensor) -> Records:
        if self.feedback is not None:
            return super().forward(x)
        self.reset()
        spk = self.node(x)
        return spk, self.node.v_seq + spk.detach() if self.keep_mem else None


class Norse(Neuron):
    """norse's LIFBoxCell: v <- v + k (x - v), so v is k = 1 - beta times our membrane."""

    def __init__(self, lif: LIF, keep_mem: bool) -> None:
        from norse.torch import LIFBoxCell, LIFBoxParameters  # noqa: PLC0415
        from norse.torch.functional.reset import reset_subtract  # noqa: PLC0415

        super().__init__(lif, keep_mem)
        self.scale = 1 - lif.beta
        dt = 0.001
        parameters = LIFBoxParameters(
            tau_mem_inv=torch.tensor(self.scale / dt),
            v_th=torch.tensor(self.scale),
            reset_method=reset_subtract,
        )
        self.cell = LIFBoxCell(parameters, dt=dt)

    def reset(self) -> None:
        self.state = None

    def step(self, x: Tensor) -> Tensor:
        spk, self.state = self.cell(x, self.state)
        return spk

    def membrane(self, spk: Tensor) -> Tensor:
        return self.state.v / self.scale + spk


class Sinabs(Neuron):
    """sinabs' LIF, called step by step: over a sequence its backward pass is quadratic."""

    def __init__(self, lif: LIF, keep_mem: bool) -> None:
        from sinabs import layers  # noqa: PLC0415
        from sinabs.activation import MembraneSubtract, SingleSpike  # noqa: PLC0415

        super().__init__(lif, keep_mem)
        self.layer = layers.LIF(
            tau_mem=-1 / math.log(lif.beta),
            spike_threshold=torch.tensor(1.0),
            spike_fn=SingleSpike,
            reset_fn=MembraneSubtract(),
            surrogate_grad_fn=self._derivative(lif),
            norm_input=False,
        ).requires_grad_(False)  # it would learn its time constant

    @staticmethod
    def _derivative(lif: LIF) -> Callable[[Tensor, Tensor], Tensor]:
        if lif.slope is None:
            return lambda mem, threshold: 1 / (1 + (math.pi * (mem - threshold)) ** 2)
        return lambda mem, threshold: 1 / (1 + lif.slope * (mem - threshold).abs()) ** 2

    def reset(self) -> None:
        self.layer.reset_states()

    def step(self, x: Tensor) -> Tensor:
        return self.layer(x.unsqueeze(1)).squeeze(1).to(x.dtype)  # its spikes are float32

    def membrane(self, spk: Tensor) -> Tensor:
        return self.layer.v_mem + spk


THROUGH_RESET = "gradient also through the reset"
NEURONS: dict[str, tuple[type[Neuron], str]] = {
    "spikingjelly": (SpikingJelly, ""),
    "norse": (Norse, f"{THROUGH_RESET}, own surrogate"),
    "sinabs": (Sinabs, THROUGH_RESET),
}


def contender(name: str) -> Contender:
    neuron, own_gradient = NEURONS[name]

    def build(layers: Layers, keep_mem: bool, reset: str) -> nn.Module:
        return LayerWise(layers, keep_mem, neuron)

    return Contender(name, build, reset="soft", own_gradient=own_gradient)


def installed() -> list[Contender]:
    """Return the peers that are there; say of the others that they are left out."""
    found = []
    for name in NEURONS:
        if importlib.util.find_spec(name) is None:
            print(f"{name} is left out: not installed here (`make bench` installs it)")
        else:
            found.append(contender(name))
    return found
