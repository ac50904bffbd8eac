"""Plots of weights, as matrices or receptive fields."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.image import AxesImage
from torch import Tensor

from snntorch._checks import as_sides, expect, expect_truth, shape_of
from snntorch.spikeplot._style import (
    as_colour_map,
    expect_axes,
    expect_shown,
    grid_for,
    label,
    own_figure,
    style,
    whole_numbers,
)


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
    expect_shown(owner, "data", data)
    expect_axes(owner, ax)
    expect_truth(owner, colorbar=colorbar)
    cmap = as_colour_map(owner, cmap)
    shape = None if shape is None else as_sides(owner, "shape", shape)
    dim = None if dim is None else as_sides(owner, "dim", dim)
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
            cmap=cmap.with_extremes(bad="0.8"),
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
