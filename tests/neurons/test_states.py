"""States: buffers of a net that belong to a batch, from step to step, copy and transform."""

from __future__ import annotations

import copy
import importlib
import io
import pickle
import shutil
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap

import snntorch as snn
from snntorch._neurons import neurons
from tests.cases import CASES, Case, flat, run

each = pytest.mark.parametrize("case", CASES, ids=str)
each_vmapped = pytest.mark.parametrize("case", [c for c in CASES if c.vmaps], ids=str)
#: Steps on scalars as snnTorch 1.0.0 runs them: what the last returns, and the gradients.
SCALARS: dict[str, tuple[Callable[[], Any], list[float], list[float]]] = {
    "Leaky": (lambda: snn.Leaky(0.5), [0.0, 0.25], [2.5607, 1.6875, 1.1526]),
    "Lapicque": (lambda: snn.Lapicque(0.5), [0.0, -0.4208], [1.3567, 1.3991, 0.7263]),
    "Synaptic": (
        lambda: snn.Synaptic(0.5, 0.4),
        [1.0, 1.25, 1.138],
        [5.5478, 4.2213, 2.8418],
    ),
    "Alpha": (
        lambda: snn.Alpha(0.6, 0.5),
        [0.0, 1.488, -1.25, 0.9048],
        [1.458, 0.8292, 0.0],
    ),
    "RLeaky": (
        lambda: snn.RLeaky(0.5, all_to_all=False, V=0.4),
        [0.0, 0.65],
        [3.2135, 1.9021, 1.4527],
    ),
    "RSynaptic": (
        lambda: snn.RSynaptic(0.5, 0.4, all_to_all=False, V=0.3),
        [1.0, 1.55, 1.438],
        [6.1071, 3.8196, 2.3456],
    ),
}


def own(neuron: Any) -> dict[str, Tensor]:
    return {name: getattr(neuron, name) for name in neuron.state_names}


def equal(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[k], other[k]) for k in one)


# --- as buffers ---------------------------------------------------------------------------------


@each
def test_states_are_buffers_that_a_step_replaces(case: Case) -> None:
    neuron, x = case.make(init_hidden=True), case.input()
    names, shape = set(neuron.state_names), tuple(neuron.state_shape(x[0]))
    buffers = dict(neuron.named_buffers())
    assert all(tuple(buffers[name].shape) == (0,) for name in names)
    neuron(x[0])
    first = own(neuron)
    values = {name: state.detach().clone() for name, state in first.items()}
    assert {n for n, b in neuron.named_buffers() if tuple(b.shape) == shape} >= names
    assert set(dict(neuron.named_buffers())) == set(buffers)
    neuron(x[1])
    for name, state in own(neuron).items():
        assert state is not first[name]
        assert torch.equal(first[name], values[name]), "not written to"
    last = own(neuron)
    neuron.reset_mem()
    assert all(state is not last[name] for name, state in own(neuron).items())
    assert not any(state.any() for state in own(neuron).values())
    assert not names & set(neuron.state_dict())


@each
@pytest.mark.parametrize("hidden", [True, False])
def test_bytes_of_states_count_as_those_of_buffers(case: Case, hidden: bool) -> None:
    """As tools do that add up a net's memory."""
    neuron, x = case.make(init_hidden=hidden), case.input()

    def size() -> int:
        return sum(buffer.nbytes for buffer in neuron.buffers())

    before = size()
    neuron(x[0])
    one = torch.zeros(neuron.state_shape(x[0])).nbytes
    assert size() - before == one * len(neuron.state_names)


# --- carried over from another batch ------------------------------------------------------------


@each
def test_a_carried_state_of_another_batch_starts_from_zeros_and_is_told_once(case: Case) -> None:
    neuron, x = case.make(), case.input()
    carried = flat(neuron(x[0]))
    carried = carried[len(carried) - len(neuron.state_names) :]
    small = x[1][:-1]
    want = flat(case.make()(small))
    with pytest.warns(UserWarning, match=r"starts from zeros.* = neuron\.reset_mem\(\)`") as told:
        got = flat(neuron(small, *carried))
    assert len(told) == 1
    assert case.cls.__name__ in str(told[0].message)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        again = flat(neuron(small, *carried))  # it was told
    assert all(torch.equal(one, other) for one, other in zip(got, want, strict=True))
    assert all(torch.equal(one, other) for one, other in zip(again, want, strict=True))
    with pytest.warns(UserWarning, match="starts from zeros"):
        case.make()(small, *carried)  # of each neuron


# --- scalars --------------------------------------------------------------------------------------


def one_by_one(neuron: Any, x: Tensor, states: list[Tensor]) -> list[Tensor]:
    rows = []
    for step in x:
        rows.append(neuron(step, *states))
        states = rows[-1][len(rows[-1]) - len(states) :]
    return [torch.stack(row) for row in zip(*rows, strict=True)]


@pytest.mark.parametrize("how", ["loop", "torch", "unroll"])
@pytest.mark.parametrize("name", SCALARS)
def test_a_scalar_step_from_a_state_of_one_element(
    name: str, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    make, last, gradients = SCALARS[name]
    neuron, x = make(), torch.tensor([0.8, 1.5, 0.3], requires_grad=True)
    states = [torch.zeros(1) for _ in neuron.state_names]
    if how == "torch":
        monkeypatch.setattr(neurons, "fused_step", lambda *_: None)
    rows = neuron.unroll(x, *states) if how == "unroll" else one_by_one(neuron, x, states)
    assert all(row.shape == (3,) for row in rows)
    assert neuron(x.detach()[0], *states)[0].shape == ()
    assert [row[-1].item() for row in rows] == pytest.approx(last, abs=1e-4)
    sum(row.sum() for row in rows).backward()
    assert x.grad is not None
    assert x.grad.tolist() == pytest.approx(gradients, abs=1e-4)


# --- without a quantizer ------------------------------------------------------------------------


@each
def test_no_state_quant_is_none_or_false(case: Case) -> None:
    x = case.input()
    plain = run(case.make(), x)
    for nothing in (None, False):
        neuron = case.make(state_quant=nothing)
        assert all(torch.equal(a, b) for a, b in zip(run(neuron, x), plain, strict=True))
        assert "state_quant" not in str(snn.plan(nn.Sequential(neuron)))
    assert "state_quant" in str(snn.plan(nn.Sequential(case.make(state_quant=torch.round))))


# --- copies and files -----------------------------------------------------------------------------


def saved(module: nn.Module) -> Any:
    file = io.BytesIO()
    torch.save(module, file)
    file.seek(0)
    return torch.load(file, weights_only=False)


def pickled(module: nn.Module) -> Any:
    return pickle.loads(pickle.dumps(module))


@each
@pytest.mark.parametrize("way", [pickled, saved])
@pytest.mark.parametrize("asked", [True, False])
def test_a_net_in_a_file_starts_anew_unless_asked(
    case: Case, asked: bool, way: Callable[[Any], Any]
) -> None:
    net, x = nn.Sequential(nn.Identity(), case.make(init_hidden=True)), case.input()
    net[1].pickle_states = asked
    net(x[0].requires_grad_()).sum().backward()
    kept = own(net[1])
    read = way(net)
    assert read[1].pickle_states is asked
    if asked:
        assert equal(own(read[1]), kept)
    else:
        assert all(state.shape == (0,) for state in own(read[1]).values())
    assert not any(state.requires_grad for state in own(read[1]).values())
    like = net if asked else nn.Sequential(nn.Identity(), case.make(init_hidden=True))
    assert torch.equal(read(x[1]), like(x[1]))


def test_a_file_does_not_grow_with_the_batch() -> None:
    net = nn.Sequential(snn.Leaky(0.9, init_hidden=True), snn.Synaptic(0.8, 0.9, init_hidden=True))
    sizes = []
    for batch in (1, 1000):
        net(torch.rand(batch, 50))
        sizes.append(len(pickle.dumps(net)))
    assert sizes[0] == sizes[1] < 20_000


# --- torch.func -----------------------------------------------------------------------------------


@each
def test_a_functional_call_takes_parameters_and_buffers(case: Case) -> None:
    neuron, x = case.make(init_hidden=True, output=True), case.input()
    neuron(x[0])
    left = {name: state.detach().clone() for name, state in own(neuron).items()}
    with torch.no_grad():
        want = flat(copy.deepcopy(neuron)(x[1]))
    other = case.make(init_hidden=True, output=True)
    other(x[2])
    mine = {name: state.detach().clone() for name, state in own(other).items()}
    given = {**dict(neuron.named_parameters()), **dict(neuron.named_buffers())}
    got = flat(functional_call(other, given, (x[1],)))
    assert all(torch.equal(one, two) for one, two in zip(got, want, strict=True))
    assert equal(own(other), mine), "its own states are put back"
    assert equal(own(neuron), left), "and those given are not written to"


@each_vmapped
@pytest.mark.parametrize("trained", [False, True], ids=["fresh", "after a step"])
def test_an_ensemble_by_stacked_states(case: Case, trained: bool) -> None:
    nets = []
    x = case.input()
    for seed in range(3):
        torch.manual_seed(seed)
        net = nn.Sequential(nn.Identity(), case.cls(**case.kwargs, init_hidden=True))
        with torch.no_grad():
            for parameter in net.parameters():
                parameter.add_(0.1 * seed)
        if trained:
            net(x[seed]).sum()
            net[1].detach_mem()
        nets.append(net)
    parameters, buffers = stack_module_state(nets)
    base = copy.deepcopy(nets[0])

    def call(parameters: Any, buffers: Any, x: Tensor) -> Tensor:
        return functional_call(base, (parameters, buffers), (x,))

    got = vmap(call, in_dims=(0, 0, None))(parameters, buffers, x[4])
    for one, net in zip(got, nets, strict=True):
        torch.testing.assert_close(one, net(x[4]))


# --- where others import from ---------------------------------------------------------------------


NEURONS = [
    name
    for name in snn.__all__
    if isinstance(cls := getattr(snn, name), type) and issubclass(cls, snn.SpikingNeuron)
]


@pytest.mark.parametrize("name", [*NEURONS, "LeakyParallel"])
def test_every_neuron_is_in_the_module_of_1_0_0(name: str) -> None:
    module = importlib.import_module("snntorch._neurons")
    assert getattr(module, name) is getattr(snn, name)
    assert name in module.__all__


def test_the_files_alone_are_enough_to_import(tmp_path: Path) -> None:
    """Without installed metadata, as in a vendored or frozen copy; with its own version."""
    source = Path(snn.__file__).parent
    shutil.copytree(source, tmp_path / "snntorch", ignore=shutil.ignore_patterns("__pycache__"))
    init = tmp_path / "snntorch" / "__init__.py"
    init.write_text(init.read_text().replace(snn.__version__, "7.8.9"))
    code = (
        "import importlib.metadata as m\n"
        "def none(*_): raise m.PackageNotFoundError\n"
        "m.distribution = m.version = m.metadata = none\n"
        "import snntorch; print(snntorch.__version__, snntorch.__file__)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["7.8.9", str(init)]
