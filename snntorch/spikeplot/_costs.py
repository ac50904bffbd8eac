"""A plot of what a net costs."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes

from snntorch._checks import expect
from snntorch._profile.energy import EnergyTable
from snntorch._profile.report import Profile
from snntorch._units import prefix_of
from snntorch.spikeplot._style import BLUE, GREY, VERMILLION, expect_axes, own_figure, style


def energy(
    costs: Profile,
    ax: Axes | None = None,
    *,
    table: str | EnergyTable = "float32",
    ann_table: str | EnergyTable | None = "int8",
) -> Axes:
    """Show the energy of each layer: of its operations, of its memory, and beside it as an ANN.

    Args:
        costs: What :func:`snntorch.profile` returned.
        ax: Axes to draw on; left out, one is made.
        table: Energies, or the name of one in ``EnergyTable.named``.
        ann_table: Those of the same layers as a network without spikes that runs once, see
            :meth:`snntorch.Profile.as_ann`; ``None`` leaves it out.

    Returns:
        The axes, with the first layer on top.

    Raises:
        TypeError: If ``costs`` is no profile, or a table is none and no name.
        ValueError: If there is no table of a name, or no layer takes energy.

    Examples:
        >>> import matplotlib.pyplot as plt, torch, snntorch as snn
        >>> net = torch.nn.Sequential(torch.nn.Linear(4, 2), snn.Leaky(0.9, init_hidden=True))
        >>> ax = energy(snn.profile(net, torch.ones(5, 1, 4)))
        >>> [label.get_text() for label in ax.get_yticklabels()]
        ['0 Linear', '1 Leaky']
        >>> ax.get_xlabel()
        'Energy (pJ)'
        >>> plt.close()
    """
    hint = "Pass snn.profile(net, x)."
    is_profile = isinstance(costs, Profile)
    expect(is_profile, "energy", "`costs` to be a profile", type(costs).__name__, hint, TypeError)
    expect_axes("energy", ax)
    layers = [layer for layer in costs.layers if layer.energy(table).total]
    expect(len(layers) > 0, "energy", "`costs` of a layer that takes energy", "none")
    spent = [layer.energy(table) for layer in layers]
    operations = np.array([energy.operations for energy in spent])
    memory = np.array([energy.memory for energy in spent])
    drawn = [("Operations", BLUE, operations), ("Memory", VERMILLION, memory)]
    scale, prefix = prefix_of((operations + memory).max())
    with style():
        if ax is None:
            ax = own_figure(6, 0.9 + 0.35 * len(layers)).add_subplot()
        rows, height = np.arange(len(layers)), 0.8 if ann_table is None else 0.4
        left = np.zeros(len(layers))
        for label, colour, values in drawn:
            ax.barh(rows, values / scale, height, left=left, color=colour, label=label)
            left += values / scale
        if ann_table is not None:
            once = {layer.name: layer.energy(ann_table).total for layer in costs.as_ann().layers}
            values = np.array([once[layer.name] for layer in layers]) / scale
            ax.barh(rows + 0.4, values, 0.4, color=GREY, label="As an ANN, once")
        ax.set_yticks(rows + (0.8 - height) / 2, [f"{one.name} {one.kind}" for one in layers])
        ax.invert_yaxis()
        ax.set_xlabel(f"Energy ({prefix}J)")
        ax.legend()
    return ax
