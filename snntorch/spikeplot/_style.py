"""What all plots share: colours, figures, labels, and checks of what is drawn."""

from __future__ import annotations

import math
from collections.abc import Iterable
from contextlib import AbstractContextManager
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.colors import Colormap
from matplotlib.figure import Figure, FigureBase, SubFigure
from matplotlib.gridspec import GridSpecBase
from matplotlib.ticker import MaxNLocator
from torch import Tensor

from snntorch._checks import (
    expect,
    expect_count,
    expect_real,
    expect_tensor,
    expect_values,
    shape_of,
)

# Okabe and Ito's colours: told apart with any kind of colour blindness, and in print
BLUE, VERMILLION, *_ = PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
GREY = "#666666"
#: Translucent, so that it works on a dark background too.
SHADE = (0.5, 0.5, 0.5, 0.12)

_LOOK: Any = {
    "axes.edgecolor": GREY,
    "axes.labelsize": 9,
    "axes.linewidth": 0.8,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlesize": 9,
    "font.size": 9,
    "legend.fontsize": 8,
    "legend.frameon": False,
    "lines.linewidth": 1.2,
    "xtick.color": GREY,
    "xtick.labelcolor": "inherit",
    "xtick.labelsize": 8,
    "ytick.color": GREY,
    "ytick.labelcolor": "inherit",
    "ytick.labelsize": 8,
}


def style() -> AbstractContextManager[None]:
    """Return a context in which figures get the look of the ones made here.

    Functions that make no figure of their own draw on yours; make it within this context,
    and all plots of a paper look the same. Matplotlib's settings are as before after it.

    Examples:
        >>> import matplotlib.pyplot as plt
        >>> with style():
        ...     fig, ax = plt.subplots()
        >>> ax.spines["top"].get_visible()
        False
        >>> plt.close(fig)
    """
    return plt.rc_context(_LOOK)


def own_figure(width: float, height: float) -> Figure:
    """Return the current figure of pyplot while it is empty, else a new one, in inches."""
    if plt.get_fignums() and not plt.gcf().axes:
        fig = plt.gcf()
    else:
        fig = plt.figure(figsize=(width, height))
    if fig.get_layout_engine() is None:
        fig.set_layout_engine("constrained")
    return fig


def expect_axes(owner: str, ax: Any, needed: bool = False) -> None:
    """Raise ``TypeError`` unless there are axes to draw on, or None where they can be made."""
    what, hint = "`ax` to be axes of matplotlib", "Make them with fig, ax = plt.subplots()."
    fits = isinstance(ax, Axes) or (ax is None and not needed)
    expect(fits, owner, what, repr(ax), hint, TypeError)


def expect_on(owner: str, fig: Figure, ax: Axes) -> None:
    """Raise unless ``ax`` is on ``fig``."""
    what, hint = "`fig` to be a figure of matplotlib", "Make it with fig, ax = plt.subplots()."
    expect(isinstance(fig, FigureBase), owner, what, repr(fig), hint, TypeError)
    expect_axes(owner, ax, needed=True)
    expect(
        ax in fig.axes,
        owner,
        "`ax` to be on `fig`",
        "an axes of another figure",
        "Make both with fig, ax = plt.subplots().",
    )


def grid_for(panels: int) -> tuple[int, int]:
    """Return rows and columns with room for so many panels, about square."""
    columns = math.ceil(math.sqrt(panels))
    return math.ceil(panels / columns), columns


def grid_within(
    place: Figure | SubFigure | Axes, rows: int, columns: int, **ratios: Any
) -> GridSpecBase:
    """Return a grid over a figure, or in the place of an axes, whose frame is switched off."""
    if not isinstance(place, Axes):
        return place.add_gridspec(rows, columns, **ratios)
    place.set_axis_off()
    cell = place.get_subplotspec()
    if cell is not None:
        return cell.subgridspec(rows, columns, **ratios)
    box = place.get_position()
    sides = {"left": box.x0, "right": box.x1, "bottom": box.y0, "top": box.y1}
    return place.figure.add_gridspec(rows, columns, **sides, **ratios)


def own_panels(
    panels: int, dim: tuple[int, int] | None, size: tuple[float, float], share_y: bool, x_label: str
) -> list[Axes]:
    """Return a grid of axes that share their x axis.

    Args:
        panels: How many axes; cells left over stay empty.
        dim: Rows and columns; ``None`` for about a square.
        size: Width and height of one panel in inches.
        share_y: Whether they share the y axis, too.
        x_label: Name of the x axis, shown below the last row.
    """
    rows, columns = dim or grid_for(panels)
    fig = own_figure(size[0] * columns, 0.4 + size[1] * rows)
    axes: list[Axes] = []
    for place in range(panels):
        first = axes[0] if axes else None
        ax = fig.add_subplot(
            rows, columns, place + 1, sharex=first, sharey=first if share_y else None
        )
        ax.tick_params(
            labelleft=not share_y or place % columns == 0, labelbottom=place + columns >= panels
        )
        if place // columns == (panels - 1) // columns:
            ax.set_xlabel(x_label)
        axes.append(ax)
    return axes


def label(ax: Axes, x: str, y: str) -> None:
    """Name the axes where they have no name yet and their numbers are shown."""
    for axis, name in ((ax.xaxis, x), (ax.yaxis, y)):
        if not axis.get_label_text() and axis.get_major_ticks(1)[0].label1.get_visible():
            axis.set_label_text(name)


def whole_numbers(axis: Any) -> None:
    """Let an axis that chooses its ticks itself choose whole numbers."""
    locator = axis.get_major_locator()
    if isinstance(locator, MaxNLocator):
        locator.set_params(integer=True)


def expect_shown(owner: str, name: str, data: Tensor) -> None:
    """Raise unless there is a tensor of real numbers to show."""
    expect_tensor(owner, name, data)
    expect_real(owner, name, data)
    expect_values(owner, name, data)


def as_colour_map(owner: str, cmap: Any) -> Colormap:
    """Return the colour map of that name."""
    named = cmap is None or (isinstance(cmap, str) and cmap in mpl.colormaps)
    expect(
        named or isinstance(cmap, Colormap),
        owner,
        "`cmap` to be a colour map of matplotlib, or the name of one",
        repr(cmap),
        'Pass "viridis", say; list(matplotlib.colormaps) has them all.',
        ValueError if isinstance(cmap, str) else TypeError,
    )
    return mpl.colormaps.get_cmap(cmap) if named else cmap


def as_list(owner: str, name: str, names: Any) -> list[Any]:
    """Return a sequence of names, or of functions."""
    several = isinstance(names, Iterable) and not isinstance(names, (str, bytes, Tensor))
    expect(several, owner, f"`{name}` to be a list", repr(names), error=TypeError)
    return list(names)


def to_array(owner: str, name: str, data: Tensor, *shape: str) -> np.ndarray[Any, Any]:
    """Return a non-empty tensor as an array of floats, after checking its dimensions.

    Args:
        owner: Who expects it.
        name: Name of the argument.
        data: The tensor.
        *shape: Names of the dimensions it has to have.
    """
    expect_shown(owner, name, data)
    expect(
        data.ndim == len(shape) and data.numel() > 0,
        owner,
        f"`{name}` of shape ({', '.join(shape)}), not empty",
        shape_of(data),
        f"Pick one sample of the batch and flatten the rest, such as {name}[:, 0].flatten(1)."
        if data.ndim > len(shape) == 2
        else "",
    )
    return data.detach().cpu().to(torch.promote_types(data.dtype, torch.float32)).numpy()


def count_steps(owner: str, num_steps: int | bool | None, available: int) -> int:
    """Return how many time steps to draw; ``False`` means all."""
    if num_steps is None or num_steps is False:
        return available
    expect_count(owner, "num_steps", num_steps)
    length = f"`num_steps` up to {available}, the length of `data`, or False for all"
    expect(num_steps <= available, owner, length, num_steps)
    return int(num_steps)
