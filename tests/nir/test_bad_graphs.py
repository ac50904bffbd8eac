"""Graphs and files of which no net can be made."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import nir
import numpy as np
import pytest
import torch

from snntorch.import_nir import import_from_nir
from tests.nir.graphs import cubalif, full, graph, lif, linear, spoilt

NODE = "node 'n'"
REFUSED: dict[str, tuple[Callable[[], Any], str]] = {
    "dangling": (
        lambda: graph([("input", "n"), ("n", "there"), ("n", "output")], n=lif()),
        r"edges between nodes that are there, but got one with 'there'\.\nThere are: input, n",
    ),
    "double": (
        lambda: graph([("input", "n"), ("input", "n"), ("n", "output")], n=lif()),
        r"one edge between two nodes, but got \[\('input', 'n'\)\] twice",
    ),
    "no input": (
        lambda: nir.NIRGraph({"n": lif()}, [], type_check=False),
        "a graph with one Input node, but got none",
    ),
    "no output": (
        lambda: nir.NIRGraph({"input": nir.Input(np.array([3]))}, [], type_check=False),
        "a graph with an Output node, but got none",
    ),
    "loose": (
        lambda: graph([("input", "n"), ("n", "output")], n=lif(), m=lif()),
        r"between the Input and an Output, but got \['m'\] elsewhere",
    ),
    "cycle": (
        lambda: graph(
            [("input", "a"), ("a", "b"), ("b", "a"), ("b", "output")], a=linear(), b=linear()
        ),
        r"cycles only of one neuron .* one through a <- b <- a|b <- a <- b",
    ),
    "wide cycle": (
        lambda: graph(
            [("input", "a"), ("a", "w"), ("w", "b"), ("b", "a"), ("b", "output")],
            a=lif(),
            b=lif(),
            w=linear(),
        ),
        "cycles only of one neuron",
    ),
    "unknown": (
        lambda: graph(n=type("Other", (nir.Delay,), {})(full(1))),
        r"nodes that are known, but got Other \('n'\)\.\nKnown are Linear, .*CubaLI",
    ),
    "before its time": (
        lambda: graph(n=nir.Delay(np.array([0.0, -1e-3, 0.0]))),
        r"a delay from 0 on for each channel, .*, but got \[ 0\.    -0\.001  0\.   \]",
    ),
    "uneven delays": (
        lambda: graph(n=nir.Delay(np.array([[1.0, 2.0], [1.0, 1.0]]))),
        "a delay from 0 on for each channel, the first dimension of a sample",
    ),
    "endless delay": (
        lambda: graph(n=nir.Delay(full(1e6))),
        "at most 2147483648 values to hold back, but got 10000000000",
    ),
    "NaN of a delay": (lambda: graph(n=nir.Delay(full(np.nan))), "finite numbers as `delay`"),
    "NaN": (
        lambda: graph(n=lif(tau=np.nan)),
        rf"finite numbers as `tau` of {NODE} \(LIF\), but got nan",
    ),
    "infinite": (lambda: graph(n=lif(r=np.inf)), rf"finite numbers as `r` of {NODE}"),
    "negative": (
        lambda: graph(n=lif(tau=-1.0)),
        rf"above 0 as `tau` of {NODE} \(LIF\), but got -1",
    ),
    "short": (
        lambda: graph(n=lif(tau=5e-5)),
        rf"at least dt=0.0001 at {NODE} \(LIF\), but got 5e-05",
    ),
    "NaN weight": (lambda: graph(n=nir.Linear(full(np.nan, 3, 3))), "finite numbers as `weight`"),
    "reset": (lambda: graph(n=lif(v_reset=0.5)), rf"v_reset of 0 of {NODE} \(LIF\), but got 0.5"),
    "leak": (
        lambda: graph(n=cubalif(v_leak=0.5)),
        rf"v_leak of 0 of {NODE} \(CubaLIF\), but got 0.5",
    ),
    "neurons": (
        lambda: graph(fc=linear(4, 3), n=lif()),
        rf"an input of {NODE} \(LIF\) that fits, \(3,\), but got shape \(4,\) from fc",
    ),
    "layers": (
        lambda: graph(fc=linear(3, 4), n=lif()),
        r"an input of node 'fc' \(Linear\) that fits, but got shape \(3,\) from input",
    ),
    "sums": (
        lambda: graph(
            [("input", "a"), ("input", "b"), ("a", "n"), ("b", "n"), ("n", "output")],
            a=linear(),
            b=linear(4, 3),
            n=lif(),
        ),
        r"inputs of one shape at node 'n', but got \{'a': \(3,\), 'b': \(4,\)\}",
    ),
    "output": (
        lambda: graph(n=lif(), end=4),
        r"an output of the declared shape \(4,\), but got \(3,\)",
    ),
    "feedback": (
        lambda: graph(
            [("input", "n"), ("n", "w"), ("w", "n"), ("n", "output")], n=lif(), w=linear(4, 3)
        ),
        r"feedback of 'n' of shape \(3,\), but got \(4,\)",
    ),
    "bias": (
        lambda: graph(n=nir.Affine(full(1, 3, 3), full(1, 2))),
        r"a bias of 3 values in an Affine node, but got \(2,\)",
    ),
    "kernel": (
        lambda: graph(n=nir.Conv2d((3, 3), full(1, 4, 2, 3), 1, 0, 1, 1, full(0, 4))),
        r"a weight of 4 dimensions in Conv2d, but got \(4, 2, 3\)",
    ),
    "parameters": (
        lambda: graph(n=spoilt(tau=full(1, 2))),
        rf"`tau` of shape \(3,\), as `r`, at {NODE}",
    ),
    "stride": (
        lambda: graph(n=nir.AvgPool2d(np.array([2, 2]), np.array([0, 0]), np.array([0, 0]))),
        r"an input of node 'n' \(AvgPool2d\) that fits",
    ),
    "channels": (
        lambda: graph(n=nir.Conv1d(9, full(1, 4, 2, 3), 1, 0, 1, 3, full(0, 4)), size=3),
        "a bias for each of 4 channels, in 3 groups",
    ),
    "huge": (
        lambda: graph(n=nir.Flatten(np.array([3])), size=10**12),
        "at most 2147483648 values in a sample",
    ),
    "empty": (lambda: graph(n=lif(), size=0), r"sizes above 0 of node 'input', but got \(0,\)"),
    "no shape": (
        lambda: nir.NIRGraph(
            {"input": nir.Input({"input": None}), "output": nir.Output(np.array([3]))},
            [("input", "output")],
            type_check=False,
        ),
        "a shape of node 'input', but got None",
    ),
    "doors": (
        lambda: graph(n=nir.NIRGraph({"x": lif()}, [], type_check=False)),
        r"one Input and one Output in the graph 'n', but got \{'Input': 0, 'Output': 0\}",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_graphs_that_are_none(name: str) -> None:
    make, message = REFUSED[name]
    with pytest.raises(ValueError, match=f"(?s)^import_from_nir expected .*(?:{message})"):
        import_from_nir(make())


@pytest.mark.parametrize("name", REFUSED)
def test_files_of_them(name: str, tmp_path: Path) -> None:
    """Either nir.read says what is wrong, or the import does."""
    path, made = tmp_path / "net.nir", REFUSED[name][0]()
    if name == "no shape":  # nir itself cannot write it
        with pytest.raises(TypeError):
            nir.write(path, made)
        return
    nir.write(path, made)
    if name == "doors":  # reading adds them
        assert import_from_nir(path)(torch.ones(1, 3)).tolist() == [[0] * 3]
        return
    with pytest.raises(ValueError, match=r"^import_from_nir expected "):
        import_from_nir(path)


def test_numbers_that_are_none() -> None:
    wrong = lif()
    wrong.tau = np.array(["a", "b", "c"])
    with pytest.raises(TypeError, match="numbers as `tau` of node 'n'"):
        import_from_nir(graph(n=wrong))


def test_what_is_no_graph(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match=r"a nir\.NIRGraph, or the name of its file, but got LIF"):
        import_from_nir(lif())
    with pytest.raises(
        FileNotFoundError,
        match="name of a file, but there is no nowhere",
    ):
        import_from_nir("nowhere")
    (tmp_path / "text").write_text("no graph")
    with pytest.raises(ValueError, match=r"(?s)a file of a NIR graph, but .*text is none: OSError"):
        import_from_nir(tmp_path / "text")
    with h5py.File(tmp_path / "other", "w") as file:
        file["x"] = 1
    with pytest.raises(ValueError, match=r"(?s)other is none: KeyError.*Write it with nir\.write"):
        import_from_nir(tmp_path / "other")


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"dt": 0.0}, ValueError, "`dt` above 0, but got 0.0"),
        ({"dt": float("inf")}, ValueError, "`dt` above 0, but got inf"),
        ({"dt": "x"}, TypeError, "`dt` to be a number"),
        ({"init_hidden": 3}, TypeError, "`init_hidden` to be True or False"),
        ({"output": "yes"}, TypeError, "`output` to be True or False"),
    ],
)
def test_arguments(options: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=f"^import_from_nir expected {message}"):
        import_from_nir(graph(n=lif()), **options)
