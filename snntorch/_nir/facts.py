"""What a NIR node cannot say of a layer: kept beside it, as its metadata.

They are numbers, texts and arrays, as these are what a file keeps. Other programs need not
read them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

#: The key under which a node's metadata has them.
KEY = "snntorch"

#: How far a value may be from what the graph says to be the same: rounding to float32.
TOLERANCE = 1e-6


def tell(node: Any, **facts: Any) -> Any:
    """Note facts on a node, and return it."""
    node.metadata[KEY] = {**told(node), **facts}
    return node


def told(node: Any) -> dict[str, Any]:
    """Return the facts noted on a node; a graph from elsewhere has none."""
    facts = node.metadata.get(KEY, {})
    return dict(facts) if isinstance(facts, dict) else {}


def to_array(tensor: Tensor) -> Any:
    """Return a copy of a tensor as an array, in float32 if NumPy does not know its dtype."""
    tensor = tensor.detach().cpu()
    if tensor.dtype not in (torch.float32, torch.float64):
        tensor = tensor.float()
    return tensor.numpy().copy()


def as_fact(tensor: Tensor) -> Any:
    """Return a value as a fact; a file has no arrays without dimensions."""
    array = to_array(tensor)
    return float(array) if array.ndim == 0 else array


def same(value: Any, other: Any) -> bool:
    """Return whether two values, one of which expands to the other, agree but for rounding."""
    try:
        value, other = np.broadcast_arrays(np.asarray(value, float), np.asarray(other, float))
    except ValueError:
        return False
    return bool(np.allclose(value, other, rtol=TOLERANCE, atol=TOLERANCE))
