"""Whether the numbers of a NIR graph can be those of a net."""

from __future__ import annotations

from typing import Any

import numpy as np

from snntorch._checks import expect
from snntorch._nir.units import OWNER

#: What a node has besides numbers.
_OTHERS = ("input_type", "output_type", "metadata", "padding", "input_shape", "nodes", "edges")
#: More values than any sample has that can be run.
MOST = 2**31


def expect_numbers(name: str, node: Any) -> None:
    """Raise unless all numbers of a node are finite, and time constants above 0.

    A threshold may be infinite: the neuron never fires.

    Raises:
        ValueError: Naming the node and what is wrong.
        TypeError: If something is no number at all.
    """
    where = f"of node {name!r} ({type(node).__name__})"
    for field, value in vars(node).items():
        if field in _OTHERS or value is None:
            continue
        array = np.asarray(value)
        real = array.dtype.kind in "fiu"
        expect(real, OWNER, f"numbers as `{field}` {where}", array.dtype, error=TypeError)
        allowed = np.isfinite(array) | (field.endswith("threshold") & np.isposinf(array))
        wrong = array[~allowed].tolist()[:1]
        expect(not wrong, OWNER, f"finite numbers as `{field}` {where}", *wrong or [""])
        if field.startswith("tau"):
            wrong = array[array <= 0].tolist()[:1]
            expect(not wrong, OWNER, f"time constants above 0 as `{field}` {where}", *wrong or [""])


def shape_of(name: str, declared: Any) -> tuple[int, ...]:
    """Return the shape that a node declares.

    Raises:
        ValueError: If it is none, or of more values than can be run.
    """
    array = np.asarray([] if declared is None else declared)
    whole = declared is not None and array.ndim == 1 and array.dtype.kind in "iu"
    expect(whole, OWNER, f"a shape of node {name!r}", repr(declared))
    shape = tuple(int(size) for size in array)
    expect(all(size > 0 for size in shape), OWNER, f"sizes above 0 of node {name!r}", shape)
    total = 1
    for size in shape:
        total *= size
    what = f"at most {MOST} values in a sample, at node {name!r}"
    expect(total <= MOST, OWNER, what, f"a shape {shape} of {total}")
    return shape
