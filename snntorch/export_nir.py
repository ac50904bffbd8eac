r"""Nets to chips: a net as a graph of the Neuromorphic Intermediate Representation.

NIR describes a spiking net by differential equations, which other frameworks and neuromorphic
chips read. It needs ``pip install 'snntorch[nir]'``.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from snntorch._nir.build import export
from snntorch._nir.package import DEFAULT_DT

__all__ = ["export_to_nir"]


def export_to_nir(
    module: nn.Module,
    sample_data: Tensor,
    model_name: str = "snntorch",
    model_fwd_args: Any = [],  # noqa: B006 (as released; it is not changed)
    ignore_dims: Any = [],  # noqa: B006
    *,
    dt: float = DEFAULT_DT,
) -> Any:
    r"""Return a net as a NIR graph, to be written by ``nir.write`` or given to other frameworks.

    A copy of the net runs one time step on the sample data, which shows what leads where and
    which shape each layer has. Nothing has to be said per neuron: one ``beta`` for all is
    expanded. A neuron becomes the equation that its update is an Euler step of,

    .. math::
        \tau\,\dot v = v_{leak} - v + r\,I, \qquad
        \tau = \frac{\Delta t}{1 - \beta}, \qquad r = \frac{\tau}{\Delta t}, \qquad v_{leak} = 0

    with membrane potential :math:`v`, input current :math:`I`, decay rate :math:`\beta` and
    length of a time step :math:`\Delta t` (``dt``, in seconds), so that an input of weight 1
    still adds 1. ``Leaky``, ``Lapicque`` and ``RLeaky`` become LIF, or IF with
    :math:`\beta = 1`; ``Synaptic`` and ``RSynaptic`` CubaLIF. Without reset they are LI, I and
    CubaLI, followed by a Threshold where their spikes are used. What feeds spikes back makes a
    graph within the graph. A ``SynapticDelay`` is a Delay, in seconds.

    NIR's neurons are reset to zero at once. What it cannot say, such as a reset that subtracts,
    is kept as metadata of the node: :func:`~snntorch.import_nir.import_from_nir` reads it, other
    frameworks do not. :func:`snntorch.nir.report` names each such difference.

    Args:
        module: The net, of one time step per call, with hidden or explicit states. Of layers,
            nested or in a class of one's own, and sums of their outputs.
        sample_data: Input of one time step.
        model_name: Name of the graph, and of the node if the net is a single layer.
        model_fwd_args: Further arguments of the net's ``forward``, such as states.
        ignore_dims: The dimensions of the sample data that belong to no sample, such as ``[0]``.
            Left out, the layers say how many dimensions they take, and else the first
            is the batch.
        dt: Length of a time step in seconds.

    Returns:
        A ``nir.NIRGraph``.

    Raises:
        ValueError: If a layer or what the net does is unknown to NIR, the membrane of a neuron
            with reset is used, a neuron has a ``state_quant`` or runs twice, or a shape does not
            fit.
        TypeError: If ``module`` is no module, or ``sample_data`` no tensor.
        ImportError: If ``nir`` is not installed.

    Note:
        snnTorch 1.0.0 leaves the padding of ``nn.AvgPool2d`` out, and needs neurons built with
        one number for each.

    References:
        J. E. Pedersen et al. (2024). Neuromorphic intermediate representation: A unified
        instruction set for interoperable brain-inspired computing. Nature Communications 15,
        8122. DOI 10.1038/s41467-024-52259-9

    Examples:
        >>> import torch, snntorch as snn
        >>> from snntorch.export_nir import export_to_nir
        >>> net = torch.nn.Sequential(torch.nn.Linear(4, 2), snn.Leaky(0.9, init_hidden=True))
        >>> graph = export_to_nir(net, torch.rand(1, 4), dt=1e-3)
        >>> [type(node).__name__ for node in graph.nodes.values()]
        ['Input', 'Affine', 'LIF', 'Output']
        >>> print(f"{graph.nodes['1'].tau[0]:.3f} s")
        0.010 s
    """
    return export(module, sample_data, model_name, model_fwd_args, ignore_dims, dt)
