"""Decay rates at the ends of their range, where they meet, and where learning leads them."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import snntorch as snn

#: Rates inside, at and beyond the ends of (0, 1).
RATES = (-3.0, -1e-3, 0.0, 1e-40, 1e-30, 1e-9, 1e-3, 0.2, 0.5, 0.9, 1 - 6e-8, 1.0, 1 + 1e-6, 1.7)
INPUT = torch.rand((25, 2, 1), generator=torch.Generator().manual_seed(3)) - 0.2


def looped(neuron: Any, x: Tensor) -> Tensor:
    """Return the last state of every step, by a loop over time."""
    states = neuron.reset_mem()
    states = states if isinstance(states, tuple) else (states,)
    mems = []
    for step in x:
        _, *states = neuron(step, *states)
        mems.append(states[-1])
    return torch.stack(mems)


def unrolled(neuron: Any, x: Tensor) -> Tensor:
    """Return the same from one call."""
    neuron.reset_mem()
    return neuron.unroll(x)[-1]


each_way = pytest.mark.parametrize("way", (looped, unrolled))
each_reset = pytest.mark.parametrize("reset", ("subtract", "zero", "none"))
Way = Callable[[Any, Tensor], Tensor]


def expect_finite(neuron: nn.Module, mem: Tensor, x: Tensor) -> None:
    """Check numbers and gradients: a bound of 1e6 tells what is about to overflow."""
    assert mem.isfinite().all()
    assert mem.abs().max() < 1e6
    neuron.zero_grad()
    x.grad = None
    mem.sum().backward()
    for name, value in (("input", x), *neuron.named_parameters()):
        assert value.grad is None or value.grad.isfinite().all(), name


# --- Lapicque ---------------------------------------------------------------------------

CIRCUITS: tuple[dict[str, float], ...] = ({}, {"R": 2.0}, {"C": 0.5})


@pytest.mark.parametrize("circuit", CIRCUITS, ids=str)
@each_way
@each_reset
def test_a_learned_lapicque_is_finite_everywhere(
    circuit: dict[str, float], way: Way, reset: str
) -> None:
    x = INPUT.expand(-1, -1, len(RATES)).clone().requires_grad_()
    neuron = snn.Lapicque(
        torch.full((len(RATES),), 0.5), learn_beta=True, reset_mechanism=reset, **circuit
    )
    neuron.beta.data.copy_(torch.tensor(RATES))
    expect_finite(neuron, way(neuron, x), x)


@each_way
def test_a_learned_decay_of_one_integrates(way: Way) -> None:
    """The limit of the equation: nothing leaks, each step adds dt/C times its input."""
    x = INPUT.clone()
    neuron = snn.Lapicque(0.5, C=0.25, time_step=0.5, learn_beta=True, reset_mechanism="none")
    neuron.beta.data.fill_(1.3)
    torch.testing.assert_close(way(neuron, x), 2 * x.cumsum(0))
    near = snn.Lapicque(1 - 1e-6, C=0.25, time_step=0.5, reset_mechanism="none")
    torch.testing.assert_close(way(near, x), 2 * x.cumsum(0), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("beta", (1, 1.0, 2.5, [1.0, 1.1, 7.0]))
@each_way
def test_a_constant_decay_of_one_keeps_what_is_there(beta: Any, way: Way) -> None:
    """As 1.0.0 does at 1: the capacitance is infinite, so that no input is seen."""
    for R in (False, 5.0):
        neuron = snn.Lapicque(beta, R=R)
        assert neuron.C.isinf().all()
        assert not way(neuron, INPUT.expand(-1, -1, 3)).any()
        _, mem = neuron(torch.ones(1, 3), torch.full((1, 3), 0.75))
        assert (mem == 0.75).all()


REFUSED: tuple[tuple[dict[str, Any], str], ...] = (
    ({"beta": 0.0}, r"`beta` above 0, but got 0\.0"),
    ({"beta": -0.25, "R": 2.0}, r"`beta` above 0, but got -0\.25"),
    ({"beta": math.nan, "C": 2.0}, "`beta` above 0, but got nan"),
    ({"beta": [0.5, 0.0, 0.9]}, r"`beta` above 0, but got \[0\.5, 0\.0, 0\.9\]"),
    ({"beta": 0.0, "learn_beta": True}, "`beta` above 0"),
    ({"beta": 1.0, "C": 2.0}, r"`beta` below 1 beside `C`, but got 1\.0\..*give R and C"),
    ({"beta": [0.5, 1.5], "C": 2.0, "learn_beta": True}, "`beta` below 1 beside `C`"),
    ({"beta": 0.5, "R": 0.0}, r"`R` above 0, but got 0\.0"),
    ({"R": 2.0, "C": -1.0}, r"`C` above 0, but got -1\.0"),
    ({"R": [1.0, 0.0], "C": 1.0}, "`R` above 0"),
    ({"beta": 0.5, "time_step": 0}, "`time_step` above 0, but got 0"),
    ({"R": 1.0, "C": 1.0, "time_step": -1e-3}, r"`time_step` above 0, but got -0\.001"),
)


@pytest.mark.parametrize("kwargs, message", REFUSED, ids=str)
def test_lapicque_refuses(kwargs: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=f"(?s)^Lapicque expected {message}"):
        snn.Lapicque(**kwargs)


def test_lapicque_on_meta() -> None:
    with torch.device("meta"):
        assert snn.Lapicque(0.9, C=2.0).R.is_meta
        assert snn.Lapicque(R=3.0, C=2.0).beta.is_meta


#: Membranes of 1.0.0 for the inputs 1, 0.5, 0, 0, without a spike.
RELEASED_LAPICQUE: tuple[tuple[dict[str, Any], tuple[float, ...]], ...] = (
    (
        {"beta": 0.9},
        (0.10536056011915207, 0.14693999290466309, 0.1314583122730255, 0.11760778725147247),
    ),
    (
        {"beta": 0.37, "R": 5.0},
        (4.971261501312256, 2.514204263687134, 0.01445098128169775, 8.306041854666546e-05),
    ),
    (
        {"beta": 0.1, "C": 2.0},
        (0.4999999701976776, -0.40129250288009644, 0.5227176547050476, -0.6808842420578003),
    ),
    (
        {"R": 5.1, "C": 0.5, "time_step": 0.5},
        (1.0, 1.3039215803146362, 1.048250675201416, 0.842711329460144),
    ),
    (
        {"R": 1.0, "C": 0.3},
        (3.3333332538604736, -6.111110687255859, 14.259257316589355, -33.27159881591797),
    ),
)


@pytest.mark.parametrize("kwargs, want", RELEASED_LAPICQUE, ids=str)
def test_lapicque_inside_is_that_of_1_0_0(kwargs: dict[str, Any], want: tuple[float, ...]) -> None:
    x = torch.tensor([1.0, 0.5, 0.0, 0.0]).view(4, 1)
    assert tuple(looped(snn.Lapicque(**kwargs, threshold=1e9), x).flatten().tolist()) == want


@pytest.mark.parametrize("start, goal", ((1.6, 0.8), (-0.7, 0.3), (0.05, 0.3), (0.9, 0.3)))
def test_a_learned_lapicque_comes_back(start: float, goal: float) -> None:
    x = INPUT.expand(-1, -1, 2)
    want = unrolled(snn.Lapicque(goal, R=3.0, reset_mechanism="none"), x)
    neuron = snn.Lapicque([0.9, 0.9], R=3.0, learn_beta=True, reset_mechanism="none")
    neuron.beta.data.copy_(torch.tensor([start, 0.95]))
    optimizer = torch.optim.Adam(neuron.parameters(), 0.02)
    for _ in range(500):
        optimizer.zero_grad()
        (unrolled(neuron, x) - want).square().mean().backward()
        optimizer.step()
    torch.testing.assert_close(neuron.beta.data, torch.full((2,), goal), rtol=0, atol=0.06)


@pytest.mark.parametrize("start, sign", ((1.2, -1.0), (0.05, 1.0)))
def test_what_leads_further_out_is_not_learned(start: float, sign: float) -> None:
    """More input stays the less leaks: outside, one direction has a gradient, not the other."""
    neuron = snn.Lapicque(0.5, C=1.0, learn_beta=True, reset_mechanism="none")
    neuron.beta.data.fill_(start)
    x = torch.ones(6, 1, 1) if start > 1 else torch.tensor([1.0, 0, 0]).view(3, 1, 1)
    inward, outward = (
        torch.autograd.grad(s * unrolled(neuron, x).sum(), neuron.beta)[0]
        for s in ((1.0, -1.0) if start > 1 else (-1.0, 1.0))
    )
    found = sorted((inward.item(), outward.item()), key=abs)
    assert found[0] == 0
    assert found[1] * sign < 0, "descent leads back"


def test_constants_of_lapicque_written_later() -> None:
    """R, C and the time step are used as they are; beta tells what they came from."""
    x = torch.ones(1, 1)
    for kwargs in ({"beta": 0.9}, {"beta": 0.9, "R": 5.0}, {"beta": 0.9, "C": 2.0}):
        for name, value in (("R", 3.0), ("C", 7.0), ("time_step", 0.5), ("beta", 0.4)):
            neuron = snn.Lapicque(**kwargs, threshold=1e9)
            getattr(neuron, name).fill_(value)
            R, C, dt = (getattr(neuron, n).double() for n in ("R", "C", "time_step"))
            want = dt / C + (1 - dt / (R * C)) * 0.5
            _, mem = neuron(x, torch.full((1, 1), 0.5))
            torch.testing.assert_close(mem.double(), want.expand(1, 1), rtol=1e-6, atol=0)


# --- Alpha ------------------------------------------------------------------------------

PAIRS = tuple((a, b) for a in RATES for b in RATES)


@each_way
@each_reset
def test_a_learned_alpha_is_finite_everywhere(way: Way, reset: str) -> None:
    x = INPUT.expand(-1, -1, len(PAIRS)).clone().requires_grad_()
    neuron = snn.Alpha(
        torch.full((len(PAIRS),), 0.9), 0.8, learn_alpha=True, learn_beta=False,
        reset_mechanism=reset,
    )  # fmt: skip
    neuron.beta = torch.tensor([b for _, b in PAIRS])
    neuron.alpha.data.copy_(torch.tensor([a for a, _ in PAIRS]))
    expect_finite(neuron, way(neuron, x), x)


@each_way
@each_reset
@pytest.mark.parametrize("dtype", (torch.float32, torch.float64))
def test_both_rates_of_alpha_learned(way: Way, reset: str, dtype: torch.dtype) -> None:
    x = INPUT.expand(-1, -1, len(PAIRS)).to(dtype).clone().requires_grad_()
    rates = torch.full((len(PAIRS),), 0.9, dtype=dtype)
    neuron = snn.Alpha(
        rates, rates - 0.1, learn_alpha=True, learn_beta=True, reset_mechanism=reset
    ).to(dtype)
    neuron.alpha.data.copy_(torch.tensor([a for a, _ in PAIRS]))
    neuron.beta.data.copy_(torch.tensor([b for _, b in PAIRS]))
    expect_finite(neuron, way(neuron, x), x)
    size = neuron.tau_alpha().detach().abs()
    assert size.min() >= 0.99e-4
    assert size.max() <= 1.01e4


@pytest.mark.parametrize("low, high", ((0.3, 0.95), (0.8, 0.9), (0.98, 0.99)))
def test_alpha_peaks_as_high_as_its_excitatory_current_then_is(low: float, high: float) -> None:
    neuron = snn.Alpha(high, low, threshold=1e9).double()
    peak = math.log(math.log(low) / math.log(high)) / math.log(high / low)  # between two steps
    x = torch.zeros(math.ceil(peak) + 1, 1, dtype=torch.float64)
    x[0] = 1
    tau = neuron.tau_alpha().item()
    assert tau * (high**peak - low**peak) == pytest.approx(high**peak, rel=1e-6)
    assert unrolled(neuron, x)[-2:].max().item() == pytest.approx(high**peak, rel=1e-2)


@pytest.mark.parametrize("low, high", ((0.4, 0.7), (0.7, 0.4), (0.05, 0.95), (0.899, 0.9)))
def test_alpha_between_the_guards_is_its_equation(low: float, high: float) -> None:
    """On either side of equal rates, in float64."""
    neuron = snn.Alpha(0.9, 0.8, learn_alpha=True, learn_beta=True, reset_mechanism="none").double()
    neuron.alpha.data.fill_(high)
    neuron.beta.data.fill_(low)
    x = torch.zeros(12, 1, 1, dtype=torch.float64)
    x[0] = 1
    tau = math.log(low) / (math.log(low) - math.log(high))
    want = [tau * (high**k - low**k) for k in range(12)]
    assert min(want) >= 0
    torch.testing.assert_close(looped(neuron, x).flatten(), torch.tensor(want).double())


@each_way
def test_equal_rates_leave_the_membrane_at_zero(way: Way) -> None:
    for rate in (0.0, 0.3, 0.9, 1.0, 4.0):
        neuron = snn.Alpha(0.9, 0.8, learn_alpha=True, learn_beta=True)
        neuron.alpha.data.fill_(rate)
        neuron.beta.data.fill_(rate)
        assert not way(neuron, INPUT).any()


#: Membranes of 1.0.0 after a single spike, ends included.
RELEASED_ALPHA = (
    (0.9, 0.8, [0.0, 0.18945303559303284, 0.32207009196281433, 0.41111302375793457]),
    (0.9, 0.8999, [0.0, 0.0949159562587738, 0.17081476747989655, 0.23058295249938965]),
    (1.0, 0.5, [0.0, 0.5, 0.75, 0.875]),
    (1.5, 0.5, [0.0, 0.5, 0.75, 0.875]),
    (0.5, 0.0, [0.0, 0.5, 0.25, 0.125]),
    (0.5, -0.5, [0.0, 0.5, 0.25, 0.125]),
    (1.0, 0.99999, [0.0, 1.0013580322265625e-05, 2.002716064453125e-05, 3.0040740966796875e-05]),
)


@pytest.mark.parametrize("alpha, beta, want", RELEASED_ALPHA)
@pytest.mark.parametrize("learn", (False, True))
def test_alpha_is_that_of_1_0_0(alpha: float, beta: float, want: list[float], learn: bool) -> None:
    x = torch.tensor([1.0, 0, 0, 0]).view(4, 1)
    neuron = snn.Alpha(alpha, beta, threshold=1e9, learn_alpha=learn, learn_beta=learn)
    assert looped(neuron, x).flatten().tolist() == want


@pytest.mark.parametrize(
    "alpha, beta, message",
    (
        (1.2, 1.1, "`alpha` larger than `beta`, within 0 to 1, but got alpha=1.2 and beta=1.1"),
        (0.0, -0.5, "`alpha` larger than `beta`"),
        (0.5, 0.5, "`alpha` larger than `beta`"),
        (0.4, 0.5, "`alpha` larger than `beta`"),
        (math.nan, 0.5, "`alpha` larger than `beta`"),
        ([0.9, -0.1], [0.5, -0.2], "`alpha` larger than `beta`"),
        (1.5, 1.0, "`beta` other than 1"),
    ),
)
def test_alpha_refuses(alpha: Any, beta: Any, message: str) -> None:
    with pytest.raises(ValueError, match=f"^Alpha expected {message}"):
        snn.Alpha(alpha, beta)


@pytest.mark.parametrize("start", ((0.7, 0.7), (0.6, 0.75), (0.75, 0.74999)))
def test_alpha_goes_on_learning_where_the_rates_met(start: tuple[float, float]) -> None:
    x = INPUT.clone()
    want = unrolled(snn.Alpha(0.9, 0.4, reset_mechanism="none"), x)
    neuron = snn.Alpha(0.9, 0.8, learn_alpha=True, learn_beta=True, reset_mechanism="none")
    neuron.alpha.data.fill_(start[0])
    neuron.beta.data.fill_(start[1])
    optimizer = torch.optim.Adam(neuron.parameters(), 0.01)
    losses = []
    for _ in range(500):
        optimizer.zero_grad()
        loss = (unrolled(neuron, x) - want).square().mean()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert all(map(math.isfinite, losses))
    assert losses[-1] < 0.5 * losses[0]


# --- sequence neurons -------------------------------------------------------------------


@pytest.mark.parametrize("start", (0.6, 0.0, -2.0))
@pytest.mark.parametrize("taps", (None, 5))
def test_a_learned_tau_comes_back(start: float, taps: int | None) -> None:
    kwargs: dict[str, Any] = {"channels": 2, "output": False, "kernel_truncation_steps": taps}
    x = INPUT.expand(-1, -1, 2)
    want = snn.StateLeaky(0.75, **kwargs)(x)
    neuron = snn.StateLeaky([0.5, 0.5], learn_beta=True, **kwargs)
    neuron.tau.data.copy_(torch.tensor([start, 6.0]))
    optimizer = torch.optim.Adam(neuron.parameters(), 0.1)
    for _ in range(300):
        optimizer.zero_grad()
        (neuron(x) - want).square().mean().backward()
        assert neuron.tau.grad.isfinite().all()
        optimizer.step()
    torch.testing.assert_close(neuron.tau.data, torch.full((2,), 4.0), rtol=0, atol=0.1)


@pytest.mark.parametrize("start", (1.4, -0.5))
def test_a_learned_recurrent_weight_comes_back(start: float) -> None:
    def membrane(beta: float, **kwargs: Any) -> snn.LeakyParallel:
        neuron = snn.LeakyParallel(
            1, 2, beta=beta, bias=False, threshold=0.0, spike_grad=lambda x: 1 * x, **kwargs
        )
        neuron.rnn.weight_ih_l0.data.fill_(1)
        return neuron

    x = INPUT + 0.2
    want = membrane(0.7)(x).detach()
    neuron = membrane(start, learn_beta=True)
    optimizer = torch.optim.Adam([neuron.rnn.weight_hh_l0], 0.02)
    for _ in range(300):
        optimizer.zero_grad()
        (neuron(x) - want).square().mean().backward()
        optimizer.step()
    rates = neuron.rnn.weight_hh_l0.detach().diagonal()
    torch.testing.assert_close(rates, torch.full((2,), 0.7), rtol=0, atol=0.02)
