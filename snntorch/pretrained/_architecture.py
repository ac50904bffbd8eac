"""Layers as data, and back: what a file may say, and no more."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from snntorch import surrogate
from snntorch._checks import expect_choice
from snntorch._neurons.leaky import Leaky
from snntorch._neurons.rleaky import RLeaky

#: What builds a neuron anew; what it learned is in the tensors.
_NEURON = ("beta", "threshold", "spike_grad", "reset_mechanism", "init_hidden", "output")

#: The layers that a file may name, each with the arguments that it may give.
LAYERS: dict[str, tuple[Callable[..., nn.Module], tuple[str, ...]]] = {
    "Linear": (nn.Linear, ("in_features", "out_features")),
    "Dropout": (nn.Dropout, ("p",)),
    "Leaky": (Leaky, (*_NEURON, "learn_beta")),
    "RLeaky": (RLeaky, (*_NEURON, "learn_beta", "linear_features")),
}

#: The surrogates that a file may name.
SURROGATES: dict[str, Callable[..., surrogate.SurrogateGradient]] = {
    "atan": surrogate.atan,
    "fast_sigmoid": surrogate.fast_sigmoid,
}


def to_data(net: nn.Sequential) -> list[dict[str, Any]]:
    """Return the layers of a net as text and numbers.

    Raises:
        ValueError: If a layer or a surrogate is none that a file may name.
    """
    return [_layer_to_data(layer) for layer in net]


def _layer_to_data(layer: nn.Module) -> dict[str, Any]:
    name = type(layer).__name__
    expect_choice("pretrained", "layer", name, LAYERS)
    return {"layer": name} | {key: _told(layer, key) for key in LAYERS[name][1]}


def _told(layer: nn.Module, key: str) -> Any:
    if key == "learn_beta":
        return isinstance(layer.beta, nn.Parameter)
    value = getattr(layer, key)
    if isinstance(value, Tensor):  # rounded, as the tensors in the file are not
        return torch.round(value.detach().double(), decimals=4).tolist()
    if isinstance(value, surrogate.SurrogateGradient):
        expect_choice("pretrained", "spike_grad", value.name, SURROGATES)
        return [value.name, *value.values]
    return value


def from_data(layers: list[dict[str, Any]]) -> nn.Sequential:
    """Return the net that :func:`to_data` told, untrained.

    The random numbers of others stay as they are.

    Raises:
        ValueError: If a layer, an argument or a surrogate is none that a file may name.
    """
    with torch.random.fork_rng(devices=[]):
        return nn.Sequential(*(_layer_from_data(**layer) for layer in layers))


def _layer_from_data(layer: str, **arguments: Any) -> nn.Module:
    expect_choice("pretrained", "layer", layer, LAYERS)
    build, known = LAYERS[layer]
    for key in arguments:
        expect_choice("pretrained", f"argument of {layer}", key, known)
    if "spike_grad" in arguments:
        name, *values = arguments["spike_grad"]
        expect_choice("pretrained", "spike_grad", name, SURROGATES)
        arguments["spike_grad"] = SURROGATES[name](*values)
    for key in ("beta", "threshold"):
        if isinstance(arguments.get(key), list):
            arguments[key] = torch.tensor(arguments[key])
    return build(**arguments)
