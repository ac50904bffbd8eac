"""Pictures of tensors: spikes, traces, weights, and of surrogate gradients."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Sequence
from itertools import cycle
from typing import Any

import matplotlib as mpl
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.image import AxesImage
from torch import Tensor

from snntorch import surrogate
from snntorch._checks import expect, expect_tensor, shape_of
from snntorch.spikeplot._style import (
    BLUE,
    GREY,
    PALETTE,
    VERMILLION,
    grid_for,
    label,
    own_figure,
    own_panels,
    style,
    to_array,
    whole_numbers,
)

#: From this many markers on, vector graphics would become slow and large.
_MANY = 20_000
#: What surrogates are functions of, with a minus as long as those of the numbers.
_EXCESS = "mem \N{MINUS SIGN} threshold"


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
        - ``data``: (num_steps, neurons), or (num_steps,) for one neuron.

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
    expect_tensor("raster", "data", data)
    spikes = data.unsqueeze(1) if data.ndim == 1 else data
    expect(
        spikes.ndim == 2 and spikes.numel() > 0,
        "raster",
        "`data` of shape (num_steps, neurons) or (num_steps,), not empty",
        shape_of(data),
        "Pick one sample of the batch and flatten the rest: data[:, 0].flatten(1).",
    )
    steps, neurons = spikes.shape
    # arrays: scatter walks through tensors element by element
    times, indices = (index.cpu().numpy() for index in spikes.detach().nonzero(as_tuple=True))
    if kwargs.keys().isdisjoint(("s", "marker")):
        width, height = _room(ax, steps, neurons)
        # shorter lines vanish between the pixels of a small picture
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
        - ``data``, ``spk``: (num_steps, neurons).
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
    values = to_array(owner, "data", data, "num_steps", "neurons").astype(np.float64)
    steps, neurons = values.shape
    spikes = np.zeros_like(values)
    if spk is not None:
        spikes = to_array(owner, "spk", spk, "num_steps", "neurons")
        expect(spikes.shape == values.shape, owner, f"`spk` of shape {values.shape}", spikes.shape)
    levels = None
    if threshold is not None:
        level = torch.as_tensor(threshold).detach().cpu()
        fits = shape_of(level) in ((), (1,), (neurons,))
        expect(fits, owner, f"`threshold`: one number or {neurons}", f"shape {shape_of(level)}")
        levels = level.expand(neurons).numpy()

    panels = neurons if ax is not None or dim is None else min(neurons, math.prod(dim))
    expect(panels > 0, owner, "`dim` of at least one row and column", dim)
    names = [f"Neuron {i}" for i in range(panels)] if titles is None else list(titles)
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


def weights(
    data: Tensor,
    ax: Axes | None = None,
    *,
    shape: tuple[int, int] | None = None,
    dim: tuple[int, int] | None = None,
    cmap: Any = "RdBu_r",
    colorbar: bool = True,
) -> AxesImage:
    """Show weights as a matrix, or as the receptive field of each neuron.

    The colours are symmetric about zero: white is no connection, red excites, blue inhibits.

    Args:
        data: Weights of a layer, such as ``net[0].weight``.
        ax: Axes to draw on; left out, one is made.
        shape: Height and width of the input of a linear layer: shows what each neuron sees
            as an image, instead of the matrix.
        dim: Rows and columns of the grid of receptive fields; left out, about square, or
            (out_channels, in_channels) for a convolution.
        cmap: Diverging colour map of matplotlib, by name or itself.
        colorbar: Show the scale beside the axes.

    Returns:
        The image, of the matrix or of all receptive fields with a line of NaN between.

    Shape:
        - ``data``: (neurons, inputs), (neurons, height, width), or
          (out_channels, in_channels, height, width).

    Raises:
        ValueError: If ``data`` has another shape, ``shape`` does not fit its inputs, or
            ``dim`` has too few cells.
        TypeError: If ``data`` is not a tensor.

    Examples:
        >>> import matplotlib.pyplot as plt, torch
        >>> image = weights(torch.nn.Linear(6, 4).weight, shape=(2, 3))
        >>> image.get_array().shape  # 2 x 2 fields of 2 x 3 and the lines between them
        (5, 7)
        >>> plt.close()
    """
    owner = "weights"
    expect_tensor(owner, "data", data)
    layouts = "(neurons, inputs), (neurons, height, width) or (out, in, height, width)"
    fits = 2 <= data.ndim <= 4 and data.numel() > 0
    expect(fits, owner, f"`data` of shape {layouts}", shape_of(data))
    expect(
        shape is None or (data.ndim == 2 and math.prod(shape) == data.shape[1]),
        owner,
        "`shape` (height, width) only to fold the inputs of data (neurons, inputs)",
        f"{shape} for data of shape {shape_of(data)}",
    )
    values = data.detach().cpu().to(torch.promote_types(data.dtype, torch.float32)).numpy()
    is_matrix = data.ndim == 2 and shape is None
    if not is_matrix:
        height, width = shape or data.shape[-2:]
        fields = values.reshape(-1, height, width)
        is_conv = data.ndim == 4
        rows, columns = dim or (data.shape[:2] if is_conv else grid_for(len(fields)))
        enough = rows * columns >= len(fields)
        expect(enough, owner, f"`dim` with {len(fields)} cells", (rows, columns))
        # each field with a line to its right and below, laid out like tiles
        tiles = np.full((rows * columns, height + 1, width + 1), np.nan, values.dtype)
        tiles[: len(fields), :height, :width] = fields
        tiles = tiles.reshape(rows, columns, height + 1, width + 1).transpose(0, 2, 1, 3)
        values = tiles.reshape(rows * (height + 1), -1)[:-1, :-1]
    with style():
        if ax is None:
            aspect = 0.85 if is_matrix else values.shape[0] / values.shape[1]
            # what the scale leaves of the width decides the height
            room = 3.6 if colorbar else 4.5
            ax = own_figure(4.6, 0.1 + room * min(max(aspect, 0.3), 2.5)).add_subplot()
        limit = float(np.nanmax(np.abs(values))) or 1.0
        image = ax.imshow(
            values,
            cmap=mpl.colormaps.get_cmap(cmap).with_extremes(bad="0.8"),
            vmin=-limit,
            vmax=limit,
            interpolation="nearest",
            aspect="auto" if is_matrix else "equal",
        )
        if is_matrix:
            whole_numbers(ax.xaxis)
            whole_numbers(ax.yaxis)
            label(ax, "Input", "Neuron")
        else:
            ax.axis("off")
        if colorbar:
            scale = ax.figure.colorbar(image, ax=ax, label="Weight")
            scale.outline.set_visible(False)
    return image


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
    functions = _all_surrogates() if surrogates is None else list(surrogates)
    expect(len(functions) > 0, owner, "at least one surrogate", "none")
    for function in functions:
        hint = "Pass what a factory returns, such as surrogate.atan()."
        expect(callable(function), owner, "functions", repr(function), hint, TypeError)
    names = [getattr(f, "__qualname__", repr(f)) for f in functions] if titles is None else titles
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
    x = x.clone().requires_grad_()
    # a stochastic surrogate looks the same each time, and costs no random numbers
    with torch.enable_grad(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
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
