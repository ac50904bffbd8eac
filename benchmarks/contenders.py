"""What runs the workloads: this package, a plain loop of PyTorch operations, its peers.

A net is described once, as a list of ``nn.Module`` layers and :class:`LIF` records; each
contender builds the same net from it, with the same weights, in its own way. A net is
called as ``net(x, num_steps)``: with a number, ``x`` is the input of every step; with
``None``, ``x[t]`` is that of step t. It returns the spikes and (if asked for) the membrane
potentials of its last layer at every step.
"""

# ruff: noqa: D102
from __future__ import annotations

import copy
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

Records = tuple[Tensor, Tensor | None]


@dataclass(frozen=True)
class LIF:
    """A layer of leaky integrate-and-fire neurons, threshold 1.

    Args:
        beta: Decay rate per step.
        slope: Slope of a fast sigmoid surrogate; ``None`` takes the arctangent, alpha 2.
        feedback: Dense recurrent connection.
    """

    beta: float
    slope: float | None = None
    feedback: nn.Linear | None = None


Layers = Sequence[nn.Module | LIF]


@dataclass(frozen=True)
class Contender:
    """A way to run a net.

    Args:
        name: What the tables call it.
        build: Returns the net for ``(layers, keep_mem, reset)``.
        reset: Its reset mechanism, by the name ``snntorch.Leaky`` gives it.
        own_gradient: How its gradient differs from this package's, if it does.
        exact: Whether its spikes equal this package's bit for bit, layer by layer.
        silent: Whether it leaves the neurons out: a floor under the others' times.
    """

    name: str
    build: Callable[[Layers, bool, str], nn.Module]
    reset: str = "subtract"
    own_gradient: str = ""
    exact: bool = False
    silent: bool = False


# --- this package ---------------------------------------------------------------------


def snntorch_neuron(lif: LIF, reset: str, **options: Any) -> nn.Module:
    """Return the neuron of this package that ``lif`` describes."""
    import snntorch as snn  # noqa: PLC0415  # the released one, in an interpreter that has it
    from snntorch import surrogate  # noqa: PLC0415

    spike_grad = surrogate.fast_sigmoid(lif.slope) if lif.slope else surrogate.atan(2.0)
    options |= {"spike_grad": spike_grad, "reset_mechanism": reset}
    if lif.feedback is None:
        return snn.Leaky(lif.beta, **options)
    neuron = snn.RLeaky(lif.beta, linear_features=lif.feedback.in_features, **options)
    neuron.recurrent.load_state_dict(lif.feedback.state_dict())
    return neuron


class Unrolled(nn.Module):
    """This package's whole-sequence execution: ``snn.unroll``."""

    def __init__(self, layers: Layers, keep_mem: bool, reset: str) -> None:
        super().__init__()
        own = [
            snntorch_neuron(
                layer, reset, init_hidden=True, output=keep_mem and number == len(layers)
            )
            if isinstance(layer, LIF)
            else copy.deepcopy(layer)
            for number, layer in enumerate(layers, 1)
        ]
        self.net = nn.Sequential(*own)
        self.keep_mem = keep_mem

    def plan(self) -> str:
        """Return what ``snn.unroll`` does with each layer."""
        import snntorch as snn  # noqa: PLC0415

        return str(snn.plan(self.net))

    def forward(self, x: Tensor, num_steps: int | None) -> Records:
        import snntorch as snn  # noqa: PLC0415
        from snntorch import utils  # noqa: PLC0415

        utils.reset(self.net)
        if self.keep_mem:
            spk, mem = snn.unroll(self.net, x, num_steps, record=("spk", "mem"))
            return spk, mem
        return snn.unroll(self.net, x, num_steps, record="spk"), None


class StepLoop(nn.Module):
    """The loop over time of the tutorials, states passed from step to step."""

    def __init__(
        self,
        layers: Layers,
        keep_mem: bool,
        reset: str,
        neuron: Callable[[LIF, str], nn.Module] = snntorch_neuron,
    ) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            neuron(layer, reset) if isinstance(layer, LIF) else copy.deepcopy(layer)
            for layer in layers
        )
        self.keep_mem = keep_mem

    def forward(self, x: Tensor, num_steps: int | None) -> Records:
        states = {}
        for layer in self.layers:
            if hasattr(layer, "reset_mem"):
                state = layer.reset_mem()
                states[layer] = state if isinstance(state, tuple) else (state,)
        spk_rec, mem_rec = [], []
        # unbind: the backward pass of x[t] would fill a gradient of x's size at every step
        for current in x.unbind(0) if num_steps is None else (x,) * num_steps:
            for layer in self.layers:
                if layer not in states:
                    current = layer(current)  # noqa: PLW2901
                    continue
                outputs = layer(current, *states[layer])
                current, states[layer] = outputs[0], outputs[-len(states[layer]) :]  # noqa: PLW2901
            spk_rec.append(current)
            if self.keep_mem:
                mem_rec.append(outputs[-1])
        return torch.stack(spk_rec), torch.stack(mem_rec) if self.keep_mem else None


# --- one step, written as the released library computes it ----------------------------


class _ATan(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, excess: Tensor, alpha: float) -> Tensor:
        ctx.save_for_backward(excess)
        ctx.alpha = alpha
        return (excess > 0).to(excess.dtype)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Any:
        (excess,) = ctx.saved_tensors
        return grad * (ctx.alpha / 2) / (1 + (math.pi / 2 * ctx.alpha * excess).pow_(2)), None


class _FastSigmoid(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, excess: Tensor, slope: float) -> Tensor:
        ctx.save_for_backward(excess)
        ctx.slope = slope
        return (excess > 0).to(excess.dtype)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Any:
        (excess,) = ctx.saved_tensors
        return grad / (ctx.slope * excess.abs() + 1.0) ** 2, None


def surrogate_of(lif: LIF) -> Callable[[Tensor], Tensor]:
    """Return H with the surrogate gradient that ``lif`` asks for."""
    if lif.slope is None:
        return lambda excess: _ATan.apply(excess, 2.0)
    return lambda excess: _FastSigmoid.apply(excess, lif.slope)


class PlainNeuron(nn.Module):
    """Leaky or RLeaky, one PyTorch operation for each of its equation's.

    It computes at every step what snnTorch 1.0.0 documents: a clamped decay rate, a reset
    that is a detached copy of the last membrane's spikes, spikes times the graded factor.
    """

    def __init__(self, lif: LIF, reset: str) -> None:
        super().__init__()
        if reset != "subtract":
            raise ValueError(f"the loop of torch ops resets by subtraction, not by {reset!r}")
        self.spike_grad = surrogate_of(lif)
        self.recurrent = copy.deepcopy(lif.feedback)
        for name, value in {"beta": lif.beta, "threshold": 1.0, "graded": 1.0}.items():
            self.register_buffer(name, torch.tensor(value))

    def reset_mem(self) -> tuple[Tensor, ...]:
        return (torch.zeros(0),) if self.recurrent is None else (torch.zeros(0), torch.zeros(0))

    def forward(self, x: Tensor, *states: Tensor) -> tuple[Tensor, Tensor]:
        states = tuple(s if s.shape == x.shape else torch.zeros_like(x) for s in states)
        mem = states[-1]
        reset = self.spike_grad(mem - self.threshold).clone().detach()
        base = self.beta.clamp(0, 1) * mem + x
        if self.recurrent is not None:
            base = base + self.recurrent(states[0])
        mem = base - reset * self.threshold
        return self.spike_grad(mem - self.threshold) * self.graded, mem


class BareNeuron(PlainNeuron):
    """Leaky in the fewest PyTorch operations that give its numbers and its gradient."""

    def forward(self, x: Tensor, *states: Tensor) -> tuple[Tensor, Tensor]:
        (mem,) = states
        reset = mem > self.threshold
        mem = self.beta * mem + x - reset * self.threshold
        return self.spike_grad(mem - self.threshold), mem


# --- what is left without neurons -----------------------------------------------------


class NoNeuron(nn.Module):
    """Hands its input on as spikes and as membrane."""

    def reset_mem(self) -> tuple[Tensor]:
        return (torch.zeros(0),)

    def forward(self, x: Tensor, mem: Tensor) -> tuple[Tensor, Tensor]:
        return x, x


class OneBatch(nn.Module):
    """The other layers on all time steps as one batch; once where the input is constant."""

    def __init__(self, layers: Layers, keep_mem: bool, reset: str) -> None:
        super().__init__()
        first = next(number for number, layer in enumerate(layers) if isinstance(layer, LIF))
        own = [copy.deepcopy(layer) for layer in layers if not isinstance(layer, LIF)]
        self.once, self.each = nn.Sequential(*own[:first]), nn.Sequential(*own[first:])

    def forward(self, x: Tensor, num_steps: int | None) -> Records:
        first = self.once(x)
        rows = first.expand(num_steps, *first.shape).flatten(0, 1)
        out = self.each(rows).unflatten(0, (num_steps, len(x)))
        return out, out


UNROLL = Contender("snntorch.unroll", Unrolled)
STEPS = Contender("snntorch, step by step", StepLoop, exact=True)
SOFT = Contender("snntorch.unroll, soft reset", Unrolled, reset="soft")
LOOP = Contender("loop of torch ops", lambda *net: StepLoop(*net, neuron=PlainNeuron), exact=True)
BARE = Contender("bare torch ops", lambda *net: StepLoop(*net, neuron=BareNeuron), exact=True)
BATCH = Contender("no neurons, one batch", OneBatch, silent=True)
SILENT = Contender(
    "no neurons", lambda *net: StepLoop(*net, neuron=lambda *_: NoNeuron()), silent=True
)
