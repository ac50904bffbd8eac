"""The path to an IPU: by PopTorch where it is importable, else by a stand-in for it."""

from __future__ import annotations

import importlib
import importlib.util
import re
import runpy
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import snntorch as snn
import snntorch.functional as SF
from snntorch import surrogate, utils
from tests import poptorch_standin
from tests.poptorch_standin import operators, trace, unknown

# A trace holds for one shape, and says so
pytestmark = pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning")

EXAMPLES = Path(__file__).parents[1] / "examples"
IS_INSTALLED = importlib.util.find_spec("poptorch") is not None


@pytest.fixture
def poptorch(monkeypatch: pytest.MonkeyPatch) -> Any:
    if not IS_INSTALLED:
        monkeypatch.setitem(sys.modules, "poptorch", poptorch_standin.module())
    return importlib.import_module("poptorch")


@pytest.fixture
def on_ipu(poptorch: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[[bool], None]:
    """Return a function that says whether a model runs on an IPU."""
    return lambda runs: monkeypatch.setattr(poptorch, "isRunningOnIpu", lambda: runs)


BATCH, PIXELS, HIDDEN, CLASSES, STEPS = 4, 9, 12, 3, 25


class Documented(nn.Module):
    """A net in the form that the documentation gives one for the IPU, with its loss inside."""

    def __init__(self, poptorch: Any, **kwargs: Any) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.poptorch = poptorch
        self.fc1, self.lif1 = nn.Linear(PIXELS, HIDDEN), snn.Leaky(0.9, 0.2, **kwargs)
        self.fc2, self.lif2 = nn.Linear(HIDDEN, CLASSES), snn.Leaky(0.9, 0.2, **kwargs)
        self.loss_fn = SF.ce_count_loss()

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Any:
        mem1, mem2 = self.lif1.init_leaky(), self.lif2.init_leaky()
        spikes, membranes = [], []
        for _ in range(STEPS):
            spk1, mem1 = self.lif1(self.fc1(x.view(BATCH, -1)), mem1)
            spk2, mem2 = self.lif2(self.fc2(spk1), mem2)
            spikes.append(spk2)
            membranes.append(mem2)
        if not self.training:
            return torch.stack(spikes)
        loss = self.loss_fn(torch.stack(membranes), labels)
        return torch.stack(spikes), self.poptorch.identity_loss(loss, "none")


def batch() -> tuple[Tensor, Tensor]:
    torch.manual_seed(1)
    return 2 * torch.rand(BATCH, 1, 3, 3), torch.tensor([0, 2, 1, 1])


def gradients(net: Any, run: Callable[..., Any]) -> dict[str, Tensor]:
    """Return the gradients of a net's parameters after one pass of its loss."""
    net.zero_grad()
    run(*batch())[1].backward()
    return {name: p.grad.clone() for name, p in net.named_parameters()}


@pytest.mark.parametrize("spike_grad", [None, surrogate.fast_sigmoid(), surrogate.sigmoid()])
def test_the_documented_model_is_operators_of_poptorch(on_ipu: Any, spike_grad: Any) -> None:
    standin = poptorch_standin.module()  # whose identity_loss is one of torch's operators
    net = Documented(standin, spike_grad=spike_grad)
    on_ipu(True)
    traced = trace(net, *batch())
    assert unknown(traced) == []
    assert {"aten::detach", "aten::linear", "aten::cross_entropy_loss"} <= operators(traced)
    on_ipu(False)
    chosen = spike_grad or surrogate.straight_through_estimator()
    like = Documented(standin, spike_grad=chosen)
    (spk, loss), (want_spk, want_loss) = traced(*batch()), like(*batch())
    assert 0.02 < want_spk.mean() < 0.98
    assert torch.equal(spk, want_spk)
    torch.testing.assert_close(loss, want_loss)
    want = gradients(like, like)
    assert all(grad.abs().sum() > 0 for grad in want.values())
    got = gradients(net, traced)
    for name, grad in want.items():
        torch.testing.assert_close(got[name], grad, rtol=1e-4, atol=1e-5)


def slope(spike_grad: Any) -> float:
    """Return the gradient of a spike at an excess of 0.5."""
    x = torch.tensor([0.5], requires_grad=True)
    spike_grad(x).backward()
    assert x.grad is not None
    return x.grad.item()


@pytest.mark.parametrize(
    "make",
    [lambda **o: snn.Leaky(0.9, **o), lambda **o: snn.LeakyParallel(3, 3, **o)],
    ids=["Leaky", "LeakyParallel"],
)
def test_the_default_is_straight_through_on_an_ipu_only(make: Any, on_ipu: Any) -> None:
    """A net is built before it is on an IPU, and may be used after it was there."""
    default, chosen = make().spike_grad, make(spike_grad=surrogate.atan()).spike_grad
    assert default == chosen == surrogate.atan()
    elsewhere = slope(default)
    assert elsewhere == slope(chosen) < 0.5
    with surrogate.traceable():
        assert slope(default) == pytest.approx(elsewhere)
    on_ipu(True)
    assert slope(default) == 1
    assert slope(chosen) == pytest.approx(elsewhere)
    on_ipu(False)
    assert slope(default) == elsewhere


def test_an_ipu_is_a_reason_of_the_plan(on_ipu: Any) -> None:
    net = nn.Sequential(snn.Leaky(0.9, init_hidden=True))
    on_ipu(True)
    assert "step by step: an IPU takes operations of torch alone" in str(snn.plan(net))
    with pytest.raises(TypeError, match=r"StochasticSpikeOperator expected a primitive"):
        snn.Leaky(0.9, spike_grad=surrogate.SSO())(torch.ones(1))
    on_ipu(False)
    assert "step by step" not in str(snn.plan(net))


def test_a_neuron_binds_its_states_on_an_ipu_only_where_they_are_kept(on_ipu: Any) -> None:
    lif, hidden, x = snn.Leaky(0.9), snn.Leaky(0.9, init_hidden=True), torch.ones(2)
    on_ipu(True)
    before = lif.mem
    lif(x, lif.reset_mem())
    assert lif.mem is before
    hidden(x)
    assert hidden.mem.tolist() == [1, 1]
    on_ipu(False)
    lif(x, lif.reset_mem())
    assert lif.mem.tolist() == [1, 1]


def test_nobody_looks_for_poptorch(monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes seconds to import, and talks to its device."""
    looked_for = []

    class Finder:
        @staticmethod
        def find_spec(name: str, *_: Any) -> None:
            looked_for.append(name)

    monkeypatch.delitem(sys.modules, "poptorch", raising=False)
    monkeypatch.setattr(sys, "meta_path", [Finder, *sys.meta_path])
    net = nn.Sequential(snn.Leaky(0.9, init_hidden=True))
    snn.unroll(net, torch.ones(3, 2))
    snn.plan(net)
    with surrogate.traceable():
        net(torch.ones(2))
    assert "poptorch" not in looked_for
    assert importlib.util.find_spec("no_such_module") is None
    assert looked_for[-1] == "no_such_module", "negative control"


# -- the example


@pytest.fixture
def train(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Iterator[Callable[..., str]]:
    """Return a function that runs the example as a script and returns what it printed."""
    monkeypatch.syspath_prepend(EXAMPLES)
    monkeypatch.chdir(tmp_path)

    def run(*arguments: object) -> str:
        path = str(EXAMPLES / "train_ipu.py")
        monkeypatch.setattr(sys, "argv", [path, *map(str, arguments)])
        runpy.run_path(path, run_name="__main__")
        return capsys.readouterr().out

    yield run
    for name in ("idx", "quickstart"):
        sys.modules.pop(name, None)


def test_the_example_learns(poptorch: Any, train: Callable[..., str]) -> None:
    printed = train("--epochs", 2, "--hidden", 64, "--num-steps", 10, "--lr", 5e-3)
    epochs = re.findall(r"epoch (\d): loss ([\d.]+), right ([\d.]+) %\n", printed)
    assert [number for number, _, _ in epochs] == ["1", "2"]
    assert float(epochs[1][1]) < float(epochs[0][1])
    tested = re.search(r"test accuracy: ([\d.]+) % of 360 held-out digits\n$", printed)
    assert tested is not None
    assert float(tested[1]) > 60  # chance is a tenth


def test_the_example_says_how_to_get_poptorch(
    train: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "poptorch", None)  # as if it were not there
    message = (
        r"needs PopTorch.*\n.*`pip install poptorch-\*\.whl`.*`python examples/quickstart\.py`"
    )
    with pytest.raises(SystemExit, match=message):
        train()


# -- the stand-in itself


class Hidden(Documented):
    """States that neurons keep are buffers bound anew."""

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Any:
        for lif in (self.lif1, self.lif2):
            lif.init_hidden = lif.output = True
        utils.reset(self)
        spk, mem = self.lif2(self.fc2(self.lif1(self.fc1(x.view(BATCH, -1)))[0]))
        return spk, mem.sum()


class Unknown(Documented):
    """Operators of others."""

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Any:
        spk, loss = super().forward(x, labels)
        return spk, loss.nan_to_num()


@pytest.mark.parametrize(
    ("cls", "message"),
    [(Hidden, r"bound anew.*lif1\.mem"), (Unknown, r"no operators.*aten::nan_to_num")],
)
def test_the_stand_in_refuses(
    cls: type[Documented], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    standin = poptorch_standin.module()
    monkeypatch.setitem(sys.modules, "poptorch", standin)
    for one, refused in ((Documented, False), (cls, True)):
        net = one(standin)
        optimizer = standin.optim.Adam(net.parameters())
        model = standin.trainingModel(net, standin.Options(), optimizer)
        if refused:
            with pytest.raises(RuntimeError, match=message):
                model(*batch())
        else:
            assert torch.isfinite(model(*batch())[1])
        assert not standin.isRunningOnIpu()
