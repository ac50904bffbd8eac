r"""What a net is in NIR, and what a NIR graph is here: said before it is shipped to a chip.

The functions that translate are :func:`snntorch.export_nir.export_to_nir` and
:func:`snntorch.import_nir.import_from_nir`.
"""

from __future__ import annotations

from typing import Any

from snntorch._nir.report import Line, Report
from snntorch._nir.report import report as _report

__all__ = ["Line", "Report", "report"]


def report(graph: Any, dt: float | None = None) -> Report:
    """Return what becomes of each node of a NIR graph, and in what others may differ.

    Choose it before a net goes to a chip or another framework, or after a graph came from one.
    It names what is an approximation: the time step that is assumed, inputs that are scaled by
    the resistance, resets that NIR cannot say.

    Args:
        graph: A ``nir.NIRGraph``, or the name of a file of one.
        dt: Length of a time step in seconds; ``None`` takes the graph's, or 1e-4 if it has none.

    Returns:
        The report. Printing it lists each node with the layer it is here, and what to know.

    Raises:
        ValueError: If the graph cannot be imported, see
            :func:`~snntorch.import_nir.import_from_nir`.
        TypeError: If ``graph`` is something else.
        ImportError: If ``nir`` is not installed.

    References:
        J. E. Pedersen et al. (2024). Neuromorphic intermediate representation: A unified
        instruction set for interoperable brain-inspired computing. Nature Communications 15,
        8122. DOI 10.1038/s41467-024-52259-9

    Examples:
        >>> import torch, snntorch as snn
        >>> from snntorch.export_nir import export_to_nir
        >>> net = torch.nn.Sequential(torch.nn.Linear(4, 2), snn.Leaky(0.9, init_hidden=True))
        >>> print(report(export_to_nir(net, torch.rand(1, 4))))
        NIR graph, Euler steps of 0.0001 s (the graph's):
          0  Affine (2, 4)  Linear
          1  LIF (2,)       Leaky
            - reset 'subtract' in the next step is metadata: NIR's is to zero at once
    """
    return _report(graph, dt)
