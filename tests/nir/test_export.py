"""What can be exported, however it is written, and what is refused."""

from __future__ import annotations

import builtins
import copy
import sys
from collections.abc import Callable
from typing import Any

import nir
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import snntorch as snn
import snntorch.export
from snntorch.export_nir import export_to_nir
from snntorch.functional import quant
from tests.nir.nets import NETS, Residual, hidden

X = torch.rand(2, 4)


def kinds(graph: Any) -> list[str]:
    return [type(node).__name__ for node in graph.nodes.values()]


def net(*layers: nn.Module) -> nn.Sequential:
    return nn.Sequential(nn.Linear(4, 3), *layers)


class Stepped(nn.Module):
    """A net with explicit states that runs the function given."""

    def __init__(self, step: Callable[..., Any], lif: nn.Module | None = None) -> None:
        super().__init__()
        self.fc1, self.fc2, self.lif = nn.Linear(4, 4), nn.Linear(4, 4), lif or snn.Leaky(0.9)
        self.step = step

    def forward(self, *args: Any) -> Any:
        return self.step(self, *args)


def test_the_equation() -> None:
    beta = torch.tensor([0.9, 0.5, 0.0])
    graph = export_to_nir(net(hidden(snn.Leaky, beta, threshold=2.0)), X, dt=1e-3)
    assert kinds(graph) == ["Input", "Affine", "LIF", "Output"]
    lif = graph.nodes["1"]
    np.testing.assert_allclose(lif.tau, [1e-2, 2e-3, 1e-3], rtol=1e-6)
    np.testing.assert_allclose(lif.r, [10, 2, 1], rtol=1e-6)
    assert lif.v_threshold.tolist() == [2, 2, 2]
    assert not lif.v_leak.any()
    assert not lif.v_reset.any()
    assert lif.tau.dtype == np.float32


def test_an_rc_circuit_is_exported_as_it_is() -> None:
    graph = export_to_nir(nn.Sequential(snn.Lapicque(R=5.0, C=2e-3, time_step=1e-4)), X)
    np.testing.assert_allclose(graph.nodes["0"].tau, 1e-2, rtol=1e-6)
    np.testing.assert_allclose(graph.nodes["0"].r, 5, rtol=1e-6)


@pytest.mark.parametrize(
    ("neuron", "kind"),
    [
        (lambda: snn.Leaky(1.0), ["IF"]),
        (lambda: snn.Leaky(0.9, reset_mechanism="none"), ["LI", "Threshold"]),
        (lambda: snn.Leaky(1.0, reset_mechanism="none"), ["I", "Threshold"]),
        (lambda: snn.Synaptic(0.5, 0.9), ["CubaLIF"]),
        (lambda: snn.Synaptic(0.5, 0.9, reset_mechanism="none"), ["CubaLI", "Threshold"]),
        (lambda: snn.Leaky(0.9, graded_spikes_factor=2.0), ["LIF", "Scale"]),
        (lambda: snn.RLeaky(0.9, linear_features=3), ["NIRGraph"]),
    ],
)
def test_kinds_of_neurons(neuron: Callable[[], nn.Module], kind: list[str]) -> None:
    assert kinds(export_to_nir(net(neuron()), X)) == ["Input", "Affine", *kind, "Output"]


@pytest.mark.parametrize("init_hidden", [False, True])
@pytest.mark.parametrize("output", [False, True])
def test_hidden_and_explicit_states(init_hidden: bool, output: bool) -> None:
    lif = snn.Leaky(0.9, init_hidden=init_hidden, output=output)
    assert kinds(export_to_nir(net(lif), X)) == ["Input", "Affine", "LIF", "Output"]


def test_states_that_are_passed() -> None:
    def step(self: Any, x: Tensor, mem: Tensor) -> Any:
        spk, mem = self.lif(self.fc1(x), mem)
        return self.fc2(spk), mem

    graph = export_to_nir(Stepped(step), X, model_fwd_args=[torch.zeros(2, 4)])
    assert [*graph.edges] == [("input", "fc1"), ("fc1", "lif"), ("lif", "fc2"), ("fc2", "output")]


def test_membranes_of_neurons_without_reset() -> None:
    lif = snn.Leaky(0.9, reset_mechanism="none")
    for step in (lambda self, x: self.lif(self.fc1(x))[1], lambda self, x: self.lif(x)[1]):
        assert "LI" in kinds(export_to_nir(Stepped(step, lif), X))
        assert "Threshold" not in kinds(export_to_nir(Stepped(step, lif), X))
    silent = snn.Leaky(0.9, threshold=float("inf"))
    graph = export_to_nir(Stepped(lambda self, x: self.lif(self.fc1(x)), silent), X)
    assert kinds(graph) == ["Input", "Affine", "LI", "Output"]
    graph = export_to_nir(Stepped(lambda self, x: self.fc2(torch.add(*self.lif(x))), lif), X)
    assert {*graph.edges} >= {("lif", "fc2"), ("lif.spikes", "fc2"), ("lif", "lif.spikes")}


def test_branches_and_sums() -> None:
    graph = export_to_nir(Residual(), torch.rand(2, 12))
    assert {a for a, b in graph.edges if b == "out"} == {"lif2", "lif3", "lif1"}
    assert {a for a, b in graph.edges if b == "lif2"} == {"left", "lif1"}


def test_functions_that_flatten() -> None:
    def step(self: Any, x: Tensor) -> Any:
        return self.lif(self.fc1(x.view(x.size(0), -1)))

    graph = export_to_nir(Stepped(step), torch.rand(2, 1, 2, 2))
    assert kinds(graph)[1:3] == ["Flatten", "Affine"]
    assert graph.nodes["flatten"].start_dim == 0


def test_functions_that_change_nothing() -> None:
    def step(self: Any, x: Tensor) -> Any:
        mem = torch.zeros_like(x)
        return self.lif(self.fc1(x.float().contiguous().view(2, 4)), mem)

    assert kinds(export_to_nir(Stepped(step), X)) == ["Input", "Affine", "LIF", "Output"]


def test_half_precision() -> None:
    graph = export_to_nir(nn.Linear(4, 2).bfloat16(), X.bfloat16())
    assert graph.nodes["snntorch"].weight.dtype == np.float32


def test_another_layer_of_feedback() -> None:
    neuron = snn.RLeaky(0.9, linear_features=4)
    neuron.recurrent = nn.Sequential(nn.Linear(4, 4))
    with pytest.raises(ValueError, match=r"or nn\.Conv2d as `snntorch\.recurrent`, but got Sequ"):
        export_to_nir(neuron, X)


def test_several_outputs() -> None:
    def step(self: Any, x: Tensor) -> Any:
        spk, _ = self.lif(self.fc1(x))
        return self.fc2(spk), spk

    graph = export_to_nir(Stepped(step), X)
    assert ("lif", "output_1") in graph.edges


def test_what_does_not_matter_is_named() -> None:
    def step(self: Any, x: Tensor) -> Any:
        self.fc2(x)
        return self.lif(self.fc1(x))

    told = export_to_nir(Stepped(step), X).metadata["snntorch"]["left_out"]
    assert told == "fc2 (nothing that is returned needs it)"
    graph = export_to_nir(net(nn.Dropout(0.5), nn.Identity(), hidden(snn.Leaky, 0.9)), X)
    assert graph.metadata["snntorch"]["left_out"] == "1 (Dropout)"


def test_one_layer_has_the_name_of_the_model() -> None:
    assert [*export_to_nir(nn.Linear(4, 2), X, "mine").nodes] == ["input", "mine", "output"]


@pytest.mark.parametrize("name", NETS)
def test_the_net_is_left_alone(name: str) -> None:
    make, shape = NETS[name]
    mine = make().train()
    mine(torch.rand(3, *shape))
    before = [(name, value.clone()) for name, value in mine.named_buffers()]
    state, random = copy.deepcopy(mine.state_dict()), torch.get_rng_state()
    graphs = [export_to_nir(mine, torch.ones(2, *shape)) for _ in range(2)]
    assert torch.equal(random, torch.get_rng_state())
    assert graphs[0].edges == graphs[1].edges
    assert mine.training
    assert all(torch.equal(a, b) for (_, a), b in zip(before, mine.buffers(), strict=True))
    assert all(torch.equal(value, state[key]) for key, value in mine.state_dict().items())
    assert not any(module._forward_hooks for module in mine.modules())


def test_a_fused_net() -> None:
    assert len(export_to_nir(snn.fuse(Residual()), torch.rand(2, 12)).nodes) == 10


@pytest.mark.parametrize(
    ("sample", "ignore", "shape"),
    [
        (torch.rand(4), [], [4]),
        (torch.rand(2, 4), [], [4]),
        (torch.rand(2, 4), [0], [4]),
        (torch.rand(7, 2, 4), [0, 1], [4]),
        (torch.rand(7, 2, 4), [-2, 0], [4]),
    ],
)
def test_what_belongs_to_the_batch(sample: Tensor, ignore: list[int], shape: list[int]) -> None:
    graph = export_to_nir(net(snn.Leaky(0.9)), sample, ignore_dims=ignore)
    assert graph.nodes["input"].input_type["input"].tolist() == shape
    assert graph.nodes["1"].tau.shape == (3,)


def test_what_says_nothing_of_the_batch() -> None:
    for sample, shape in ((torch.rand(3), (3,)), (torch.rand(2, 3), (3,))):
        assert export_to_nir(snn.Leaky(0.9), sample).nodes["snntorch"].tau.shape == shape


def test_the_older_name() -> None:
    assert snntorch.export.export_to_nir is export_to_nir


def loop(self: Any, x: Tensor) -> Any:
    mem = self.lif.init_leaky()
    for _ in range(3):
        spk, mem = self.lif(self.fc1(x), mem)
    return spk


def quantized() -> nn.Module:
    return snn.Leaky(0.9, state_quant=quant.state_quant(num_bits=4))


def graded() -> nn.Module:
    neuron = snn.RLeaky(0.9, linear_features=3)
    neuron.graded_spikes_factor = torch.tensor(2.0)
    return neuron


REFUSED: dict[str, tuple[Callable[[], nn.Module], str]] = {
    "BatchNorm": (
        lambda: net(nn.BatchNorm1d(3)),
        r"layers that NIR knows \(Linear, .*RSynaptic\), but got BatchNorm1d \(`1`\)\.\nFold it",
    ),
    "window": (
        lambda: nn.Sequential(snn.SynapticDelay(3, kernel="gaussian")),
        r"a delay that is no window, but got 'gaussian'\.\nNarrow the window",
    ),
    "delays of weights": (
        lambda: nn.Sequential(snn.SynapticDelay(3, synapses=nn.Linear(4, 2))),
        r"a delay for each channel, .*, but got one per weight\.\nDelay channels instead",
    ),
    "one delay at two places": (
        lambda: nn.Sequential(late := snn.SynapticDelay(3), late),
        r"`0` to be run once per call, but got a loop",
    ),
    "Alpha": (lambda: net(snn.Alpha(0.9, 0.8)), r"but got Alpha \(`1`\)\.\nReplace it"),
    "subclass": (lambda: net(type("Mine", (snn.Leaky,), {})(0.9)), r"but got Mine \(`1`\)"),
    "nested": (lambda: net(nn.Sequential(nn.ReLU())), r"but got ReLU \(`1.0`\)\.\nUse a neuron"),
    "loop": (lambda: Stepped(loop), r"`lif` to be run once per call, but got a loop\.\nGive it a"),
    "loop over the input": (
        lambda: Stepped(lambda self, x: [self.lif(step) for step in x]),
        r"`__iter__|unbind`\.\nGive it a net that takes one time step",
    ),
    "function": (
        lambda: Stepped(lambda self, x: F.relu(self.fc1(x))),
        r"sums of their outputs, but got `relu` of an output\.\nUse a module",
    ),
    "constant": (
        lambda: Stepped(lambda self, x: self.fc1(x) + 1),
        r"but got one with a constant\.\nOnly outputs",
    ),
    "constants": (
        lambda: Stepped(lambda self, x: self.fc1(x) + torch.ones(2, 4)),
        r"but got one with a constant\.\nOnly outputs",
    ),
    "twice": (
        lambda: Stepped(lambda self, x: self.fc2(x + x)),
        r"a sum of different outputs, but got one that has \['input'\] twice",
    ),
    "shapes": (
        lambda: Stepped(lambda self, x: self.fc2(x) + self.fc1(x[..., :1])),
        r"but got `__getitem__`\.\nGive it a net",
    ),
    "nothing": (
        lambda: Stepped(lambda self, x: torch.ones(2)),
        r"a net that returns what its layers made, but got another",
    ),
    "elsewhere": (
        lambda: Stepped(lambda self, x: self.fc1(torch.ones(2, 4))),
        r"an input of `fc1` that can be followed, but got another",
    ),
    "reshape": (
        lambda: Stepped(lambda self, x: self.fc1(x).view(4, 2)),
        r"a reshape that flattens the last dimensions, but got one from \(2, 4\) to \(4, 2\)",
    ),
    "flat batch": (
        lambda: net(nn.Flatten(0)),
        r"`1` to leave the batch alone, but got start_dim=0",
    ),
    "membrane": (
        lambda: Stepped(lambda self, x: self.fc2(self.lif(x)[1])),
        r"the spikes of `lif` to go on, but got its membrane\.\nNIR tells the membrane of",
    ),
    "synaptic current": (
        lambda: Stepped(lambda self, x: self.fc2(self.lif(x)[1]), snn.Synaptic(0.9, 0.8)),
        r"the spikes of `lif` to go on, but got its synaptic current",
    ),
    "states": (
        lambda: Stepped(lambda self, x: self.lif(x, self.fc1(x))),
        r"states of `lif` from outside, but got some that a layer made",
    ),
    "state_quant": (lambda: net(quantized()), r"`1` without `state_quant`.*\nSet neuron"),
    "graded feedback": (lambda: net(graded()), r"`1` with spikes of size 1 to feed back"),
    "expanded": (
        lambda: net(snn.Leaky(torch.rand(2, 1, 3))),
        r"an input of `1` of the shape of its neurons|shape",
    ),
    "no sample": (
        lambda: nn.Sequential(nn.Linear(4, 4), nn.Conv1d(2, 1, 1)),
        r"2 dimensions for Conv1d \(`1`\), but got \(4,\) behind 1 of the batch",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_nir_cannot_say_is_refused(name: str) -> None:
    make, message = REFUSED[name]
    with pytest.raises(ValueError, match=rf"(?s)^export_to_nir expected .*{message}"):
        export_to_nir(make(), X)


IMAGES: dict[str, tuple[Callable[[], nn.Module], str]] = {
    "ceil_mode": (lambda: nn.AvgPool2d(2, ceil_mode=True), "pooling with ceil_mode=False"),
    "divisor": (lambda: nn.AvgPool2d(2, divisor_override=3), "without divisor_override, but got 3"),
    "norm": (lambda: nn.LPPool2d(2, 2), "norm_type=1, a sum, but got 2"),
    "reflecting": (
        lambda: nn.Conv2d(2, 2, 3, padding=1, padding_mode="reflect"),
        "a convolution padded with zeros, but got 'reflect'",
    ),
    "unflattened": (lambda: nn.Sequential(nn.AvgPool2d(2), nn.Linear(2, 2)), "Put nn.Flatten"),
    "MaxPool": (lambda: nn.MaxPool2d(2), r"MaxPool2d \(`snntorch`\)\.\nUse nn\.AvgPool2d"),
}


@pytest.mark.parametrize("name", IMAGES)
def test_of_images(name: str) -> None:
    make, message = IMAGES[name]
    with pytest.raises(ValueError, match=rf"(?s)^export_to_nir expected .*{message}"):
        export_to_nir(make(), torch.rand(1, 2, 5, 5))


@pytest.mark.parametrize(
    ("args", "options", "error", "message"),
    [
        (("net", X), {}, TypeError, "`module` to be a torch.nn.Module, but got str"),
        ((nn.Linear(4, 2), [1.0]), {}, TypeError, "`sample_data` to be a torch.Tensor"),
        ((nn.Linear(4, 2), X), {"dt": 0}, ValueError, "`dt` above 0, but got 0"),
        ((nn.Linear(4, 2), X), {"dt": float("nan")}, ValueError, "`dt` above 0, but got nan"),
        ((nn.Linear(4, 2), X), {"dt": "1"}, TypeError, "`dt` to be a number"),
        ((nn.Linear(4, 2), X), {"ignore_dims": 1}, TypeError, "`ignore_dims` to be a list of ints"),
        ((nn.Linear(4, 2), X), {"model_fwd_args": 1}, TypeError, "`model_fwd_args` to be a list"),
        ((nn.Linear(4, 2), X), {"ignore_dims": [1]}, ValueError, r"the first dimensions as"),
    ],
)
def test_arguments(args: Any, options: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=f"^export_to_nir expected .*{message}"):
        export_to_nir(*args, **options)


@pytest.mark.parametrize("function", ["export", "import", "report"])
def test_without_the_package(function: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from snntorch.import_nir import import_from_nir  # noqa: PLC0415

    monkeypatch.setitem(sys.modules, "nir", None)
    calls = {
        "export": lambda: export_to_nir(nn.Linear(4, 2), X),
        "import": lambda: import_from_nir("file"),
        "report": lambda: snn.nir.report("file"),
    }
    with pytest.raises(ImportError, match=r"(?s)expected the package `nir`.*'snntorch\[nir\]'"):
        calls[function]()


def test_no_deprecated_call_and_no_nirtorch(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tests make warnings errors; and nothing but nir is imported."""
    seen: list[str] = []
    load = builtins.__import__

    def spy(name: str, *args: Any, **kwargs: Any) -> Any:
        seen.append(name)
        return load(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", spy)
    monkeypatch.delitem(sys.modules, "nirtorch", raising=False)
    assert nir.version
    export_to_nir(nn.Linear(4, 2), X)
    assert not any(name.startswith("nirtorch") for name in seen)
