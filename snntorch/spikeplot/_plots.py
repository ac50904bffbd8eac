"""Plots of spikes and traces over time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from torch import Tensor

from snntorch._checks import as_sides, expect, expect_finite, expect_values, shape_of
from snntorch._neurons._values import to_value
from snntorch.spikeplot._style import (
    BLUE,
    GREY,
    VERMILLION,
    as_list,
    expect_axes,
    expect_shown,
    label,
    own_panels,
    style,
    to_array,
    whole_numbers,
)

#: From this many markers on, vector graphics would become slow and large.
_MANY = 20_000


def raster(data: Tensor, ax: Axes, **kwargs: Any) -> PathCollection:
    """Mark every spike at its time step and neuron: the first look at any layer.

    The axes span all time steps and neurons, also where nothing fires, and get their names
    if they have none. A million spikes take about a second; so many are drawn as pixels
    within vector graphics, and where they overlap in shades of grey.

    Args:
        data: Spikes of one sample; anything but 0 is marked, also the -1 of off-spikes.
        ax: Axes to draw on.
        **kwargs: What ``ax.scatter`` takes, such as ``s=1.5, c="black", marker="|"``. Left
            out, spikes are upright lines as high as there is room for.

    Returns:
        The markers; ``get_offsets()`` has a row (time step, neuron) for each spike.

    Shape:
        - ``data``: (time, neurons), or (time,) for one neuron.

    Raises:
        ValueError: If ``data`` has more dimensions, or is empty.
        TypeError: If ``data`` is not a tensor.

    Note:
        snnTorch 1.0.0 shows no more than the spikes reach, and names no axis.

    Examples:
        >>> import matplotlib.pyplot as plt, torch
        >>> fig, ax = plt.subplots()
        >>> raster(torch.tensor([[0, 1], [0, 0], [1, 0]]), ax, c="black").get_offsets().data
        array([[0., 1.], [2., 0.]])
        >>> plt.close(fig)
    """
    expect_shown("raster", "data", data)
    expect_axes("raster", ax, needed=True)
    spikes = data.unsqueeze(1) if data.ndim == 1 else data
    expect(
        spikes.ndim == 2 and spikes.numel() > 0,
        "raster",
        "`data` of shape (time, neurons) or (time,), not empty",
        shape_of(data),
        "Pick one sample of the batch and flatten the rest: data[:, 0].flatten(1).",
    )
    steps, neurons = spikes.shape
    # arrays: scatter walks through tensors element by element
    times, indices = (index.cpu().numpy() for index in spikes.detach().nonzero(as_tuple=True))
    if kwargs.keys().isdisjoint(("s", "marker")):
        width, height = _room(ax, steps, neurons)
        # shorter lines vanish between the pixels of a small figure
        length = min(max(0.8 * height, 2.0), 20.0)
        kwargs |= {"marker": "|", "s": length**2}
        if kwargs.keys().isdisjoint(("linewidths", "linewidth")):
            kwargs["linewidths"] = min(max(width, 0.3), 1.2)
        if length > height and len(times) > _MANY:
            # a line covers several neurons: the more of them fire, the darker it gets
            covered = np.bincount(indices // math.ceil(length / height) * steps + times)
            kwargs.setdefault("alpha", max(1 / covered[covered > 0].mean(), 0.3))
    if kwargs.keys().isdisjoint(("c", "color", "facecolors", "edgecolors")):
        kwargs["color"] = mpl.rcParams["text.color"]
    kwargs.setdefault("rasterized", len(times) > _MANY)
    markers = ax.scatter(times, indices, **kwargs)
    ax.update_datalim([(-0.5, -0.5), (steps - 0.5, neurons - 0.5)])
    ax.autoscale_view()
    whole_numbers(ax.xaxis)
    whole_numbers(ax.yaxis)
    label(ax, "Time step", "Neuron")
    return markers


def _room(ax: Axes, columns: int, rows: int) -> tuple[float, float]:
    """Return the width and height in points of a cell, if there are so many on an axes."""
    extent = ax.get_window_extent()
    point = ax.figure.dpi / 72
    return extent.width / point / columns, extent.height / point / rows


def traces(
    data: Tensor,
    spk: Tensor | None = None,
    dim: tuple[int, int] | None = (3, 3),
    spk_height: float = 5,
    titles: Sequence[str] | None = None,
    *,
    threshold: float | Tensor | None = None,
    ax: Axes | None = None,
) -> list[Axes]:
    """Plot what neurons do over time, such as their membrane potential.

    Each neuron gets a panel of a grid; or, on one ``ax``, all of them are stacked on top of
    each other, the first at the bottom.

    Args:
        data: Traces of one sample.
        spk: Their spikes, drawn as lines from the trace up to ``spk_height``.
        dim: Rows and columns of the grid; neurons it has no room for are left out, cells
            without a neuron stay empty. ``None`` makes room for all.
        spk_height: Height of spikes, in the unit of ``data``.
        titles: Name of each neuron; left out, they are numbered.
        threshold: Threshold to draw: one number, or one per neuron.
        ax: Axes to stack all traces on. Left out, the grid goes to the current figure of
            pyplot if that is empty, else to a new one.

    Returns:
        The axes of the panels.

    Shape:
        - ``data``, ``spk``: (time, neurons).
        - ``threshold``: none, or (neurons,).

    Raises:
        ValueError: If a shape does not fit, or there are fewer titles than panels.
        TypeError: If ``data`` or ``spk`` is not a tensor.

    Note:
        snnTorch 1.0.0 raises an IndexError if the grid has more cells than there are
        neurons, returns nothing, and replaces the value of a trace at a spike.

    Examples:
        >>> import matplotlib.pyplot as plt, torch
        >>> axes = traces(torch.rand(20, 4), dim=(2, 3))
        >>> len(axes)
        4
        >>> plt.close()
    """
    owner = "traces"
    expect_axes(owner, ax)
    expect_finite(owner, spk_height=spk_height)
    if dim is not None:
        dim = as_sides(owner, "dim", dim, 0)
    values = to_array(owner, "data", data, "time", "neurons").astype(np.float64)
    steps, neurons = values.shape
    spikes = np.zeros_like(values)
    if spk is not None:
        spikes = to_array(owner, "spk", spk, "time", "neurons")
        expect(spikes.shape == values.shape, owner, f"`spk` of shape {values.shape}", spikes.shape)
    levels = None
    if threshold is not None:
        level = to_value(owner, "threshold", threshold).detach()
        expect_values(owner, "threshold", level)
        level = level.cpu()
        fits = shape_of(level) in ((), (1,), (neurons,))
        expect(fits, owner, f"`threshold`: one number or {neurons}", f"shape {shape_of(level)}")
        levels = level.expand(neurons).numpy()

    panels = neurons if ax is not None or dim is None else min(neurons, math.prod(dim))
    expect(panels > 0, owner, "`dim` of at least one row and column", dim)
    names = [f"Neuron {i}" for i in range(panels)]
    names = names if titles is None else as_list(owner, "titles", titles)
    expect(len(names) >= panels, owner, f"`titles` for {panels} panels", len(names))

    def draw(panel: Axes, neuron: int, base: float = 0.0) -> None:
        trace = values[:, neuron] + base
        panel.plot(np.arange(steps), trace, color=BLUE, linewidth=1.2)
        if levels is not None:
            level = base + levels[neuron]
            panel.axhline(level, color=GREY, linewidth=0.8, linestyle="--", zorder=1)
        (times,) = spikes[:, neuron].nonzero()
        panel.vlines(times, trace[times], base + spk_height, color=VERMILLION, linewidth=1.2)

    if ax is not None:
        highest = max(values.max(), spk_height if spikes.any() else -math.inf)
        gap = 1.1 * (highest - values.min()) or 1.0
        for neuron in range(neurons):
            draw(ax, neuron, gap * neuron)
        named = np.arange(0, neurons, math.ceil(10 / _room(ax, 1, neurons)[1]))
        ax.set_yticks(gap * named, [names[i] if titles else str(i) for i in named])
        whole_numbers(ax.xaxis)
        label(ax, "Time step", "" if titles else "Neuron")
        return [ax]

    with style():
        axes = own_panels(panels, dim, (2.4, 1.4), share_y=True, x_label="Time step")
        for neuron, panel in enumerate(axes):
            draw(panel, neuron)
            panel.set_title(names[neuron])
        whole_numbers(axes[0].xaxis)
    return axes
