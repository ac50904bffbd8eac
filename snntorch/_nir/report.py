"""What became of each node of a NIR graph, in words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import nn

from snntorch._layers.delay import SynapticDelay
from snntorch._nir.assemble import Part, to_parts
from snntorch._nir.facts import told
from snntorch._nir.neurons_out import LEAST_LEAK
from snntorch._nir.units import blamed


@dataclass(frozen=True)
class Line:
    """What became of one node.

    Attributes:
        name: Of the node.
        node: Its kind and shape.
        layer: What it is here.
        notes: In what others may differ.
    """

    name: str
    node: str
    layer: str
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Report:
    """What becomes of a graph; print it.

    Attributes:
        dt: Length of a time step in seconds.
        notes: What concerns the whole graph.
        lines: What becomes of each node.
    """

    dt: float
    notes: tuple[str, ...]
    lines: tuple[Line, ...]

    def __str__(self) -> str:
        widths = [max((len(row[i]) for row in self._rows()), default=0) for i in range(3)]
        text = [f"NIR graph, {'; '.join(self.notes)}:"]
        for line, row in zip(self.lines, self._rows(), strict=True):
            cells = "  ".join(f"{cell:{width}}" for cell, width in zip(row, widths, strict=True))
            text.append(f"  {cells}".rstrip())
            text += [f"    - {note}" for note in line.notes]
        return "\n".join(text)

    def _rows(self) -> list[tuple[str, str, str]]:
        return [(line.name, line.node, line.layer) for line in self.lines]


def _nodes(part: Part) -> str:
    unit = part.unit
    kinds = [unit.kind]
    if unit.threshold is not None:
        kinds.append("Threshold")
    if unit.feedback is not None:
        kinds.append(f"{type(unit.feedback).__name__} back")
    if unit.graded is not None:
        kinds.append("Scale")
    fields = (getattr(unit.node, name, None) for name in ("weight", "r", "delay"))
    own = next((one for one in fields if one is not None), None)
    shape = "" if own is None else f" {tuple(own.shape)}"
    return " + ".join(kinds) + shape


def _layers(modules: tuple[nn.Module, ...]) -> str:
    return ", ".join(type(module).__name__ for module in modules)


def _notes(part: Part) -> tuple[str, ...]:
    """Return what of a unit is not what it seems."""
    notes = list(part.notes)
    if part.unit.feedback is not None:
        notes.append("its spikes come back one time step later")
    facts = told(part.unit.node)
    layer = part.modules[0]
    if isinstance(layer, (nn.Conv1d, nn.Conv2d)):
        if layer.groups > 1 and int(part.unit.node.groups) == 1:
            notes.append(f"its {layer.groups} groups are written out, zeros between them")
        if part.unit.node.weight.shape[2:] != layer.weight.shape[2:]:
            notes.append("its kernel has zeros around it, to be a square")
        sides = set(part.unit.node.weight.shape[2:])
        if len(sides) > 1 and not isinstance(part.unit.node.padding, str):
            notes.append("nir.read takes the kernel for a square: pass it type_check=False")
    steps: Any = layer.delay if isinstance(layer, SynapticDelay) else None
    if steps is not None and bool((steps != steps.round()).any()):
        notes.append("it takes what lies between two steps from both; NIR does not say so")
    if "time_step" in facts and float(facts["dt"]) != facts["time_step"]:
        notes.append(f"its time_step of {facts['time_step']:g} is told as dt")
    slow = [v for n, v in vars(part.unit.node).items() if n.startswith("tau")]
    if "dt" in facts and any((v * LEAST_LEAK > 0.5 * float(facts["dt"])).any() for v in slow):
        notes.append(f"what does not leak has a time constant of {1 / LEAST_LEAK:.3g} dt")
    return tuple(notes)


def report(graph: Any, dt: float | None = None) -> Report:
    """Return what becomes of each node of a graph; see :func:`snntorch.nir.report`."""
    mapped = to_parts(graph, dt, output=False, owner="report")
    notes = [f"Euler steps of {mapped.dt:g} s ({mapped.source})"]
    if mapped.batch:
        notes.append(f"the first {mapped.batch} of its Input's dimensions are taken for a batch")
    if mapped.left_out:
        notes.append(f"left out: {mapped.left_out}")
    with blamed("the graph"):
        lines = tuple(
            Line(part.unit.name, _nodes(part), _layers(part.modules), _notes(part))
            for part in mapped.parts
        )
    return Report(mapped.dt, tuple(notes), lines)
