"""What a neuron says to a kernel: its equation and parameters, or why it is run in torch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torch import Tensor

from snntorch.surrogate import why_traceable

if TYPE_CHECKING:
    from snntorch._neurons.neurons import SpikingNeuron


def equation(neuron: SpikingNeuron, x: Tensor) -> tuple[str, Tensor, dict[str, Any]] | None:
    """Return model, input current and all parameters of a neuron; None if no kernel knows it."""
    found = None if neuron._overridden or neuron.adapts else neuron.recurrence(x)
    if found is None or not neuron._clears_as(found[0]):
        return None
    parameters = found[2]
    parameters["threshold"] = neuron._value("threshold")
    parameters["graded"] = neuron._value("graded_spikes_factor")
    return found


def reset_of(neuron: SpikingNeuron) -> str:
    """Return what a kernel calls a neuron's reset."""
    mechanism = neuron._reset_mechanism
    return "zero_old" if mechanism == "zero" and neuron.zeroes_old_states else mechanism


def why_stepped(neuron: SpikingNeuron) -> str | None:
    """Return why no kernel can run its steps, whatever its equation is; None if one may."""
    for name in neuron._settable:
        if name in neuron.__dict__:
            return f"a {name} was set on it"
    if neuron.inhibition:
        return "inhibition compares neurons"
    if callable(neuron.state_quant):
        return "state_quant is a function of each step"
    return why_traceable()
