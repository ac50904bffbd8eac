r"""Spike-timing-dependent plasticity (STDP): weights that learn from spikes alone.

A synapse becomes stronger when the neuron before it fires shortly before the neuron
behind it, and weaker in the opposite order. Either side leaves a trace that remembers
its latest spikes:

.. math::
    p[t] &= p[t-1] - p[t-1] / \tau_p + S_p[t] \\
    q[t] &= q[t-1] - q[t-1] / \tau_q + S_q[t]

and at every spike the weight moves by the trace of the other side:

.. math::
    \Delta w_{ji}[t] = f_q(w_{ji})\,S_{q,j}[t]\,p_i[t] - f_p(w_{ji})\,q_j[t]\,S_{p,i}[t]

with the spikes :math:`S_p` (``in_spike``) and traces :math:`p` (``trace_pre``) of input
:math:`i`, the spikes :math:`S_q` (``out_spike``) and traces :math:`q` (``trace_post``) of
output :math:`j`, the time constants :math:`\tau_p` (``tau_pre``) and :math:`\tau_q`
(``tau_post``) in time steps, and the dependences on the weight :math:`f_p` (``f_pre``) and
:math:`f_q` (``f_post``), in units of the weight. Spikes and traces have no unit. Spikes of
the same step see each other: both terms contribute.

`STDPLearner` does it for a layer and the neurons behind it; the functions do one step.

References:
    A. Morrison, M. Diesmann, W. Gerstner (2008). Phenomenological Models of Synaptic
    Plasticity Based on Spike Timing. Biological Cybernetics 98, 459-478.
    DOI 10.1007/s00422-008-0233-1

    R. V. Florian (2007). Reinforcement Learning Through Modulation of
    Spike-Timing-Dependent Synaptic Plasticity. Neural Computation 19(6), 1468-1502.
    DOI 10.1162/neco.2007.19.6.1468

    E. M. Izhikevich (2007). Solving the Distal Reward Problem through Linkage of STDP and
    Dopamine Signaling. Cerebral Cortex 17(10), 2443-2452. DOI 10.1093/cercor/bhl152
"""

# ruff: noqa: D417  (the arguments that all steps share are filled in)

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.nn.grad import conv1d_weight, conv2d_weight

from snntorch._checks import expect, expect_number
from snntorch.functional._stdp import (
    Change,
    Layer,
    WeightFunction,
    correlation,
    decayed,
    expect_conv,
    expect_dense,
    expect_rule,
    expect_tau,
    outer,
    outer_summed,
    stdp_step,
)
from snntorch.functional.acc import widened
from snntorch.functional.probe import InputMonitor, OutputMonitor, as_is

__all__ = [
    "STDPLearner",
    "mstdp_linear_single_step",
    "mstdpet_linear_single_step",
    "stdp_conv1d_single_step",
    "stdp_conv2d_single_step",
    "stdp_linear_single_step",
]

_F = TypeVar("_F", bound=Callable[..., Any])

_ARGUMENTS = """\
    {layer}: Layer between the spikes; its weight is read, not changed.
    in_spike: Spikes that the layer is given.
    out_spike: Spikes of the neurons behind it.
    trace_pre: Trace of ``in_spike`` after the last step, or None for none.
    trace_post: Trace of ``out_spike`` after the last step, or None for none.
    tau_pre: Time constant of ``trace_pre`` in time steps, at least 1.
    tau_post: Time constant of ``trace_post``, likewise.
    f_pre: How much an input spike weakens a weight; the weight itself if left out.
    f_post: How much an output spike strengthens it, likewise."""


def _document(function: _F) -> _F:
    """Write the arguments that all step functions share into a docstring."""
    if function.__doc__:
        layer = next(iter(inspect.signature(function).parameters))
        text = _ARGUMENTS.format(layer=layer)
        function.__doc__ = inspect.cleandoc(function.__doc__).replace("    {shared}", text)
    return function


@_document
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
        - in_spike, trace_pre: ``[..., in_features]``
        - out_spike, trace_post: ``[..., out_features]``
        - the change: ``[out_features, in_features]``

    Raises:
        ValueError: If shapes do not fit, or a time constant is less than 1.
        TypeError: If an argument is of the wrong kind.

    Examples:
        >>> fc = nn.Linear(1, 1)
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


@_document
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
        - in_spike, trace_pre: ``[..., in_features]``
        - out_spike, trace_post: ``[..., out_features]``
        - the eligibility: ``[..., out_features, in_features]``

    Raises:
        ValueError: If shapes do not fit, or a time constant is less than 1.
        TypeError: If an argument is of the wrong kind.

    Examples:
        >>> fc, reward = nn.Linear(3, 2), torch.tensor([1.0, -1.0])
        >>> spikes = torch.ones(2, 3), torch.ones(2, 2)
        >>> *traces, eligibility = mstdp_linear_single_step(fc, *spikes, None, None, 2.0, 2.0)
        >>> torch.einsum("b,boi->oi", reward, eligibility).shape
        torch.Size([2, 3])
    """
    owner = "mstdp_linear_single_step"
    expect_dense(owner, fc, in_spike, out_spike)
    spikes, traces, taus = (in_spike, out_spike), (trace_pre, trace_post), (tau_pre, tau_post)
    return stdp_step(owner, fc, spikes, traces, taus, f_pre, f_post, outer)


@_document
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
        - in_spike, trace_pre: ``[..., in_features]``
        - out_spike, trace_post: ``[..., out_features]``
        - eligibility: ``[..., out_features, in_features]``

    Raises:
        ValueError: If shapes do not fit, or a time constant is less than 1.
        TypeError: If an argument is of the wrong kind.

    Note:
        The argument ``eligibility`` is new: pass what the last step returned.

    Examples:
        >>> fc, eligibility, traces = nn.Linear(3, 2), None, (None, None)
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


@_document
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
        - in_spike, trace_pre: ``[batch, in_channels, length]``, or without batch
        - out_spike, trace_post: ``[batch, out_channels, length]``, or without batch
        - the change: as ``conv.weight``

    Raises:
        ValueError: If shapes do not fit, or a time constant is less than 1.
        TypeError: If an argument is of the wrong kind.

    Examples:
        >>> conv, spikes = nn.Conv1d(1, 4, kernel_size=3), torch.ones(2, 1, 8)
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


@_document
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
        - in_spike, trace_pre: ``[batch, in_channels, height, width]``, or without batch
        - out_spike, trace_post: ``[batch, out_channels, height, width]``, or without batch
        - the change: as ``conv.weight``

    Raises:
        ValueError: If shapes do not fit, or a time constant is less than 1.
        TypeError: If an argument is of the wrong kind.

    Examples:
        >>> conv, spikes = nn.Conv2d(1, 4, kernel_size=3), torch.ones(2, 1, 8, 8)
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


def _spikes(values: Any) -> Tensor:
    """Return the spikes of what a neuron returns, without their graph."""
    spikes: Tensor = values[0] if isinstance(values, tuple) else values
    return spikes.detach()


#: The step function of every layer that can learn.
_STEPS: dict[type[nn.Module], Callable[..., Change]] = {
    nn.Linear: stdp_linear_single_step,
    nn.Conv1d: stdp_conv1d_single_step,
    nn.Conv2d: stdp_conv2d_single_step,
}


class STDPLearner(nn.Module):
    """Learn the weight of one layer by STDP, from what passes it and the neurons behind it.

    Choose it to train a layer without labels. It watches both while the network runs, and
    turns what they did into a weight change when you call `step`: either as a gradient, for
    an optimizer, or as the change itself. The equations are at the top of this module.

    Args:
        synapse: The layer that learns: nn.Linear, nn.Conv1d or nn.Conv2d.
        sn: The neurons behind it, in step with it: one call for each call of ``synapse``.
            The first of what they return are the spikes.
        tau_pre: Time constant of ``trace_pre`` in time steps, at least 1.
        tau_post: Time constant of ``trace_post``, likewise.
        f_pre: How much an input spike weakens a weight; the weight itself if left out.
        f_post: How much an output spike strengthens it, likewise.

    Attributes:
        trace_pre: Trace of the spikes that ``synapse`` was given; None at the start.
        trace_post: Trace of the spikes of ``sn``; None at the start.

    Raises:
        ValueError: If a time constant is less than 1.
        TypeError: If an argument is of the wrong kind.

    Examples:
        >>> import snntorch as snn
        >>> fc, lif = nn.Linear(3, 2), snn.Leaky(beta=0.9, init_hidden=True)
        >>> learner = STDPLearner(fc, lif, tau_pre=2.0, tau_post=2.0)
        >>> optimizer = torch.optim.SGD(fc.parameters(), lr=0.1)
        >>> for _ in range(10):
        ...     spk = lif(fc(torch.rand(4, 3).round()))
        >>> optimizer.zero_grad()
        >>> learner.step()
        >>> optimizer.step()
    """

    trace_pre: Tensor | None
    trace_post: Tensor | None

    def __init__(
        self,
        synapse: Layer,
        sn: nn.Module,
        tau_pre: float,
        tau_post: float,
        f_pre: WeightFunction = as_is,
        f_post: WeightFunction = as_is,
    ) -> None:
        super().__init__()
        expect(
            isinstance(synapse, tuple(_STEPS)),
            self,
            f"`synapse` to be one of {[kind.__name__ for kind in _STEPS]}",
            type(synapse).__name__,
            error=TypeError,
        )
        expect_rule(self, tau_pre, tau_post, f_pre, f_post)
        self.synapse = synapse
        self.sn = sn
        self.tau_pre = tau_pre
        self.tau_post = tau_post
        self.f_pre = f_pre
        self.f_post = f_post
        self.in_spike_monitor = InputMonitor(synapse, function_on_input=_spikes)
        self.out_spike_monitor = OutputMonitor(sn, function_on_output=_spikes)
        # they move along with the module, but are no part of a checkpoint
        self.register_buffer("trace_pre", None, persistent=False)
        self.register_buffer("trace_post", None, persistent=False)

    @torch.no_grad()
    def step(self, on_grad: bool = True, scale: float = 1.0) -> Tensor | None:
        """Learn from everything recorded since the last step.

        Args:
            on_grad: Subtract the change from the gradient of the weight, so that gradient
                descent adds it to the weight. False returns the change and leaves the
                gradient alone; add it yourself, as in
                ``synapse.weight.data += learner.step(on_grad=False)``.
            scale: Factor of the change.

        Returns:
            With ``on_grad=False`` the change of the weight (zero if nothing was recorded),
            else None.

        Raises:
            ValueError: If the layer and the neurons were not called equally often, or the
                batch changed its size without `reset`.
            TypeError: If ``scale`` is no number.
        """
        expect_number(self, "scale", scale)
        inputs, outputs = self.in_spike_monitor[""], self.out_spike_monitor[""]
        expect(
            len(inputs) == len(outputs),
            self,
            "as many calls of `sn` as of `synapse`",
            f"{len(outputs)} and {len(inputs)}",
            "Call reset() before the first time step.",
        )
        one_step = next(step for kind, step in _STEPS.items() if isinstance(self.synapse, kind))
        taus, functions = (self.tau_pre, self.tau_post), (self.f_pre, self.f_post)
        trace_pre, trace_post = self.trace_pre, self.trace_post
        total = torch.zeros_like(widened(self.synapse.weight))
        for spikes in zip(inputs, outputs, strict=True):
            trace_pre, trace_post, change = one_step(
                self.synapse, *spikes, trace_pre, trace_post, *taus, *functions
            )
            total += change
        self.trace_pre, self.trace_post = trace_pre, trace_post
        self._clear_records()
        total = (total * scale).to(self.synapse.weight.dtype)
        if not on_grad:
            return total
        if self.synapse.weight.grad is not None:
            self.synapse.weight.grad -= total
        elif inputs:
            self.synapse.weight.grad = -total
        return None

    def reset(self) -> None:
        """Forget recordings and traces: the next time step is the first."""
        self.trace_pre = self.trace_post = None
        self._clear_records()

    def enable(self) -> None:
        """Record from now on, as a new learner does."""
        self.in_spike_monitor.enable()
        self.out_spike_monitor.enable()

    def disable(self) -> None:
        """Record nothing until ``enable()``; what is recorded stays."""
        self.in_spike_monitor.disable()
        self.out_spike_monitor.disable()

    def _clear_records(self) -> None:
        self.in_spike_monitor.clear_recorded_data()
        self.out_spike_monitor.clear_recorded_data()

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)  # type: ignore[no-untyped-call]
        # a copy has a layer of its own to watch
        self.in_spike_monitor._watch(self.synapse, None, _spikes)
        self.out_spike_monitor._watch(self.sn, None, _spikes)
