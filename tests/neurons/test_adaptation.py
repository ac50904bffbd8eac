"""Thresholds that rise with spikes: `enable_homeostasis` of every neuron, and ALIF."""

from __future__ import annotations

import copy
import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import snntorch as snn
from snntorch import surrogate, utils
from snntorch.export_nir import export_to_nir
from tests.cases import CASES, Case, by_mechanism, flat, options

#: Every neuron that gets a threshold that adapts, rather than having one.
PLAIN = tuple(case for case in CASES if case.cls is not snn.ALIF and not case.extra.get("max_pool"))
#: Values at which the neurons of the tests fire, and then less often.
VALUES: dict[str, Any] = {"increment": 0.25, "tau": 5.0}


def adapting(case: Case, **options: Any) -> Any:
    """Return a neuron whose threshold adapts."""
    increment = VALUES["increment"] * max(1, case.scale / 2)  # in the unit of its membrane
    return case.make(**options).enable_homeostasis(**VALUES | {"increment": increment})


def by_hand(
    inputs: list[float], mechanism: str, delay: bool, rho: float, increment: float, most: float
) -> list[tuple[float, float]]:
    """Return spikes and adaptations of a Leaky neuron, beta 0.9, step by step on numbers."""
    u = a = 0.0
    out, crossed, level = [], False, 1.0  # level: the threshold that was crossed
    for t, x in enumerate(inputs):
        if t:
            a = min(rho * a + increment * crossed, most)
        bar = 1.0 + a
        before = (crossed if delay else u > bar, level if delay else bar)
        if mechanism == "zero":
            u = 0.9 * (0.0 if before[0] else u) + x
        else:
            u = 0.9 * u + x
            if mechanism != "none" and before[0]:
                u -= (0.9 if mechanism == "soft" else 1.0) * before[1]
        crossed, level = u > bar, bar
        if not delay and mechanism != "none":
            times = crossed - before[0]
            u -= times * (u if mechanism == "zero" else bar * (0.9 if mechanism == "soft" else 1))
        out.append((float(crossed), a))
    return out


@pytest.mark.parametrize("most", [math.inf, 0.6])
@by_mechanism(tuple(case for case in CASES if case.cls is snn.Leaky))
def test_the_threshold_is_raised_by_each_spike(
    case: Case, mechanism: str, delay: bool, most: float
) -> None:
    x = 1.5 * torch.rand(60, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    expected = by_hand(x.tolist(), mechanism, delay, math.exp(-1 / 5), 0.25, most)
    neuron = snn.Leaky(torch.tensor(0.9, dtype=torch.float64), **options(mechanism, delay))
    neuron = neuron.double()
    neuron.enable_homeostasis(increment=0.25, tau=5.0, max_adapt=None if most == math.inf else most)
    spk, adapt = neuron.unroll(x[:, None, None], record=("spk", "adapt"))
    before = adapt.flatten() if delay else torch.cat((torch.zeros(1), adapt.flatten()[:-1]))
    found = torch.tensor(expected, dtype=torch.float64)
    assert 5 < spk.sum() < 60
    assert torch.equal(spk.flatten(), found[:, 0])
    torch.testing.assert_close(before.double(), found[:, 1], atol=1e-6, rtol=1e-6)


def test_alif_is_a_leaky_neuron_that_adapts() -> None:
    x = torch.randn(40, 4, 3, generator=torch.Generator().manual_seed(0))
    alif = snn.ALIF(0.9, rho=math.exp(-1 / 5), increment=0.25)
    spk, adapt, mem = alif.unroll(x)
    leaky = snn.Leaky(0.9).enable_homeostasis(**VALUES)
    other = leaky.unroll(x, record=("spk", "mem", "adapt"))
    assert spk.sum() > 10
    assert all(torch.equal(one, two) for one, two in zip((spk, mem, adapt), other, strict=True))


@by_mechanism(PLAIN)
def test_without_increment_nothing_changes(case: Case, mechanism: str, delay: bool) -> None:
    plain = case.make(**options(mechanism, delay))
    still = case.make(**options(mechanism, delay)).enable_homeostasis(increment=0.0)
    x = case.input()
    for one, two in zip(flat(plain.unroll(x)), flat(still.unroll(x)), strict=True):
        torch.testing.assert_close(one, two)
    assert plain.unroll(x, record="spk").sum() > 0


@by_mechanism(PLAIN)
def test_steps_are_a_sequence(case: Case, mechanism: str, delay: bool) -> None:
    neuron = adapting(case, **options(mechanism, delay))
    x, states = case.input().requires_grad_(), case.states(neuron)
    rows = []
    for step in x:
        out = flat(neuron(step, *states))
        rows.append(out[0])
        states = tuple(out[-len(states) :])
    loop = torch.stack(rows)
    found = neuron.unroll(x, record="spk")
    assert loop.sum() > 0
    assert torch.equal(loop, found)
    one, two = (torch.autograd.grad(spk.sum(), x, retain_graph=True)[0] for spk in (loop, found))
    torch.testing.assert_close(one, two)
    assert adapting(case).unroll(x, record="spk").sum() < case.make().unroll(x, record="spk").sum()


@pytest.mark.parametrize("case", PLAIN, ids=str)
def test_a_fused_loop_is_the_loop(case: Case) -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.neuron = adapting(case, init_hidden=True)

        def forward(self, x: Tensor) -> Tensor:
            utils.reset(self)
            return torch.stack([self.neuron(step) for step in x])

    net = Net()
    x = case.input()
    loop, left = net(x), net.neuron.adapt
    fused = snn.fuse(copy.deepcopy(net))
    assert torch.equal(fused(x), loop)
    assert torch.equal(fused.neuron.adapt, left)
    how = "step by step" if [*fused.neuron.children()] else "over all time"
    assert how in str(snn.plan(fused, x))


def test_adaptation_is_a_state() -> None:
    lif = snn.Leaky(0.5).enable_homeostasis(increment=1.0)
    _, mem = lif(torch.full((2, 3), 2.0), lif.reset_mem())
    lif(torch.full((2, 3), 2.0), mem)  # states as before: adapt stays on the neuron
    assert lif.adapt.tolist() == [[1.0] * 3] * 2
    assert copy.deepcopy(lif).adapt.tolist() == lif.adapt.tolist()
    assert "adapt" not in lif.state_dict()
    assert {"adapt_decay", "adapt_increment", "max_adapt"} <= lif.state_dict().keys()
    utils.reset(lif)
    assert not lif.adapt.any()


def test_gradients_go_through_the_threshold() -> None:
    """The surrogate of a spike is felt where nothing but the threshold remembers it."""
    x = torch.tensor([[1.5], [0.0], [0.0]], requires_grad=True)
    alif = snn.ALIF(0.0, rho=0.9, increment=0.5, reset_mechanism="none")
    _, adapt, _ = alif.unroll(x[:, None])
    (grad,) = torch.autograd.grad(adapt[2].sum(), x)
    # a[1] = 0.5 H(x[0] - 1) and a[2] = 0.9 a[1] + 0.5 H(x[1] - 1 - a[1])
    first, second = surrogate.atan().derivative(torch.tensor([0.5, -1.5])).tolist()
    expected = [0.5 * first * (0.9 - 0.5 * second), 0.5 * second, 0.0]
    torch.testing.assert_close(grad.flatten(), torch.tensor(expected))


def test_winners_alone_are_raised() -> None:
    with pytest.warns(UserWarning, match="dense layers"):
        lif = snn.Leaky(0.5, inhibition=True).enable_homeostasis(increment=1.0)
    lif.unroll(torch.tensor([[[3.0, 2.0]], [[0.0, 0.0]]]))
    assert lif.adapt.tolist() == [[1.0, 0.0]]


@pytest.mark.parametrize(
    ("neuron", "values", "error", "message"),
    [
        (snn.Leaky(0.9), {"tau": 0.0}, ValueError, r"`tau` > 0 steps.*0.0.*tau=20"),
        (snn.Leaky(0.9), {"increment": None}, TypeError, r"`adapt_increment` to be a number"),
        (snn.ALIF(0.9), {}, ValueError, r"one that adapts by itself"),
        (snn.LinearLeaky(0.9, 2, 2), {}, ValueError, r"whole sequence at once.*snn.Leaky"),
        (snn.SConv2dLSTM(1, 1, 3, max_pool=2), {}, ValueError, r"spikes are pooled"),
    ],
)
def test_what_cannot_adapt_says_so(
    neuron: Any, values: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=f"(?s){message}"):
        neuron.enable_homeostasis(**values)


def test_nir_has_no_such_neuron() -> None:
    net = nn.Sequential(nn.Linear(2, 2), snn.Leaky(0.9, init_hidden=True).enable_homeostasis())
    with pytest.raises(ValueError, match="adapts"):
        export_to_nir(net, torch.zeros(1, 2))
