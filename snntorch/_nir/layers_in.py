"""NIR nodes that are no neurons, as layers."""

from __future__ import annotations

from collections.abc import Callable
from math import ceil
from typing import Any

import numpy as np
import torch
from torch import nn

from snntorch._checks import expect
from snntorch._layers.delay import SynapticDelay
from snntorch._layers.graded_spikes import GradedSpikes
from snntorch._neurons.leaky import Leaky
from snntorch._nir.facts import told
from snntorch._nir.net import Scale
from snntorch._nir.numbers import MOST
from snntorch._nir.units import OWNER


def tensor(array: Any, dtype: torch.dtype) -> torch.Tensor:
    """Return a copy of an array as a tensor."""
    return torch.tensor(np.asarray(array), dtype=dtype)


def _filled(layer: Any, dtype: torch.dtype, weight: Any, bias: Any = None) -> Any:
    layer.to_empty(device="cpu")
    layer.weight = nn.Parameter(tensor(weight, dtype))
    if bias is not None:
        layer.bias = nn.Parameter(tensor(bias, dtype))
    return layer


def linear(node: Any, dtype: torch.dtype, dt: float) -> nn.Module:
    """Return an nn.Linear."""
    expect(node.weight.ndim == 2, OWNER, "a weight of two dimensions", node.weight.shape)
    bias = getattr(node, "bias", None)
    outputs, inputs = node.weight.shape
    if bias is not None:
        bias = np.asarray(bias)
        fits = bias.shape == (outputs,)
        expect(fits, OWNER, f"a bias of {outputs} values in an Affine node", bias.shape)
    layer = nn.Linear(inputs, outputs, bias=bias is not None, device="meta")
    return _filled(layer, dtype, node.weight, bias)  # type: ignore[no-any-return]


def _sizes(value: Any, number: int) -> Any:
    return tuple(int(size) for size in np.broadcast_to(np.asarray(value), (number,)))


def conv(node: Any, dtype: torch.dtype, dt: float) -> nn.Module:
    """Return an nn.Conv1d or nn.Conv2d, of the kernel and groups that it was exported from."""
    weight, facts = np.asarray(node.weight), told(node)
    number, name = weight.ndim - 2, type(node).__name__
    fits = name == f"Conv{number}d"
    expect(fits, OWNER, f"a weight of {int(name[4]) + 2} dimensions in {name}", weight.shape)
    kind: Any = getattr(nn, name)
    padding: Any = node.padding
    if not isinstance(padding, str):
        steps = _sizes(node.dilation, number)
        weight, around = _cropped(weight, facts.get("kernel", weight.shape[2:]))
        sums = zip(_sizes(padding, number), around, steps, strict=True)
        padding = tuple(pad - zeros * step for pad, zeros, step in sums)
    groups = int(node.groups)
    if groups == 1:
        weight, groups = _regrouped(weight, int(facts.get("groups", 1)))
    outputs, per_group = weight.shape[:2]
    bias = np.zeros(outputs) if node.bias is None else np.asarray(node.bias)
    fits = bias.shape == (outputs,) and groups > 0 and outputs % groups == 0
    what = f"a bias for each of {outputs} channels, in {groups} groups"
    expect(fits, OWNER, what, f"one of shape {bias.shape}")
    unbiased = node.bias is None or (not facts.get("bias", True) and not bias.any())
    layer = kind(
        per_group * groups,
        outputs,
        weight.shape[2:],
        stride=_sizes(node.stride, number),
        padding=padding,
        dilation=_sizes(node.dilation, number),
        groups=groups,
        bias=not unbiased,
        device="meta",
    )
    return _filled(layer, dtype, weight, None if unbiased else bias)  # type: ignore[no-any-return]


def _cropped(weight: Any, kernel: Any) -> tuple[Any, list[int]]:
    """Take away the zeros that made a kernel a square; returns how many rows on each side."""
    sides = weight.shape[2:]
    around = [(side - int(own)) // 2 for side, own in zip(sides, kernel, strict=True)]
    kept = weight
    for axis, (number, side) in enumerate(zip(around, sides, strict=True), start=2):
        kept = kept.take(range(number, side - number), axis)
    if np.count_nonzero(kept) != np.count_nonzero(weight):
        return weight, [0] * len(sides)
    return kept, around


def _regrouped(weight: Any, groups: int) -> tuple[Any, int]:
    """Take away the zeros between groups."""
    outputs, inputs = weight.shape[:2]
    if not 1 < groups <= outputs or outputs % groups or inputs % groups:
        return weight, 1
    rows, columns = outputs // groups, inputs // groups
    kept = np.concatenate(
        [weight[g * rows : (g + 1) * rows, g * columns : (g + 1) * columns] for g in range(groups)]
    )
    same = np.count_nonzero(kept) == np.count_nonzero(weight)
    return (kept, groups) if same else (weight, 1)


def pool(node: Any, dtype: torch.dtype, dt: float) -> nn.Module:
    """Return an nn.AvgPool2d; one that divides by 1 for a sum."""
    facts = told(node)
    kernel, stride, padding = (
        _sizes(value, 2) for value in (node.kernel_size, node.stride, node.padding)
    )
    if facts.get("layer") == "LPPool2d" and not any(padding):
        return nn.LPPool2d(1, kernel, stride)
    if type(node).__name__ == "SumPool2d":
        return nn.AvgPool2d(kernel, stride, padding, divisor_override=1)
    included = bool(facts.get("count_include_pad", True))
    return nn.AvgPool2d(kernel, stride, padding, count_include_pad=included)


def flatten(node: Any, dtype: torch.dtype, dt: float) -> nn.Module:
    """Return an nn.Flatten, with the batch as the first dimension."""
    start, end = int(node.start_dim), int(node.end_dim)
    return nn.Flatten(start + (start >= 0), end + (end >= 0))


def scale(node: Any, dtype: torch.dtype, dt: float) -> nn.Module:
    """Return what multiplies by one number for each neuron."""
    if told(node).get("layer") == "GradedSpikes":
        graded = GradedSpikes(len(node.scale), 1.0)
        graded.weights = nn.Parameter(tensor(node.scale, dtype)[:, None])
        return graded
    return Scale(tensor(node.scale, dtype), learn=True)


def delay(node: Any, dtype: torch.dtype, dt: float) -> nn.Module:
    """Return what holds back each channel, or all of them, for some steps of a length."""
    steps, facts = np.atleast_1d(np.asarray(node.delay, float)) / dt, told(node)
    whole = np.round(steps)  # what was multiplied and divided by dt is whole but for rounding
    steps = np.where(np.abs(steps - whole) < 1e-6 * np.maximum(whole, 1), whole, steps)
    channels = steps.reshape(len(steps), -1)
    even = bool((steps >= 0).all() and (channels == channels[:, :1]).all())
    what = "a delay from 0 on for each channel, the first dimension of a sample"
    expect(even, OWNER, what, f"{node.delay}")
    each = channels[:, 0]
    noted = np.asarray(facts.get("max_delay", 1))
    longest = int(noted) if noted.shape == () and noted.dtype.kind in "iu" else 1
    longest = max(longest, ceil(each.max(initial=0.0)), 1)
    expect(longest * steps.size <= MOST, OWNER, f"at most {MOST} values to hold back", longest)
    one = not facts.get("channels", False) and bool((each == each[0]).all())
    start = tensor(each[0] if one else each, dtype)
    return SynapticDelay(longest, start, learn_delay=bool(facts.get("learn", False)))


def threshold(node: Any, dtype: torch.dtype, dt: float) -> nn.Module:
    """Return a neuron that keeps nothing: it fires where its input is above the threshold."""
    return Leaky(
        beta=0.0,
        threshold=tensor(node.threshold, dtype),
        reset_mechanism="none",
        init_hidden=True,
    )


LAYERS: dict[str, Callable[[Any, torch.dtype, float], nn.Module]] = {
    "Linear": linear,
    "Affine": linear,
    "Conv1d": conv,
    "Conv2d": conv,
    "AvgPool2d": pool,
    "SumPool2d": pool,
    "Flatten": flatten,
    "Scale": scale,
    "Delay": delay,
    "Threshold": threshold,
}
