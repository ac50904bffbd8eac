"""Plots of surrogate gradients."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Sequence
from itertools import cycle
from typing import Any

import numpy as np
import torch
from matplotlib.axes import Axes
from torch import Tensor

from snntorch import surrogate
from snntorch._checks import expect, expect_finite
from snntorch.spikeplot._style import (
    BLUE,
    GREY,
    PALETTE,
    as_list,
    expect_axes,
    label,
    own_panels,
    style,
)

#: What surrogates are functions of, with a minus as long as those of the axis.
_EXCESS = "mem \N{MINUS SIGN} threshold"


def surrogate_gradients(
    surrogates: Sequence[Callable[[Tensor], Tensor]] | None = None,
    ax: Axes | None = None,
    *,
    titles: Sequence[str] | None = None,
    limit: float = 2.0,
) -> list[Axes]:
    """Plot the spike and the derivative that takes its place in the backward pass.

    Choose it to see how far from the threshold a surrogate lets a neuron learn. The
    derivative is what autograd gives, so a function of your own can be plotted too.

    Args:
        surrogates: What neurons take as ``spike_grad``; left out, all of
            :mod:`snntorch.surrogate` with their defaults.
        ax: Axes to draw all curves on; left out, each surrogate gets a panel of its own.
        titles: Name of each surrogate; left out, they name themselves.
        limit: The curves go from ``-limit`` to ``limit``, in units of ``mem - threshold``.

    Returns:
        The axes of the panels.

    Raises:
        ValueError: If there is no surrogate, ``titles`` do not match, or ``limit`` is not
            positive.
        TypeError: If a surrogate cannot be called.

    Examples:
        >>> import matplotlib.pyplot as plt
        >>> from snntorch import surrogate
        >>> axes = surrogate_gradients([surrogate.atan(), surrogate.fast_sigmoid(slope=10)])
        >>> [ax.get_title() for ax in axes]
        ['atan(alpha=2.0)', 'fast_sigmoid(slope=10)']
        >>> plt.close()
    """
    owner = "surrogate_gradients"
    expect_axes(owner, ax)
    expect_finite(owner, limit=limit)
    given = surrogates is not None
    functions = as_list(owner, "surrogates", surrogates) if given else _all_surrogates()
    expect(len(functions) > 0, owner, "at least one of `surrogates`", "none")
    for function in functions:
        hint = "Pass what a factory returns, such as surrogate.atan()."
        expect(
            callable(function),
            owner,
            "`surrogates` to be functions",
            repr(function),
            hint,
            TypeError,
        )
    names = [getattr(f, "__qualname__", repr(f)) for f in functions]
    if titles is not None:
        names = as_list(owner, "titles", titles)
    expect(len(names) == len(functions), owner, f"{len(functions)} `titles`", len(names))
    expect(limit > 0, owner, "`limit` > 0", limit)

    x = np.linspace(-limit, limit, 1001)
    curves = [_forward_and_derivative(function, torch.from_numpy(x)) for function in functions]
    with style():
        if ax is not None:
            ax.plot(x, curves[0][0], color=GREY, linestyle="--", label="spike")
            for (_, slope), name, colour in zip(curves, names, cycle(PALETTE)):
                ax.plot(x, slope, color=colour, label=name)
            ax.legend()
            label(ax, _EXCESS, "")
            return [ax]
        # as wide as a page; two columns where three would leave more cells empty
        columns = min((3, 2), key=lambda number: -len(functions) % number)
        dim = (math.ceil(len(functions) / columns), min(columns, len(functions)))
        axes = own_panels(len(functions), dim, (2.9, 1.6), share_y=False, x_label=_EXCESS)
        for panel, (spk, slope), name in zip(axes, curves, names, strict=True):
            panel.plot(x, spk, color=GREY, linestyle="--", label="spike")
            panel.plot(x, slope, color=BLUE, label="derivative")
            panel.set_title(name)
        axes[0].legend()
    return axes


def _forward_and_derivative(function: Callable[[Tensor], Tensor], x: Tensor) -> tuple[Any, Any]:
    """Return the spikes at ``x`` and what autograd takes for their derivative, as arrays."""
    # a stochastic surrogate looks the same each time, and costs no random numbers
    with torch.inference_mode(False), torch.enable_grad(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        x = x.clone().requires_grad_()
        spk = function(x)
        (slope,) = torch.autograd.grad(spk.sum(), x)
    return spk.detach().numpy(), slope.numpy()


def _all_surrogates() -> list[Callable[[Tensor], Tensor]]:
    """Return all surrogates that need no argument, with their defaults."""
    factories = filter(inspect.isfunction, map(surrogate.__dict__.get, surrogate.__all__))
    return [
        factory()
        for factory in factories
        if all(p.default is not p.empty for p in inspect.signature(factory).parameters.values())
    ]
