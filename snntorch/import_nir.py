"""Nets from other frameworks: a graph of the Neuromorphic Intermediate Representation as a net.

It needs ``pip install 'snntorch[nir]'``.
"""

from __future__ import annotations

from typing import Any

from torch import nn

from snntorch._nir.assemble import assemble

__all__ = ["import_from_nir"]


def import_from_nir(
    graph: Any, *, dt: float | None = None, init_hidden: bool = True, output: bool = False
) -> nn.Module:
    r"""Return the net that a NIR graph describes.

    A neuron's differential equation is stepped forward by Euler's method,

    .. math::
        v[t] = \Big(1 - \frac{\Delta t}{\tau}\Big) v[t-1] + \frac{r\,\Delta t}{\tau}\,I[t]

    with membrane potential :math:`v`, input current :math:`I`, time constant :math:`\tau`,
    resistance :math:`r` and length of a time step :math:`\Delta t` (``dt``). So LIF and IF become
    ``Leaky``, or ``Lapicque`` where that is what was exported, with
    :math:`\beta = 1 - \Delta t/\tau` (1 for IF), and CubaLIF becomes ``Synaptic``. Where
    :math:`r\,\Delta t/\tau` is not 1, the input is multiplied by it. Spikes that come back
    through one layer make ``RLeaky`` or ``RSynaptic``. LI, I and CubaLI give their membrane
    potential, or fire if a Threshold follows.

    What :func:`~snntorch.export_nir.export_to_nir` noted on a node is honoured as long as the node
    says the same: numbers come back exactly, with reset, surrogate and what is learned.
    Other nodes are reset to zero at once, as NIR says. :func:`snntorch.nir.report` tells what
    becomes of each node.

    Args:
        graph: A ``nir.NIRGraph``, or the name of a file of one.
        dt: Length of a time step in seconds; ``None`` takes the graph's, or 1e-4 if it has none.
        init_hidden: ``True`` keeps the states on the neurons. ``False`` returns a net to be
            called as ``out, state = net(x, state)``, with ``None`` as the first state.
        output: ``True`` lets the last neuron return its states besides its spikes.

    Returns:
        The net, of one time step per call: an ``nn.Sequential`` if the graph is a chain, else a
        module that prints what leads where.

    Raises:
        ValueError: If the graph has unknown nodes, edges to nodes that are not there, nodes not
            between an Input and an Output, cycles that are not one neuron's feedback, numbers
            that are not finite, time constants not above 0 or shorter than ``dt``, or shapes that
            do not fit; or if a file holds no graph, links to other files or to itself, or
            declares far more numbers than it stores.
        TypeError: If ``graph`` is something else.
        FileNotFoundError: If there is no such file.
        ImportError: If ``nir`` is not installed.

    Note:
        snnTorch 1.0.0 makes neurons of a beta of 0.9 of IF, which leak, and leaves out what NIR
        cannot say of a neuron, so that a net that comes back fires otherwise.

    References:
        J. E. Pedersen et al. (2024). Neuromorphic intermediate representation: A unified
        instruction set for interoperable brain-inspired computing. Nature Communications 15,
        8122. DOI 10.1038/s41467-024-52259-9

    Examples:
        >>> import nir, numpy as np, torch
        >>> ones = np.ones(2, np.float32)
        >>> graph = nir.NIRGraph.from_list(
        ...     nir.Linear(np.ones((2, 4), np.float32)),
        ...     nir.LIF(tau=1e-3 * ones, r=10 * ones, v_leak=0 * ones, v_threshold=ones),
        ... )
        >>> net = import_from_nir(graph)
        >>> net.lif
        Leaky(threshold=1, beta=0.9, reset_mechanism='zero', init_hidden=True, reset_delay=False)
        >>> net(torch.ones(1, 4)).tolist()
        [[1.0, 1.0]]
    """
    return assemble(graph, dt, init_hidden, output)
