"""Layers without a memory, as NIR nodes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from torch import nn

from snntorch._checks import expect
from snntorch._layers.graded_spikes import GradedSpikes
from snntorch._nir.facts import tell, to_array
from snntorch._nir.net import Scale
from snntorch._nir.trace import OWNER, refuse

#: Shape of one sample.
Shape = tuple[int, ...]


def _linear(nir: Any, layer: Any, takes: Shape, gives: Shape) -> Any:
    weight = to_array(layer.weight)
    if layer.bias is None:
        return nir.Linear(weight)
    return nir.Affine(weight, to_array(layer.bias))


def _conv(nir: Any, layer: Any, takes: Shape, gives: Shape) -> Any:
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
    node = _convolution(nir, layer, takes, weight, padding, bias)
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


def _pool(nir: Any, layer: nn.AvgPool2d | nn.LPPool2d, takes: Shape, gives: Shape) -> Any:
    kernel = _pair(layer.kernel_size)
    stride = kernel if layer.stride is None else _pair(layer.stride)
    padding = _pair(getattr(layer, "padding", 0))
    size = (np.array(takes[1:]) + 2 * padding - kernel) // stride + 1
    hint = "Set ceil_mode=False, or pad the input to a size that the stride divides."
    expect(tuple(size) == gives[1:], OWNER, "a pooling with ceil_mode=False", "True", hint)
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


def _flatten(nir: Any, layer: nn.Flatten, takes: Shape, gives: Shape) -> Any:
    # what was batch is no dimension of NIR's; the caller has made both ends count without it
    return nir.Flatten(np.array(takes), layer.start_dim, layer.end_dim)


def _graded(nir: Any, layer: GradedSpikes, takes: Shape, gives: Shape) -> Any:
    scale = np.broadcast_to(to_array(layer.weights)[:, 0], takes).copy()
    return tell(nir.Scale(scale), layer="GradedSpikes")


def _scale(nir: Any, layer: Scale, takes: Shape, gives: Shape) -> Any:
    shifted = bool((layer.shift != 0).any())
    hint = "Export the net that the graph came from, or pass the graph on."
    expect(not shifted, OWNER, "a Scale without a shift, which NIR cannot say", "one", hint)
    return nir.Scale(np.broadcast_to(to_array(layer.scale), takes).copy())


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
}


def to_node(nir: Any, layer: nn.Module, takes: Shape, gives: Shape) -> Any:
    """Return the node of a layer.

    Args:
        nir: The package.
        layer: One of `LAYERS`.
        takes: Shape of its input, without the batch.
        gives: Shape of its output, without the batch.
    """
    node = LAYERS[type(layer)][1](nir, layer, takes, gives)
    node.input_type, node.output_type = {"input": np.array(takes)}, {"output": np.array(gives)}
    return node
