"""A NIR graph as units, each of which becomes a layer or a neuron, in an order to run them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from snntorch._checks import expect
from snntorch._nir.facts import told

OWNER = "import_from_nir"
#: Nodes with a memory.
NEURONS = ("LIF", "IF", "CubaLIF", "LI", "I", "CubaLI")
#: Nodes with a memory that do not fire by themselves.
INTEGRATORS = ("LI", "I", "CubaLI")
#: Nodes through which spikes can come back.
FEEDBACK = ("Linear", "Affine", "Conv1d", "Conv2d", "Scale")

Edge = tuple[str, str]


@dataclass
class Unit:
    """Nodes that become one layer or neuron.

    Attributes:
        name: Name of the first, or of the graph that holds them.
        node: The node of the layer, or of the neuron's membrane.
        threshold: What an integrator fires by.
        feedback: What its spikes come back through; the unit's own node for an edge to itself.
        graded: What scales its spikes.
        sources: The units whose outputs add up to its input; ``"input"`` is the graph's.
        parts: Names of all its nodes.
    """

    name: str
    node: Any
    threshold: Any = None
    feedback: Any = None
    graded: Any = None
    sources: tuple[str, ...] = ()
    parts: list[str] = field(default_factory=list)

    @property
    def kind(self) -> str:
        """Name of the node's class."""
        return type(self.node).__name__


@dataclass
class Units:
    """All of a graph.

    Attributes:
        units: In an order in which each follows those that it needs.
        outputs: For each Output of the graph, what adds up to it.
        input: The graph's Input node.
        ends: The graph's Output nodes.
    """

    units: list[Unit]
    outputs: tuple[tuple[str, ...], ...]
    input: Any
    ends: tuple[Any, ...]


def refuse(what: str, got: object, hint: str = "") -> None:
    """Raise ``ValueError`` of the import."""
    expect(False, OWNER, what, got, hint)


@contextmanager
def blamed(what: str) -> Iterator[None]:
    """Let errors of whatever cannot use a part of a graph name it.

    Args:
        what: The part.

    Raises:
        ValueError: Of the import, if anything was raised.
    """
    try:
        yield
    except Exception as error:
        if str(error).startswith(f"{OWNER} expected"):
            raise
        raise ValueError(
            f"{OWNER} expected {what} to say what can be made, but got "
            f"{type(error).__name__}: {error}.\nWrite it as export_to_nir does."
        ) from error


def to_units(graph: Any) -> Units:
    """Return the units of a graph.

    Raises:
        ValueError: If an edge leads nowhere, there is not one Input and at least one Output, a
            node is not on a way from one to the other, or a cycle is not that of one neuron
            whose spikes come back through one layer.
    """
    nodes, edges = _flat(graph)
    inputs = [name for name, node in nodes.items() if type(node).__name__ == "Input"]
    ends = [name for name, node in nodes.items() if type(node).__name__ == "Output"]
    outputs = sorted(ends, key=lambda name: (len(name), name))  # a file forgets their order
    expect(len(inputs) == 1, OWNER, "a graph with one Input node", inputs or "none")
    expect(bool(outputs), OWNER, "a graph with an Output node", "none")
    _expect_on_the_way(nodes, edges, inputs[0], outputs)
    units, member = _grouped(nodes, edges)
    flow = _between(edges, member)
    order = _ordered(units, flow)
    for unit in order:
        unit.sources = _origins(flow, unit.name, inputs[0])
        expect(bool(unit.sources), OWNER, f"an input of node {unit.name!r}", "none")
    groups = tuple(_origins(flow, name, inputs[0]) for name in outputs)
    return Units(order, groups, nodes[inputs[0]], tuple(nodes[name] for name in outputs))


def _origins(flow: list[Edge], name: str, given: str) -> tuple[str, ...]:
    found = (a for a, b in flow if b == name)
    return tuple("input" if source == given else source for source in found)


def _flat(graph: Any, prefix: str = "") -> tuple[dict[str, Any], list[Edge]]:
    """Return the nodes and edges of a graph, those of graphs within it among them."""
    nodes: dict[str, Any] = {}
    edges = [(str(a), str(b)) for a, b in graph.edges]
    for end in {end for edge in edges for end in edge}:
        known = ", ".join(sorted(graph.nodes))
        what = "edges between nodes that are there"
        expect(end in graph.nodes, OWNER, what, f"one with {prefix}{end!r}", f"There are: {known}.")
    twice = sorted(edge for edge, count in Counter(edges).items() if count > 1)
    expect(not twice, OWNER, "one edge between two nodes", f"{twice} twice")
    entry, leave = {name: name for name in graph.nodes}, {name: name for name in graph.nodes}
    inner: list[Edge] = []
    for name, node in graph.nodes.items():
        if type(node).__name__ != "NIRGraph":
            nodes[prefix + name] = node
            continue
        own, between = _flat(node, f"{prefix}{name}.")
        doors = {
            kind: [key for key, part in own.items() if type(part).__name__ == kind]
            for kind in ("Input", "Output")
        }
        single = all(len(found) == 1 for found in doors.values())
        what = f"one Input and one Output in the graph {prefix}{name!r}"
        expect(single, OWNER, what, {kind: len(found) for kind, found in doors.items()})
        entry[name], leave[name] = doors["Input"][0], doors["Output"][0]
        nodes |= own
        inner += between
    outer = [
        (leave[a] if leave[a] != a else prefix + a, entry[b] if entry[b] != b else prefix + b)
        for a, b in edges
    ]
    edges = outer + inner
    if not prefix:
        edges = _without_doors(nodes, edges)
    return nodes, edges


def _without_doors(nodes: dict[str, Any], edges: list[Edge]) -> list[Edge]:
    """Join the edges on both sides of the Input and Output of graphs within a graph."""
    doors = [
        name
        for name, node in nodes.items()
        if "." in name
        and type(node).__name__ in ("Input", "Output")
        and any(b == name for _, b in edges)
        and any(a == name for a, _ in edges)
    ]
    for door in doors:
        before = [a for a, b in edges if b == door]
        joined: list[Edge] = []
        for a, b in edges:
            if a == door:
                joined += [(source, b) for source in before]
            elif b != door:
                joined.append((a, b))
        twice = len(set(joined)) < len(joined)
        expect(not twice, OWNER, "one way between two nodes", f"two through {door!r}")
        edges = joined
        del nodes[door]
    return edges


def _reached(start: list[str], edges: list[Edge]) -> set[str]:
    found, waiting = set(start), list(start)
    while waiting:
        name = waiting.pop()
        after = {b for a, b in edges if a == name} - found
        found |= after
        waiting += after
    return found


def _expect_on_the_way(
    nodes: dict[str, Any], edges: list[Edge], first: str, last: list[str]
) -> None:
    """Raise ``ValueError`` if a node gets nothing from the input, or gives nothing to an output."""
    forward = _reached([first], edges)
    backward = _reached(last, [(b, a) for a, b in edges])
    lost = sorted(set(nodes) - (forward & backward))
    hint = "Add the missing edges, or remove the nodes."
    expect(not lost, OWNER, "each node between the Input and an Output", f"{lost} elsewhere", hint)


def _grouped(nodes: dict[str, Any], edges: list[Edge]) -> tuple[dict[str, Unit], dict[str, str]]:
    """Return the units by name, and the unit of each node."""
    kinds = {name: type(node).__name__ for name, node in nodes.items()}
    after = {name: [b for a, b in edges if a == name] for name in nodes}
    before = {name: [a for a, b in edges if b == name] for name in nodes}
    units: dict[str, Unit] = {}
    member: dict[str, str] = {}
    for name in nodes:
        if kinds[name] in NEURONS:
            units[name] = _neuron(name, nodes, kinds, after, before)
            member |= dict.fromkeys(units[name].parts, name)
    for name, node in nodes.items():
        if name not in member and kinds[name] not in ("Input", "Output"):
            units[name] = Unit(name, node, parts=[name])
            member[name] = name
    renamed = {name: _short(name, units[name], units) for name in units}
    for name, unit in units.items():
        unit.name = renamed[name]
    member = {part: renamed[name] for part, name in member.items()}
    return {unit.name: unit for unit in units.values()}, member


def _short(name: str, unit: Unit, units: dict[str, Unit]) -> str:
    """Return the name of the graph that holds a neuron and its feedback, and nothing else."""
    outer = name.rpartition(".")[0]
    others = [other for other in units if other.startswith(f"{outer}.") and other != name]
    alone = outer and outer not in units and not others
    return outer if unit.feedback is not None and alone else name


def _neuron(
    name: str,
    nodes: dict[str, Any],
    kinds: dict[str, str],
    after: dict[str, list[str]],
    before: dict[str, list[str]],
) -> Unit:
    """Return a neuron with what belongs to it: its threshold, feedback and size of spikes."""
    unit, fires = Unit(name, nodes[name], parts=[name]), name
    thresholds = [b for b in after[name] if kinds[b] == "Threshold"]
    # an integrator whose membrane goes elsewhere, too, stays one
    if kinds[name] in INTEGRATORS and len(after[name]) == 1 and thresholds:
        fires = thresholds[0]
        if before[fires] == [name]:
            unit.threshold = nodes[fires]
            unit.parts.append(fires)
        else:
            fires = name
    for back in after[fires]:
        if back == name:
            unit.feedback = unit.node
        elif kinds[back] in FEEDBACK and after[back] == [name] and before[back] == [fires]:
            unit.feedback = nodes[back]
            unit.parts.append(back)
    following = [b for b in after[fires] if b not in unit.parts]
    if len(following) == 1 and before[following[0]] == [fires]:
        graded = nodes[following[0]]
        if kinds[following[0]] == "Scale" and "graded_spikes_factor" in told(graded):
            unit.graded = graded
            unit.parts.append(following[0])
    return unit


def _between(edges: list[Edge], member: dict[str, str]) -> list[Edge]:
    """Return the edges between units."""
    flow = [(member.get(a, a), member.get(b, b)) for a, b in edges]
    return [edge for edge in flow if edge[0] != edge[1]]


def _ordered(units: dict[str, Unit], flow: list[Edge]) -> list[Unit]:
    """Return the units in an order in which each follows those that it needs."""
    order: list[Unit] = []
    placed: set[str] = set()
    while len(order) < len(units):
        needs = {
            name: {a for a, b in flow if b == name and a in units} - placed
            for name in units
            if name not in placed
        }
        ready = [name for name, missing in needs.items() if not missing]
        if not ready:
            refuse(
                "cycles only of one neuron whose spikes come back through one layer",
                f"one through {_cycle(needs)}",
                "Such feedback is what snn.RLeaky and snn.RSynaptic have.",
            )
        order += [units[name] for name in ready]
        placed |= set(ready)
    return order


def _cycle(needs: dict[str, set[str]]) -> str:
    """Return a cycle among units that wait for each other, in words."""
    path = [next(iter(needs))]
    while path[-1] not in path[:-1]:
        path.append(min(needs[path[-1]]))
    return " <- ".join(path[path.index(path[-1]) :])
