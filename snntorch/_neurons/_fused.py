"""One time step of a neuron by the kernel: what it is told."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from torch import Tensor

from snntorch._kernels.autograd import to_save
from snntorch._kernels.step import covers, run_step
from snntorch._neurons._unroll import equation, reset_of

if TYPE_CHECKING:
    from snntorch._neurons.neurons import SpikingNeuron


def fused_step(
    neuron: SpikingNeuron, x: Tensor, states: tuple[Tensor, ...]
) -> tuple[Tensor, tuple[Tensor, ...]] | None:
    """Run one step; returns spikes and new states, or None if the kernel does not cover it."""
    spike_grad: Any = neuron.spike_grad
    if (
        not covers(spike_grad, x)
        or neuron._overridden
        or not neuron.__dict__.keys().isdisjoint(neuron._settable)
        or neuron.inhibition
        or neuron.state_quant
    ):
        return None
    found = _told(neuron, x) if neuron._tells_model else equation(neuron, x)
    if found is None:
        return None
    model, drive, numbers = found
    fed = "V" in numbers
    if "through" in numbers:
        came = numbers.pop("through")(*to_save(states[0]))
        fed, states = True, (came, *states[1:])  # V is 1
    rule = (model, reset_of(neuron), bool(neuron.reset_delay), fed)
    done = run_step(rule, spike_grad, drive, states, numbers)
    if done is None:
        return None
    spk, *new = done
    return spk, (spk, *new) if fed else tuple(new)


def _told(neuron: SpikingNeuron, x: Tensor) -> tuple[str, Tensor, dict[str, Any]] | None:
    """Return what `equation` does; constants by value, which spares operations on them."""
    feedback, model = neuron._feedback(), neuron.model
    if feedback is None or model is None:
        return None
    numbers: dict[str, Any] = {}
    buffers = neuron._buffers
    for name, own, is_rate in _own_numbers(type(neuron)):  # type: ignore[arg-type]
        value: Any = buffers.get(own)
        if type(value) is Tensor and not value.dim() and not value.requires_grad and value.is_cpu:
            value = value.item()
            numbers[name] = min(max(value, 0.0), 1.0) if is_rate else value
        else:
            numbers[name] = neuron._decay(own) if is_rate else neuron._value(own)
    return model, x, numbers | feedback if feedback else numbers


@functools.cache
def _own_numbers(cls: type[SpikingNeuron]) -> tuple[tuple[str, str, bool], ...]:
    """Return what a kernel calls the numbers of a class, its own names, and which are rates."""
    names = {**{n: n for n in cls._step_names}, "threshold": "threshold"}
    names["graded"] = "graded_spikes_factor"
    return tuple((name, own, own in cls.decay_names) for name, own in names.items())
