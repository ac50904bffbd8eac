"""A net as a NIR graph: the nodes of its layers, and the edges between them."""

from __future__ import annotations

import math
from collections.abc import Iterable
from numbers import Integral
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from snntorch._checks import expect, expect_module, expect_number, expect_tensor
from snntorch._neurons.neurons import SpikingNeuron
from snntorch._nir.facts import KEY
from snntorch._nir.layers_out import LAYERS, Place, to_node
from snntorch._nir.neurons_out import NEURONS, Piece, to_piece
from snntorch._nir.package import load
from snntorch._nir.trace import OWNER, Call, Port, Trace, is_membrane, trace

Edge = tuple[str, str]
_HINTS = {
    "BatchNorm": "Fold it into the layer before it: torch.nn.utils.fusion.fuse_conv_bn_eval.",
    "MaxPool": "Use nn.AvgPool2d, or a convolution with a stride.",
    "ReLU": "Use a neuron such as snn.Leaky.",
}


def export(
    module: nn.Module, sample: Tensor, name: str, args: Iterable[Any], ignore: Any, dt: float
) -> Any:
    """Return the graph of a net; see :func:`snntorch.export_nir.export_to_nir`."""
    nir = load(OWNER)
    expect_module(OWNER, "module", module)
    expect_tensor(OWNER, "sample_data", sample)
    expect_number(OWNER, "dt", dt)
    expect(math.isfinite(dt) and dt > 0, OWNER, "`dt` above 0", dt)
    several, hint = isinstance(args, (list, tuple)), "Pass [syn, mem], say."
    expect(several, OWNER, "`model_fwd_args` to be a list", repr(args), hint, TypeError)
    found = trace(module, sample, list(args), name)
    for call in found.calls.values():
        _expect_supported(call)
    batch = _batch(found, sample, ignore)
    pieces = {call.name: _piece(nir, call, batch, float(dt)) for call in found.calls.values()}
    nodes, edges = _joined(nir, found, pieces, tuple(sample.shape[batch:]), batch)
    kept = _leading(edges, [key for key in nodes if isinstance(nodes[key], nir.Output)])
    unused = [f"{key} (nothing that is returned needs it)" for key in pieces if key not in kept]
    facts = {
        "dt": float(dt),
        "dtype": "float64" if sample.dtype == torch.float64 else "float32",
        "name": name,
        "left_out": ", ".join([*found.idle, *unused]),
    }
    return nir.NIRGraph(
        {key: node for key, node in nodes.items() if key in kept},
        [edge for edge in edges if edge[0] in kept and edge[1] in kept],
        metadata={KEY: facts},
    )


def _expect_supported(call: Call) -> None:
    """Raise ``ValueError`` unless NIR knows a layer."""
    kind = type(call.module)
    names = ", ".join(known.__name__ for known in (*LAYERS, *NEURONS))
    hint = next((text for part, text in _HINTS.items() if part in kind.__name__), "")
    expect(
        kind in LAYERS or kind in NEURONS,
        OWNER,
        f"layers that NIR knows ({names})",
        f"{kind.__name__} (`{call.name}`)",
        hint or "Replace it by one of these; of a subclass it is not known what it does otherwise.",
    )


def _dimensions(call: Call) -> int | None:
    """Return how many dimensions a sample of a layer has, if it says so."""
    if not isinstance(call.module, SpikingNeuron):
        return LAYERS[type(call.module)][0]
    layer = getattr(call.module, "recurrent", None)
    return 1 if isinstance(layer, nn.Linear) else 3 if isinstance(layer, nn.Conv2d) else None


def _batch(found: Trace, sample: Tensor, ignore: Any) -> int:
    """Return how many of the first dimensions belong to no sample."""
    told = [(call, own) for call in found.calls.values() if (own := _dimensions(call)) is not None]
    several = isinstance(ignore, (list, tuple)) and all(isinstance(d, Integral) for d in ignore)
    hint = "Pass [0] for a batch."
    expect(several, OWNER, "`ignore_dims` to be a list of ints", repr(ignore), hint, TypeError)
    chosen = sorted(int(dim) % max(sample.dim(), 1) for dim in ignore)
    expect(
        chosen == list(range(len(chosen))),
        OWNER,
        "the first dimensions as `ignore_dims`, such as [0] for a batch",
        list(ignore),
    )
    if chosen:
        batch = len(chosen)
    elif told:
        call, own = told[0]
        batch = len(call.takes) - own
    else:
        batch = min(1, max(sample.dim() - 1, 0))
    for call, own in told:
        shape = call.takes
        what = f"{own} dimensions for {type(call.module).__name__} (`{call.name}`)"
        got = f"{shape[batch:]} behind {batch} of the batch"
        hint = "Put nn.Flatten() before it, or say with `ignore_dims` what belongs to the batch."
        expect(len(shape) - batch == own, OWNER, what, got, hint)
    return batch


def _piece(nir: Any, call: Call, batch: int, dt: float) -> Piece:
    module, takes, gives = call.module, call.takes[batch:], call.gives[batch:]
    if isinstance(module, SpikingNeuron):
        what = f"an input of `{call.name}` of the shape of its neurons, {gives}"
        expect(takes == gives, OWNER, what, takes, "NIR's neurons do not expand their input.")
        return to_piece(nir, call.name, module, gives, dt)
    if isinstance(module, nn.Flatten):
        ends = (module.start_dim % len(call.takes), module.end_dim % len(call.takes))
        own = ends[0] >= batch
        expect(own, OWNER, f"`{call.name}` to leave the batch alone", f"start_dim={ends[0]}")
        last = -1 if ends[1] == len(call.takes) - 1 else ends[1] - batch
        module = nn.Flatten(ends[0] - batch, last)
    return Piece({call.name: to_node(nir, module, Place(takes, gives, dt))}, call.name)


def _joined(
    nir: Any, found: Trace, pieces: dict[str, Piece], shape: tuple[int, ...], batch: int
) -> tuple[dict[str, Any], list[Edge]]:
    """Return all nodes and edges."""
    nodes: dict[str, Any] = {"input": nir.Input(np.array(shape))}
    edges: list[Edge] = []

    def origin(port: Port) -> str:
        name, number = port
        if name not in pieces:
            return "input"
        piece = pieces[name]
        if number == 0:
            return piece.signal
        membrane = is_membrane(found, port)
        expect(
            membrane and piece.membrane is not None,
            OWNER,
            f"the spikes of `{name}` to go on",
            f"its {'membrane' if membrane else 'synaptic current'}",
            'NIR tells the membrane of neurons without reset alone: set reset_mechanism="none".',
        )
        assert piece.membrane is not None
        return piece.membrane

    for name, piece in pieces.items():
        nodes |= piece.nodes
        edges += [(origin(port), name) for port in found.calls[name].sources] + piece.edges
    for number, group in enumerate(found.outputs):
        name = "output" if len(found.outputs) == 1 else f"output_{number}"
        while name in nodes:
            name += "_"
        first = found.calls.get(group[0][0])
        gives = shape if first is None else first.gives[batch:]
        nodes[name] = nir.Output(np.array(gives))
        edges += [(origin(port), name) for port in group]
    return nodes, edges


def _leading(edges: list[Edge], ends: list[str]) -> set[str]:
    """Return the nodes that lead to some, and these."""
    found, waiting = set(ends), list(ends)
    while waiting:
        end = waiting.pop()
        before = {a for a, b in edges if b == end} - found
        found |= before
        waiting += before
    return found | {"input"}
