"""Neurons as users of snnTorch 1.0.0 write them: classes with methods of their own.

Nothing here is of this package: the numbers in ``tests/data/subclasses.json`` are what these
classes give on snnTorch 1.0.0.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

import snntorch as snn

# --- _base_state_function -----------------------------------------------------------------


class Slow(snn.Leaky):
    def _base_state_function(self, input_: Tensor) -> Any:
        return self.mem - 0.1 + 0.7 * input_


class Tiring(snn.Leaky):
    """Remembers its resets."""

    trace: Any = 0.0

    def _base_state_function(self, input_: Tensor) -> Any:
        self.trace = 0.7 * self.trace + self.reset
        return super()._base_state_function(input_) - 0.2 * self.trace


class TiringMore(Tiring):
    def _base_state_function(self, input_: Tensor) -> Any:
        return 0.9 * super()._base_state_function(input_)


class Gain(snn.Leaky):
    """Has a parameter of its own."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.gain = nn.Parameter(torch.tensor(1.3))

    def _base_state_function(self, input_: Tensor) -> Any:
        return self.beta.clamp(0, 1) * self.mem + self.gain * input_


class Floored(snn.Synaptic):
    def _base_state_function(self, input_: Tensor) -> Any:
        syn, mem = super()._base_state_function(input_)
        return syn, mem.clamp(min=-0.2)


class OneBehind(snn.Synaptic):
    def _base_state_function(self, input_: Tensor) -> Any:
        syn = self.alpha.clamp(0, 1) * self.syn + input_
        return syn, self.beta.clamp(0, 1) * self.mem + self.syn


class Quadratic(snn.Lapicque):
    def _base_state_function(self, input_: Tensor) -> Any:
        return self.mem + 0.3 * self.mem * (self.mem - 0.5) + 0.8 * input_


class Damped(snn.RLeaky):
    def _base_state_function(self, input_: Tensor) -> Any:
        return self.beta.clamp(0, 1) * self.mem + input_ - 0.6 * self.recurrent(self.spk)


class DampedMore(snn.RLeaky):
    def _base_state_function(self, input_: Tensor) -> Any:
        return super()._base_state_function(input_) - 0.5 * self.spk


class Drained(snn.RSynaptic):
    def _base_state_function(self, input_: Tensor) -> Any:
        syn, mem = super()._base_state_function(input_)
        return 0.9 * syn, mem - 0.1 * syn


class Raised(snn.Alpha):
    def _base_state_function(self, input_: Tensor) -> Any:
        exc, inh, mem = super()._base_state_function(0.8 * input_)
        return exc, inh, mem + 0.1


# --- fire, fire_inhibition ------------------------------------------------------------------


class Signed(snn.Leaky):
    def fire(self, mem: Tensor) -> Tensor:
        up, down = mem - self.threshold, -mem - self.threshold
        return self.spike_grad(up) - self.spike_grad(down)


class Refractory(snn.Leaky):
    def fire(self, mem: Tensor) -> Tensor:
        return super().fire(mem) * (1 - self.reset)


class RefractoryFed(snn.RLeaky):
    def fire(self, mem: Tensor) -> Tensor:
        return super().fire(mem) * (1 - self.reset) - 0.1 * self.spk


class FiresByBoth(snn.Synaptic):
    def fire(self, mem: Tensor) -> Tensor:
        return super().fire(mem + 0.1 * self.syn - 0.2 * self.mem)


class FiresEarly(snn.Alpha):
    def fire(self, mem: Tensor) -> Tensor:
        return super().fire(mem + 0.1 * self.syn_exc)


class FirstWins(snn.Leaky):
    def fire_inhibition(self, batch_size: int, mem: Tensor) -> Tensor:
        spk = self.fire(mem)
        return spk * (spk.cumsum(-1) == 1)


class TiredWinner(snn.Lapicque):
    def fire_inhibition(self, batch_size: int, mem: Tensor) -> Tensor:
        return super().fire_inhibition(batch_size, mem) * (1 - self.reset)


# --- mem_reset ------------------------------------------------------------------------------


class Half(snn.Leaky):
    def mem_reset(self, mem: Tensor) -> Tensor:
        return 0.5 * super().mem_reset(mem)


class HalfSynaptic(snn.Synaptic):
    def mem_reset(self, mem: Tensor) -> Tensor:
        return 0.5 * super().mem_reset(mem)


class HalfFed(snn.RLeaky):
    def mem_reset(self, mem: Tensor) -> Tensor:
        return 0.5 * super().mem_reset(mem)


class Never(snn.Lapicque):
    def mem_reset(self, mem: Tensor) -> Tensor:
        return torch.zeros_like(mem)


class LearnedReset(snn.Leaky):
    """Lets a gradient through its reset."""

    def mem_reset(self, mem: Tensor) -> Tensor:
        return self.spike_grad(mem - self.threshold)


class ResetByBoth(snn.Synaptic):
    def mem_reset(self, mem: Tensor) -> Tensor:
        return super().mem_reset(mem - 0.2 * self.syn + 0.1 * self.mem)


class ResetBySpikes(snn.RSynaptic):
    def mem_reset(self, mem: Tensor) -> Tensor:
        return 0.8 * self.spk.detach()


# --- several at once, and forward -------------------------------------------------------------


class Everything(snn.Leaky):
    def _base_state_function(self, input_: Tensor) -> Any:
        return super()._base_state_function(input_) * 0.9 + 0.1

    def fire(self, mem: Tensor) -> Tensor:
        return super().fire(1.1 * mem)

    def mem_reset(self, mem: Tensor) -> Tensor:
        return (mem > 0.8 * self.threshold).float().detach()


class Scaled(snn.Leaky):
    def forward(self, input_: Tensor, mem: Tensor | None = None) -> Any:
        return super().forward(0.7 * input_, mem)


class Counting(snn.Leaky):
    """Counts its resets."""

    resets: Any = 0.0

    def forward(self, input_: Tensor, mem: Tensor | None = None) -> Any:
        spk, mem = super().forward(input_, mem)
        self.resets = self.resets + self.reset
        return spk - 0.01 * self.resets, mem


class ByHand(snn.Leaky):
    """Writes the step out, by the methods of the parent."""

    def forward(self, input_: Tensor, mem: Tensor | None = None) -> Any:
        if mem is not None:
            self.mem = mem
        if self.mem.shape != input_.shape:
            self.mem = torch.zeros_like(input_)
        self.reset = self.mem_reset(self.mem)
        self.mem = self.state_function(input_)
        return self.fire(self.mem), self.mem


# --- classes that run their steps themselves --------------------------------------------------


class Own(snn.LIF):
    def __init__(self, beta: Any, **options: Any) -> None:
        super().__init__(beta, **options)
        self.register_buffer("mem", torch.zeros(0), False)

    def reset_mem(self) -> Tensor:
        self.mem = torch.zeros_like(self.mem)
        return self.mem

    def state_function(self, input_: Tensor) -> Tensor:
        mem = self.beta.clamp(0, 1) * self.mem + input_
        if self.reset_mechanism_val == 0:
            return mem - self.reset * self.threshold
        if self.reset_mechanism_val == 1:
            return mem - self.reset * mem
        return mem

    def forward(self, input_: Tensor, mem: Tensor | None = None) -> Any:
        if mem is not None:
            self.mem = mem
        if self.mem.shape != input_.shape:
            self.mem = torch.zeros_like(input_)
        self.reset = self.mem_reset(self.mem)
        self.mem = self.state_function(input_)
        if self.state_quant:
            self.mem = self.state_quant(self.mem)
        if self.inhibition:
            spk = self.fire_inhibition(self.mem.size(0), self.mem)
        else:
            spk = self.fire(self.mem)
        return spk, self.mem


class Two(snn.SpikingNeuron):
    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.register_buffer("slow", torch.zeros(0), False)
        self.register_buffer("mem", torch.zeros(0), False)
        self.rate = nn.Parameter(torch.tensor([0.7, 0.8, 0.9]))

    def reset_mem(self) -> tuple[Tensor, Tensor]:
        self.slow, self.mem = torch.zeros_like(self.slow), torch.zeros_like(self.mem)
        return self.slow, self.mem

    def forward(self, x: Tensor, slow: Tensor | None = None, mem: Tensor | None = None) -> Any:
        if slow is not None and mem is not None:
            self.slow, self.mem = slow, mem
        if self.mem.shape != x.shape:
            self.slow, self.mem = torch.zeros_like(x), torch.zeros_like(x)
        self.reset = self.mem_reset(self.mem)
        self.slow = 0.5 * self.slow + x
        self.mem = self.rate * self.mem + 0.5 * self.slow
        if self.reset_mechanism == "subtract":
            self.mem = self.mem - self.reset * self.threshold
        elif self.reset_mechanism == "zero":
            self.mem = self.mem * (1 - self.reset)
        if self.inhibition:
            return self.fire_inhibition(len(x), self.mem), self.slow, self.mem
        return self.fire(self.mem), self.slow, self.mem


def quarters(mem: Tensor) -> Tensor:
    """Quantize, with the gradient of what it quantizes."""
    return (mem * 4).round() / 4 + (mem - mem.detach())


_one = {"all_to_all": False}
_learned = {"learn_beta": True, "learn_threshold": True}
_graded = {"graded_spikes_factor": 0.5, "learn_graded_spikes_factor": True}

#: How each is built, by a name; options are those that all neurons have.
MAKE: dict[str, Callable[..., Any]] = {
    "Slow": lambda **o: Slow(0.9, **o),
    "Tiring": lambda **o: Tiring(0.8, **o),
    "TiringMore": lambda **o: TiringMore(0.9, **o),
    "Gain": lambda **o: Gain(0.7, **_learned, **o),
    "Floored": lambda **o: Floored(0.3, 0.6, **o),
    "OneBehind": lambda **o: OneBehind(0.3, 0.6, learn_alpha=True, **o),
    "Quadratic": lambda **o: Quadratic(0.8, **o),
    "Damped": lambda **o: Damped(0.8, V=0.9, **_one, **o),
    "DampedMore": lambda **o: DampedMore(0.8, V=-0.4, **_one, **o),
    "Drained": lambda **o: Drained(0.3, 0.6, V=-0.3, **_one, **o),
    "Raised": lambda **o: Raised(0.8, 0.6, threshold=0.7, **o),
    "Signed": lambda **o: Signed(0.6, **o),
    "Refractory": lambda **o: Refractory(0.8, **o),
    "Refractory, learned": lambda **o: Refractory(0.8, learn_threshold=True, **_graded, **o),
    "Refractory, at once": lambda **o: Refractory(0.8, reset_delay=False, **o),
    "RefractoryFed": lambda **o: RefractoryFed(0.8, V=0.3, **_one, **o),
    "RefractoryFed, at once": lambda **o: RefractoryFed(0.8, V=0.3, reset_delay=False, **_one, **o),
    "FiresByBoth": lambda **o: FiresByBoth(0.3, 0.6, **o),
    "FiresEarly": lambda **o: FiresEarly(0.8, 0.6, threshold=0.7, **o),
    "FirstWins": lambda **o: FirstWins(0.8, inhibition=True, **o),
    "TiredWinner": lambda **o: TiredWinner(0.7, threshold=0.3, inhibition=True, **o),
    "Half": lambda **o: Half(0.7, **o),
    "Half, learned": lambda **o: Half(0.7, **_learned, **o),
    "Half, at once": lambda **o: Half(0.7, reset_delay=False, **o),
    "HalfSynaptic": lambda **o: HalfSynaptic(0.3, 0.6, **o),
    "HalfFed": lambda **o: HalfFed(0.7, V=-0.4, **_one, **o),
    "Never": lambda **o: Never(0.7, threshold=0.4, **o),
    "LearnedReset": lambda **o: LearnedReset(0.8, learn_threshold=True, **o),
    "ResetByBoth": lambda **o: ResetByBoth(0.3, 0.6, **o),
    "ResetBySpikes": lambda **o: ResetBySpikes(0.3, 0.6, V=-0.2, **_one, **o),
    "Everything": lambda **o: Everything(0.8, **o),
    "Everything, quantized": lambda **o: Everything(0.8, state_quant=quarters, **o),
    "Everything, at once": lambda **o: Everything(0.8, reset_delay=False, **o),
    "Scaled": lambda **o: Scaled(0.9, **o),
    "Counting": lambda **o: Counting(0.7, **o),
    "ByHand": lambda **o: ByHand(0.7, **_learned, **o),
    "Own": lambda **o: Own(0.7, **_learned, **_graded, **o),
    "Own, quantized": lambda **o: Own(0.8, state_quant=quarters, **o),
    "Own, one winner": lambda **o: Own(0.8, inhibition=True, **o),
    "Two": Two,
    "Two, one winner": lambda **o: Two(inhibition=True, threshold=0.6, learn_threshold=True, **o),
}


def data() -> Tensor:
    """Return an input of eight steps, (time, batch, neurons)."""
    return 0.5 + 1.5 * torch.sin(1.7 * torch.arange(48.0).reshape(8, 2, 3))


def loop(neuron: Any, x: Tensor) -> list[Tensor]:
    """Return what the neuron returns over time; states are passed unless it keeps them."""
    rows, states = [], ()
    if not neuron.init_hidden:
        start = neuron.reset_mem()
        states = (start,) if isinstance(start, Tensor) else tuple(start)
    for step in x:
        rows.append(neuron(step, *states))
        states = rows[-1][len(rows[-1]) - len(states) :]
    return [torch.stack(row) for row in zip(*rows, strict=True)]


def numbers(neuron: Any, run: Callable[[Any, Tensor], Any] = loop) -> dict[str, list[float]]:
    """Return spikes per step, last states, and gradients of all that is learned."""
    x = data().requires_grad_()
    spk, *states = run(neuron, x)
    loss = sum((i * (one * one).sum() for i, one in enumerate(states, 2)), ((spk + 0.3) ** 2).sum())
    loss.backward()
    found = {"spk": spk.sum((1, 2)), "x": x.grad.sum(0)}
    found |= {f"state {i}": one[-1] for i, one in enumerate(states)}
    found |= {
        f"d {name}": value.grad
        for name, value in neuron.named_parameters()
        if value.grad is not None
    }
    return {
        name: [float(f"{v:.6g}") for v in value.flatten().tolist()] for name, value in found.items()
    }
