"""Whether what each node of a NIR graph gives is what the next one takes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call

from snntorch._checks import expect
from snntorch._neurons._recurrent import RecurrentLIF
from snntorch._nir.numbers import shape_of
from snntorch._nir.units import NEURONS, OWNER, Unit, Units

Shape = tuple[int, ...]
Layers = Mapping[str, tuple[nn.Module, ...]]


def batch_dimensions(units: Units, layers: Layers, most: int) -> int:
    """Return how many of the first dimensions of the declared shapes belong to no sample.

    Other frameworks declare the shape of a batch as that of the input. Layers run on shapes alone,
    so a declared shape costs no memory.

    Args:
        units: The graph.
        layers: What became of each unit, by its name.
        most: The largest number to try.

    Raises:
        ValueError: If none fits, for what does not with all dimensions.
    """
    whole = shape_of("input", (units.input.input_type or {}).get("input"))
    wrong: list[ValueError] = []
    for batch in range(min(most, max(len(whole) - 1, 0)) + 1):
        try:
            _walk(units, layers, whole[batch:], batch)
        except ValueError as error:
            wrong.append(error)
        else:
            return batch
    raise wrong[0]


def _walk(units: Units, layers: Layers, given: Shape, batch: int) -> None:
    """Raise ``ValueError`` unless all shapes meet."""
    shapes = {"input": given}

    def arriving(name: str, sources: tuple[str, ...]) -> Shape:
        found = {source: shapes[source] for source in sources}
        one = len(set(found.values())) == 1
        expect(one, OWNER, f"inputs of one shape at node {name!r}", found)
        return found[sources[0]]

    for unit in units.units:
        takes = arriving(unit.name, unit.sources)
        shapes[unit.name] = _given(unit, layers[unit.name], takes)
    for sources, end in zip(units.outputs, units.ends, strict=True):
        gives, declared = arriving("output", sources), (end.input_type or {}).get("input")
        if declared is not None:
            own = shape_of("output", declared)[batch:]
            expect(gives == own, OWNER, f"an output of the declared shape {own}", gives)


def _given(unit: Unit, layers: tuple[nn.Module, ...], takes: Shape) -> Shape:
    """Return the shape that a unit gives for one that it takes."""
    parts = (unit.node, unit.threshold, unit.graded)
    numbers = [numbers for part in parts if (numbers := _values(part)) is not None]
    what = f"an input of node {unit.name!r} ({unit.kind}) that fits"
    where = f"shape {takes} from {' + '.join(unit.sources)}"
    for own in map(np.shape, numbers):
        # one number is that of all neurons
        expect(own == takes or math.prod(own) == 1, OWNER, f"{what}, {own}", where)
    if unit.kind in NEURONS and unit.feedback is not unit.node and unit.feedback is not None:
        neuron = next(layer for layer in layers if isinstance(layer, RecurrentLIF))
        back = _run(neuron.recurrent, takes)
        expect(back == takes, OWNER, f"feedback of {unit.name!r} of shape {takes}", back)
    if numbers:
        return takes
    gives = _run(layers[0], takes)
    expect(gives is not None, OWNER, what, where)
    assert gives is not None
    return gives


def _values(node: Any) -> Any:
    """Return the numbers of a node that has one for each neuron; None of another."""
    names = dict.fromkeys(NEURONS, "r")
    names |= {"Scale": "scale", "Threshold": "threshold", "Delay": "delay"}
    return getattr(node, names.get(type(node).__name__, ""), None)


def _run(layer: nn.Module, shape: Shape) -> Shape | None:
    """Return the shape of what a layer gives for a sample; None if it does not take it."""
    own = [*layer.named_parameters(), *layer.named_buffers()]
    meta = {name: value.detach().to("meta") for name, value in own}
    dtype = next((value.dtype for value in meta.values()), None)
    sample = torch.empty(1, *shape, device="meta", dtype=dtype)
    try:
        out: Tensor = functional_call(layer, meta, (sample,))
    except (RuntimeError, ValueError, IndexError):
        return None
    return tuple(out.shape[1:]) if out.dim() and len(out) == 1 else None
