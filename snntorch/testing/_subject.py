"""The neuron that is examined: built anew for each run, on input that is the same each time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from snntorch._checks import expect
from snntorch._neurons.neurons import SpikingNeuron
from snntorch._torch import tree_flatten
from snntorch._unroll.deferred.fuse import Fused, fuse

#: Spikes and states by name, each over time, or of one moment.
Rows = dict[str, Tensor]
#: A way to run a neuron: its input over time, and states to start from if not from its own.
Way = Callable[..., Rows]
#: Largest difference, of the largest value in float64, that is rounding of another order of sums.
ROUNDING = 1e-9
SEED = 0


class BrokenLawError(Exception):
    """A law does not hold; says by which numbers."""


@dataclass(frozen=True)
class Subject:
    """A class of neurons, its arguments, and what it is run on."""

    cls: Callable[..., SpikingNeuron]
    kwargs: Mapping[str, Any]
    #: Shape of the input of one step, samples first.
    shape: tuple[int, ...]
    steps: int
    #: Standard deviation of the input.
    scale: float

    def make(self, hidden: bool = False, dtype: torch.dtype = torch.float64) -> SpikingNeuron:
        """Return a neuron, the same on each call; ``hidden`` keeps the states on the module."""
        torch.manual_seed(SEED)
        neuron = self.cls(**self.kwargs)
        kind = type(neuron).__name__
        what = "`cls` to build neurons with a `step`"
        steps = isinstance(neuron, SpikingNeuron) and hasattr(neuron, "step")
        hint = "Derive it from snn.SpikingNeuron, or from a neuron that is called at each step."
        expect(steps, "check_neuron", what, kind, hint, TypeError)
        neuron.init_hidden = neuron.output = hidden
        return neuron.to(dtype)

    def input(self, part: int = 0, dtype: torch.dtype = torch.float64) -> Tensor:
        """Return input (time, batch, ...), the same for each call with the same number."""
        generator = torch.Generator().manual_seed(SEED + 1 + part)
        shape = (self.steps, *self.shape)
        return (self.scale * torch.randn(shape, generator=generator, dtype=torch.float64)).to(dtype)

    def states(self, neuron: SpikingNeuron) -> tuple[Tensor, ...]:
        """Return states to start from, below and above threshold."""
        generator = torch.Generator().manual_seed(SEED)
        shape = neuron.state_shape(self.input()[0])
        scale = 2 * value_of(neuron, "threshold").nan_to_num(posinf=1).abs().max()
        return tuple(
            scale * torch.rand(shape, generator=generator, dtype=torch.float64)
            for _ in passed_names(neuron)
        )


def passed_names(neuron: SpikingNeuron) -> tuple[str, ...]:
    """Return the states that a call takes and returns: all but what homeostasis adds."""
    return type(neuron).state_names


def value_of(neuron: SpikingNeuron, name: str) -> Tensor:
    """Return a parameter's value."""
    value: Tensor = getattr(neuron, name)
    return value.detach()


def _initial(neuron: SpikingNeuron) -> tuple[Tensor, ...]:
    states = neuron.reset_mem()
    return states if isinstance(states, tuple) else (states,)


def _named(neuron: SpikingNeuron, out: Any) -> Rows:
    """Return what a call returned by name: the spikes, which may be the first state, and states."""
    names = tuple(dict.fromkeys(("spk", *passed_names(neuron))))
    tensors = tree_flatten(out)[0]
    if len(tensors) != len(names):
        raise BrokenLawError(
            f"A call returned {len(tensors)} tensors instead of {', '.join(names)}."
        )
    return dict(zip(names, tensors, strict=True))


def loop(neuron: SpikingNeuron, x: Tensor, *states: Tensor) -> Rows:
    """Step through all of time; states are passed on, or kept by a neuron that keeps its own."""
    torch.manual_seed(SEED)  # for a step that draws at random
    states = states or (() if neuron.init_hidden else _initial(neuron))
    rows = []
    for t in range(len(x)):
        row = _named(neuron, neuron(x[t], *states))
        states = () if neuron.init_hidden else tuple(row[name] for name in passed_names(neuron))
        rows.append({name: value.clone() for name, value in row.items()})
    return {name: torch.stack([row[name] for row in rows]) for name in rows[0]}


def by_step(neuron: SpikingNeuron, x: Tensor, *states: Tensor) -> Rows:
    """Step through all of time by the neuron's `step` in plain torch."""
    spike_grad = neuron.spike_grad

    def unknown(excess: Tensor) -> Tensor:  # to any kernel
        return spike_grad(excess)

    neuron.spike_grad = unknown
    return loop(neuron, x, *states)


def unrolled(neuron: SpikingNeuron, x: Tensor, *states: Tensor) -> Rows:
    """Run all of time at once."""
    torch.manual_seed(SEED)
    return _named(neuron, neuron.unroll(x, *states))


class _Loop(nn.Module):
    """A net whose ``forward`` holds the loop."""

    def __init__(self, neuron: SpikingNeuron) -> None:
        super().__init__()
        self.neuron = neuron

    def forward(self, x: Tensor, *states: Tensor) -> Rows:
        return loop(self.neuron, x, *states)


def fused(neuron: SpikingNeuron, x: Tensor, *states: Tensor) -> Rows:
    """Run the loop in a net that is fused."""
    net = fuse(_Loop(neuron))
    found: Rows = net(x, *states)
    call = net.forward
    if not isinstance(call, Fused) or call.report is None:
        raise BrokenLawError(
            "The loop was not deferred: something else records or transforms what runs."
        )
    return found


def left(neuron: SpikingNeuron) -> Rows:
    """Return the states that are on the module."""
    return {name: getattr(neuron, name) for name in neuron.state_names}


def expect_same(got: Rows, want: Rows, what: str, rtol: float = 0.0) -> None:
    """Raise ``BrokenLawError`` unless both are equal, to ``rtol`` of the largest value.

    Args:
        got: What came.
        want: What it is held against.
        what: Which of them is compared with which, continued by "`mem` differs by ...".
        rtol: Largest difference that is rounding.
    """
    for name in want:
        found, wanted = got[name].detach(), want[name].detach()
        if found.shape != wanted.shape:
            raise BrokenLawError(
                f"{what} `{name}` has shape {tuple(found.shape)}, not {tuple(wanted.shape)}."
            )
        finite = wanted[wanted.isfinite()].abs()
        largest = float(finite.max()) if len(finite) else 0.0
        close = found.isclose(wanted, rtol=0.0, atol=rtol * largest, equal_nan=True)
        if close.all():
            continue
        where = [int(place) for place in (~close).nonzero()[0]]
        raise BrokenLawError(
            f"{what} `{name}` is {found[tuple(where)].item():.6g} at {where} instead of "
            f"{wanted[tuple(where)].item():.6g}; {int((~close).sum())} of {close.numel()} "
            "values differ."
        )


def mix(rows: Rows) -> Tensor:
    """Return a number that depends on every value, each with a weight of its own."""
    total = torch.zeros((), dtype=torch.float64)
    for value in rows.values():
        weights = torch.linspace(0.5, 1.5, max(value.numel(), 1), dtype=torch.float64)
        total = total + (value * weights[: value.numel()].view_as(value)).sum()
    return total


def gradients(way: Way, neuron: SpikingNeuron, x: Tensor) -> dict[str, Tensor | None]:
    """Return the gradients of input and parameters, by name, of all that a run returns."""
    x = x.clone().requires_grad_()
    names, parameters = ["the input"], [x]
    for name, parameter in neuron.named_parameters():
        if parameter.requires_grad:
            names.append(f"`{name}`")
            parameters.append(parameter)
    total = mix(way(neuron, x))
    if not total.requires_grad:
        return dict.fromkeys(names)
    return dict(zip(names, torch.autograd.grad(total, parameters, allow_unused=True), strict=True))
