"""Layers, as NIR nodes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from torch import nn

from snntorch._checks import expect
from snntorch._layers.delay import SynapticDelay
from snntorch._layers.graded_spikes import GradedSpikes
from snntorch._nir.facts import tell, to_array
from snntorch._nir.net import Scale
from snntorch._nir.trace import OWNER, refuse

#: Shape of one sample.
Shape = tuple[int, ...]


class Place(NamedTuple):
    """Where a layer stands: the shapes of its input and output, and the length of a time step.

    Only delays need the latter.
    """

    takes: Shape
    gives: Shape
    dt: float = 1.0


def _linear(nir: Any, layer: Any, at: Place) -> Any:
    weight = to_array(layer.weight)
    if layer.bias is None:
        return nir.Linear(weight)
    return nir.Affine(weight, to_array(layer.bias))


def _conv(nir: Any, layer: Any, at: Place) -> Any:
    zeros = layer.padding_mode == "zeros"
    expect(zeros, OWNER, "a convolution padded with zeros", repr(layer.padding_mode))
    weight = to_array(layer.weight)
    facts: dict[str, Any] = {"groups": layer.groups, "kernel": np.array(weight.shape[2:])}
    padding: Any = layer.padding
    weight = ungrouped(weight, layer.groups)
    if padding == "valid":
        padding = (0,) * len(layer.kernel_size)
    if padding != "same":
        weight, padding = squared(weight, padding, layer.dilation)
    if layer.bias is None:
        facts["bias"] = False
        bias = np.zeros(len(weight), weight.dtype)
    else:
        bias = to_array(layer.bias)
    node = _convolution(nir, layer, at.takes, weight, padding, bias)
    return tell(node, **facts)


def _convolution(
    nir: Any, layer: nn.Conv1d | nn.Conv2d, takes: Shape, weight: Any, padding: Any, bias: Any
) -> Any:
    rest = {"dilation": layer.dilation, "stride": layer.stride}
    if isinstance(layer, nn.Conv1d):
        if not isinstance(padding, str):
            padding = padding[0]
        one = {name: value[0] for name, value in rest.items()}
        return nir.Conv1d(takes[1], weight, padding=padding, groups=1, bias=bias, **one)
    return nir.Conv2d(takes[1:], weight, padding=padding, groups=1, bias=bias, **rest)


def ungrouped(weight: Any, groups: int) -> Any:
    """Return the weights of a convolution in groups as those of one without: zeros between them.

    ``nir.read`` takes the number of channels of a group for that of the input, and rejects what
    ``nir.write`` wrote.
    """
    if groups == 1:
        return weight
    outputs, inputs = weight.shape[0] // groups, weight.shape[1]
    whole = np.zeros((weight.shape[0], inputs * groups, *weight.shape[2:]), weight.dtype)
    for group in range(groups):
        rows = slice(group * outputs, (group + 1) * outputs)
        whole[rows, group * inputs : (group + 1) * inputs] = weight[rows]
    return whole


def squared(weight: Any, padding: Any, dilation: Any) -> tuple[Any, tuple[int, ...]]:
    """Return a kernel with zeros around it that make it a square, and its padding.

    ``nir.read`` takes the height of a kernel for its width, too. One that no even number of rows
    makes a square stays as it is.
    """
    sides = weight.shape[2:]
    missing = [max(sides) - side for side in sides]
    if any(number % 2 for number in missing):
        return weight, tuple(padding)
    around = [number // 2 for number in missing]
    weight = np.pad(weight, [(0, 0), (0, 0), *((number, number) for number in around)])
    sums = zip(padding, around, dilation, strict=True)
    return weight, tuple(pad + number * step for pad, number, step in sums)


def _pair(value: Any) -> Any:
    return np.array(value if isinstance(value, (tuple, list)) else (value, value))


def _pool(nir: Any, layer: nn.AvgPool2d | nn.LPPool2d, at: Place) -> Any:
    kernel = _pair(layer.kernel_size)
    stride = kernel if layer.stride is None else _pair(layer.stride)
    padding = _pair(getattr(layer, "padding", 0))
    size = (np.array(at.takes[1:]) + 2 * padding - kernel) // stride + 1
    hint = "Set ceil_mode=False, or pad the input to a size that the stride divides."
    expect(tuple(size) == at.gives[1:], OWNER, "a pooling with ceil_mode=False", "True", hint)
    sizes = {"kernel_size": kernel, "stride": stride, "padding": padding}
    if isinstance(layer, nn.LPPool2d):
        one = float(layer.norm_type) == 1
        expect(one, OWNER, "nn.LPPool2d with norm_type=1, a sum", layer.norm_type)
        return tell(nir.SumPool2d(**sizes), layer="LPPool2d")
    divisor = layer.divisor_override
    if divisor == 1:
        return nir.SumPool2d(**sizes)
    usual = layer.count_include_pad or not padding.any()
    if divisor is not None and not (usual and divisor == kernel.prod()):
        refuse("nn.AvgPool2d without divisor_override", str(divisor), "1 makes it a sum.")
    included = bool(layer.count_include_pad or divisor is not None)
    return tell(nir.AvgPool2d(**sizes), count_include_pad=included)


def _flatten(nir: Any, layer: nn.Flatten, at: Place) -> Any:
    # what was batch is no dimension of NIR's; the caller has made both ends count without it
    return nir.Flatten(np.array(at.takes), layer.start_dim, layer.end_dim)


def _graded(nir: Any, layer: GradedSpikes, at: Place) -> Any:
    scale = np.broadcast_to(to_array(layer.weights)[:, 0], at.takes).copy()
    return tell(nir.Scale(scale), layer="GradedSpikes")


def _scale(nir: Any, layer: Scale, at: Place) -> Any:
    shifted = bool((layer.shift != 0).any())
    hint = "Export the net that the graph came from, or pass the graph on."
    expect(not shifted, OWNER, "a Scale without a shift, which NIR cannot say", "one", hint)
    return nir.Scale(np.broadcast_to(to_array(layer.scale), at.takes).copy())


def _delay(nir: Any, layer: SynapticDelay, at: Place) -> Any:
    whole = layer.synapses is None
    hint = "Delay channels instead: leave `synapses` out, and put the dense layer before or behind."
    expect(whole, OWNER, "a delay for each channel, as NIR has no other", "one per weight", hint)
    hint = 'Narrow the window, round the delays, and build the layer with kernel="linear".'
    expect(layer.kernel == "linear", OWNER, "a delay that is no window", repr(layer.kernel), hint)
    steps: Any = layer.delay
    delay = steps.detach().double().clamp(0, layer.max_delay)
    if layer.channels is not None:
        delay = delay.view(-1, *[1] * (len(at.takes) - 1))
    seconds = np.broadcast_to(to_array(delay) * at.dt, at.takes).copy()
    facts = {"max_delay": layer.max_delay, "channels": layer.channels is not None}
    return tell(nir.Delay(seconds), learn=steps.requires_grad, **facts)


#: For each layer: how many dimensions a sample of it has (None: any), and what makes a node.
LAYERS: dict[type[nn.Module], tuple[int | None, Callable[..., Any]]] = {
    nn.Linear: (1, _linear),
    nn.Conv1d: (2, _conv),
    nn.Conv2d: (3, _conv),
    nn.AvgPool2d: (3, _pool),
    nn.LPPool2d: (3, _pool),
    nn.Flatten: (None, _flatten),
    GradedSpikes: (1, _graded),
    Scale: (None, _scale),
    SynapticDelay: (None, _delay),
}


def to_node(nir: Any, layer: nn.Module, at: Place) -> Any:
    """Return the node of a layer.

    Args:
        nir: The package.
        layer: One of `LAYERS`.
        at: Where it stands, the shapes without the batch.
    """
    node = LAYERS[type(layer)][1](nir, layer, at)
    node.input_type = {"input": np.array(at.takes)}
    node.output_type = {"output": np.array(at.gives)}
    return node
