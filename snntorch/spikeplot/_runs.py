"""What the layers of a network did in one run."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from snntorch._checks import expect, expect_module, expect_size, expect_truth, shape_of
from snntorch._neurons._values import ValueModule
from snntorch._neurons.neurons import SpikingNeuron
from snntorch.functional._records import spikes_of
from snntorch.functional.probe import AttributeMonitor, OutputMonitor
from snntorch.spikeplot._style import expect_shown
from snntorch.utils import reset


@dataclass
class Layer:
    """What a layer of neurons did: tensors of shape (time, batch, neurons)."""

    name: str
    spikes: Tensor
    membrane: Tensor | None = None
    threshold: Tensor | None = None


def run(
    owner: str, net: nn.Module, x: Any, num_steps: int | None, stepwise: bool | None
) -> tuple[Tensor, list[Layer]]:
    """Run a copy of ``net``.

    Returns:
        The input, (time, batch, ...), and what the layers did, in the order they ran.
    """
    expect_module(owner, "net", net)
    expect_shown(owner, "x", x)
    if stepwise is not None:
        expect_truth(owner, stepwise=stepwise)
    if num_steps is not None:
        expect_size(owner, "num_steps", num_steps)
    net = copy.deepcopy(net).eval()
    neurons = {
        name: module
        for name, module in net.named_modules()
        if isinstance(module, ValueModule) and hasattr(module, "threshold")
    }
    expect(len(neurons) > 0, owner, "a net with a layer of neurons", type(net).__name__)
    # a neuron that has no step takes the whole sequence
    steppers = [neuron for neuron in neurons.values() if hasattr(neuron, "step")]
    if stepwise is None:
        stepwise = len(steppers) > 0 and all(neuron.init_hidden for neuron in steppers)
    loops_itself = len(steppers) > 0 and not stepwise
    may_be_constant = num_steps is not None or loops_itself
    shape = "(batch, ...)" if may_be_constant else "(time, batch, ...)"
    expect(
        x.ndim > (1 if may_be_constant else 2) and x.numel() > 0,
        owner,
        f"`x` of shape {shape}, not empty",
        shape_of(x),
        "" if may_be_constant else "To repeat one x of shape (batch, ...), pass num_steps=...",
    )
    if num_steps is not None and not loops_itself:
        x = x.expand(num_steps, *x.shape)

    outputs = OutputMonitor(net, tuple({type(neuron) for neuron in neurons.values()}))
    kinds = tuple({type(neuron) for neuron in steppers})
    membranes = AttributeMonitor("mem", False, net, kinds) if steppers else None
    reset(net)
    with torch.no_grad():
        for input_ in x if stepwise else [x]:
            net(input_)
    ran = [name for name in neurons if outputs[name]]
    expect(len(ran) > 0, owner, "a net that calls its layers of neurons", type(net).__name__)
    ran.sort(key=lambda name: outputs.name_records_index[name][0])
    layers = [_layer(name, neurons[name], outputs[name], membranes) for name in ran]
    steps = len(layers[-1].spikes)
    if loops_itself and (num_steps is not None or x.ndim < 3 or len(x) != steps):
        x = x.expand(steps, *x.shape)
    return x, layers


def _layer(
    name: str, neuron: ValueModule, calls: list[Any], membranes: AttributeMonitor | None
) -> Layer:
    """Return what a layer did from what it returned at each call."""
    membrane: Tensor | None
    if membranes is not None and name in membranes.monitored_layers:
        spikes = torch.stack([spikes_of(call) for call in calls])
        membrane = torch.stack(membranes[name])
    elif isinstance(calls[0], tuple):
        spikes, membrane = calls[0]
    elif isinstance(neuron, SpikingNeuron) and not neuron.output:  # the membrane alone
        spikes, membrane = neuron.fire(calls[0]), calls[0]
    else:
        spikes, membrane = calls[0], None
    layer = Layer(f"{name}: {type(neuron).__name__}".removeprefix(": "), by_neuron(spikes))
    if membrane is not None:
        layer.membrane = by_neuron(membrane)
        # a neuron with an excess of its own fires on something else than a threshold
        if getattr(type(neuron), "excess", None) is SpikingNeuron.excess:
            threshold = torch.as_tensor(neuron.threshold).detach().cpu()
            one = membrane[0, 0] if membrane.ndim > 2 else membrane[0]
            layer.threshold = threshold.expand(one.shape).flatten()
    return layer


def by_neuron(recorded: Tensor) -> Tensor:
    """Return what was recorded as (time, batch, neurons), on the CPU."""
    recorded = recorded.detach().cpu()
    return recorded.flatten(2) if recorded.ndim > 2 else recorded.unsqueeze(1)
