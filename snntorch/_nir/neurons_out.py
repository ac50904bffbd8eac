r"""Neurons as NIR nodes.

NIR's leaky integrate-and-fire neuron obeys

.. math:: \tau \dot v = v_{leak} - v + r I

An Euler step of length dt is :math:`v \leftarrow (1 - dt/\tau) v + (r\,dt/\tau) I`. So a decay of
:math:`\beta` per step is :math:`\tau = dt/(1 - \beta)`, and an input of weight one is
:math:`r = \tau/dt`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import nn

from snntorch import surrogate
from snntorch._checks import expect
from snntorch._neurons._recurrent import RecurrentOneToOne, SameConv2d
from snntorch._neurons.lapicque import Lapicque
from snntorch._neurons.leaky import Leaky
from snntorch._neurons.neurons import SpikingNeuron
from snntorch._neurons.rleaky import RLeaky
from snntorch._neurons.rsynaptic import RSynaptic
from snntorch._neurons.synaptic import Synaptic
from snntorch._nir.facts import as_fact, tell, to_array
from snntorch._nir.layers_out import Place, Shape, to_node
from snntorch._nir.trace import OWNER

NEURONS = (Leaky, Lapicque, Synaptic, RLeaky, RSynaptic)
#: Part of a neuron that does not leak, beside others that do: an infinite time constant would
#: make r infinite, too. No float is nearer to 1 than one minus this.
LEAST_LEAK = 2.0**-60


@dataclass
class Piece:
    """The nodes of one layer.

    Attributes:
        nodes: By name.
        edges: Between them.
        signal: Which gives the output.
        membrane: Which gives the membrane potential, if one does.
    """

    nodes: dict[str, Any]
    signal: str
    membrane: str | None = None
    edges: list[tuple[str, str]] = field(default_factory=list)


def _double(tensor: torch.Tensor, shape: Shape) -> Any:
    array = tensor.detach().cpu().double().numpy()
    while array.ndim > len(shape) and array.shape[0] == 1:
        array = array[0]
    return np.broadcast_to(array, shape)


def _time_constant(decay: Any, dt: float) -> Any:
    return dt / np.maximum(1 - np.clip(decay, None, 1), LEAST_LEAK)


def core(nir: Any, neuron: Any, shape: Shape, dt: float) -> Any:
    """Return the node of a neuron's membrane: LIF, IF, CubaLIF, or without reset LI, I, CubaLI."""
    parameters = {n: _double(v, shape) for n, v in neuron.step_parameters().items()}
    dtype = to_array(neuron.threshold).dtype
    resets = neuron.reset_mechanism != "none" and not torch.isinf(neuron.threshold).all()
    if "leak" in parameters:
        beta, gain = 1 - parameters["leak"], parameters["R"] * parameters["share"]
    else:
        beta, gain = parameters["beta"], np.ones(shape)
    values: dict[str, Any] = {}
    if (beta == 1).all() and "alpha" not in parameters:
        values["r"] = gain / dt
        kind = nir.IF if resets else nir.I
    else:
        tau = _time_constant(beta, dt)
        values |= {"r": gain * tau / dt, "v_leak": np.zeros(shape)}
        kind = nir.LIF if resets else nir.LI
        if "alpha" in parameters:
            tau_syn = _time_constant(parameters["alpha"], dt)
            values |= {"tau_mem": tau, "tau_syn": tau_syn, "w_in": tau_syn / dt}
            kind = nir.CubaLIF if resets else nir.CubaLI
        else:
            values["tau"] = tau
    if resets:
        values["v_threshold"] = _double(neuron.threshold, shape)
        values["v_reset"] = np.zeros(shape)
    node = kind(**{name: value.astype(dtype) for name, value in values.items()})
    return tell(node, dt=dt, **_facts(neuron))


def _facts(neuron: Any) -> dict[str, Any]:
    """Return what makes the neuron again, besides what its node says."""
    names = [n for n in ("alpha", "beta", "R", "C", "time_step", "V") if hasattr(neuron, n)]
    values = {n: as_fact(getattr(neuron, n)) for n in (*names, "threshold")}
    learned = [n for n in values if isinstance(getattr(neuron, n), nn.Parameter)]
    facts: dict[str, Any] = {
        "neuron": type(neuron).__name__,
        "reset_mechanism": neuron.reset_mechanism,
        "reset_delay": bool(neuron.reset_delay),
        "inhibition": bool(neuron.inhibition),
        "learn": ",".join(learned),
        **values,
    }
    known = neuron.spike_grad
    if neuron.__dict__.get("surrogate_disable"):
        facts["surrogate"] = "none"
    elif isinstance(known, surrogate.SurrogateGradient) and known.has_kernel_name:
        facts |= {"surrogate": known.name, "surrogate_values": np.array(known.values, float)}
    else:
        facts["surrogate"] = "custom"
    if isinstance(neuron, Lapicque):
        facts["capacitance_given"] = neuron.step_parameters()["R"] is not neuron.R
    if isinstance(neuron, (RLeaky, RSynaptic)):
        facts["learn_recurrent"] = any(p.requires_grad for p in neuron.recurrent.parameters())
    return facts


def _expect_known(name: str, neuron: SpikingNeuron) -> None:
    quantized = callable(neuron.state_quant)
    expect(
        not quantized,
        OWNER,
        f"`{name}` without `state_quant`, as NIR's states are not quantized",
        "one with it",
        "Set neuron.state_quant = False to export the net that is not quantized.",
    )
    expect(
        not neuron.adapts,
        OWNER,
        f"`{name}` with a threshold that stays, as NIR has no other",
        "one that adapts",
        "Export the net with neurons whose threshold does not adapt.",
    )


def to_piece(nir: Any, name: str, neuron: Any, shape: Shape, dt: float) -> Piece:
    """Return the nodes of a neuron.

    Without a reset, spikes are what is above the threshold of an integrator. Feedback makes
    a graph of its own. The size of graded spikes follows in a node.

    Args:
        nir: The package.
        name: What to call the node.
        neuron: One of `NEURONS`.
        shape: Its shape, without the batch.
        dt: Length of a time step in seconds.
    """
    _expect_known(name, neuron)
    node = core(nir, neuron, shape, dt)
    resets = "v_threshold" in vars(node)
    if isinstance(neuron, (RLeaky, RSynaptic)):
        return Piece({name: _recurrent(nir, name, neuron, node, shape)}, name)
    piece = Piece({name: node}, name, None if resets else name)

    def follow(suffix: str, following: Any) -> None:
        piece.nodes[f"{name}.{suffix}"] = following
        piece.edges.append((piece.signal, f"{name}.{suffix}"))
        piece.signal = f"{name}.{suffix}"

    if not resets:
        follow("spikes", _threshold(nir, neuron, shape))
    factor = neuron.graded_spikes_factor
    if isinstance(factor, nn.Parameter) or bool((factor != 1).any()):
        scale = _double(factor, shape).astype(to_array(factor).dtype)
        learn = isinstance(factor, nn.Parameter)
        node = tell(nir.Scale(scale), graded_spikes_factor=as_fact(factor), learn=learn)
        follow("graded", node)
    return piece


def _threshold(nir: Any, neuron: Any, shape: Shape) -> Any:
    threshold = neuron.threshold
    return nir.Threshold(_double(threshold, shape).astype(to_array(threshold).dtype))


def _recurrent(nir: Any, name: str, neuron: Any, node: Any, shape: Shape) -> Any:
    """Return the graph of a neuron whose spikes come back through a layer."""
    expect(
        not bool((neuron.graded_spikes_factor != 1).any()),
        OWNER,
        f"`{name}` with spikes of size 1 to feed back",
        "a graded_spikes_factor",
        "Multiply the weights of its `recurrent` by it.",
    )
    resets = "v_threshold" in vars(node)
    first = "lif" if resets else "li"
    nodes = {"input": nir.Input(np.array(shape)), first: node}
    fires = first if resets else "spikes"
    edges = [("input", first)]
    if not resets:
        nodes[fires] = _threshold(nir, neuron, shape)
        edges.append((first, fires))
    nodes["w_rec"] = _feedback(nir, name, neuron.recurrent, shape)
    nodes["output"] = nir.Output(np.array(shape))
    edges += [(fires, "w_rec"), ("w_rec", first), (fires, "output")]
    return nir.NIRGraph(nodes, edges)


def _feedback(nir: Any, name: str, layer: Any, shape: Shape) -> Any:
    if isinstance(layer, RecurrentOneToOne):
        return nir.Scale(_double(layer.V, shape).astype(to_array(layer.V).dtype))
    if isinstance(layer, SameConv2d):
        # an even kernel's surplus first row or column is dropped: one more, of zeros, makes it odd
        even = [1 - side % 2 for side in layer.kernel_size]
        rows, columns = (s + e for s, e in zip(layer.kernel_size, even, strict=True))
        channels, padding = layer.in_channels, (rows // 2, columns // 2)
        odd = nn.Conv2d(channels, channels, (rows, columns), padding=padding, device="meta")
        weight = nn.functional.pad(layer.weight.detach(), (even[1], 0, even[0], 0))
        odd.weight, odd.bias = nn.Parameter(weight), layer.bias
        node = to_node(nir, odd, Place(shape, shape))
        return tell(node, feedback_kernel=np.array(layer.kernel_size))
    if type(layer) in (nn.Linear, nn.Conv1d, nn.Conv2d):
        return to_node(nir, layer, Place(shape, shape))
    expect(
        False,
        OWNER,
        f"nn.Linear, nn.Conv1d or nn.Conv2d as `{name}.recurrent`",
        type(layer).__name__,
    )
    raise AssertionError
