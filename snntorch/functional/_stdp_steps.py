"""One step of every learning rule by spike times.

The equations and what learns by them over time are in ``snntorch.functional.stdp_learner``.
"""

# ruff: noqa: D417  (the arguments that all steps share are filled in)

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from torch import Tensor, nn
from torch.nn.grad import conv1d_weight, conv2d_weight

from snntorch._docs import shared_arguments
from snntorch.functional._monitor import as_is
from snntorch.functional._stdp import (
    Change,
    WeightFunction,
    correlation,
    decayed,
    expect_conv,
    expect_dense,
    expect_tau,
    outer,
    outer_summed,
    stdp_step,
)

_LAYER = "Layer between the spikes; its weight is read, not changed."
ARGUMENTS = {
    "fc": _LAYER,
    "conv": _LAYER,
    "in_spike": "Spikes that the layer is given.",
    "out_spike": "Spikes of the neurons behind it.",
    "trace_pre": "Trace of ``in_spike`` after the last step, or None for none.",
    "trace_post": "Trace of ``out_spike`` after the last step, or None for none.",
    "tau_pre": "Time constant of ``trace_pre`` in time steps, at least 1.",
    "tau_post": "Time constant of ``trace_post``, likewise.",
    "f_pre": "How much an input spike weakens a weight; the weight itself if left out.",
    "f_post": "How much an output spike strengthens it, likewise.",
}


@shared_arguments(ARGUMENTS)
def stdp_linear_single_step(
    fc: nn.Linear,
    in_spike: Tensor,
    out_spike: Tensor,
    trace_pre: Tensor | None,
    trace_post: Tensor | None,
    tau_pre: float,
    tau_post: float,
    f_pre: WeightFunction = as_is,
    f_post: WeightFunction = as_is,
) -> Change:
    """Return one step of STDP for a dense layer: the new traces and the weight change.

    Choose it to apply the rule yourself, step by step. The equations are at the top of
    this module.

    Args:
        {shared}

    Returns:
        ``trace_pre``, ``trace_post`` and the change of the weight, summed over the batch.

    Shape:
        - in_spike, trace_pre: (..., in_features)
        - out_spike, trace_post: (..., out_features)
        - the change: (out_features, in_features)

    Raises:
        ValueError: If shapes do not fit, or a time constant is less than 1.
        TypeError: If an argument is of the wrong kind.

    Examples:
        >>> import torch
        >>> fc = torch.nn.Linear(1, 1)
        >>> strength = lambda weight: 0.1
        >>> traces, changes = (None, None), []
        >>> for pre, post in ((1, 0), (0, 1), (1, 0)):  # the output fires between two inputs
        ...     pre, post = torch.tensor([[pre]]), torch.tensor([[post]])
        ...     *traces, change = stdp_linear_single_step(
        ...         fc, pre, post, *traces, 2.0, 4.0, strength, strength
        ...     )
        ...     changes.append(change)
        >>> torch.cat(changes).flatten()
        tensor([ 0.0000,  0.0500, -0.0750])
    """
    owner = "stdp_linear_single_step"
    expect_dense(owner, fc, in_spike, out_spike)
    spikes, traces, taus = (in_spike, out_spike), (trace_pre, trace_post), (tau_pre, tau_post)
    return stdp_step(owner, fc, spikes, traces, taus, f_pre, f_post, outer_summed)


@shared_arguments(ARGUMENTS)
def mstdp_linear_single_step(
    fc: nn.Linear,
    in_spike: Tensor,
    out_spike: Tensor,
    trace_pre: Tensor | None,
    trace_post: Tensor | None,
    tau_pre: float,
    tau_post: float,
    f_pre: WeightFunction = as_is,
    f_post: WeightFunction = as_is,
) -> Change:
    r"""Return one step of reward-modulated STDP for a dense layer.

    Choose it when a reward says at every step whether what the network does is good. The
    change that STDP asks for is only eligible until the reward :math:`r_b` of sample
    :math:`b` comes:

    .. math::
        \Delta w_{ji}[t] = \sum_b r_b[t + 1]\,e_{b, ji}[t]

    with the eligibility :math:`e` of one sample, which is its :math:`\Delta w` of
    `stdp_linear_single_step`.

    Args:
        {shared}

    Returns:
        ``trace_pre``, ``trace_post`` and the eligibility of every sample.

    Shape:
        - in_spike, trace_pre: (..., in_features)
        - out_spike, trace_post: (..., out_features)
        - the eligibility: (..., out_features, in_features)

    Raises:
        ValueError: If shapes do not fit, or a time constant is less than 1.
        TypeError: If an argument is of the wrong kind.

    Examples:
        >>> import torch
        >>> fc, reward = torch.nn.Linear(3, 2), torch.tensor([1.0, -1.0])
        >>> spikes = torch.ones(2, 3), torch.ones(2, 2)
        >>> *traces, eligibility = mstdp_linear_single_step(fc, *spikes, None, None, 2.0, 2.0)
        >>> torch.einsum("b,boi->oi", reward, eligibility).shape
        torch.Size([2, 3])
    """
    owner = "mstdp_linear_single_step"
    expect_dense(owner, fc, in_spike, out_spike)
    spikes, traces, taus = (in_spike, out_spike), (trace_pre, trace_post), (tau_pre, tau_post)
    return stdp_step(owner, fc, spikes, traces, taus, f_pre, f_post, outer)


@shared_arguments(ARGUMENTS)
def mstdpet_linear_single_step(
    fc: nn.Linear,
    in_spike: Tensor,
    out_spike: Tensor,
    trace_pre: Tensor | None,
    trace_post: Tensor | None,
    tau_pre: float,
    tau_post: float,
    tau_trace: float,
    f_pre: WeightFunction = as_is,
    f_post: WeightFunction = as_is,
    *,
    eligibility: Tensor | None = None,
) -> Change:
    r"""Return one step of reward-modulated STDP with an eligibility trace.

    Choose it when the reward comes late: what was eligible stays so for a while.

    .. math::
        z_b[t] &= z_b[t-1] - z_b[t-1] / \tau_z + e_b[t] \\
        \Delta w[t] &= \sum_b r_b[t + 1]\,z_b[t]

    with the eligibility trace :math:`z` (``eligibility``), its time constant
    :math:`\tau_z` (``tau_trace``) in time steps, the eligibility :math:`e` of
    `mstdp_linear_single_step` and the reward :math:`r` of sample :math:`b`.

    Args:
        {shared}
        tau_trace: Time constant of ``eligibility`` in time steps, at least 1.
        eligibility: What the last step returned, or None for none.

    Returns:
        ``trace_pre``, ``trace_post`` and the eligibility trace of every sample.

    Shape:
        - in_spike, trace_pre: (..., in_features)
        - out_spike, trace_post: (..., out_features)
        - eligibility: (..., out_features, in_features)

    Raises:
        ValueError: If shapes do not fit, or a time constant is less than 1.
        TypeError: If an argument is of the wrong kind.

    Note:
        The argument ``eligibility`` is new: pass what the last step returned.

    Examples:
        >>> import torch
        >>> fc, eligibility, traces = torch.nn.Linear(3, 2), None, (None, None)
        >>> for _ in range(4):
        ...     in_spike, out_spike = torch.rand(5, 3).round(), torch.rand(5, 2).round()
        ...     *traces, eligibility = mstdpet_linear_single_step(
        ...         fc, in_spike, out_spike, *traces, 2.0, 2.0, 10.0, eligibility=eligibility
        ...     )
        >>> eligibility.shape
        torch.Size([5, 2, 3])
    """
    owner = "mstdpet_linear_single_step"
    expect_dense(owner, fc, in_spike, out_spike)
    spikes, traces, taus = (in_spike, out_spike), (trace_pre, trace_post), (tau_pre, tau_post)
    expect_tau(owner, "tau_trace", tau_trace)
    pre, post, now = stdp_step(owner, fc, spikes, traces, taus, f_pre, f_post, outer)
    return pre, post, decayed(owner, "eligibility", eligibility, tau_trace, now)


@shared_arguments(ARGUMENTS)
def stdp_conv1d_single_step(
    conv: nn.Conv1d,
    in_spike: Tensor,
    out_spike: Tensor,
    trace_pre: Tensor | None,
    trace_post: Tensor | None,
    tau_pre: float,
    tau_post: float,
    f_pre: WeightFunction = as_is,
    f_post: WeightFunction = as_is,
) -> Change:
    """Return one step of STDP for a convolution: the new traces and the weight change.

    Choose it to apply the rule yourself, step by step. A weight of a kernel learns from
    every pair of positions that it connects; the changes are summed. Every stride,
    padding, dilation and number of groups is welcome.

    Args:
        {shared}

    Returns:
        ``trace_pre``, ``trace_post`` and the change of the weight, summed over the batch.

    Shape:
        - in_spike, trace_pre: (batch, in_channels, length), or without batch
        - out_spike, trace_post: (batch, out_channels, length), or without batch
        - the change: as ``conv.weight``

    Raises:
        ValueError: If shapes do not fit, or a time constant is less than 1.
        TypeError: If an argument is of the wrong kind.

    Examples:
        >>> import torch
        >>> conv, spikes = torch.nn.Conv1d(1, 4, kernel_size=3), torch.ones(2, 1, 8)
        >>> *traces, change = stdp_conv1d_single_step(
        ...     conv, spikes, torch.ones(2, 4, 6), None, None, 2.0, 2.0
        ... )
        >>> change.shape
        torch.Size([4, 1, 3])
    """
    owner = "stdp_conv1d_single_step"
    expect_conv(owner, conv, nn.Conv1d, in_spike, out_spike)
    spikes, traces, taus = (in_spike, out_spike), (trace_pre, trace_post), (tau_pre, tau_post)
    pair = partial(correlation, conv, conv1d_weight)
    return stdp_step(owner, conv, spikes, traces, taus, f_pre, f_post, pair)


@shared_arguments(ARGUMENTS)
def stdp_conv2d_single_step(
    conv: nn.Conv2d,
    in_spike: Tensor,
    out_spike: Tensor,
    trace_pre: Tensor | None,
    trace_post: Tensor | None,
    tau_pre: float,
    tau_post: float,
    f_pre: WeightFunction = as_is,
    f_post: WeightFunction = as_is,
) -> Change:
    """Return one step of STDP for a convolution of images.

    Choose it as `stdp_conv1d_single_step`, for two axes.

    Args:
        {shared}

    Returns:
        ``trace_pre``, ``trace_post`` and the change of the weight, summed over the batch.

    Shape:
        - in_spike, trace_pre: (batch, in_channels, height, width), or without batch
        - out_spike, trace_post: (batch, out_channels, height, width), or without batch
        - the change: as ``conv.weight``

    Raises:
        ValueError: If shapes do not fit, or a time constant is less than 1.
        TypeError: If an argument is of the wrong kind.

    Examples:
        >>> import torch
        >>> conv, spikes = torch.nn.Conv2d(1, 4, kernel_size=3), torch.ones(2, 1, 8, 8)
        >>> *traces, change = stdp_conv2d_single_step(
        ...     conv, spikes, torch.ones(2, 4, 6, 6), None, None, 2.0, 2.0
        ... )
        >>> change.shape
        torch.Size([4, 1, 3, 3])
    """
    owner = "stdp_conv2d_single_step"
    expect_conv(owner, conv, nn.Conv2d, in_spike, out_spike)
    spikes, traces, taus = (in_spike, out_spike), (trace_pre, trace_post), (tau_pre, tau_post)
    pair = partial(correlation, conv, conv2d_weight)
    return stdp_step(owner, conv, spikes, traces, taus, f_pre, f_post, pair)


#: The step function of every layer that can learn.
STEPS: dict[type[nn.Module], Callable[..., Change]] = {
    nn.Linear: stdp_linear_single_step,
    nn.Conv1d: stdp_conv1d_single_step,
    nn.Conv2d: stdp_conv2d_single_step,
}
