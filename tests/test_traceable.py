"""Surrogates and neurons where others differentiate: by operators that PopTorch knows."""

from __future__ import annotations

import asyncio
import contextlib
import copy
import threading
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

import snntorch as snn
import snntorch.functional as SF
from snntorch import surrogate, utils
from tests.cases import CASES, SURROGATES, Case, flat
from tests.neurons import test_sequence
from tests.poptorch_standin import operators, trace, unknown

# A trace holds for one shape, and says so
pytestmark = pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning")

#: Those that are the derivative of no function.
WITHOUT = {"SSO": "drawn at random", "custom_surrogate": "a function of yours"}
FORMULAS = {name: one for name, one in SURROGATES.items() if name not in WITHOUT}
each = pytest.mark.parametrize("spike_grad", FORMULAS.values(), ids=FORMULAS)
#: Both sides of every kink, the kinks, and where exponentials overflow.
X = torch.cat(
    [
        torch.linspace(-3, 3, 241, dtype=torch.float64),
        torch.tensor([0.0, 1.0, 1e-9, -1e-9, 1 - 1e-9, 1 + 1e-9, 40, -40, 1e3, -1e3, 1e30, -1e30]),
        torch.tensor([one.values[-1] for one in FORMULAS.values() if one.values]),
    ]
)


def fired(spike_grad: Callable[[Tensor], Tensor], x: Tensor) -> tuple[Tensor, Tensor]:
    """Return spikes and their gradient."""
    x = x.clone().requires_grad_()
    spk = spike_grad(x)
    spk.sum().backward()
    assert x.grad is not None
    return spk.detach(), x.grad


# -- surrogates


@each
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16])
def test_spikes_and_gradients_are_those_of_the_autograd_function(
    spike_grad: surrogate.SurrogateGradient, dtype: torch.dtype
) -> None:
    x = X.to(dtype)
    x = x[x.isfinite()]
    spk, grad = fired(spike_grad, x)
    with surrogate.traceable():
        got_spk, got_grad = fired(spike_grad, x)
    assert torch.equal(got_spk, spk), "bit for bit, whatever the size of the primitive"
    assert got_spk.dtype == dtype
    assert grad.abs().sum() > 0
    ulp = torch.finfo(dtype).eps
    torch.testing.assert_close(got_grad, grad, rtol=16 * ulp, atol=4 * torch.finfo(dtype).tiny)


@each
def test_what_is_differentiated_is_the_primitive(spike_grad: surrogate.SurrogateGradient) -> None:
    """Its growth is the integral of the surrogate: by midpoints of a fine grid, across kinks."""
    edges = torch.linspace(-3, 3, 120_001, dtype=torch.float64)
    middle, width = (edges[1:] + edges[:-1]) / 2, 6 / 120_000
    area = (spike_grad.derivative(middle) * width).cumsum(0)
    s = spike_grad.function.primitive(edges, *spike_grad.values)
    assert area.abs().max() > 1e-3
    torch.testing.assert_close(s[1:] - s[0], area, rtol=0, atol=2e-4 * float(area.abs().max()))


@each
def test_defaults_fill_in(spike_grad: surrogate.SurrogateGradient) -> None:
    with surrogate.traceable():
        want = fired(getattr(surrogate, spike_grad.name)(), X)
        got = fired(spike_grad.function.apply, X)
    assert all(map(torch.equal, got, want))


@each
def test_an_infinite_excess_spoils_nothing(spike_grad: surrogate.SurrogateGradient) -> None:
    """An infinite threshold is that of a neuron which only integrates."""
    with surrogate.traceable():
        spk, grad = fired(spike_grad, torch.tensor([torch.inf, -torch.inf, torch.nan, 1.0, -1.0]))
    assert spk.tolist() == [1, 0, 0, 1, 0]
    assert grad.isfinite().all()


@pytest.mark.parametrize(
    "make", [surrogate.fast_sigmoid, surrogate.spike_rate_escape, surrogate.SFS, surrogate.sigmoid]
)
@pytest.mark.parametrize("per_neuron", [False, True])
def test_a_steepness_of_zero_is_flat(make: Any, per_neuron: bool) -> None:
    function, *others = make().function, *make().values[1:]
    zero = torch.zeros(len(X), dtype=X.dtype) if per_neuron else 0
    _, want = fired(lambda x: function.apply(x, zero, *others), X)
    with surrogate.traceable():
        _, got = fired(lambda x: function.apply(x, zero, *others), X)
    assert torch.equal(got, want)


@each
def test_a_traced_surrogate_is_operators_of_poptorch(
    spike_grad: surrogate.SurrogateGradient,
) -> None:
    x = X.float().requires_grad_()
    with surrogate.traceable():
        traced = trace(spike_grad.__call__, x)
    assert unknown(traced) == []
    assert "aten::detach" in operators(traced)
    for got, want in zip(fired(traced, x.detach()), fired(spike_grad, x.detach()), strict=True):
        torch.testing.assert_close(got, want, rtol=1e-5, atol=1e-30)


@pytest.mark.parametrize("name", WITHOUT)
def test_no_primitive_says_so(name: str) -> None:
    message = rf"{SURROGATES[name].function.__name__} expected a primitive.*{WITHOUT[name]}"
    with surrogate.traceable(), pytest.raises(TypeError, match=rf"{message}\.\nUse another"):
        SURROGATES[name](X)
    assert SURROGATES[name](X).sum() > 0


class Window(surrogate.SurrogateFunction):
    """As a user writes one: first without, then with a primitive, and with spikes of its own."""

    @staticmethod
    def gradient(x: Tensor, grad: Tensor) -> Tensor:
        return grad * (x.abs() < 1)


class WindowOfTwo(Window):
    primitive = staticmethod(lambda x: x.clamp(-1, 1))

    @staticmethod
    def forward(*arguments: Any) -> Tensor:
        return 2 * surrogate.spikes(arguments[0])


def test_a_class_of_ones_own() -> None:
    with surrogate.traceable(), pytest.raises(TypeError, match=r"Window .* its class has none"):
        Window.apply(X)
    with surrogate.traceable():
        spk, grad = fired(WindowOfTwo.apply, X)
    assert torch.equal(spk, 2 * surrogate.spikes(X))
    inside = X.abs() < 1
    assert torch.equal(grad[inside], torch.ones_like(grad[inside]))
    assert not grad[X.abs() > 1].any()


# -- where it counts


def is_on() -> bool:
    """Return whether `traceable` counts: a surrogate of a user's own tells by its error."""
    try:
        Window.apply(torch.ones(1))
    except TypeError:
        return True
    return False


def test_it_nests_ends_with_an_exception_and_decorates() -> None:
    assert not is_on()
    with surrogate.traceable():
        with contextlib.suppress(ValueError), surrogate.traceable():
            raise ValueError
        assert is_on()
    assert not is_on()
    assert surrogate.traceable()(is_on)()
    assert not is_on()


def test_it_counts_for_its_own_thread_and_task() -> None:
    seen = []
    with surrogate.traceable():
        thread = threading.Thread(target=lambda: seen.append(is_on()))
        thread.start()
        thread.join()
    assert seen == [False]

    async def inside(entered: asyncio.Event, left: asyncio.Event) -> bool:
        with surrogate.traceable():
            entered.set()
            await left.wait()
            return is_on()

    async def both() -> tuple[bool, bool]:
        entered, left = asyncio.Event(), asyncio.Event()
        task = asyncio.create_task(inside(entered, left))
        await entered.wait()
        beside = is_on()
        left.set()
        return await task, beside

    assert asyncio.run(both()) == (True, False)


# -- neurons

STEPS = 4


class Loop(nn.Module):
    """A neuron with its time loop, from fresh states or from those it keeps."""

    def __init__(self, case: Case, **kwargs: Any) -> None:
        super().__init__()
        self.case = case
        self.neuron = case.make(**kwargs)

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        neuron, rows = self.neuron, []
        if neuron.init_hidden:
            utils.reset(neuron)
            return torch.stack([flat(neuron(step))[0] for step in x]), *neuron._own_states()
        states = self.case.states(neuron)
        for step in x:
            out = flat(neuron(step, *states))
            states = tuple(out[-len(states) :])
            rows.append(out[0])
        return torch.stack(rows), *states


def variants() -> list[Any]:
    """Return a loop for each reset of each neuron, plain, learned and with hidden states."""
    found = []
    for case in CASES:
        for mechanism in case.resets:
            ways: dict[str, dict[str, Any]] = {
                "plain": {},
                "learned": {**dict.fromkeys(case.learn, True), "spike_grad": surrogate.atan()},
                "hidden": {"init_hidden": True},
            }
            if case.reset_delay:
                ways["at once"] = {"reset_delay": False}
            for way, kwargs in ways.items():
                options = {"reset_mechanism": mechanism, case.threshold: 0.1, **kwargs}
                found.append(pytest.param(case, options, id=f"{case}-{mechanism}-{way}"))
    return found


@pytest.mark.parametrize(("case", "options"), variants())
def test_a_neuron_is_operators_of_poptorch_with_its_numbers(
    case: Case, options: dict[str, Any]
) -> None:
    loop, x = Loop(case, **options), case.input(STEPS)
    with surrogate.traceable():
        traced = trace(copy.deepcopy(loop), x)
    assert unknown(traced) == []
    other = case.input(2 * STEPS)[STEPS:]
    want, got = loop(other), traced(other)
    assert 0 < want[0].count_nonzero() < want[0].numel()
    assert torch.equal(got[0], want[0])
    for one, two in zip(got, want, strict=True):
        torch.testing.assert_close(one, two, rtol=1e-6, atol=1e-6)
    weight = torch.linspace(-1, 1, want[0].numel()).reshape(want[0].shape)
    grads = []
    for net in (loop, traced):
        leaf = other.clone().requires_grad_()
        (net(leaf)[0] * weight).sum().backward()
        grads.append(leaf.grad)
    assert grads[0].abs().sum() > 0
    torch.testing.assert_close(grads[1], grads[0], rtol=1e-4, atol=1e-5)


def test_what_poptorch_does_not_know_is_found() -> None:
    """Negative control: without being asked, neurons and surrogates are traced as others may."""
    found = {str(case): unknown(trace(Loop(case), case.input(STEPS))) for case in CASES}
    assert "aten::sigmoid_" in found["SLSTM"]
    assert "aten::nan_to_num" in found["Alpha"]
    assert unknown(trace(_Twice.apply, torch.ones(2))) == ["prim::PythonOp"]


class _Twice(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return 2 * x


@pytest.mark.parametrize("alpha", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("beta", [0.0, 0.2, 0.5, 1.0])
def test_the_factor_of_alpha_wherever_a_checkpoint_puts_its_rates(
    alpha: float, beta: float
) -> None:
    neuron = snn.Alpha(0.9, 0.8)
    neuron.alpha.fill_(alpha)
    neuron.beta.fill_(beta)
    with surrogate.traceable():
        got = neuron.tau_alpha()
    assert torch.equal(got, neuron.tau_alpha())
    assert got.isfinite()


@pytest.mark.parametrize("case", test_sequence.CASES, ids=str)
def test_neurons_of_whole_sequences(case: Any) -> None:
    neuron, x = case.make(), case.input()
    with surrogate.traceable():
        traced = trace(copy.deepcopy(neuron), x)
    assert unknown(traced) == []
    for got, want in zip(flat(traced(x)), flat(neuron(x)), strict=True):
        torch.testing.assert_close(got, want, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    "options",
    [
        {"inhibition": True},
        {"state_quant": SF.quant.state_quant(4)},
        {"state_quant": SF.quant.state_quant(3, uniform=False)},
        {"threshold": torch.inf},
        {"surrogate_disable": True},
        {"beta": torch.tensor([0.9, 0.5, 0.0])},
        {"graded_spikes_factor": torch.tensor([1.0, 2.0, 3.0])},
    ],
    ids=lambda options: next(iter(options)),
)
@pytest.mark.filterwarnings("ignore:Leaky. inhibition is meant")
def test_options_of_a_neuron(options: dict[str, Any]) -> None:
    loop, x = Loop(Case(snn.Leaky), **options), Case(snn.Leaky).input(STEPS)
    with surrogate.traceable():
        traced = trace(copy.deepcopy(loop), x)
    assert unknown(traced) == []
    for got, want in zip(traced(x), loop(x), strict=True):
        torch.testing.assert_close(got, want, rtol=1e-6, atol=1e-6)


class Blind(TorchDispatchMode):
    """Raises where Python asks for a number in a tensor, as a device that runs later has none.

    Or for a size that depends on one.
    """

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        by_mask = func is torch.ops.aten.index.Tensor and any(
            one is not None and one.dtype == torch.bool for one in args[1]
        )
        if by_mask or func is torch.ops.aten._local_scalar_dense.default:
            raise AssertionError("a number was read")
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("case", CASES, ids=str)
def test_no_number_is_read(case: Case) -> None:
    loop, x = Loop(case, **dict.fromkeys(case.learn, True)), case.input(STEPS)
    with surrogate.traceable(), Blind():
        loop(x)
    with Blind(), pytest.raises(AssertionError, match="a number was read"):
        bool(x.sum() > 0)
    with Blind(), pytest.raises(AssertionError, match="a number was read"):
        x[x > 0]


@pytest.mark.parametrize("name", ["count", "rate", "temporal", "max_membrane"])
def test_cross_entropies_within_a_traced_model(name: str) -> None:
    loss = getattr(SF, f"ce_{name}_loss")()
    record, labels = torch.rand(STEPS, 3, 5, requires_grad=True), torch.tensor([0, 4, 2])

    def model(x: Tensor, y: Tensor) -> Tensor:
        return loss(surrogate.atan()(x - 0.5), y)

    with surrogate.traceable(), Blind():
        model(record, labels)
    with surrogate.traceable():
        traced = trace(model, record, labels)
    assert unknown(traced) == []
    torch.testing.assert_close(traced(record, labels), model(record, labels))


@pytest.mark.parametrize("case", CASES, ids=str)
def test_no_kernel_runs(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not in a step, nor over time: each would differentiate by its own formula."""
    ran: list[str] = []

    def watched(name: str, run: Callable[..., Any]) -> Callable[..., Any]:
        return lambda *args: ran.append(name) or run(*args)

    for place in ("_fused.run_step", "_unroll.run", "_unroll.run_dense"):
        path = f"snntorch._neurons.{place}"
        module, name = path.rsplit(".", 1)
        run = getattr(__import__(module, fromlist=[name]), name)
        monkeypatch.setattr(path, watched(place, run))
    neuron, x = case.make(), case.input(STEPS)
    with surrogate.traceable():
        neuron.unroll(x)
    assert ran == []
    neuron.unroll(x)
    assert bool(ran) == (neuron.recurrence(x[0]) is not None), "negative control"


def test_the_plan_says_why() -> None:
    net = nn.Sequential(nn.Linear(2, 3), snn.Leaky(0.9, init_hidden=True))
    with surrogate.traceable():
        assert "step by step: surrogate.traceable() asks for operations" in str(snn.plan(net))
    assert "step by step" not in str(snn.plan(net))


class Unrolled(nn.Module):
    """A net over time, as one module."""

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.net = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Any:
        utils.reset(self.net)
        return snn.unroll(self.net, x)


def test_a_net_unrolled_within_a_traced_model() -> None:
    torch.manual_seed(0)
    model = Unrolled(
        *(nn.Linear(4, 6), snn.Leaky(0.9, threshold=0.2, init_hidden=True)),
        *(nn.Linear(6, 3), snn.RLeaky(0.9, threshold=0.1, linear_features=3, init_hidden=True)),
    )
    x = 3 * torch.rand(STEPS, 5, 4)
    with surrogate.traceable():
        traced = trace(model, x)
    assert unknown(traced) == []
    assert torch.equal(traced(x), model(x))
    assert 0 < model(x).mean() < 1


def test_learned_rates_are_clamped_by_torch() -> None:
    """What a trace has: no gradient from beyond the bounds, which torch.clamp cuts off."""
    lif, grads = snn.Leaky(1.5, learn_beta=True), []
    for context in (contextlib.nullcontext(), surrogate.traceable()):
        lif.zero_grad()
        with context:
            lif(torch.ones(2), torch.ones(2))[1].sum().backward()
        grads.append(lif.beta.grad.item())
    assert grads == [2, 0]
