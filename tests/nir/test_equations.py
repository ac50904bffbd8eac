"""The differential equations of the NIR paper, in float64 NumPy, at the parameters exported."""

from __future__ import annotations

from typing import Any

import nir
import numpy as np
import pytest
import torch
from torch import nn

import snntorch as snn
from snntorch.export_nir import export_to_nir
from snntorch.import_nir import import_from_nir

DT = 1e-3
AT_ONCE = {"reset_mechanism": "zero", "reset_delay": False}
NEURONS: dict[str, Any] = {
    "LIF": lambda: snn.Leaky(torch.tensor([0.5, 0.9, 0.99]), **AT_ONCE),
    "LI of an RC circuit": lambda: snn.Lapicque(
        R=3.0, C=5.0, reset_mechanism="none", threshold=float("inf")
    ),
    "IF": lambda: snn.Leaky(1.0, threshold=3.0, **AT_ONCE),
    "LI": lambda: snn.Leaky(0.93, reset_mechanism="none", threshold=float("inf")),
    "I": lambda: snn.Leaky(1.0, reset_mechanism="none", threshold=float("inf")),
    "CubaLIF": lambda: snn.Synaptic(0.6, torch.tensor([0.5, 0.9, 0.99]), **AT_ONCE),
    "CubaLI": lambda: snn.Synaptic(0.6, 0.8, reset_mechanism="none", threshold=float("inf")),
}


def integrate(node: Any, x: np.ndarray, dt: float) -> tuple[np.ndarray, np.ndarray]:
    """Return spikes and membranes of a node by Euler steps of its equation."""
    p = {
        name: np.asarray(v, np.float64)
        for name, v in vars(node).items()
        if name != "metadata" and not name.endswith("_type")
    }
    v, current = np.zeros(x.shape[1:]), np.zeros(x.shape[1:])
    spikes, membranes = [], []
    for step in x:
        drive = step
        if "tau_syn" in p:
            current = current + dt / p["tau_syn"] * (-current + p["w_in"] * step)
            drive = current
        if "tau" in p or "tau_mem" in p:
            v = v + dt / p.get("tau", p.get("tau_mem")) * (p["v_leak"] - v + p["r"] * drive)
        else:
            v = v + dt * p["r"] * drive
        z = v > p.get("v_threshold", np.inf)
        v = np.where(z, p.get("v_reset", 0.0), v)
        spikes.append(z)
        membranes.append(v)
    return np.stack(spikes), np.stack(membranes)


@pytest.mark.parametrize("name", NEURONS)
def test_the_equations_at_what_is_exported(name: str) -> None:
    neuron = NEURONS[name]().double()
    graph = export_to_nir(neuron, torch.rand(1, 3, dtype=torch.float64), dt=DT)
    node = graph.nodes["snntorch"]
    assert type(node).__name__ == name.split(maxsplit=1)[0]
    x = np.random.default_rng(0).uniform(0, 1, (200, 1, 3))
    spikes, membranes = integrate(node, x, DT)
    fires = hasattr(node, "v_threshold")
    assert spikes.any() == fires
    outs = [neuron(step) for step in torch.from_numpy(x)]
    spk, mem = (
        torch.stack(part).numpy() for part in (zip(*((o[0], o[-1]) for o in outs), strict=True))
    )
    assert np.array_equal(spk != 0, spikes)
    np.testing.assert_allclose(mem, membranes, rtol=1e-9, atol=1e-9)
    back = import_from_nir(graph)
    told = torch.stack([back(step) for step in torch.from_numpy(x)]).numpy()
    np.testing.assert_allclose(told, spikes if fires else membranes, rtol=1e-9, atol=1e-9)


def test_the_reference_sees_a_wrong_parameter() -> None:
    """Negative control."""
    neuron = NEURONS["LIF"]().double()
    node = export_to_nir(neuron, torch.rand(1, 3, dtype=torch.float64), dt=DT).nodes["snntorch"]
    x = np.random.default_rng(0).uniform(0, 1, (200, 1, 3))
    right = integrate(node, x, DT)
    node.tau = node.tau * 1.05
    wrong = integrate(node, x, DT)
    assert not np.allclose(right[1], wrong[1], rtol=1e-3)


def ones(value: float) -> np.ndarray:
    return np.array([value])


TAU, TAU_SYN, R, INPUT, TIME = 20e-3, 5e-3, 2.0, 1.0, 30e-3
NODES = {
    "LI": nir.LI(ones(TAU), ones(R), ones(0)),
    "I": nir.I(ones(R)),
    "CubaLI": nir.CubaLI(ones(TAU_SYN), ones(TAU), ones(R), ones(0), ones(1.5)),
}
#: The solutions for a constant input, from rest.
SOLVED = {
    "LI": R * INPUT * (1 - np.exp(-TIME / TAU)),
    "I": R * INPUT * TIME,
    "CubaLI": 1.5
    * R
    * INPUT
    * (1 - (TAU * np.exp(-TIME / TAU) - TAU_SYN * np.exp(-TIME / TAU_SYN)) / (TAU - TAU_SYN)),
}


def run(node: Any, dt: float, time: float) -> torch.Tensor:
    graph = nir.NIRGraph.from_list(node)
    graph.metadata["snntorch"] = {"dtype": "float64"}
    net: nn.Module = import_from_nir(graph, dt=dt)
    x = torch.full((round(time / dt), 1, 1), INPUT, dtype=torch.float64)
    return torch.stack([net(step) for step in x])


@pytest.mark.parametrize("name", NODES)
def test_the_continuous_solution(name: str) -> None:
    """The error of an Euler step is of first order: half the step, half the error."""
    errors = []
    for dt in (1e-3, 5e-4, 2.5e-4, 1.25e-4):
        (found,) = run(NODES[name], dt, TIME)[-1]
        errors.append(abs(found.item() - SOLVED[name]))
    if name == "I":
        assert max(errors) < 1e-12  # nothing leaks, and no error is made
        return
    assert errors[0] < 0.05 * SOLVED[name]
    orders = np.log2(np.array(errors[:-1]) / errors[1:])
    np.testing.assert_allclose(orders, 1, atol=0.1)


def test_the_rate_of_firing() -> None:
    """Between two spikes lies tau ln(r i / (r i - threshold)), but for less than two steps."""
    period = TAU * np.log(R * INPUT / (R * INPUT - 1))
    for dt in (1e-3, 2.5e-4, 6.25e-5):
        node = nir.LIF(ones(TAU), ones(R), ones(0), ones(1), ones(0))
        times = run(node, dt, 0.2).flatten().nonzero().flatten().numpy() * dt
        assert len(times) > 10
        assert abs(np.diff(times).mean() - period) < 2 * dt
