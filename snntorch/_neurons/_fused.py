"""One time step of a neuron by the kernel: what it is told."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from torch import Tensor

from snntorch._kernels.autograd import to_save
from snntorch._kernels.step import run_step, surrogate_for
from snntorch._neurons._covered import equation, reset_of, why_stepped

if TYPE_CHECKING:
    from snntorch._neurons.neurons import SpikingNeuron


def fused_step(
    neuron: SpikingNeuron, x: Tensor, states: tuple[Tensor, ...]
) -> tuple[Tensor, tuple[Tensor, ...]] | None:
    """Run one step; returns spikes and new states, or None if the kernel does not cover it."""
    spike_grad = surrogate_for(neuron.spike_grad, x)
    if spike_grad is None or why_stepped(neuron) is not None:
        return None
    if neuron._overridden or neuron.adapts:
        return None
    found = _told(neuron, x) if neuron._tells_model else equation(neuron, x)
    if found is None:
        return None
    model, current, parameters = found
    feedback = "V" in parameters
    if "through" in parameters:
        recurrent = parameters.pop("through")(*to_save(states[0]))
        feedback, states = True, (recurrent, *states[1:])  # V is 1
    rule = (model, reset_of(neuron), bool(neuron.reset_delay), feedback)
    done = run_step(rule, spike_grad, current, states, parameters)
    if done is None:
        return None
    spk, *new = done
    return spk, (spk, *new) if feedback else tuple(new)


def _told(neuron: SpikingNeuron, x: Tensor) -> tuple[str, Tensor, dict[str, Any]] | None:
    """Return what `equation` does; constants by value, which spares operations on them."""
    feedback, model = neuron._feedback(), neuron.model
    if feedback is None or model is None:
        return None
    parameters: dict[str, Any] = {}
    buffers = neuron._buffers
    for name, own, is_rate in _own_parameters(type(neuron)):  # type: ignore[arg-type]
        value: Any = buffers.get(own)
        if type(value) is Tensor and not value.dim() and not value.requires_grad and value.is_cpu:
            value = value.item()
            parameters[name] = min(max(value, 0.0), 1.0) if is_rate else value
        else:
            parameters[name] = neuron._decay(own) if is_rate else neuron._value(own)
    return model, x, parameters | feedback if feedback else parameters


@functools.cache
def _own_parameters(cls: type[SpikingNeuron]) -> tuple[tuple[str, str, bool], ...]:
    """Return what a kernel calls the parameters of a class, its own names, and which are rates."""
    names = {**{n: n for n in cls._step_names}, "threshold": "threshold"}
    names["graded"] = "graded_spikes_factor"
    return tuple((name, own, own in cls.decay_names) for name, own in names.items())
