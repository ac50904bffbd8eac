"""Runs a copy of a net, and counts what it does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from snntorch._checks import expect, expect_count, expect_module
from snntorch._neurons._states import StateModule
from snntorch._neurons._unroll import to_sequence
from snntorch._profile.report import Profile
from snntorch._profile.watch import Watch
from snntorch._torch import copy_of, plain_operators
from snntorch._unroll.planner import unroll

__all__ = ["profile"]


def profile(
    net: nn.Module,
    x: Any,
    num_steps: int | None = None,
    *,
    run: Callable[[nn.Module, Any], Any] | None = None,
    samples: int = 1,
) -> Profile:
    r"""Run a copy of a net, and return what it costs: operations, memory traffic and energy.

    Of a layer with weights :math:`w_{ij}` and inputs :math:`x_j[t]` the synaptic operations are

    .. math::
        n_\mathrm{dense} = \sum_t \sum_{ij} 1, \qquad
        n_\mathrm{effective} = \sum_t \sum_{ij} [w_{ij} \ne 0]\,[x_j[t] \ne 0]

    over the pairs that the layer connects; padding is no input. An effective one is an
    accumulation (AC) where all inputs :math:`x[t]` of a sample, or all weights of neuron
    :math:`i`, are -1, 0 or 1; else a multiply-accumulate (MAC). Biases are not counted.
    :class:`LayerProfile` has what else is counted, :class:`EnergyTable` the energy, and
    :doc:`/energy` what the model leaves out.

    Who brings the loop over time? An ``nn.Sequential`` with neurons, or a neuron, takes one step
    per call, and is run as by :func:`unroll`. Any other net is called once, with ``x``, and has
    its loop in ``forward``. ``num_steps`` and ``run`` say otherwise. It starts from the present
    states, in the present mode: call ``net.eval()`` before, where training is over.

    Args:
        net: Any module; it is left as it was, even if it raises an error. Layers, functions such
            as ``F.conv2d`` and products such as ``x @ w`` in it are counted alike.
        x: Its input; (time, batch, ...), or (batch, ...) with ``num_steps``, for a net that takes
            one step per call.
        num_steps: Number of steps for which to repeat the input, by :func:`unroll`.
        run: Runs the net, ``run(net, x)``, where it needs another loop, or several inputs:
            ``snn.unroll`` for a class that takes one step per call.
        samples: Number of samples in the input: all that ran is divided by it. Left out, numbers
            are those of the whole input.

    Returns:
        The profile. Printing it gives a table; ``to_dict()`` all numbers.

    Raises:
        TypeError: If ``net`` is not a module, ``run`` is not a function, or comes with
            ``num_steps``.
        ValueError: If ``samples`` is less than 1, or what :func:`unroll` raises.

    Note:
        The copy runs step by step and without gradients; a fused net runs its loop. Random numbers
        are drawn as in a call, and the state of the generators put back.

    References:
        J. Yik et al. (2025). The neurobench framework for benchmarking neuromorphic computing
        algorithms and systems. Nature Communications 16, 1545. DOI 10.1038/s41467-025-56739-4

        M. Horowitz (2014). Computing's energy problem (and what we can do about it). ISSCC
        2014, 10-14. DOI 10.1109/ISSCC.2014.6757323

    Examples:
        >>> import torch, snntorch as snn
        >>> net = torch.nn.Sequential(
        ...     torch.nn.Linear(4, 2, bias=False), snn.Leaky(0.9, init_hidden=True)
        ... )
        >>> spikes = torch.zeros(10, 1, 4)
        >>> spikes[:, :, 0] = 1  # one of four inputs fires
        >>> costs = snn.profile(net, spikes)
        >>> costs.total.dense, costs.total.macs, costs.total.acs
        (80.0, 0.0, 20.0)
        >>> costs.layers[1].updates
        20.0
    """
    got = type(net).__name__
    expect_module("profile", "net", net)
    expect_count("profile", "samples", samples)
    expect(
        run is None or callable(run),
        "profile",
        "`run` to be a function of net and input",
        repr(run),
        "Pass snn.unroll, or a loop of your own: run=lambda net, x: [net(step) for step in x].",
        TypeError,
    )
    expect(
        run is None or num_steps is None,
        "profile",
        "one of `num_steps` and `run`",
        "both",
        "Let `run` repeat the input.",
        TypeError,
    )
    steps = run is None and (num_steps is not None or _takes_steps(net))
    if steps:
        to_sequence("profile", x, num_steps)  # says what is wrong with these
    twin = copy_of(net)
    watch = Watch(twin)
    with torch.no_grad(), torch.random.fork_rng(), plain_operators(twin), watch:
        if run is not None:
            run(twin, x)
        elif steps:
            unroll(twin, x, num_steps)
        else:
            twin(x)
    uncounted = tuple(sorted(watch.opaque))
    return Profile(got, watch.layers(samples), watch.steps, samples, uncounted)


def _takes_steps(net: nn.Module) -> bool:
    """Return whether a net has states, and no place for a loop over time."""
    if type(net).forward is nn.Sequential.forward:
        return any(map(_takes_steps, net.children()))
    return isinstance(net, StateModule) and bool(net.state_names)
