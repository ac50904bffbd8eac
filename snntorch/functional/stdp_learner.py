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

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from snntorch._checks import expect, expect_number, expect_truth
from snntorch._docs import publish, shared_arguments
from snntorch.functional._monitor import as_is
from snntorch.functional._records import spikes_of, widened
from snntorch.functional._stdp import Layer, WeightFunction, expect_rule
from snntorch.functional._stdp_steps import (
    ARGUMENTS,
    STEPS,
    mstdp_linear_single_step,
    mstdpet_linear_single_step,
    stdp_conv1d_single_step,
    stdp_conv2d_single_step,
    stdp_linear_single_step,
)
from snntorch.functional.probe import InputMonitor, OutputMonitor

__all__ = [
    "STDPLearner",
    "mstdp_linear_single_step",
    "mstdpet_linear_single_step",
    "stdp_conv1d_single_step",
    "stdp_conv2d_single_step",
    "stdp_linear_single_step",
]


@shared_arguments(ARGUMENTS)
class STDPLearner(nn.Module):
    """Learn the weight of one layer by STDP, from what passes it and the neurons behind it.

    Choose it to train a layer without labels. It watches both while the network runs, and
    turns what they did into a weight change when you call `step`: either as a gradient, for
    an optimizer, or as the change itself. The equations are at the top of this module.

    Args:
        synapse: The layer that learns: nn.Linear, nn.Conv1d or nn.Conv2d.
        sn: The neurons behind it, in step with it: one call for each call of ``synapse``.
            The first of what they return are the spikes.
        {shared}

    Attributes:
        trace_pre: Trace of the spikes that ``synapse`` was given; None at the start.
        trace_post: Trace of the spikes of ``sn``; None at the start.

    Raises:
        ValueError: If a time constant is less than 1.
        TypeError: If an argument is of the wrong kind.

    Examples:
        >>> import torch, snntorch as snn
        >>> from torch import nn
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
            isinstance(synapse, tuple(STEPS)),
            self,
            f"`synapse` to be one of {[kind.__name__ for kind in STEPS]}",
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
        expect_truth(self, on_grad=on_grad)
        inputs, outputs = self.in_spike_monitor[""], self.out_spike_monitor[""]
        expect(
            len(inputs) == len(outputs),
            self,
            "as many calls of `sn` as of `synapse`",
            f"{len(outputs)} and {len(inputs)}",
            "Call reset() before the first time step.",
        )
        one_step = next(step for kind, step in STEPS.items() if isinstance(self.synapse, kind))
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
        total = (total * float(scale)).to(self.synapse.weight.dtype)
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
        self.in_spike_monitor.watch(self.synapse, None, _spikes)
        self.out_spike_monitor.watch(self.sn, None, _spikes)


def _spikes(values: Any) -> Tensor:
    """Return the spikes of what a layer is given or a neuron returns, without their graph."""
    return spikes_of(values).detach()


publish(globals())
