"""Plots of what a network does with an input."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from torch import Tensor, nn

from snntorch._checks import expect, expect_count, expect_tensor, shape_of
from snntorch.spikeplot._plots import raster, traces
from snntorch.spikeplot._runs import Layer, by_neuron, run
from snntorch.spikeplot._style import (
    BLUE,
    GREY,
    VERMILLION,
    expect_axes,
    grid_within,
    label,
    own_figure,
    style,
)


def firing_rates(
    net: nn.Module | Mapping[str, Tensor],
    x: Tensor | None = None,
    ax: Axes | None = None,
    *,
    num_steps: int | None = None,
    stepwise: bool | None = None,
) -> Axes:
    """Show how often the neurons of each layer fire: which are silent, which saturated.

    Choose it before and during training: a layer without spikes learns nothing, and one
    that fires at each step tells nothing. Each dot is a neuron, averaged over time and
    batch; the line is the mean of its layer.

    Args:
        net: Network to run, see :func:`summary`; or recorded spikes of each layer by name.
        x: Input of the network; none with recorded spikes.
        ax: Axes to draw on; left out, one is made.
        num_steps: As for :func:`summary`.
        stepwise: As for :func:`summary`.

    Returns:
        The axes.

    Shape:
        - ``x``: (time, batch, ...); (batch, ...) if ``num_steps`` is given.
        - recorded spikes: (time, batch, ...).

    Raises:
        ValueError: If a shape does not fit, or there is no layer of neurons.
        TypeError: If an argument is of the wrong kind.

    Examples:
        >>> import matplotlib.pyplot as plt, torch
        >>> ax = firing_rates({"hidden": torch.ones(5, 2, 8), "output": torch.zeros(5, 2, 3)})
        >>> [text.get_text() for text in ax.texts]
        ['mean 1.00, 0 % silent', 'mean 0.00, 100 % silent']
        >>> plt.close()
    """
    owner = "firing_rates"
    expect_axes(owner, ax)
    if isinstance(net, Mapping):
        expect(x is None, owner, "no `x` with recorded spikes", "one", error=TypeError)
        expect(len(net) > 0, owner, "the spikes of at least one layer", "none")
        for name, spikes in net.items():
            expect_tensor(owner, name, spikes)
            fits = spikes.ndim > 2 and spikes.numel() > 0
            expect(fits, owner, f"`{name}` of shape (time, batch, ...)", shape_of(spikes))
        layers = [Layer(name, by_neuron(spikes)) for name, spikes in net.items()]
    else:
        _, layers = run(owner, net, x, num_steps, stepwise)
    with style():
        if ax is None:
            ax = own_figure(5.6, 0.9 + 0.75 * len(layers)).add_subplot()
        for row, layer in enumerate(layers):
            rates = _rates(layer.spikes)
            # spread by the golden ratio: even, and the same each time
            spread = 0.4 * (np.arange(len(rates)) * 0.618034 % 1 - 0.5)
            ax.scatter(rates, row + 0.1 + spread, s=9, color=BLUE, alpha=0.5, linewidths=0)
            ax.vlines(rates.mean(), row - 0.15, row + 0.35, color=VERMILLION, linewidth=2)
            silent = f"{(rates == 0).mean():.0%}".replace("%", " %")
            ax.text(
                0.99,
                row - 0.3,
                f"mean {rates.mean():.2f}, {silent} silent",
                color=GREY,
                ha="right",
                va="center",
                size="small",
                transform=ax.get_yaxis_transform(),
            )
        names = [f"{layer.name}\n{layer.spikes.shape[2]} neurons" for layer in layers]
        ax.set_yticks(range(len(layers)), names)
        ax.tick_params(axis="y", length=0)
        ax.set_ylim(len(layers) - 0.5, -0.5)
        label(ax, "Firing rate (spikes per time step)", "")
    return ax


def summary(
    net: nn.Module,
    x: Tensor,
    ax: Axes | None = None,
    *,
    num_steps: int | None = None,
    stepwise: bool | None = None,
    sample: int = 0,
    neurons: int = 10,
) -> Figure | SubFigure:
    """Show one run of a network in one figure: input, spikes of all layers, output membranes.

    Beside each raster stand the firing rates of its neurons. A copy of the network is run,
    from zero states, in evaluation mode and without gradients: ``net`` stays as it is.

    Args:
        net: Any network with layers of neurons. It is called with ``x[t]`` for each step if
            its neurons keep their states (``init_hidden=True``); otherwise it is called once
            with ``x``, to loop over time itself.
        x: Input over time.
        ax: Axes whose place the panels take; left out, a figure is made.
        num_steps: Feed the same ``x``, without a time dimension, at so many steps.
        stepwise: Whether to call ``net`` at each step, where it does not follow from its
            neurons; ``False`` for one that has ``init_hidden=True`` and loops itself.
        sample: Which sample of the batch to show.
        neurons: Show the membrane potential of at most so many output neurons.

    Returns:
        The figure.

    Shape:
        - ``x``: (time, batch, ...); (batch, ...) if ``num_steps`` is given, or if the
          network makes a sequence out of a constant input.

    Raises:
        ValueError: If ``x`` or ``sample`` does not fit, or ``net`` has no layer of neurons.
        TypeError: If ``net`` is not a module or ``x`` not a tensor.

    Examples:
        >>> import matplotlib.pyplot as plt, torch, snntorch as snn
        >>> net = torch.nn.Sequential(torch.nn.Linear(4, 3), snn.Leaky(0.9, init_hidden=True))
        >>> fig = summary(net, torch.ones(20, 1, 4))
        >>> [title for ax in fig.axes if (title := ax.get_title("left"))]
        ['Input', '1: Leaky, 3 neurons, rate ...', 'Membrane potential of 1: Leaky']
        >>> plt.close(fig)
    """
    owner = "summary"
    expect_axes(owner, ax)
    expect_count(owner, "sample", sample, 0)
    x, layers = run(owner, net, x, num_steps, stepwise)
    batch = layers[-1].spikes.shape[1]
    expect(0 <= sample < batch, owner, f"`sample` from 0 to {batch - 1}", sample)
    expect_count(owner, "neurons", neurons)
    output = layers[-1]
    input_ = x[:, sample].detach().cpu().flatten(1)
    panels = [("Input", input_, _fires(input_, 1.0))]
    for layer in layers:
        data = layer.spikes[:, sample]
        title = f"{layer.name}, {data.shape[1]} neurons, rate {_rates(data).mean():.2f}"
        panels.append((title, data, _fires(data, data.abs().amax(0))))
    membranes = output.membrane is not None
    rows = len(panels) + membranes
    last_rates = max((row for row, panel in enumerate(panels) if panel[2]), default=None)
    with style():
        heights = [1.0] * len(panels) + [2.5] * membranes
        fig = own_figure(7.5, 0.5 + 1.3 * sum(heights)) if ax is None else ax.figure
        grid = grid_within(ax or fig, rows, 2, width_ratios=(7, 1), height_ratios=heights)
        shown: list[Axes] = []
        side: Axes | None = None
        for row, (title, data, is_spikes) in enumerate(panels):
            panel = fig.add_subplot(grid[row, 0], sharex=shown[0] if shown else None)
            shown.append(panel)
            panel.tick_params(labelbottom=row == rows - 1)
            panel.set_title(title, loc="left")
            label(panel, "Time step", "Neuron")
            if not is_spikes:
                values = data.float().T.numpy()
                panel.imshow(values, aspect="auto", origin="lower", cmap="Greys")
                continue
            raster(data, panel)
            side = fig.add_subplot(grid[row, 1], sharex=side, sharey=panel)
            side.tick_params(labelbottom=row == last_rates, labelleft=False)
            rates = _rates(data)
            edges = np.arange(len(rates) + 1) - 0.5
            side.stairs(rates, edges, orientation="horizontal", fill=True, color=BLUE)
            label(side, "Rate", "")
        if output.membrane is not None:
            shown.append(fig.add_subplot(grid[-1, 0], sharex=shown[0]))
            _membranes(shown[-1], output, output.membrane[:, sample, :neurons], sample)
        fig.align_ylabels(shown)
    return fig


def _fires(data: Tensor, size: Tensor | float) -> bool:
    """Return whether data are spikes of that size, and not some other values."""
    return bool(((data == 0) | (data.abs() == size)).all())


def _membranes(ax: Axes, layer: Layer, mem: Tensor, sample: int) -> None:
    """Stack the first membrane potentials of a layer, with threshold and spikes."""
    shown = mem.shape[1]
    threshold = None if layer.threshold is None else layer.threshold[:shown]
    highest = max(mem.max(), mem.min() if threshold is None else threshold.max())
    height = float(highest + 0.3 * (highest - mem.min()))
    traces(mem, layer.spikes[:, sample, :shown], None, height, threshold=threshold, ax=ax)
    first = f" (first {shown})" if shown < layer.spikes.shape[2] else ""
    ax.set_title(f"Membrane potential of {layer.name}{first}", loc="left")


def _rates(spikes: Tensor) -> np.ndarray[Any, Any]:
    """Return the spikes per time step of each neuron, the last dimension."""
    rates: np.ndarray[Any, Any] = (spikes != 0).double().flatten(0, -2).mean(0).numpy()
    return rates
