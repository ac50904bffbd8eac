"""One step of spike-timing-dependent plasticity: checks, traces, and which spikes meet.

The equations and what users call are in ``snntorch.functional.stdp_learner``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from snntorch._checks import (
    expect,
    expect_as_device,
    expect_number,
    expect_real,
    expect_tensor,
    shape_of,
)
from snntorch._torch import conv_padding

Layer: TypeAlias = nn.Linear | nn.Conv1d | nn.Conv2d
WeightFunction: TypeAlias = Callable[[Tensor], Any]
Change: TypeAlias = tuple[Tensor, Tensor, Tensor]


def _expect_layer(
    owner: str, name: str, layer: Any, kind: type[nn.Module], in_spike: Any, out_spike: Any
) -> None:
    what, got = f"`{name}` to be nn.{kind.__name__}", type(layer).__name__
    expect(isinstance(layer, kind), owner, what, got, error=TypeError)
    for spikes, value in (("in_spike", in_spike), ("out_spike", out_spike)):
        expect_tensor(owner, spikes, value)
        expect_real(owner, spikes, value)
        expect_as_device(owner, spikes, value, layer.weight)


def expect_dense(owner: str, fc: Any, in_spike: Any, out_spike: Any) -> None:
    """Raise unless the spikes are those before and behind a dense layer."""
    _expect_layer(owner, "fc", fc, nn.Linear, in_spike, out_spike)
    shape = shape_of(in_spike)
    expect(
        shape[-1:] == (fc.in_features,),
        owner,
        f"`in_spike` of shape (..., {fc.in_features}), as the layer takes",
        shape,
    )
    wanted = (*shape[:-1], fc.out_features)
    got = shape_of(out_spike)
    expect(got == wanted, owner, f"`out_spike` of shape {wanted}, as the layer returns", got)


def expect_conv(
    owner: str, conv: Any, kind: type[nn.Module], in_spike: Any, out_spike: Any
) -> None:
    """Raise unless the spikes are those before and behind a convolution."""
    _expect_layer(owner, "conv", conv, kind, in_spike, out_spike)
    axes = len(conv.kernel_size)
    shape = shape_of(in_spike)
    expect(
        len(shape) in (axes + 1, axes + 2) and shape[-axes - 1] == conv.in_channels,
        owner,
        f"`in_spike` of {conv.in_channels} channels, with {axes} axes behind them",
        f"shape {shape}",
    )
    padding = conv_padding(conv)
    around = [sum(padding[i : i + 2]) for i in range(0, 2 * axes, 2)][::-1]
    reach = [d * (k - 1) + 1 for d, k in zip(conv.dilation, conv.kernel_size, strict=True)]
    sizes = (
        (size + a - r) // stride + 1
        for size, a, r, stride in zip(shape[-axes:], around, reach, conv.stride, strict=True)
    )
    wanted = (*shape[: -axes - 1], conv.out_channels, *sizes)
    got = shape_of(out_spike)
    expect(got == wanted, owner, f"`out_spike` of shape {wanted}, as the layer returns", got)


def expect_rule(owner: object, tau_pre: Any, tau_post: Any, f_pre: Any, f_post: Any) -> None:
    """Raise unless the time constants and the functions of the weight fit the rule."""
    expect_tau(owner, "tau_pre", tau_pre)
    expect_tau(owner, "tau_post", tau_post)
    for name, function in (("f_pre", f_pre), ("f_post", f_post)):
        what = f"`{name}` to be a function of the weight"
        expect(callable(function), owner, what, repr(function), error=TypeError)


def expect_tau(owner: object, name: str, tau: Any) -> None:
    """Raise unless ``tau`` is a time constant: a trace never turns negative."""
    expect_number(owner, name, tau)
    expect(tau >= 1, owner, f"`{name}` of at least 1 time step", tau)


def decayed(owner: str, name: str, trace: Tensor | None, tau: float, new: Tensor) -> Tensor:
    """Return a trace after one step: what it was decays, ``new`` comes on top."""
    if trace is None:
        return new.clone()
    expect_tensor(owner, name, trace)
    expect_real(owner, name, trace)
    expect_as_device(owner, name, trace, new)
    expect(
        trace.shape == new.shape,
        owner,
        f"`{name}` of shape {shape_of(new)}",
        shape_of(trace),
        "Start a new batch without traces: pass None, or call reset() of the learner.",
    )
    trace = trace.to(new.dtype)
    return trace - trace / float(tau) + new


@torch.no_grad()
def stdp_step(
    owner: str,
    layer: Layer,
    spikes: tuple[Tensor, Tensor],
    traces: tuple[Tensor | None, Tensor | None],
    taus: tuple[float, float],
    f_pre: WeightFunction,
    f_post: WeightFunction,
    pair: Callable[[Tensor, Tensor], Tensor],
) -> Change:
    """Return the new traces and the change; ``pair(post, pre)`` says which spikes meet."""
    expect_rule(owner, *taus, f_pre, f_post)
    weight = layer.weight.detach()
    in_spike, out_spike = (spike.detach().to(weight.dtype) for spike in spikes)
    trace_pre = decayed(owner, "trace_pre", traces[0], taus[0], in_spike)
    trace_post = decayed(owner, "trace_post", traces[1], taus[1], out_spike)
    strengthened = f_post(weight) * pair(out_spike, trace_pre)
    weakened = f_pre(weight) * pair(trace_post, in_spike)
    return trace_pre, trace_post, strengthened - weakened


def outer(post: Tensor, pre: Tensor) -> Tensor:
    """Pair every output with every input of a dense layer."""
    return post.unsqueeze(-1) * pre.unsqueeze(-2)


def outer_summed(post: Tensor, pre: Tensor) -> Tensor:
    """Pair them likewise, summed over the batch."""
    return torch.einsum("...o,...i->oi", post, pre)


def correlation(
    conv: nn.Conv1d | nn.Conv2d, weight_gradient: Callable[..., Tensor], post: Tensor, pre: Tensor
) -> Tensor:
    """Pair the positions that each weight of a kernel connects, summed."""
    # What meets at a weight is what its gradient is summed over.
    if pre.dim() == len(conv.kernel_size) + 1:
        post, pre = post.unsqueeze(0), pre.unsqueeze(0)
    mode = "constant" if conv.padding_mode == "zeros" else conv.padding_mode
    pre = F.pad(pre, conv_padding(conv), mode=mode)
    shape, stride, dilation = conv.weight.shape, conv.stride, conv.dilation
    return weight_gradient(pre, shape, post, stride, 0, dilation, conv.groups)
