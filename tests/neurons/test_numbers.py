"""The numbers of a neuron: edited behind its back, of any dtype, infinite, learned and beyond."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import snntorch as snn
from tests.cases import CASES, Case, by_mechanism, options
from tests.unroll.test_step import by_torch
from tests.unroll.test_unroll import assert_close, gradients, loop, unrolled

INF = float("inf")
STEPS = 8
RUNS = {"step": loop, "unroll": unrolled, "torch": by_torch}
each_run = pytest.mark.parametrize("run", RUNS.values(), ids=RUNS)
each = pytest.mark.parametrize("case", CASES, ids=str)
each_mechanism = by_mechanism()
each_number = pytest.mark.parametrize(
    ("case", "name"),
    [
        pytest.param(case, n, id=f"{case}-{n}")
        for case in CASES
        for n in case.make()._parameter_names
    ],
)


def plain(tensors: list[Tensor]) -> list[Tensor]:
    return [tensor.detach() for tensor in tensors]


def per_feature(case: Case, low: float, high: float) -> Tensor:
    """Return one number for each feature or channel of a case, in a shape that expands."""
    shape = case.spk_shape or case.shape
    features = shape[1]
    return torch.linspace(low, high, features).reshape(features, *[1] * (len(shape) - 2))


# --- constants edited without a word ------------------------------------------------------


def through_fill(value: Tensor, new: Tensor) -> None:
    value.data.copy_(new)


def through_data(value: Tensor, new: Tensor) -> None:
    value.data = new.clone()


def through_array(value: Tensor, new: Tensor) -> None:
    value.detach().numpy()[...] = new.numpy()


EDITS = (through_fill, through_data, through_array)


@pytest.mark.parametrize("edit", EDITS)
@pytest.mark.parametrize("learned", [False, True])
@each_run
@each_number
def test_an_edited_number_is_used(
    case: Case, name: str, run: Any, learned: bool, edit: Callable[[Tensor, Tensor], None]
) -> None:
    flags = dict.fromkeys(case.learn, True) if learned else {}
    neuron, other = case.make(**flags), case.make(**flags)
    x = case.input(STEPS)
    with torch.no_grad():
        before = run(neuron, x)
        new = getattr(other, name).detach() * 0.7
        assigned = nn.Parameter(new.clone()) if name in other._parameters else new.clone()
        setattr(other, name, assigned)
        want = by_torch(other, x)
        edit(getattr(neuron, name), new)
        neuron.reset_mem()
        got = run(neuron, x)
    assert_close(got, want, 1e-6)
    unused = (case.cls is snn.Lapicque and name in ("beta", "R", "C", "time_step")) or (
        case.cls is snn.DeltaLeaky and name == "threshold"
    )
    # Lapicque's step is made of beta if that is learned, and of the others if not
    assert unused or any(not torch.equal(a, b) for a, b in zip(got, before, strict=True))


@pytest.mark.parametrize("edit", EDITS)
@each_run
@each
def test_a_rate_edited_beyond_its_ends_is_clamped(case: Case, run: Any, edit: Any) -> None:
    if case.cls is snn.Lapicque:  # its rate follows from other numbers
        edge = {"R": torch.tensor(5.1), "C": torch.tensor(1e9)}
        wide = {"R": torch.tensor(5.1), "C": torch.tensor(1e9)}
    else:
        edge = dict.fromkeys(case.cls.decay_names[:1], torch.tensor(1.0))
        wide = dict.fromkeys(case.cls.decay_names[:1], torch.tensor(7.0))
    found = []
    for numbers in (edge, wide):
        neuron = case.make()
        with torch.no_grad():
            run(neuron, case.input(2))
            for name, value in numbers.items():
                edit(getattr(neuron, name), value)
            neuron.reset_mem()
            found.append(run(neuron, case.input(STEPS)))
    for one, other in zip(*found, strict=True):
        assert torch.equal(one, other)
        assert one.isfinite().all()


@pytest.mark.parametrize("edit", EDITS)
@pytest.mark.parametrize("name", ["threshold", "graded_spikes_factor"])
def test_an_edit_of_a_neuron_for_whole_sequences(name: str, edit: Any) -> None:
    neuron, x = snn.StateLeaky(0.7, channels=3), 2 * torch.rand(STEPS, 4, 3)
    spk, mem = neuron(x)
    edit(getattr(neuron, name), torch.tensor(2.5))
    edited, same = neuron(x)
    assert torch.equal(same, mem)
    want = (mem > 2.5).float() if name == "threshold" else 2.5 * spk
    assert torch.equal(edited, want)
    assert not torch.equal(edited, spk)


# --- numbers of another dtype -------------------------------------------------------------


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16], ids=str)
@pytest.mark.parametrize("wide", [False, True], ids=["one", "each"])
@each_run
@each_number
def test_the_input_decides_the_dtype(
    case: Case, name: str, run: Any, wide: bool, dtype: torch.dtype
) -> None:
    neuron = case.make().to(dtype)
    value = getattr(neuron, name).detach().double()
    if wide:
        value = value * per_feature(case, 1.0, 1.0).double()
    setattr(neuron, name, nn.Parameter(value) if name in neuron._parameters else value)
    want, x = case.make().to(dtype), case.input(STEPS, dtype)
    with torch.no_grad():
        got = run(neuron, x)
        assert [tensor.dtype for tensor in got] == [dtype] * len(got)
        near = {torch.float32: 1e-5, torch.float16: 0.02, torch.bfloat16: 0.1}[dtype]
        assert_close(got[1:2], by_torch(want, x)[1:2], near)


@each_mechanism
def test_so_it_does_in_every_reset(case: Case, mechanism: str, delay: bool) -> None:
    neuron = case.make(**options(mechanism, delay))
    for name in neuron._parameter_names:
        getattr(neuron, name).data = getattr(neuron, name) * per_feature(case, 1.0, 1.0).double()
    with torch.no_grad():
        got = by_torch(neuron, case.input(STEPS))
    assert [tensor.dtype for tensor in got] == [torch.float32] * len(got)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@each_run
@each
def test_gradients_have_the_dtype_of_what_they_are_of(
    case: Case, run: Any, dtype: torch.dtype
) -> None:
    neuron = case.make(**dict.fromkeys(case.learn, True)).to(dtype)
    for name in case.learn.values():
        setattr(neuron, name, nn.Parameter(getattr(neuron, name).detach().double()))
    x = case.input(STEPS, dtype).requires_grad_()
    found = gradients(run, neuron, x, [])
    for grad, of in zip(found, [x, *neuron.parameters()], strict=True):
        assert grad is not None
        assert grad.dtype == of.dtype
        assert grad.isfinite().all()


def test_numbers_from_arrays() -> None:
    for make in (
        lambda v: snn.Leaky(v, threshold=v),
        lambda v: snn.Synaptic(v, v),
        lambda v: snn.Lapicque(R=v, C=v),
        lambda v: snn.RLeaky(v, V=v, all_to_all=False),
    ):
        for value in (torch.linspace(0.5, 0.9, 3).double(), torch.linspace(0.5, 0.9, 3).numpy()):
            for run in (loop, unrolled):
                out = run(make(value), torch.rand(STEPS, 4, 3))
                assert {tensor.dtype for tensor in out} == {torch.float32}


# --- numbers with a graph -----------------------------------------------------------------

GIVEN = [
    pytest.param(case, flag, name, id=f"{case}-{name}")
    for case in CASES
    for flag, name in case.learn.items()
]


@pytest.mark.parametrize("wide", [False, True], ids=["one", "each"])
@each_run
@pytest.mark.parametrize(("case", "flag", "name"), GIVEN)
def test_a_gradient_reaches_what_was_given(
    case: Case, flag: str, name: str, run: Any, wide: bool
) -> None:
    """As it does the parameter that the same number becomes if it is learned."""
    kwargs = dict(case.kwargs)
    if case.cls is snn.Lapicque and name == "beta":
        kwargs = {"beta": 0.7, "R": 2.0}
    value = torch.tensor(kwargs.get(name, 0.7), dtype=torch.float64)
    if wide:
        value = value * per_feature(case, 0.95, 1.0).double()
    if case.cls is snn.Lapicque:
        case = Case(snn.Lapicque, kwargs)
    x = case.input(STEPS, torch.float64)
    learning = case.make(**{name: value, flag: True}).double()
    source = value.clone().requires_grad_()
    # V is learned unless told otherwise
    given = case.make(**{name: source * 1.0, flag: False}).double()
    leaf = case.make(**{name: source, flag: False}).double()
    assert name not in {**given._parameters, **leaf._parameters}

    (want,) = grads_of(run, learning, x, getattr(learning, name))
    assert want is not None
    assert want.abs().sum() > 0
    assert_close(grads_of(run, given, x, source), [want], 1e-9)
    assert_close(grads_of(run, leaf, x, source), [want], 1e-9)


def grads_of(run: Any, neuron: Any, x: Tensor, *leaves: Tensor) -> list[Tensor | None]:
    total = sum((k + 1.5) * out.square().sum() for k, out in enumerate(run(neuron, x)))
    return list(torch.autograd.grad(total, leaves))


@pytest.mark.parametrize("name", ["R", "C", "time_step"])
@each_run
def test_a_gradient_reaches_the_circuit(name: str, run: Any) -> None:
    values = {"R": 2.0, "C": 1.5, "time_step": 0.5}
    circuit = {n: torch.tensor(v, dtype=torch.float64) for n, v in values.items()}
    circuit[name].requires_grad_()
    x = torch.rand(2, 4, 3, dtype=torch.float64)
    neuron = snn.Lapicque(**circuit, threshold=100.0)
    (got,) = torch.autograd.grad(run(neuron, x)[1][1].sum(), circuit[name])
    leak = circuit["time_step"] / (circuit["R"] * circuit["C"])
    mem = (1 - leak) * (x[0] * circuit["R"] * leak) + x[1] * circuit["R"] * leak
    (want,) = torch.autograd.grad(mem.sum(), circuit[name])
    torch.testing.assert_close(got, want)


# --- infinity -----------------------------------------------------------------------------

ZERO = tuple(case for case in CASES if "zero" in case.resets)


@pytest.mark.parametrize("delay", [True, False])
@each_run
@pytest.mark.parametrize("case", ZERO, ids=str)
def test_a_reset_to_zero_clears_infinity(case: Case, run: Any, delay: bool) -> None:
    flags = options("zero", delay) if case.reset_delay else options("zero", True)
    neuron = case.make(**flags, learn_threshold=True).double()
    x = case.input(STEPS, torch.float64).requires_grad_()
    states = [
        torch.full(neuron.state_shape(x[0]), INF if name == "mem" else 0.0, dtype=x.dtype)
        for name in neuron.state_names
    ]
    if isinstance(neuron, (snn.SLSTM, snn.SConv2dLSTM)):
        states[-1] = torch.full_like(states[-1], 1e300)  # no number of theirs is infinite
    out = run(neuron, x, *states)
    for tensor in out:
        assert tensor.isfinite().all()
    grads = torch.autograd.grad(
        sum(tensor.sum() for tensor in out), [x, *neuron.parameters()], allow_unused=True
    )
    for grad in grads:
        assert grad is None or grad.isfinite().all()


@pytest.mark.parametrize("cls", [snn.Leaky, snn.RLeaky, snn.Lapicque, snn.Synaptic])
@each_run
def test_an_overflow_passes(cls: Any, run: Any) -> None:
    """One input too large, and the membrane is back after its reset."""
    kwargs: dict[str, Any] = {
        snn.Leaky: {"beta": 0.9},
        snn.RLeaky: {"beta": 0.9, "V": 0.5, "all_to_all": False},
        snn.Lapicque: {"beta": 0.9},
        snn.Synaptic: {"alpha": 0.0, "beta": 0.9},  # whose current would go on otherwise
    }[cls]
    x = torch.zeros(4, 2, 3)
    x[0, 0, 1] = INF
    x[1] = 0.25
    neuron = cls(**kwargs, reset_mechanism="zero")
    spk = run(neuron, x)[0]
    assert spk[0].sum() == spk[0, 0, 1] == 1
    assert spk[2:].sum() == 0
    assert neuron.mem.isfinite().all()
    assert neuron.mem.max() > 0


#: Those that without a spike do no more than integrate: others run away to their peak.
INTEGRATORS = tuple(case for case in CASES if "none" in case.resets)


@pytest.mark.parametrize("wide", [False, True], ids=["one", "each"])
@each_run
@by_mechanism(INTEGRATORS)
def test_an_infinite_threshold_only_integrates(
    case: Case, mechanism: str, delay: bool, run: Any, wide: bool
) -> None:
    learn = {flag: True for flag, name in case.learn.items() if name != "threshold"}
    never = torch.full((1,), INF)
    value = never * per_feature(case, 1.0, 1.0) if wide else INF
    name = case.threshold
    neuron = case.make(**options(mechanism, delay), **learn, **{name: value}).double()
    other = case.make(**learn, **{name: 1e30}, reset_mechanism="none").double()
    x = case.input(STEPS, torch.float64).requires_grad_()
    got, want = run(neuron, x), by_torch(other, x)
    assert not got[0].any()
    assert want[-1].any()
    assert_close(plain(got), plain(want), 1e-12)
    neuron.reset_mem()
    found = gradients(run, neuron, x, [])
    other.reset_mem()
    assert all(grad is None or grad.isfinite().all() for grad in found)
    assert_close(found, gradients(by_torch, other, x, []), 1e-9)


@each_run
@pytest.mark.parametrize(
    "case", [case for case in INTEGRATORS if case.resets != ("none",)], ids=str
)
def test_some_infinite_thresholds_leave_the_others_alone(case: Case, run: Any) -> None:
    threshold = per_feature(case, 0.3, 0.3).index_fill(0, torch.tensor(0), INF)
    neuron = case.make(threshold=threshold, learn_threshold=True, reset_mechanism="subtract")
    neuron.double()
    x = case.input(STEPS, torch.float64).requires_grad_()
    out = run(neuron, x)
    assert not out[0][:, :, 0].any()
    assert out[0][:, :, 1].any()
    grads = torch.autograd.grad(sum(o.sum() for o in out), [x, *neuron.parameters()])
    assert all(grad.isfinite().all() for grad in grads)


# --- rates learned past their ends --------------------------------------------------------

#: Alpha and Lapicque have ends of their own, see test_rates.
RATES = [
    pytest.param(case, flag, name, id=f"{case}-{name}")
    for case in CASES
    for flag, name in case.learn.items()
    if name in ("alpha", "beta") and case.cls not in (snn.Alpha, snn.Lapicque)
]


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize(("inside", "beyond"), [(1.0, 1.3), (0.0, -0.4)], ids=["over", "under"])
@each_run
@pytest.mark.parametrize(("case", "flag", "name"), RATES)
def test_beyond_its_ends_only_what_leads_back_is_learned(
    case: Case, flag: str, name: str, run: Any, inside: float, beyond: float, sign: int
) -> None:
    found = []
    for value in (inside, beyond):
        rate = torch.full_like(per_feature(case, 0.0, 0.0), value)
        given = {name: rate, flag: True, case.threshold: INF}
        neuron = case.make(**given, reset_mechanism="none").double()
        # of one sign, as the gradients of the steps then are: each is a loop's own
        x = 1 + case.input(STEPS, torch.float64).abs()
        mem = run(neuron, x)[len(neuron.state_names) - ("spk" in neuron.state_names)]
        found.append(torch.autograd.grad(sign * mem.sum(), getattr(neuron, name))[0])
    edge, got = found
    # a descent step goes against the gradient
    leads_back = edge > 0 if beyond > inside else edge < 0
    assert edge.abs().min() > 0
    torch.testing.assert_close(got, torch.where(leads_back, edge, 0.0))


@pytest.mark.parametrize("start", [1.2, -0.2])
@each_run
def test_a_rate_that_was_pushed_out_comes_back(start: float, run: Any) -> None:
    """The membranes to reach are those of a neuron whose rate is 0.5."""
    x = torch.rand(STEPS, 4, 3)
    goal = loop(snn.Leaky(0.5, threshold=INF), x)[1]
    neuron = snn.Leaky(torch.full((3,), start), threshold=INF, learn_beta=True)
    optimizer = torch.optim.Adam(neuron.parameters(), 0.05)
    for _ in range(200):
        neuron.reset_mem()
        optimizer.zero_grad()
        (run(neuron, x)[1] - goal).square().mean().backward()
        optimizer.step()
    torch.testing.assert_close(neuron.beta.detach(), torch.full((3,), 0.5), rtol=0, atol=0.02)


# --- a loss that sees no spike ------------------------------------------------------------


@each_mechanism
def test_a_loss_on_the_membrane_alone(case: Case, mechanism: str, delay: bool) -> None:
    learn = {**case.learn}
    flags = dict.fromkeys(learn, True)
    name = case.threshold
    neuron = case.make(**options(mechanism, delay), **flags, **{name: per_feature(case, 0.2, 0.8)})
    neuron.double()
    x = case.input(STEPS, torch.float64).requires_grad_()
    found = []
    for run in (by_torch, loop, unrolled):
        neuron.reset_mem()
        out = run(neuron, x)
        assert out[0].mean() > 0
        leaves = [x, *neuron.parameters()]
        mem = out[len(neuron.state_names) - ("spk" in neuron.state_names)]
        loss = mem.square().sum()
        found.append(list(torch.autograd.grad(loss, leaves, allow_unused=True)))
    want, *others = found
    assert want[0] is not None
    for got in others:
        assert_close(got, want, 1e-9)


@each_run
def test_the_threshold_learns_from_what_it_took_off(run: Any) -> None:
    """Each reset took off a threshold, of which the decay has left beta to its age."""
    beta, threshold = 0.7, torch.tensor([0.3, 0.6, 0.9], dtype=torch.float64)
    neuron = snn.Leaky(beta, threshold, learn_threshold=True).double()
    x = 2 * torch.rand(STEPS, 4, 3, dtype=torch.float64)
    mem = run(neuron, x)[1]
    (got,) = torch.autograd.grad(mem[-1].sum(), neuron.threshold)
    fired = (mem[:-1] > threshold).double().sum(1)
    ages = torch.arange(STEPS - 2, -1, -1, dtype=torch.float64)
    torch.testing.assert_close(got, -(beta ** ages[:, None] * fired).sum(0))
    assert got.abs().min() > 0


@each_run
def test_a_reset_to_zero_teaches_the_threshold_nothing(run: Any) -> None:
    neuron = snn.Synaptic(
        0.5, 0.7, torch.full((3,), 0.4), learn_threshold=True, reset_mechanism="zero"
    )
    x = 2 * torch.rand(STEPS, 4, 3, requires_grad=True)
    spk, _, mem, *_ = run(neuron, x)
    assert spk.mean() > 0
    grad, _ = torch.autograd.grad(mem.sum(), [neuron.threshold, x], allow_unused=True)
    assert grad is None or not grad.any()
