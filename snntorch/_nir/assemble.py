"""A NIR graph as a net."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from snntorch._checks import expect, expect_flag, expect_number
from snntorch._nir.facts import told
from snntorch._nir.layers_in import LAYERS
from snntorch._nir.net import Graph, Stateful
from snntorch._nir.neurons_in import to_neuron
from snntorch._nir.numbers import expect_numbers
from snntorch._nir.package import DEFAULT_DT, read
from snntorch._nir.shapes import batch_dimensions
from snntorch._nir.units import NEURONS, OWNER, Unit, Units, blamed, to_units


@dataclass(frozen=True)
class Part:
    """What became of a unit.

    Attributes:
        unit: Its nodes.
        modules: The layers, one after the other.
        notes: What has to be known of them.
    """

    unit: Unit
    modules: tuple[nn.Module, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Mapped:
    """What became of a graph.

    Attributes:
        units: Its nodes, in order.
        parts: What became of them.
        dt: Length of a time step.
        source: Who says so.
        left_out: What of the exported net is in no node.
        batch: How many dimensions of its Input are taken for those of a batch.
    """

    units: Units
    parts: tuple[Part, ...]
    dt: float
    source: str
    left_out: str
    batch: int


def _time_step(graph: Any, dt: float | None, owner: str) -> tuple[float, str]:
    """Return the length of a time step, and who says so."""
    nodes = [graph, *(unit for unit in graph.nodes.values() if not hasattr(unit, "nodes"))]
    noted = {float(facts["dt"]) for node in nodes if "dt" in (facts := told(node))}
    expect(len(noted) <= 1 or dt is not None, owner, "one dt in a graph", sorted(noted), "Pass dt.")
    if dt is not None:
        expect_number(owner, "dt", dt)
        expect(math.isfinite(dt) and dt > 0, owner, "`dt` above 0", dt)
        others = noted - {float(dt)}
        return float(dt), f"given, the graph says {others.pop():g}" if others else "given"
    if noted:
        found = noted.pop()
        expect(math.isfinite(found) and found > 0, owner, "a `dt` above 0 in the graph", found)
        return found, "the graph's"
    return DEFAULT_DT, "assumed, as the graph says none"


def to_parts(graph: Any, dt: float | None, output: bool, owner: str = OWNER) -> Mapped:
    """Return what becomes of each node of a graph, after every check."""
    graph = read(graph, owner)
    with blamed("the graph"):
        units = to_units(graph)
        step, source = _time_step(graph, dt, owner)
    double = str(told(graph).get("dtype")) == "float64"
    dtype = torch.float64 if double else torch.get_default_dtype()
    lasts = {group[0] for group in units.outputs if len(group) == 1} if output else set()
    parts = []
    for unit in units.units:
        with blamed(f"node {unit.name!r} ({unit.kind})"):
            parts.append(_part(unit, step, dtype, unit.name in lasts))
    layers = {part.unit.name: part.modules for part in parts}
    with blamed("the shapes"):
        batch = batch_dimensions(units, layers, 0 if told(graph) else 2)
    left_out = str(told(graph).get("left_out", ""))
    return Mapped(units, tuple(parts), step, source, left_out, batch)


def _part(unit: Unit, step: float, dtype: torch.dtype, output: bool) -> Part:
    """Return what becomes of a unit, after a look at its numbers."""
    for node in (unit.node, unit.threshold, unit.feedback, unit.graded):
        if node is not None:
            expect_numbers(unit.name, node)
    if unit.kind in NEURONS:
        with torch.random.fork_rng(devices=[]):  # weights that are drawn are not kept
            modules, notes = to_neuron(unit, step, dtype, output)
        return Part(unit, tuple(modules), tuple(notes))
    hint = f"Known are {', '.join([*LAYERS, *NEURONS])}."
    got = f"{unit.kind} ({unit.name!r})"
    expect(unit.kind in LAYERS, OWNER, "nodes that are known", got, hint)
    return Part(unit, (LAYERS[unit.kind](unit.node, dtype, step),), tuple(_layer_notes(unit)))


def _layer_notes(unit: Unit) -> list[str]:
    padded = unit.kind == "AvgPool2d" and np.any(unit.node.padding)
    if padded and "count_include_pad" not in told(unit.node):
        return ["count_include_pad=True is assumed, as NIR does not say"]
    return []


def _valid(name: str) -> str:
    """Return a name that a module can have."""
    return name.replace(".", "_") or "_"


def assemble(graph: Any, dt: float | None, init_hidden: bool, output: bool) -> nn.Module:
    """Return the net of a graph; see :func:`snntorch.import_nir.import_from_nir`."""
    expect_flag(OWNER, "init_hidden", init_hidden)
    expect_flag(OWNER, "output", output)
    mapped = to_parts(graph, dt, bool(output))
    modules, names = {}, {"input": "input"}
    for part in mapped.parts:
        name = _valid(part.unit.name)
        while name in modules or name == "input" or hasattr(nn.Module, name):
            name += "_"
        names[part.unit.name] = name
        modules[name] = part.modules[0] if len(part.modules) == 1 else nn.Sequential(*part.modules)
    sources = {
        names[part.unit.name]: tuple(names[s] for s in part.unit.sources) for part in mapped.parts
    }
    outputs = tuple(tuple(names[s] for s in group) for group in mapped.units.outputs)
    before = ["input", *modules]
    chain = all(sources[name] == (before[place],) for place, name in enumerate(modules))
    if chain and outputs == ((before[-1],),):
        net: nn.Module = nn.Sequential()
        for name, module in modules.items():
            net.add_module(name, module)
    else:
        net = Graph(modules, sources, outputs)
    return net if init_hidden else Stateful(net)
