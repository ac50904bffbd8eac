"""A sequence by kernel equals the loop over its steps: numbers, states and gradients."""

from __future__ import annotations

import copy
from dataclasses import replace
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import snntorch as snn
from snntorch import surrogate, utils
from snntorch._kernels import autograd, plain
from snntorch._kernels.autograd import Call
from snntorch._kernels.backends import backend
from snntorch._kernels.cpu import binding as cpu
from snntorch._kernels.problem import Parameters, Problem, Rule
from snntorch.functional import quant
from tests.cases import CASES, RANDOM, SURROGATES, Case, by_mechanism, flat, options

pytestmark = pytest.mark.filterwarnings("ignore:.*inhibition is meant:UserWarning")

STEPS = 15
#: The neurons that a kernel runs over all time: spikes come back through no layer.
KERNEL_CASES = tuple(
    case
    for case in CASES
    if case.cls.model is not None
    and not any(isinstance(part, (nn.Linear, nn.Conv2d)) for part in case.make().modules())
)
kernel_cases = pytest.mark.parametrize("case", KERNEL_CASES, ids=str)
each_mechanism = by_mechanism()
BACKENDS = [
    "plain",
    pytest.param(
        "cpu",
        marks=pytest.mark.skipif(
            cpu.available() is not None, reason=f"no kernel: {cpu.available()}"
        ),
    ),
]


class UserSurrogate(surrogate.SurrogateFunction):
    @staticmethod
    def gradient(x: Tensor, grad: Tensor) -> Tensor:
        return grad * (x.abs() < 0.5)


#: Those of the package that do not draw at random, and what else can be a `spike_grad`.
SPIKE_GRADS = {
    **{name: one for name, one in SURROGATES.items() if name not in RANDOM},
    "subclass": surrogate.SurrogateGradient("mine", UserSurrogate),
    "function": surrogate.FastSigmoid.apply,
    "any callable": lambda x: surrogate.ATan.apply(2 * x),
}


@pytest.fixture(params=BACKENDS)
def kernels(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Run a test once on each way a CPU has to run a sequence."""
    chosen = {"plain": plain, "cpu": cpu}[request.param]
    if chosen is plain:
        monkeypatch.setattr(autograd, "backend", lambda x, parameters: plain)
    else:
        one = torch.ones(1, 1)
        assert backend(one, Parameters(one, one)) is cpu
    return chosen


@pytest.fixture
def stepped_calls(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """List the single steps that were run while a test ran."""
    calls: list[Any] = []
    advance = snn.SpikingNeuron._advance

    def counted(self: Any, *args: Any) -> Any:
        calls.append(self)
        return advance(self, *args)

    monkeypatch.setattr(snn.SpikingNeuron, "_advance", counted)
    return calls


def loop(neuron: Any, x: Tensor, *states: Tensor) -> list[Tensor]:
    """Return what a loop returns, stacked, and the states it leaves."""
    rows = [flat(neuron(step, *(states if t == 0 else ()))) for t, step in enumerate(x)]
    stacked = [torch.stack(row) for row in zip(*rows, strict=True)]
    return stacked + [getattr(neuron, n) for n in neuron.state_names]


def unrolled(neuron: Any, x: Tensor, *states: Tensor, **kwargs: Any) -> list[Tensor]:
    out = flat(neuron.unroll(x, *states, **kwargs))
    return out + [getattr(neuron, n) for n in neuron.state_names]


def learnable(case: Case, **kwargs: Any) -> Any:
    return case.make(**dict.fromkeys(case.learn, True), **kwargs)


def gradients(run: Any, neuron: Any, x: Tensor, states: list[Tensor]) -> list[Tensor | None]:
    """Return the gradients of a fixed mix of all that ``run`` returns."""
    leaves = [x, *states, *neuron.parameters()]
    out = run(neuron, x, *states)
    generator = torch.Generator().manual_seed(3)
    mixed = sum(
        (o * torch.randn(o.shape, generator=generator, dtype=torch.float64).to(o)).sum()
        for o in out
    )
    return list(torch.autograd.grad(mixed, leaves, allow_unused=True))


def assert_close(got: list[Any], want: list[Any], rtol: float) -> None:
    assert len(got) == len(want)
    for one, other in zip(got, want, strict=True):
        if one is None or other is None:  # what has no part in the result gets no gradient, or 0
            assert all(part is None or not part.any() for part in (one, other))
            continue
        scale = float(other.abs().max())
        torch.testing.assert_close(one, other, rtol=rtol, atol=rtol * max(scale, 1e-30))


def some_states(case: Case, neuron: Any, dtype: torch.dtype) -> list[Tensor]:
    """Return states to start from, as a step leaves them, above and below threshold."""
    with torch.no_grad():
        neuron(case.input(1, dtype)[0] * 2)
    found = [getattr(neuron, n).clone().requires_grad_() for n in neuron.state_names]
    neuron.reset_mem()
    return found


# --- one neuron ---------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16], ids=str)
@each_mechanism
def test_numbers_are_those_of_the_loop(
    case: Case, mechanism: str, delay: bool, dtype: torch.dtype, kernels: ModuleType
) -> None:
    neuron = case.make(**options(mechanism, delay)).to(dtype)
    x = case.input(STEPS, dtype)
    states = some_states(case, neuron, dtype)
    with torch.no_grad():
        want = loop(neuron, x, *states)
        got = unrolled(neuron, x, *states)
    assert 0 < want[0].float().mean() < 1
    assert all(torch.equal(one, other) for one, other in zip(got, want, strict=True))
    assert [one.dtype for one in got] == [other.dtype for other in want]


@each_mechanism
def test_gradients_are_those_of_the_loop(
    case: Case, mechanism: str, delay: bool, kernels: ModuleType
) -> None:
    for dtype, rtol in ((torch.float64, 1e-10), (torch.float32, 1e-6)):
        neuron = learnable(case, **options(mechanism, delay)).to(dtype)
        x = case.input(STEPS, dtype).requires_grad_()
        states = some_states(case, neuron, dtype)
        want = gradients(loop, neuron, x, states)
        got = gradients(unrolled, neuron, x, states)
        assert want[0] is not None
        assert want[0].abs().max() > 0
        # float32 sums of many terms: the loop's own rounding is a multiple of this
        assert_close(got, want, rtol if dtype == torch.float64 else 10 * rtol)


@pytest.mark.parametrize("name", SPIKE_GRADS)
@kernel_cases
def test_every_surrogate(case: Case, name: str, kernels: ModuleType) -> None:
    neuron = learnable(case, spike_grad=SPIKE_GRADS[name]).double()
    x = case.input(STEPS, torch.float64).requires_grad_()
    states = some_states(case, neuron, torch.float64)
    want = gradients(loop, neuron, x, states)
    got = gradients(unrolled, neuron, x, states)
    assert want[0] is not None
    assert want[0].abs().max() > 0
    assert_close(got, want, 1e-9)


#: One number for each of three neurons.
WIDE = {
    "alpha": [0.75, 0.8, 0.85],
    "beta": [0.5, 0.6, 0.7],
    "threshold": [0.4, 0.8, 1.2],
    "V": [-0.5, 0.1, 0.5],
    "R": [1.0, 2.0, 3.0],
    "graded_spikes_factor": [0.5, 1.0, 2.0],
}


@kernel_cases
def test_one_number_per_neuron(case: Case, kernels: ModuleType) -> None:
    given = case.kwargs.keys() | case.arguments.keys() & {"threshold", "graded_spikes_factor"}
    values = {name: torch.tensor(value) for name, value in WIDE.items() if name in given}
    neuron = learnable(case, **values).double()
    x = case.input(STEPS, torch.float64).requires_grad_()
    states = some_states(case, neuron, torch.float64)
    for one, other in zip(unrolled(neuron, x, *states), loop(neuron, x, *states), strict=True):
        assert torch.equal(one, other)
    assert_close(gradients(unrolled, neuron, x, states), gradients(loop, neuron, x, states), 1e-9)


@pytest.mark.parametrize("shape", [(), (2, 3, 1), (1, 4), (2, 3, 4)])
def test_numbers_of_any_shape_that_expands(shape: tuple[int, ...], kernels: ModuleType) -> None:
    torch.manual_seed(0)
    neuron = snn.Leaky(0.5 + 0.4 * torch.rand(shape), 0.2 + torch.rand(shape), learn_beta=True)
    neuron = neuron.double()
    x = torch.randn(STEPS, 2, 3, 4, dtype=torch.float64, requires_grad=True)
    for one, other in zip(unrolled(neuron, x), loop_from_zero(neuron, x), strict=True):
        assert torch.equal(one, other)
    neuron.reset_mem()
    got = gradients(unrolled, neuron, x, [])
    neuron.reset_mem()
    assert_close(got, gradients(loop, neuron, x, []), 1e-9)


def loop_from_zero(neuron: Any, x: Tensor) -> list[Tensor]:
    neuron.reset_mem()
    return loop(neuron, x)


def drawn(*shape: int) -> Tensor:
    return 2 * torch.randn(shape, dtype=torch.float64)


LAYOUTS = {
    "batch first": lambda: drawn(2, STEPS, 3, 4).transpose(0, 1),
    "channels last": lambda: drawn(STEPS, 2, 4, 3).transpose(2, 3),
    "rows that repeat": lambda: drawn(STEPS, 1, 3, 1).expand(STEPS, 2, 3, 4),
    "every second step": lambda: drawn(2 * STEPS, 2, 3, 4)[::2],
    "every second neuron": lambda: drawn(STEPS, 2, 3, 8)[..., ::2],
    "the same at all times": lambda: drawn(2, 4, 3).transpose(1, 2).expand(STEPS, 2, 3, 4),
}
NEURONS = {
    "leaky": lambda: snn.Leaky(0.9, learn_beta=True),
    "alpha": lambda: snn.Alpha(0.9, 0.6, threshold=0.5, learn_alpha=True),
    "dense": lambda: snn.RSynaptic(0.8, 0.9, linear_features=4),
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name", NEURONS)
def test_any_layout_in_memory(name: str, layout: str, kernels: ModuleType) -> None:
    torch.manual_seed(0)
    neuron, x = NEURONS[name]().double(), LAYOUTS[layout]().requires_grad_()
    assert not x.is_contiguous()
    want, want_grads = loop_from_zero(neuron, x), gradients(loop_from_zero, neuron, x, [])
    neuron.reset_mem()
    for one, other in zip(unrolled(neuron, x), want, strict=True):
        assert torch.equal(one, other)
    neuron.reset_mem()
    assert_close(gradients(unrolled, neuron, x, []), want_grads, 1e-9)


@kernel_cases
def test_an_input_that_never_changes(case: Case, kernels: ModuleType) -> None:
    neuron = learnable(case).double()
    row = case.input(1, torch.float64)[0].requires_grad_()
    states = some_states(case, neuron, torch.float64)

    def repeated(neuron: Any, row: Tensor, *states: Tensor) -> list[Tensor]:
        return unrolled(neuron, row, *states, num_steps=STEPS)

    def expanded(neuron: Any, row: Tensor, *states: Tensor) -> list[Tensor]:
        return unrolled(neuron, row.expand(STEPS, *row.shape), *states)

    def stepped(neuron: Any, row: Tensor, *states: Tensor) -> list[Tensor]:
        return loop(neuron, row.expand(STEPS, *row.shape), *states)

    want, wanted = stepped(neuron, row, *states), gradients(stepped, neuron, row, states)
    for run in (repeated, expanded):
        got = run(neuron, row, *states)
        assert all(torch.equal(a, b) for a, b in zip(got, want, strict=True))
        assert_close(gradients(run, neuron, row, states), wanted, 1e-9)


@kernel_cases
def test_the_kernel_runs_no_step(case: Case, kernels: ModuleType, stepped_calls: list[Any]) -> None:
    neuron = case.make()
    neuron.unroll(case.input())
    assert not stepped_calls
    neuron.state_quant = quant.state_quant(8)
    neuron.unroll(case.input())
    assert stepped_calls


def test_states_go_on_from_call_to_call(kernels: ModuleType) -> None:
    case = Case(snn.Leaky)
    neuron, other = case.make(init_hidden=True), case.make(init_hidden=True)
    x = case.input()
    whole = neuron.unroll(x)
    parts = [other.unroll(x[:7]), torch.stack([other(step) for step in x[7:9]])]
    parts.append(other.unroll(x[9:]))
    assert torch.equal(torch.cat(parts), whole)
    assert torch.equal(neuron.mem, other.mem)


def test_what_is_returned_follows_the_call_and_record(kernels: ModuleType) -> None:
    x = torch.rand(5, 2, 3)
    neuron = snn.Synaptic(0.8, 0.9)
    spk, syn, mem = neuron.unroll(x)
    neuron.reset_mem()
    assert torch.equal(neuron.unroll(x, record="mem"), mem)
    neuron.reset_mem()
    got = neuron.unroll(x, record=("mem", "spk"))
    assert isinstance(got, tuple)
    assert torch.equal(got[0], mem)
    assert torch.equal(got[1], spk)
    assert syn.shape == mem.shape == spk.shape == x.shape
    hidden = snn.Synaptic(0.8, 0.9, init_hidden=True)
    assert torch.equal(hidden.unroll(x), spk)
    shown = snn.Synaptic(0.8, 0.9, init_hidden=True, output=True)
    assert [v.shape for v in shown.unroll(x)] == [x.shape] * 3
    recurrent = snn.RLeaky(0.9, all_to_all=False)
    assert len(recurrent.unroll(x)) == 2


def test_nothing_is_kept_but_what_came_in(kernels: ModuleType) -> None:
    kept: list[Tensor] = []
    neuron = snn.Leaky(0.9, learn_beta=True)
    x = torch.randn(STEPS, 4, 3, requires_grad=True)

    def keep(tensor: Tensor) -> Tensor:
        kept.append(tensor)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        neuron.unroll(x)
    assert sum(t.numel() for t in kept if t.data_ptr() != x.data_ptr()) < 20


def test_an_empty_gradient_comes_back_as_none_or_zero(kernels: ModuleType) -> None:
    x = torch.randn(STEPS, 4, 3, requires_grad=True)
    neuron = snn.Leaky(0.9)
    spk, mem = neuron.unroll(x)
    mem.sum().backward()  # nothing comes from the spikes
    first = x.grad
    x.grad = None
    neuron.reset_mem()
    torch.stack([neuron(step)[1] for step in x]).sum().backward()
    torch.testing.assert_close(first, x.grad)
    assert spk.requires_grad


class Unrolling(nn.Module):
    """A module whose call is `unroll`."""

    def __init__(self, neuron: snn.SpikingNeuron) -> None:
        super().__init__()
        self.neuron = neuron

    def forward(self, x: Tensor, *states: Tensor) -> tuple[Tensor, ...]:
        return tuple(unrolled(self.neuron, x, *states))


def no_gradient(input_: Tensor, grad_input: Tensor, spikes: Tensor) -> Tensor:
    return 0 * grad_input


@kernel_cases
def test_gradcheck_of_the_operation(case: Case, kernels: ModuleType) -> None:
    # With the derivative that spikes really have, zero, the gradient is that of differences
    zero = surrogate.custom_surrogate(no_gradient)
    neuron = learnable(case, spike_grad=zero).double()
    x = (0.3 * case.input(4, torch.float64)).requires_grad_()
    states = some_states(case, neuron, torch.float64)
    names = [f"neuron.{name}" for name, _ in neuron.named_parameters()]
    values = [value.detach().requires_grad_() for value in neuron.parameters()]

    def run(x: Tensor, *rest: Tensor) -> Any:
        numbers = dict(zip(names, rest, strict=False))
        arguments = (x, *rest[len(names) :])
        return torch.func.functional_call(Unrolling(neuron), numbers, arguments)

    assert torch.autograd.gradcheck(run, (x, *values, *states))


@pytest.mark.parametrize(
    ("call", "error", "says"),
    [
        (lambda n: n.unroll([1.0]), TypeError, "`input_` to be a torch.Tensor"),
        (lambda n: n.unroll(torch.zeros(0, 3)), ValueError, r"at least one time step.*\(0, 3\)"),
        (lambda n: n.unroll(torch.tensor(1.0)), ValueError, "at least one time step"),
        (lambda n: n.unroll(torch.zeros(3), num_steps=0), ValueError, "`num_steps`"),
        (lambda n: n.unroll(torch.zeros(2, 3), record="syn"), ValueError, "'spk', 'mem'.*'syn'"),
        (lambda n: n.unroll(torch.zeros(2, 3), torch.zeros(2)), ValueError, "`mem` of shape"),
        (lambda n: n.unroll(torch.zeros(2, 3), record=5), TypeError, r"of \('spk', 'mem'\).*5"),
        (
            lambda n: n.unroll(torch.zeros(2, 3), *[torch.zeros(3)] * 2),
            TypeError,
            r"all of \('mem',\), but got 2.\nStart from `mem = ",
        ),
        (lambda n: snn.unroll(lambda x: x, torch.zeros(2)), TypeError, "torch.nn.Module"),
        (lambda n: snn.unroll(n, torch.zeros(2, 3), chunk=0), ValueError, "`chunk`"),
        (lambda n: snn.unroll(n, torch.zeros(2, 3), truncate=True), TypeError, "`chunk` with"),
        (
            lambda n: snn.unroll(nn.Linear(3, 2), torch.zeros(2, 3), record="spk"),
            ValueError,
            "last layer is a neuron.*Linear",
        ),
    ],
)
def test_wrong_input(call: Any, error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says):
        call(snn.Leaky(0.9))


def test_a_state_with_init_hidden_is_an_error() -> None:
    with pytest.raises(TypeError, match="init_hidden"):
        snn.Leaky(0.9, init_hidden=True).unroll(torch.zeros(2, 3), torch.zeros(3))


# --- negative controls: a wrong kernel does not pass --------------------------------------


@pytest.mark.parametrize("mistake", ["forgets resets", "carries gradients too far"])
def test_a_wrong_kernel_is_found(mistake: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def forward(problem: Problem, record: tuple[str, ...]) -> Any:
        return plain.forward(replace(problem, rule=problem.rule._replace(reset="none")), record)

    def backward(problem: Problem, *rest: Any) -> Any:
        parameters = problem.parameters._replace(beta=problem.parameters.beta + 1e-3)
        return plain.backward(replace(problem, parameters=parameters), *rest)

    wrong = SimpleNamespace(
        forward=forward if mistake == "forgets resets" else plain.forward,
        backward=backward if mistake != "forgets resets" else plain.backward,
    )
    monkeypatch.setattr(autograd, "backend", lambda x, parameters: wrong)
    case = Case(snn.Leaky)
    neuron = case.make().double()
    x = case.input(STEPS, torch.float64).requires_grad_()
    states = some_states(case, neuron, torch.float64)
    if mistake == "forgets resets":
        assert not torch.equal(unrolled(neuron, x, *states)[0], loop(neuron, x, *states)[0])
    else:
        want = gradients(loop, neuron, x, states)
        with pytest.raises(AssertionError):
            assert_close(gradients(unrolled, neuron, x, states), want, 1e-9)


# --- what falls back to the loop ----------------------------------------------------------


class Mixed(snn.Leaky):
    """A neuron of a user's, whose step looks at the neurons beside it."""

    @staticmethod
    def step(input_: Tensor, mem: Tensor, *, beta: Tensor) -> tuple[Tensor, ...]:
        return (beta * mem.roll(1, -1) + input_,)


class Both(snn.Synaptic):
    """A neuron of a user's, whose reset to zero clears the current, too."""

    zeroed_states = ("syn", "mem")


def clipped(input_: Tensor, grad_input: Tensor, spikes: Tensor) -> Tensor:
    return grad_input.clamp(-100, 100) * (input_.abs() < 1)


STEPPED = {
    "own": (
        lambda: Mixed(0.9, init_hidden=True),
        "knows its equation: no C is written for aten.roll",
    ),
    "quant": (
        lambda: snn.Leaky(0.9, init_hidden=True, state_quant=quant.state_quant(4)),
        "state_quant",
    ),
    "inhibition": (lambda: snn.Leaky(0.9, init_hidden=True, inhibition=True), "inhibition"),
    "callable": (
        lambda: snn.Leaky(0.9, init_hidden=True, spike_grad=lambda x: (x > 0).float()),
        "spike_grad",
    ),
    "lstm": (lambda: snn.SLSTM(3, 4, init_hidden=True), "no kernel"),
    "clipped": (
        lambda: snn.Leaky(0.9, init_hidden=True, spike_grad=surrogate.custom_surrogate(clipped)),
        "spike_grad is a function of each step",
    ),
}


@pytest.mark.parametrize("name", STEPPED)
def test_what_no_kernel_covers_is_stepped(name: str, stepped_calls: list[Any]) -> None:
    make, why = STEPPED[name]
    torch.manual_seed(0)
    neuron = make()
    other = copy.deepcopy(neuron)
    x = 2 * torch.randn(STEPS, 4, 3)
    got = neuron.unroll(x)
    assert len(stepped_calls) == STEPS
    assert torch.equal(got, torch.stack([other(step) for step in x]))
    assert why in str(snn.plan(neuron))
    assert "step by step" in str(snn.plan(neuron))


def test_a_reset_clears_what_the_class_says() -> None:
    x = 2 * torch.rand(STEPS, 4, 3)
    neuron = Both(0.8, 0.9, reset_mechanism="zero")
    syn, mem = neuron.reset_mem()
    for step in x:
        fired = mem > 1
        _, new_syn, new_mem = neuron(step, syn, mem)
        if mem.numel():
            assert (new_syn[fired] == 0).all()
            assert (new_mem[fired] == 0).all()
        syn, mem = new_syn, new_mem
    assert fired.any()


@pytest.mark.parametrize("learn", [True, False])
@pytest.mark.parametrize("cls", [snn.RLeaky, snn.RSynaptic])
def test_dense_feedback_is_a_loop_of_fused_steps(
    cls: Any, learn: bool, kernels: ModuleType, stepped_calls: list[Any]
) -> None:
    rates = (0.9,) if cls is snn.RLeaky else (0.8, 0.9)
    neuron = cls(*rates, linear_features=3, learn_recurrent=learn, learn_threshold=True)
    x = torch.randn(STEPS, 2, 4, 3, requires_grad=True)
    neuron.unroll(x)[0].sum().backward()
    assert not stepped_calls
    assert (neuron.recurrent.weight.grad is not None) is learn
    assert "a loop of fused steps" in str(snn.plan(neuron))
    neuron.recurrent.register_forward_hook(lambda *_: None)
    neuron.unroll(x)
    assert len(stepped_calls) == STEPS


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("shape", [(7, 5), (1, 16), (33, 100), (64, 256), (3, 2, 16)], ids=str)
def test_dense_feedback_has_the_bits_of_the_loop(
    shape: tuple[int, ...], bias: bool, kernels: ModuleType
) -> None:
    # The rounding of a product depends on the layer's shape and on where rows begin in memory
    torch.manual_seed(0)
    neuron = snn.RLeaky(0.9, linear_features=shape[-1])
    neuron.recurrent = nn.Linear(shape[-1], shape[-1], bias=bias)
    x = torch.randn(STEPS, *shape)
    want = loop(neuron, x)
    neuron.reset_mem()
    for got, same in zip(unrolled(neuron, x), want, strict=True):
        assert torch.equal(got, same)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("cls", [snn.RLeaky, snn.RSynaptic])
def test_dense_feedback_learns_as_the_loop(cls: Any, bias: bool, kernels: ModuleType) -> None:
    torch.manual_seed(0)
    rates = {"beta": 0.9} if cls is snn.RLeaky else {"alpha": 0.8, "beta": 0.9, "learn_alpha": True}
    neuron = cls(**rates, linear_features=5, threshold=0.4, learn_beta=True, learn_threshold=True)
    neuron.recurrent = nn.Linear(5, 5, bias=bias)
    neuron.double()
    x = torch.randn(STEPS, 4, 5, dtype=torch.float64, requires_grad=True)
    want = gradients(loop, neuron, x, [])
    neuron.reset_mem()
    assert_close(gradients(unrolled, neuron, x, []), want, 1e-9)


def test_hooks_see_each_step() -> None:
    net = nn.Sequential(nn.Linear(3, 3), snn.Leaky(0.9, init_hidden=True))
    seen: list[Tensor] = []
    for module in net:
        module.register_forward_hook(lambda m, i, out: seen.append(out))
    x = torch.randn(STEPS, 4, 3)
    out = snn.unroll(net, x)
    assert len(seen) == 2 * STEPS
    assert torch.equal(torch.stack(seen[STEPS:]), out)
    assert str(snn.plan(net)).count("hooks") == 2


def test_functional_transforms_run_the_loop() -> None:
    neuron = snn.Leaky(0.9)
    x = 2 * torch.randn(6, STEPS, 3)
    got = torch.vmap(lambda one: neuron.unroll(one, record="spk"))(x)
    neuron.reset_mem()
    assert torch.equal(got, torch.stack([snn.Leaky(0.9).unroll(o, record="spk") for o in x]))


# --- nets ---------------------------------------------------------------------------------


def whole(value: Tensor, low: int = -2, high: int = 3) -> Tensor:
    """Fill with whole numbers, so that sums are exact in whatever order they are taken."""
    return value.detach().copy_(torch.randint(low, high, value.shape).to(value.dtype))


def exact(net: nn.Module) -> nn.Module:
    torch.manual_seed(0)
    for module in net.modules():
        if isinstance(module, (nn.Linear, nn.Conv2d)):
            for parameter in module.parameters():
                whole(parameter.data)
    return net


def lif(**kwargs: Any) -> snn.Leaky:
    return snn.Leaky(beta=0.5, threshold=2.0, init_hidden=True, **kwargs)


class Block(nn.Module):
    """Any module of a user's."""

    def __init__(self) -> None:
        super().__init__()
        self.lif = lif()

    def forward(self, x: Tensor) -> Tensor:
        return self.lif(x) + x


class Doubled(nn.Linear):
    """A known layer's subclass, which need not do the same."""

    def forward(self, input: Tensor) -> Tensor:
        return 2 * super().forward(input)


TWICE = lif()
NETS: dict[str, tuple[Any, tuple[int, ...]]] = {
    "mlp": (lambda: nn.Sequential(nn.Linear(6, 5), lif(), nn.Linear(5, 4), lif(output=True)), (6,)),
    "nested": (
        lambda: nn.Sequential(
            nn.Sequential(nn.Linear(6, 5), lif()),
            nn.Sequential(nn.Sequential(nn.Linear(5, 4), lif())),
        ),
        (6,),
    ),
    "conv": (
        lambda: nn.Sequential(
            nn.Conv2d(1, 3, 3, padding=1),
            nn.MaxPool2d(2),
            lif(),
            nn.Conv2d(3, 2, 3),
            nn.ReLU(),
            lif(),
            nn.Flatten(),
            nn.Linear(2 * 2 * 2, 4),
            snn.Synaptic(0.5, 0.5, threshold=2.0, init_hidden=True, output=True),
        ),
        (1, 8, 8),
    ),
    "custom": (lambda: nn.Sequential(nn.Linear(6, 5), Block(), Doubled(5, 4), lif()), (6,)),
    "module": (Block, (6,)),
    "layers only": (lambda: nn.Sequential(nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 3)), (6,)),
    "neuron": (lambda: lif(output=True), (6,)),
    "tuples inside": (
        lambda: nn.Sequential(nn.Linear(6, 5), lif(output=True), Tupled(), lif()),
        (6,),
    ),
    "shared": (lambda: nn.Sequential(nn.Linear(6, 6), TWICE, nn.Linear(6, 6), TWICE), (6,)),
    "lstm": (
        lambda: nn.Sequential(
            nn.Linear(6, 5), lif(), snn.RLeaky(0.5, linear_features=5, init_hidden=True)
        ),
        (6,),
    ),
    "norms": (
        lambda: nn.Sequential(nn.Linear(6, 5), nn.BatchNorm1d(5), nn.LayerNorm(5), lif()).eval(),
        (6,),
    ),
    "empty": (nn.Sequential, (6,)),
}


class Tupled(nn.Module):
    def forward(self, pair: tuple[Tensor, Tensor]) -> Tensor:
        return pair[0] + pair[1]


def stack(rows: list[Any]) -> list[Tensor]:
    return [torch.stack(row) for row in zip(*map(flat, rows), strict=True)]


@pytest.mark.parametrize("chunk", [None, 1, 4, 100])
@pytest.mark.parametrize("constant", [False, True])
@pytest.mark.parametrize("name", NETS)
def test_a_net_equals_its_loop(name: str, constant: bool, chunk: int | None) -> None:
    make, shape = NETS[name]
    net = exact(make()).double()
    utils.reset(net)
    rows = whole(torch.empty(1 if constant else STEPS, 3, *shape, dtype=torch.float64))
    rows.requires_grad_()
    x = rows.expand(STEPS, *rows.shape[1:])

    def observe(out: list[Tensor]) -> tuple[list[Tensor], list[Any], list[Tensor]]:
        neurons = [m for m in net.modules() if isinstance(m, snn.SpikingNeuron)]
        states = [getattr(n, s) for n in neurons for s in n.state_names]
        weights = list(net.parameters())
        mixed = sum(((i + 1) * o * o).sum() for i, o in enumerate([*out, *states]))
        grads = torch.autograd.grad(mixed, [rows, *weights], allow_unused=True)
        return out, list(grads), states

    want, want_grads, want_states = observe(stack([net(step) for step in x]))
    utils.reset(net)
    if constant:
        out = snn.unroll(net, rows[0], STEPS, chunk=chunk)
    else:
        out = snn.unroll(net, x, chunk=chunk)
    got, got_grads, got_states = observe(flat(out))
    assert name in ("layers only", "empty") or 0 < want[0].mean() < 10
    for one, other in zip(got + got_states, want + want_states, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-12)
    assert_close(got_grads, want_grads, 1e-9)


def test_the_plan_says_what_is_done() -> None:
    net = nn.Sequential(
        nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), lif(), nn.Flatten(), nn.Dropout(0.5), nn.Linear(8, 4)
    )
    plan = snn.plan(net)
    assert [stage.kind for stage in plan.stages] == ["fold", "loop", "neuron", *["fold"] * 3]
    text = str(plan)
    assert "1  BatchNorm2d  step by step: its statistics are those of one time step" in text
    assert "4  Dropout      all time steps as one batch, random numbers" in text
    one = torch.ones(1, 1)
    assert backend(one, Parameters(one, one)).DESCRIPTION in text
    net.eval()
    assert [s.kind for s in snn.plan(net).stages] == ["fold", "fold", "neuron", *["fold"] * 3]


def test_a_constant_input_passes_the_first_layers_once() -> None:
    sizes: list[int] = []

    class Counted(nn.Identity):
        pass

    net = nn.Sequential(nn.Linear(6, 5), nn.ReLU(), lif())
    run = nn.functional.relu

    def relu(x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        sizes.append(len(x))
        return run(x, *args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(nn.functional, "relu", relu)
        snn.unroll(net, torch.randn(3, 6), STEPS, chunk=4)
    assert sizes == [1]


def test_dropout_of_a_constant_input_is_drawn_anew_each_step() -> None:
    net = nn.Sequential(nn.Dropout(0.5), nn.Identity())
    out = snn.unroll(net, torch.ones(4, 100), 20)
    assert out.shape == (20, 4, 100)
    assert 0.4 < (out == 0).float().mean() < 0.6
    assert len({tuple(row.flatten().tolist()) for row in out}) == 20


def test_batch_norm_in_training_follows_each_step() -> None:
    net = nn.Sequential(nn.BatchNorm1d(6), nn.Identity()).double()
    other = copy.deepcopy(net)
    x = torch.randn(STEPS, 4, 6, dtype=torch.float64)
    torch.testing.assert_close(snn.unroll(net, x), torch.stack([other(step) for step in x]))
    torch.testing.assert_close(net[0].running_mean, other[0].running_mean)
    assert int(net[0].num_batches_tracked) == STEPS


def test_steps_without_a_batch() -> None:
    net = exact(nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(0), nn.Linear(8, 3), lif()))
    x = whole(torch.empty(STEPS, 1, 4, 4))
    want = torch.stack([net(step) for step in x])
    utils.reset(net)
    assert torch.equal(snn.unroll(net, x), want)


def test_gradients_are_cut_between_chunks_on_request() -> None:
    net = nn.Sequential(nn.Linear(6, 5), lif()).double()
    x = torch.randn(6, 3, 6, dtype=torch.float64, requires_grad=True)
    snn.unroll(net, x, chunk=2, truncate=True)[-1].sum().backward()
    assert x.grad is not None
    assert x.grad[:4].abs().max() == 0 < x.grad[4:].abs().max()
    utils.reset(net)
    x.grad = None
    snn.unroll(net, x, chunk=2)[-1].sum().backward()
    assert x.grad[:4].abs().max() > 0


def test_what_is_no_tensor_is_an_error() -> None:
    class Named(nn.Module):
        def forward(self, x: Tensor) -> Any:
            return x, "name"

    with pytest.raises(TypeError, match=r"a tensor, or several, from Named.*str"):
        snn.unroll(Named(), torch.zeros(2, 3))


# --- the compiler -------------------------------------------------------------------------


class Unrolled(nn.Module):
    def __init__(self, case: Case) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Identity(), learnable(case, init_hidden=True))

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = snn.unroll(self.net, x)
        return out


@kernel_cases
def test_compiled_without_a_break(case: Case) -> None:
    module = Unrolled(case)
    x = case.input().requires_grad_()
    want = module(x)
    want_grad = torch.autograd.grad(want.sum(), [x, *module.parameters()], allow_unused=True)
    utils.reset(module)
    compiled = torch.compile(module, backend="aot_eager", fullgraph=True)
    got = compiled(x)
    got_grad = torch.autograd.grad(got.sum(), [x, *module.parameters()], allow_unused=True)
    assert torch.equal(got, want)
    for one, other in zip(got_grad, want_grad, strict=True):
        if other is not None:
            torch.testing.assert_close(one, other)


@kernel_cases
@pytest.mark.filterwarnings("ignore:The tensor attribute:UserWarning")
def test_exported_as_one_operation(case: Case) -> None:
    module = Unrolled(case)
    x = case.input()
    program = torch.export.export(module, (x,), strict=False)
    calls = [str(n.target) for n in program.graph.nodes if n.op == "call_function"]
    assert calls.count("snntorch.unroll.default") == 1
    utils.reset(module)
    want = module(x)
    assert torch.equal(program.module()(x), want)


def test_operator_registrations_are_right() -> None:
    x = torch.randn(6, 2, 3, requires_grad=True)
    mem, beta = torch.randn(2, 3, requires_grad=True), torch.rand(3, requires_grad=True)
    names, record = ("mem", "threshold", "beta"), ("spk", "mem")
    call = Call(Rule("leaky", "subtract", True, False), surrogate.atan(), names, record)
    tensors = [mem, torch.ones(()), beta]
    torch.library.opcheck(torch.ops.snntorch.unroll.default, (x, tensors, 6, call.encode()))


@pytest.mark.parametrize("delay", (False, True))
@pytest.mark.parametrize("feedback", (False, True))
@pytest.mark.parametrize("spike_grad", (surrogate.SFS(0.1, -1 / 3), surrogate.heaviside()))
def test_an_operator_is_told_all(delay: bool, feedback: bool, spike_grad: Any) -> None:
    rule = Rule("synaptic", "zero", delay, feedback)
    for record in (("spk", "syn"), ()):
        call = Call(rule, spike_grad, ("syn", "mem", "threshold", "beta", "alpha"), record)
        again = Call.decode(call.encode())
        assert again._replace(spike_grad=spike_grad) == call
        assert again.spike_grad.function is spike_grad.function
        assert again.spike_grad.values == spike_grad.values


def test_what_was_written_to_is_told(kernels: ModuleType) -> None:
    x = torch.rand(STEPS, 2, 3, requires_grad=True)
    beta = torch.full((3,), 0.9, requires_grad=True)
    spk = snn.Leaky(beta).unroll(x)[0]
    with torch.no_grad():
        beta.mul_(0.5)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        spk.sum().backward()


class OwnApply(surrogate.FastSigmoid):
    @classmethod
    def apply(cls, x: Any, *given: Any) -> Any:
        return 0.5 * super().apply(x, *given)


def test_an_apply_of_its_own_is_called() -> None:
    neuron = snn.Leaky(0.9, spike_grad=OwnApply.apply)
    x = 2 * torch.rand(STEPS, 2, 3)
    want = loop(neuron, x)
    assert want[0].max() == 0.5
    neuron.reset_mem()
    assert_close(unrolled(neuron, x), want, 1e-6)


@pytest.mark.parametrize("shape", [(5, 4, 3), (50, 64, 200)])
def test_what_a_neuron_gives_may_be_written_to(shape: tuple[int, ...]) -> None:
    x = torch.rand(shape, requires_grad=True)
    spk, mem = snn.Leaky(0.5).unroll(x)
    want = torch.autograd.grad(3 * mem.sum(), x, retain_graph=True)
    mem.mul_(3)
    spk.add_(1)
    assert torch.equal(torch.autograd.grad(mem.sum(), x)[0], want[0])
    assert spk.min() == 1
