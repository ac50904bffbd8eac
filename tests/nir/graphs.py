"""Graphs that others might have written, checked by nobody."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import nir
import numpy as np

Edges = list[tuple[str, str]]


def full(value: float, *shape: int) -> np.ndarray:
    return np.full(shape or (3,), value, np.float32)


def lif(size: int = 3, **values: Any) -> Any:
    usual = {"tau": 1e-3, "r": 10.0, "v_leak": 0.0, "v_threshold": 1.0, "v_reset": 0.0}
    return nir.LIF(**{name: full(value, size) for name, value in (usual | values).items()})


def cubalif(**values: Any) -> Any:
    usual = {"tau_syn": 2e-4, "tau_mem": 1e-3, "r": 10.0, "v_leak": 0.0}
    usual |= {"v_threshold": 1.0, "v_reset": 0.0, "w_in": 2.0}
    return nir.CubaLIF(**{name: full(value) for name, value in (usual | values).items()})


def graph(edges: Edges | None = None, size: int = 3, end: int = 3, **nodes: Any) -> Any:
    """Return a graph that nobody has checked; a chain if no edges are given."""
    whole = {"input": nir.Input(np.array([size])), **nodes, "output": nir.Output(np.array([end]))}
    names = [*whole]
    chain = [*pairwise(names)]
    return nir.NIRGraph(whole, chain if edges is None else edges, type_check=False)


def linear(rows: int = 3, columns: int = 3) -> Any:
    return nir.Linear(full(0.5, rows, columns))


def spoilt(**values: Any) -> Any:
    """Return a LIF whose values were changed after it was made."""
    node = lif()
    for name, value in values.items():
        setattr(node, name, value)
    return node
