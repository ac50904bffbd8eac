"""What the report says: each node, and each way in which others may differ."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import nir
import numpy as np
import pytest
import torch
from torch import Tensor, nn

import snntorch as snn
from snntorch.export_nir import export_to_nir
from tests.nir.graphs import cubalif, full, graph, lif
from tests.nir.nets import hidden


def told(net: nn.Module, *shape: int) -> str:
    return str(snn.nir.report(export_to_nir(net, torch.rand(1, *shape))))


def test_a_whole_report(tmp_path: Path) -> None:
    net = nn.Sequential(
        nn.Linear(4, 3),
        nn.Dropout(0.2),
        hidden(snn.Leaky, 0.9, reset_mechanism="none", graded_spikes_factor=2.0),
        hidden(snn.RLeaky, 0.8, linear_features=3),
    )
    exported = export_to_nir(net, torch.rand(1, 4), dt=1e-3)
    report = snn.nir.report(exported)
    assert str(report).splitlines() == [
        "NIR graph, Euler steps of 0.001 s (the graph's); left out: 1 (Dropout):",
        "  0  Affine (3, 4)                Linear",
        "  2  LI + Threshold + Scale (3,)  Leaky",
        "  3  LIF + Affine back (3,)       RLeaky",
        "    - reset 'subtract' in the next step is metadata: NIR's is to zero at once",
        "    - its spikes come back one time step later",
    ]
    assert report.dt == 1e-3
    assert report.lines[1].layer == "Leaky"
    nir.write(tmp_path / "net.nir", exported)
    assert str(snn.nir.report(tmp_path / "net.nir")) == str(report)


def custom(x: Tensor) -> Tensor:
    return (x > 0).to(x.dtype)


EXPORTED: dict[str, tuple[Callable[[], nn.Module], str]] = {
    "zero, delayed": (
        lambda: snn.Leaky(0.9, reset_mechanism="zero"),
        "the spikes of NIR's reset at once; mem shows it a step later",
    ),
    "soft": (lambda: snn.Leaky(0.9, reset_mechanism="soft"), "reset 'soft' in the next step"),
    "subtract at once": (lambda: snn.Leaky(0.9, reset_delay=False), "reset 'subtract' at once is"),
    "zero of another": (
        lambda: snn.Synaptic(0.5, 0.9, reset_mechanism="zero"),
        "reset 'zero' in the next step is metadata",
    ),
    "time step": (lambda: snn.Lapicque(R=2.0, C=3.0), "its time_step of 1 is told as dt"),
    "surrogate": (
        lambda: snn.Leaky(0.9, spike_grad=custom),
        "spike_grad is a function of one's own",
    ),
    "partly": (lambda: snn.Leaky(torch.tensor([1, 0.5, 1])), "has a time constant of 1.15e+18 dt"),
}


@pytest.mark.parametrize("name", EXPORTED)
def test_what_is_told_of_exports(name: str) -> None:
    make, expected = EXPORTED[name]
    assert f"    - {expected}" in told(nn.Sequential(make()), 3) or expected in told(make(), 3)


def test_nothing_is_told_of_what_nir_says() -> None:
    text = told(nn.Sequential(snn.Leaky(0.9, reset_mechanism="zero", reset_delay=False)), 3)
    assert "    - " not in text


@pytest.mark.filterwarnings("ignore:.*inhibition:UserWarning")
def test_inhibition() -> None:
    exported = export_to_nir(snn.Leaky(0.9, inhibition=True), torch.rand(1, 3))
    assert "    - inhibition: NIR lets all neurons fire" in str(snn.nir.report(exported))


@pytest.mark.parametrize(
    ("layer", "expected"),
    [
        (nn.Conv2d(2, 4, 3, groups=2), "its 2 groups are written out, zeros between them"),
        (nn.Conv2d(2, 4, (1, 3)), "its kernel has zeros around it, to be a square"),
        (nn.Conv2d(2, 4, (2, 3)), "nir.read takes the kernel for a square: pass it type_check"),
    ],
)
def test_what_is_told_of_convolutions(layer: nn.Module, expected: str) -> None:
    assert f"    - {expected}" in told(layer, 2, 6, 6)


FOREIGN: dict[str, tuple[Callable[[], Any], str]] = {
    "dt": (lambda: graph(n=lif()), "steps of 0.0001 s (assumed, as the graph says none)"),
    "reset": (lambda: graph(n=lif()), "reset to zero at once, as NIR says"),
    "r": (
        lambda: graph(n=lif(r=5.0)),
        "the input is multiplied by 0.5, which is what r and dt say",
    ),
    "r of IF": (
        lambda: graph(n=nir.IF(np.array([1, 2, 3.0]), full(1))),
        "the input is multiplied by 0.0001 to 0.0003",
    ),
    "v_leak": (lambda: graph(n=lif(v_leak=0.5)), "v_leak is a constant input"),
    "rest": (lambda: graph(n=lif(v_leak=-65, v_reset=-65)), "mem counts from v_leak"),
    "syn": (lambda: graph(n=cubalif(w_in=5.0)), "the input is multiplied by 2.5"),
    "delay": (
        lambda: graph(n=nir.Delay(np.array([0.0, 1e-4, 2.5e-4]))),
        "it takes what lies between two steps from both; NIR does not say so",
    ),
    "padding": (
        lambda: graph(
            p=nir.AvgPool2d(*(np.array([n, n]) for n in (2, 2, 1))), f=nir.Flatten(None, 0), end=4
        ),
        "count_include_pad=True is assumed, as NIR does not say",
    ),
}


@pytest.mark.parametrize("name", FOREIGN)
def test_what_is_told_of_graphs_from_elsewhere(name: str) -> None:
    make, expected = FOREIGN[name]
    made = make()
    if name == "padding":
        made.nodes["input"] = nir.Input(np.array([1, 2, 2]))
    assert expected in str(snn.nir.report(made))


def test_what_was_changed_is_told() -> None:
    exported = export_to_nir(snn.Leaky(0.9), torch.rand(1, 3))
    assert "steps of 5e-05 s (given, the graph says 0.0001)" in str(
        snn.nir.report(exported, dt=5e-5)
    )
    exported.nodes["snntorch"].v_threshold *= 2
    assert "threshold is the node's; another is noted on it" in str(snn.nir.report(exported))
    exported = export_to_nir(snn.Lapicque(R=2.0, C=3.0), torch.rand(1, 3))
    exported.nodes["snntorch"].r *= 2
    assert "R, C are the node's; others are noted on it" in str(snn.nir.report(exported))


def test_a_graph_that_cannot_be_imported_has_no_report() -> None:
    with pytest.raises(ValueError, match="time constants above 0"):
        snn.nir.report(graph(n=lif(tau=-1.0)))


def test_a_wrong_time_step_is_an_error_of_the_report() -> None:
    one = np.ones(2, np.float32)
    graph = nir.NIRGraph.from_list(nir.LIF(tau=one, r=one, v_leak=0 * one, v_threshold=one))
    with pytest.raises(ValueError, match=r"report expected `dt` above 0, but got -1"):
        snn.nir.report(graph, dt=-1)
