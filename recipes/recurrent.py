"""The recurrent nets of the tasks that need a memory: a hidden layer, and membranes that answer."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

import snntorch as snn
from snntorch import surrogate


def hidden(width: int) -> dict[str, Any]:
    """Return what the hidden neurons have in common: they remember over few steps or over many."""
    return {
        "beta": torch.linspace(0.8, 0.995, width),
        "linear_features": width,
        "threshold": 0.3,
        "spike_grad": surrogate.fast_sigmoid(slope=5),
        "init_hidden": True,
        "learn_beta": True,
    }


def forgetful(width: int) -> dict[str, Any]:
    """Return what hidden neurons have in common whose membranes forget within some steps."""
    return {
        "beta": torch.full((width,), 0.6),
        "threshold": 0.3,
        "spike_grad": surrogate.fast_sigmoid(slope=5),
        "init_hidden": True,
    }


def answer(width: int, outputs: int) -> tuple[nn.Module, ...]:
    neuron = snn.Leaky(beta=0.8, reset_mechanism="none", init_hidden=True, output=True)
    return nn.Linear(width, outputs), neuron


def rleaky(inputs: int, width: int, outputs: int) -> nn.Sequential:
    neuron = snn.RLeaky(**hidden(width))
    return nn.Sequential(nn.Linear(inputs, width), neuron, *answer(width, outputs))


def rsynaptic(inputs: int, width: int, outputs: int) -> nn.Sequential:
    neuron = snn.RSynaptic(alpha=0.5, **hidden(width))
    return nn.Sequential(nn.Linear(inputs, width), neuron, *answer(width, outputs))


def leaky(inputs: int, width: int, outputs: int) -> nn.Sequential:
    """Return a net that remembers no longer than its membranes; `alif` is the same, adapting."""
    neuron = snn.Leaky(**forgetful(width))
    return nn.Sequential(nn.Linear(inputs, width), neuron, *answer(width, outputs))


def alif(inputs: int, width: int, outputs: int) -> nn.Sequential:
    neuron = snn.ALIF(
        rho=torch.linspace(0.96, 0.995, width),
        increment=1.0,
        learn_rho=True,
        learn_increment=True,
        **forgetful(width),
    )
    return nn.Sequential(nn.Linear(inputs, width), neuron, *answer(width, outputs))


def slstm(inputs: int, width: int, outputs: int) -> nn.Sequential:
    neuron = snn.SLSTM(
        inputs, width, threshold=0.1, spike_grad=surrogate.fast_sigmoid(slope=5), init_hidden=True
    )
    return nn.Sequential(neuron, *answer(width, outputs))
