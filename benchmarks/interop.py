"""Our graphs in other frameworks, and theirs here: the same spikes on the same spike train?

``make interop`` runs it in an environment of its own and prints the table of ``docs/nir.rst``.
Where spikes differ, the cause is named, and taken away on our side or in the graph: what then
agrees shows that it is the whole cause.
"""

from __future__ import annotations

import copy
import logging
import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

import snntorch as snn
from snntorch import utils
from snntorch.export_nir import export_to_nir
from snntorch.import_nir import import_from_nir

warnings.simplefilter("ignore")  # what the frameworks say of themselves
logging.disable(logging.CRITICAL)

DT, STEPS, SIZES = 1e-3, 500, (10, 20, 5)
AT_ONCE = {"reset_mechanism": "zero", "reset_delay": False, "init_hidden": True}
SUBTRACT = {**AT_ONCE, "reset_mechanism": "subtract"}
TAU, TAU_SYN = 10.0, 2.5  # in steps
Make = Callable[[], nn.Module]
OURS: dict[str, Make] = {
    "LIF": lambda: snn.Leaky(1 - 1 / TAU, **AT_ONCE),
    "IF": lambda: snn.Leaky(1.0, **AT_ONCE),
    "CubaLIF": lambda: snn.Synaptic(1 - 1 / TAU_SYN, 1 - 1 / TAU, **AT_ONCE),
}


@dataclass
class Result:
    """Spikes of both, and ours without what differs.

    Attributes:
        theirs: Their spikes, (time, ...).
        ours: Ours.
        cause: What makes them differ.
        explained: Ours, or theirs, without it.
        membranes: How far membranes of the last layer are apart at most, where both can be read.
    """

    theirs: Tensor
    ours: Tensor
    cause: str = ""
    explained: Tensor | None = None
    membranes: float | None = None


def weights(positive: bool = False) -> list[Tensor]:
    """Return the weights of both layers, small enough for one spike per step at most."""
    generator = torch.Generator().manual_seed(0)
    drawn = []
    for inputs, outputs in pairwise(SIZES):
        weight = torch.rand(outputs, inputs, generator=generator) * 1.5 / inputs
        sign = torch.bernoulli(torch.full((outputs, inputs), 0.8), generator=generator) * 2 - 1
        drawn.append(weight if positive else 1.5 * weight * sign)
    return drawn


def spikes() -> Tensor:
    """Return the spike train that all get, (time, 1, neurons)."""
    generator = torch.Generator().manual_seed(1)
    return torch.bernoulli(torch.full((STEPS, 1, SIZES[0]), 0.4), generator=generator)


X = spikes()


def chain(make: Make, positive: bool = False, linear: Any = nn.Linear, gain: float = 1) -> Any:
    """Return layers of weights and neurons, in turn; sinabs knows no layer without a bias."""
    layers = []
    for weight in weights(positive):
        layer = linear(weight.shape[1], weight.shape[0])
        layer.weight.data, layer.bias.data = gain * weight, torch.zeros(len(weight))
        layers += [layer, make()]
    return nn.Sequential(*layers)


@torch.no_grad()
def run(net: nn.Module) -> Tensor:
    """Return the spikes of a net that keeps its states."""
    utils.reset(net)
    return torch.stack([net(step) for step in X])


@torch.no_grad()
def run_with_states(net: nn.Module) -> tuple[Tensor, list[Any]]:
    """Return the spikes and the states of a net that takes its states, and returns them."""
    state, out, states = None, [], []
    for step in X:
        spk, state = net(step, state)
        out.append(spk)
        states.append(copy.copy(getattr(state, "state", state)))
    return torch.stack(out), states


@torch.no_grad()
def apart(net: nn.Sequential, membranes: list[Tensor]) -> float:
    """Return how far the membranes of our last neurons are from theirs at most."""
    utils.reset(net)
    found = 0.0
    for step, theirs in zip(X, membranes, strict=True):
        net(step)
        found = max(found, (net[-1].mem - theirs).abs().max().item())
    return found


def exported(kind: str, dt: float = DT) -> Any:
    """Return one of our nets as a graph."""
    return export_to_nir(chain(OURS[kind]), X[0], dt=dt)


def into_norse(kind: str) -> Result:
    """Our graph in norse."""
    import norse.torch as norse  # noqa: PLC0415

    def theirs(graph: Any) -> tuple[Tensor, list[Any]]:
        return run_with_states(norse.from_nir(graph, dt=DT))

    spk, states = theirs(exported(kind))
    found = Result(spk, run(chain(OURS[kind])))
    if kind == "LIF":
        graph = exported(kind)
        for name in ("0", "2"):  # r goes into the weights before it
            node = graph.nodes[str(int(name) + 1)]
            graph.nodes[name].weight *= node.r[:, None]
            node.r = np.ones_like(node.r)
        found.cause = "norse leaves r of LIF out"
        found.explained, states = theirs(graph)
    # a synapse has a state before the membrane's
    last = [state["3"][0] for state in states]
    found.membranes = apart(
        chain(OURS[kind]), [s[-1].v if kind == "CubaLIF" else s.v for s in last]
    )
    return found


def from_norse(kind: str) -> Result:
    """A norse graph here."""
    import norse.torch as norse  # noqa: PLC0415

    rates = {"tau_mem_inv": torch.tensor(1 / (TAU * DT))}
    cells = {
        "LIF": lambda: norse.LIFBoxCell(norse.LIFBoxParameters(**rates), dt=DT),
        "IF": lambda: norse.IAFCell(norse.IAFParameters(), dt=DT),
        "CubaLIF": lambda: norse.LIFCell(
            norse.LIFParameters(tau_syn_inv=torch.tensor(1 / (TAU_SYN * DT)), **rates), dt=DT
        ),
    }
    parts = list(chain(cells[kind], gain=1 if kind == "IF" else TAU))
    net = norse.SequentialState(*parts)
    graph = norse.to_nir(net, X[0], dt=DT)
    # norse multiplies its time constants by dt, so dt is dt ** 2; IF is told per step
    dt = 1.0 if kind == "IF" else DT**2
    found = Result(run_with_states(net)[0], run(import_from_nir(graph, dt=dt)))
    if kind == "CubaLIF":
        for name in ("1", "3"):
            graph.nodes[name].w_in = graph.nodes[name].tau_syn / dt
        found.cause = "norse leaves w_in out, which is tau_syn/dt"
        found.explained = run(import_from_nir(graph, dt=dt))
    elif kind == "LIF":
        found.cause = "none, with dt=dt**2: norse's time constants are multiplied by dt"
    else:
        found.cause = "none, with dt=1: r is 1 per step"
    return found


def into_spikingjelly(kind: str) -> Result:
    """Our graph in spikingjelly."""
    from spikingjelly.activation_based import nir_exchange  # noqa: PLC0415

    spk, states = run_with_states(nir_exchange.import_from_nir(exported(kind), dt=DT))
    membranes = apart(chain(OURS[kind]), [state["3"][0] for state in states])
    return Result(spk, run(chain(OURS[kind])), membranes=membranes)


def from_spikingjelly(kind: str) -> Result:
    """A spikingjelly graph here."""
    from spikingjelly.activation_based import (  # noqa: PLC0415
        functional,
        layer,
        neuron,
        nir_exchange,
    )

    cells = {
        "LIF": lambda: neuron.LIFNode(tau=TAU, v_reset=0.0),
        "IF": lambda: neuron.IFNode(v_reset=0.0),
        "CubaLIF": lambda: neuron.CUBALIFNode(
            c_decay=1 - 1 / TAU_SYN, v_decay=1 - 1 / TAU, v_threshold=1.0
        ),
    }
    net = chain(cells[kind], linear=layer.Linear, gain=TAU if kind == "LIF" else 1)
    graph = nir_exchange.export_to_nir(net, X[0], dt=DT)
    functional.reset_net(net)
    with torch.no_grad():
        theirs = torch.stack([net(step) for step in X])
    return Result(theirs, run(import_from_nir(graph, dt=DT)))


def as_sinabs(kind: str) -> nn.Module:
    """Return the net of ours that does what one of sinabs does."""
    beta = 1.0 if kind == "IF" else math.exp(-1 / TAU)
    return chain(lambda: snn.Leaky(beta, **SUBTRACT), positive=True)


SINABS = {
    "IF": "reset by subtraction",
    "LIF": "reset by subtraction; decay exp(-1/tau), tau in steps; r left out",
}


def into_sinabs(kind: str) -> Result:
    """Our graph in sinabs."""
    import sinabs.nir  # noqa: PLC0415

    mine = chain(OURS[kind], positive=True)
    net = sinabs.nir.from_nir(export_to_nir(mine, X[0], dt=1.0), batch_size=1)
    with torch.no_grad():
        out = net(X[:, 0])
    theirs = (out[0] if isinstance(out, tuple) else out)[:, None]
    return Result(theirs, run(mine), SINABS[kind], run(as_sinabs(kind)))


def from_sinabs(kind: str) -> Result:
    """A sinabs graph here."""
    import sinabs.layers as sl  # noqa: PLC0415
    import sinabs.nir  # noqa: PLC0415

    cells = {
        "IF": lambda: sl.IAFSqueeze(batch_size=1),
        "LIF": lambda: sl.LIFSqueeze(tau_mem=TAU, batch_size=1, norm_input=False),
    }
    net = chain(cells[kind], positive=True)
    net(X[:1, 0])  # gives its layers their shapes
    graph = sinabs.nir.to_nir(net, X[:1, 0])
    for layer in net:
        if hasattr(layer, "reset_states"):
            layer.reset_states()
    with torch.no_grad():
        theirs = net(X[:, 0])[:, None]
    return Result(theirs, run(import_from_nir(graph, dt=1.0)), SINABS[kind], run(as_sinabs(kind)))


def as_rockpool(dt: float) -> nn.Module:
    """Return the net of ours that does what one of rockpool does."""
    alpha, beta = math.exp(-dt / (TAU_SYN * DT)), math.exp(-dt / (TAU * DT))
    make = lambda: snn.Synaptic(alpha, beta, **SUBTRACT)  # noqa: E731
    return chain(make, positive=True, gain=SMALL * alpha)


SMALL = 0.4  # of weights, so that it fires once per step at most
ROCKPOOL = "reset by subtraction; decays exp(-dt/tau), the input's first step, too; w_in left out"


def into_rockpool(kind: str) -> Result:
    """Our graph in rockpool."""
    import rockpool.nn.modules.torch.nir as rockpool  # noqa: PLC0415

    mine = chain(OURS[kind], positive=True, gain=SMALL)
    net = rockpool.from_nir(export_to_nir(mine, X[0], dt=DT))
    with torch.no_grad():
        theirs = net(X.transpose(0, 1))[0].transpose(0, 1)
    # it takes dt from r by a rule of thumb
    cause = f"{ROCKPOOL}; dt = tau/(1 + r)"
    return Result(theirs, run(mine), cause, run(as_rockpool(TAU * DT / (1 + TAU))))


def from_rockpool(kind: str) -> Result:
    """A rockpool graph here."""
    import rockpool.nn.modules.torch.nir as rockpool  # noqa: PLC0415
    from rockpool.nn.combinators import Sequential  # noqa: PLC0415
    from rockpool.nn.modules.torch import LIFTorch, LinearTorch  # noqa: PLC0415

    def net() -> Any:
        layers = []
        times = {"tau_mem": TAU * DT, "tau_syn": TAU_SYN * DT, "dt": DT}
        for weight in (SMALL * weight for weight in weights(positive=True)):
            layers += [
                LinearTorch(tuple(weight.T.shape), weight=weight.T, has_bias=False),
                LIFTorch(weight.shape[0], **times, threshold=1.0, bias=0.0),
            ]
        return Sequential(*layers).to_torch()

    graph = rockpool.to_nir(net(), X[:1].transpose(0, 1))
    with torch.no_grad():
        out = net()(X.transpose(0, 1))
    theirs = (out[0] if isinstance(out, tuple) else out).transpose(0, 1)
    return Result(theirs, run(import_from_nir(graph, dt=DT)), ROCKPOOL, run(as_rockpool(DT)))


#: What is shipped from where to where, and the kinds of neurons that the framework has.
PAIRS: dict[str, tuple[Callable[[str], Result], tuple[str, ...]]] = {
    "snntorch in norse": (into_norse, ("LIF", "IF", "CubaLIF")),
    "norse in snntorch": (from_norse, ("LIF", "IF", "CubaLIF")),
    "snntorch in spikingjelly": (into_spikingjelly, ("LIF", "IF", "CubaLIF")),
    "spikingjelly in snntorch": (from_spikingjelly, ("LIF", "IF", "CubaLIF")),
    "snntorch in sinabs": (into_sinabs, ("LIF", "IF")),
    "sinabs in snntorch": (from_sinabs, ("LIF", "IF")),
    "snntorch in rockpool": (into_rockpool, ("CubaLIF",)),
    "rockpool in snntorch": (from_rockpool, ("CubaLIF",)),
}


def agreement(one: Tensor, other: Tensor) -> str:
    """Return the share of entries that are the same, exactly."""
    same = (one.reshape(other.shape) == other).float().mean().item()
    return f"{100 * same:.1f} %" if same < 1 else "all"


def rows() -> list[tuple[str, ...]]:
    """Return the rows of the table."""
    found = []
    for pair, (compare, kinds) in PAIRS.items():
        for kind in kinds:
            result = compare(kind)
            assert result.theirs.any() or result.cause, f"{pair}, {kind}: nothing fired"
            shipped = agreement(result.theirs, result.ours)
            without = "–"
            if result.explained is not None:
                # ours was changed, or theirs: the other one is as it was
                other = result.ours if kind == "LIF" and "in norse" in pair else result.theirs
                without = agreement(result.explained, other)
            fired = f"{int(result.theirs.sum())}, {int(result.ours.sum())}"
            far = (
                "–" if result.membranes is None else f"{result.membranes:.0e}".replace("0e+00", "0")
            )
            found.append((pair, kind, shipped, fired, result.cause or "none", without, far))
    return found


def main() -> None:
    names = ("nir", "nirtorch", "norse", "spikingjelly", "sinabs", "rockpool")
    print(
        ", ".join(f"{name} {version(name)}" for name in names),
        end=f", torch {torch.__version__}\n\n",
    )
    header = (
        "Whose net where",
        "Neuron",
        "Equal",
        "Spikes: theirs, ours",
        "Cause",
        "Equal without",
        "Membranes apart",
    )
    print(".. list-table::\n   :header-rows: 1\n")
    for row in (header, *rows()):
        print("\n".join(f"   {'*' if not i else ' '} - {cell}" for i, cell in enumerate(row)))


if __name__ == "__main__":
    main()
