"""Neurons of any equation in C that is written for them: the numbers and gradients of the loop.

Operations that are correctly rounded give the same bits; functions such as exp are as close as
their last digits. Every test says which path ran.
"""

from __future__ import annotations

import ctypes
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import snntorch as snn
from snntorch import surrogate, utils
from snntorch._kernels.traced import compiler, on_cpu, run
from snntorch._kernels.traced.operations import COMPARED, EXACT, ROUNDED
from tests.cases import Case, by_mechanism, flat, options
from tests.unroll.test_unroll import (
    assert_close,
    gradients,
    stepped_calls,  # noqa: F401 (a fixture)
)
from tests.unroll.test_unroll import loop as loop_on
from tests.unroll.test_unroll import unrolled as unrolled_on

STEPS = 20
TOLERANCE = {torch.float32: 1e-5, torch.float64: 1e-12, torch.float16: 1e-2, torch.bfloat16: 5e-2}
WIDE = surrogate.atan(alpha=0.05)
dtypes = pytest.mark.parametrize("dtype", TOLERANCE, ids=str)

try:
    compiler.compiler()
except compiler.NotCompiledError as error:
    pytest.skip(f"needs a C compiler: {error}", allow_module_level=True)


class Resonator(snn.SpikingNeuron):
    """Of exact operations alone; a parameter for each neuron, one for all, one of each kind."""

    state_names = ("vel", "mem")

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(learn_threshold=True, learn_graded_spikes_factor=True, **kwargs)
        self.register_buffer("damping", torch.tensor(0.9))
        self.omega = nn.Parameter(torch.tensor([0.3, 0.6, 0.9]))

    def step_parameters(self) -> dict[str, Tensor]:
        return {"damping": self.damping.sqrt(), "omega": self.omega}

    @staticmethod
    def step(input_: Tensor, vel: Tensor, mem: Tensor, *, damping: Tensor, omega: Tensor) -> Any:
        vel = damping * (vel - omega * mem) + torch.where(input_ > 1, 1 + input_ / 3, input_)
        return vel, damping * mem + omega * vel.clamp(-5, 2)


class Softened(snn.Leaky):
    """A subclass of a neuron that a kernel knows, with an update, and a readout, of its own."""

    reset_delay = False

    @staticmethod
    def step(input_: Tensor, mem: Tensor, *, beta: Tensor) -> Any:
        return (beta * mem + torch.tanh(input_) - 0.1 * torch.exp(-(mem * mem)),)

    def readout(self, *states: Tensor) -> Tensor:
        return 1.1 * states[-1]


class Sprung(snn.Synaptic):
    """A reset to zero that clears both states."""

    zeroed_states = ("syn", "mem")


class Jumping(snn.SpikingNeuron):
    """A reset of its own, whose goal is learned."""

    reset_mechanisms = ("jump",)

    def __init__(self) -> None:
        super().__init__(reset_mechanism="jump")
        self.low = nn.Parameter(torch.tensor(-0.4))

    @staticmethod
    def step(input_: Tensor, mem: Tensor) -> Any:
        return (0.8 * mem + input_,)

    def jump(self, mem: Tensor) -> Any:
        return (self.low - 0.1 * mem,)


OWN: dict[str, tuple[Callable[[], Any], float]] = {
    "Resonator": (Resonator, 1.0),
    "Resonator, zero": (lambda: Resonator(reset_mechanism="zero"), 1.0),
    "Resonator, none": (lambda: Resonator(reset_mechanism="none"), 1.0),
    "Softened": (lambda: Softened(0.9, learn_beta=True, threshold=0.6), 1.0),
    "Sprung": (lambda: Sprung(0.8, 0.9, reset_mechanism="zero", learn_alpha=True), 1.0),
    "Jumping": (Jumping, 1.0),
    "DeltaLeaky": (lambda: snn.DeltaLeaky(0.5, 0.9, learn_beta=True), 1.0),
    "ALIF": (lambda: snn.ALIF(0.9, 0.8, learn_rho=True, learn_increment=True), 1.0),
    "Leaky, adapting": (
        lambda: snn.Leaky(0.9, learn_beta=True).enable_homeostasis(0.3, 5.0, 1.0),
        1.0,
    ),
    "Izhikevich": (
        lambda: snn.Izhikevich(learn_a=True, learn_b=True, learn_c=True, learn_d=True),
        100.0,
    ),
    "AdEx": (lambda: snn.AdEx(learn_tau_w=True, learn_b=True, learn_V_r=True), 3e4),
}
ROUNDS = ("Softened", "AdEx")
each = pytest.mark.parametrize("name", OWN)
#: What a half as long number can hold.
HALVES = (torch.float16, torch.bfloat16)
SHORT = [name for name in OWN if name != "AdEx"]
CASES = [(name, dtype) for dtype in TOLERANCE for name in (SHORT if dtype in HALVES else OWN)]
each_dtype = pytest.mark.parametrize(("name", "dtype"), CASES)


def made(name: str, dtype: torch.dtype, steps: int = STEPS) -> tuple[Any, Tensor]:
    """Return a neuron and its input."""
    make, scale = OWN[name]
    generator = torch.Generator().manual_seed(5)
    x = scale * torch.randn(steps, 4, 3, generator=generator, dtype=torch.float64)
    return make().to(dtype), x.to(dtype)


def loop(neuron: Any, x: Tensor, *states: Tensor) -> list[Tensor]:
    """Return what a loop over a whole sequence returns, and the states it leaves."""
    neuron.reset_mem()
    return loop_on(neuron, x, *states)


def unrolled(neuron: Any, x: Tensor, *states: Tensor, **kwargs: Any) -> list[Tensor]:
    """Return what a kernel returns, and the states it leaves."""
    neuron.reset_mem()
    return unrolled_on(neuron, x, *states, **kwargs)


def assert_same(got: list[Tensor], want: list[Tensor], name: str) -> None:
    """Compare spikes and states: bit for bit, unless a function is rounded."""
    for one, other in zip(got, want, strict=True):
        if name in ROUNDS:
            eps = 64 * torch.finfo(one.dtype).eps
            torch.testing.assert_close(
                one, other, rtol=eps, atol=eps * float(other.detach().abs().max())
            )
        else:
            assert torch.equal(one, other)


def assert_gradients(got: list[Any], want: list[Any], dtype: torch.dtype) -> None:
    """Compare gradients; a loop rounds each partial sum of those of one number."""
    for one, other in zip(got, want, strict=True):
        summed = dtype in HALVES and one is not None and one.numel() == 1
        assert_close([one], [other], 0.2 if summed else TOLERANCE[dtype])


@each_dtype
def test_equals_the_loop(name: str, dtype: torch.dtype, stepped_calls: list[Any]) -> None:  # noqa: F811
    neuron, x = made(name, dtype)
    x.requires_grad_()
    generator = torch.Generator().manual_seed(9)
    states = [
        (0.1 * torch.rand(4, 3, generator=generator)).to(dtype).requires_grad_()
        for _ in neuron._names_given()
    ]
    want, want_grads = loop(neuron, x, *states), gradients(loop, neuron, x, states)
    assert 0.02 < (want[0] != 0).double().mean() < 0.98, "spikes and silence"
    stepped_calls.clear()
    assert_same(unrolled(neuron, x, *states), want, name)
    got = gradients(unrolled, neuron, x, states)
    assert not stepped_calls
    assert all(one is not None for one in got), "every parameter has its part"
    assert_gradients(got, want_grads, dtype)
    assert "its step, compiled" in str(snn.plan(neuron))


@by_mechanism((Case(snn.Leaky), Case(snn.Synaptic), Case(snn.Alpha, {"alpha": 0.9, "beta": 0.6})))
@dtypes
def test_known_equations_equal_their_kernel(
    case: Case,
    mechanism: str,
    delay: bool,
    dtype: torch.dtype,
    stepped_calls: list[Any],  # noqa: F811
) -> None:
    """A class that only forgot to name its model computes what the kernel does."""
    forgot = type("Forgot", (case.cls,), {"model": None, "__module__": "snntorch.own"})
    kwargs = {**dict.fromkeys(case.learn, True), **options(mechanism, delay)}
    neuron, known = (cls(**{**case.kwargs, **kwargs}).to(dtype) for cls in (forgot, case.cls))
    x = case.input(STEPS, dtype).requires_grad_()
    assert_same(unrolled(neuron, x), unrolled(known, x), "")
    got, want = gradients(unrolled, neuron, x, []), gradients(unrolled, known, x, [])
    assert_gradients(got, want, dtype)
    assert not stepped_calls
    assert "its step, compiled" in str(snn.plan(neuron))
    assert "its step, compiled" not in str(snn.plan(known))


@pytest.mark.parametrize("spike_grad", [
    surrogate.fast_sigmoid(3), surrogate.sigmoid(2), surrogate.triangular(), surrogate.LSO(),
    surrogate.SFS(2, 0), surrogate.spike_rate_escape(), surrogate.straight_through_estimator(),
    surrogate.heaviside(), surrogate.FastSigmoid.apply, None,
], ids=str)  # fmt: skip
def test_any_named_surrogate(spike_grad: Any, stepped_calls: list[Any]) -> None:  # noqa: F811
    neuron = Resonator(spike_grad=spike_grad).double()
    x = made("Resonator", torch.float64)[1].requires_grad_()
    want = gradients(loop, neuron, x, [])
    stepped_calls.clear()
    assert_close(gradients(unrolled, neuron, x, []), want, 1e-12)
    assert not stepped_calls


def test_a_surrogate_that_is_disabled() -> None:
    neuron, x = Resonator(surrogate_disable=True), made("Resonator", torch.float32)[1]
    spk, _, mem = neuron.unroll(x.requires_grad_())
    assert torch.equal(spk, loop(neuron, x)[0])
    mem.sum().backward()
    assert x.grad is not None


@each
def test_gradcheck(name: str) -> None:
    """Between thresholds, with no gradient through spikes, it is what finite differences say."""
    neuron, x = made(name, torch.float64, 4)
    neuron.spike_grad = surrogate.SFS(1, 1e9)  # 0 wherever a membrane can be
    values = list(neuron.parameters())

    def run(x: Tensor, *values: Tensor) -> Any:
        named = dict(zip(dict(neuron.named_parameters()), values, strict=True))
        neuron.reset_mem()
        return torch.func.functional_call(
            Over(neuron), {f"neuron.{k}": v for k, v in named.items()}, x
        )

    scale = OWN[name][1]
    copies = [value.detach().clone().requires_grad_() for value in values]
    assert torch.autograd.gradcheck(
        run, (x.requires_grad_(), *copies), eps=1e-7 * scale**0.5, atol=1e-4 * scale, rtol=1e-4
    )


class Over(nn.Module):
    def __init__(self, neuron: Any) -> None:
        super().__init__()
        self.neuron = neuron

    def forward(self, x: Tensor) -> Any:
        return tuple(flat(self.neuron.unroll(x)))


@each
def test_second_derivatives(name: str) -> None:
    neuron, x = made(name, torch.float64)

    def twice(run: Any) -> Tensor:
        neuron.reset_mem()
        given = x.clone().requires_grad_()
        out = sum((one / OWN[name][1]).square().sum() for one in run(neuron, given))
        assert isinstance(out, Tensor)
        (first,) = torch.autograd.grad(out, given, create_graph=True)
        return torch.autograd.grad(first.square().sum(), given)[0]

    want = twice(loop)
    assert want.any()
    torch.testing.assert_close(
        twice(unrolled), want, rtol=1e-8, atol=1e-8 * float(want.abs().max())
    )


def test_what_is_recorded_and_what_is_left() -> None:
    neuron, x = made("Resonator", torch.float32)
    spk, vel, mem = neuron.unroll(x)
    assert torch.equal(neuron.unroll(x, record="mem"), mem)
    assert all(map(torch.equal, neuron.unroll(x, record=("vel", "spk")), (vel, spk)))
    assert torch.equal(neuron.mem, mem[-1])
    assert torch.equal(neuron.vel, vel[-1])


def test_states_go_on_from_call_to_call() -> None:
    whole, parts = (Resonator(init_hidden=True) for _ in range(2))
    x = made("Resonator", torch.float32)[1]
    cut = torch.cat([parts.unroll(x[:7]), parts(x[7]).unsqueeze(0), parts.unroll(x[8:])])
    assert torch.equal(whole.unroll(x), cut)


@each
def test_an_input_that_never_changes(name: str, stepped_calls: list[Any]) -> None:  # noqa: F811
    neuron, x = made(name, torch.float64)
    row = (x[0].abs() / 2).requires_grad_()

    def repeated(neuron: Any, row: Tensor) -> list[Tensor]:
        return unrolled(neuron, row, num_steps=STEPS)

    def stepped(neuron: Any, row: Tensor) -> list[Tensor]:
        return loop(neuron, row.expand(STEPS, *row.shape))

    want, want_grads = stepped(neuron, row), gradients(stepped, neuron, row, [])
    stepped_calls.clear()
    assert_same(repeated(neuron, row), want, name)
    got = gradients(repeated, neuron, row, [])
    assert not stepped_calls
    assert_close(got, want_grads, 1e-12)


@pytest.mark.parametrize("shape", [(1,), (3,), (700, 3), (2, 5, 3), (33, 17, 3)], ids=str)
@pytest.mark.parametrize("threads", [1, 2])
def test_any_number_of_neurons_and_threads(shape: tuple[int, ...], threads: int) -> None:
    x = torch.randn(60, *shape, requires_grad=True)
    neuron = Resonator()
    torch.set_num_threads(threads)
    try:
        got, got_grads = unrolled(neuron, x), gradients(unrolled, neuron, x, [])
    finally:
        torch.set_num_threads(1)
    assert_same(got, loop(neuron, x), "Resonator")
    assert_close(got_grads, gradients(loop, neuron, x, []), 1e-4)


def test_any_layout_in_memory() -> None:
    drawn = torch.randn(4, STEPS, 3, 5).transpose(0, 1).transpose(2, 3)
    neuron = Resonator()
    assert_same(unrolled(neuron, drawn), loop(neuron, drawn), "Resonator")


def test_a_fused_net_runs_it(stepped_calls: list[Any]) -> None:  # noqa: F811
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc, self.neuron = nn.Linear(5, 3), Resonator()

        def forward(self, x: Tensor) -> Tensor:
            vel, mem = self.neuron.reset_mem()
            spikes = []
            for row in x:
                spk, vel, mem = self.neuron(self.fc(row), vel, mem)
                spikes.append(spk)
            return torch.stack(spikes)

    net, x = Net().double(), 3 * torch.randn(STEPS, 4, 5, dtype=torch.float64)
    want = net(x)
    want_grads = torch.autograd.grad(want.sum(), list(net.parameters()))
    snn.fuse(net).forward.trial.defers = lambda like: True
    got = net(x)
    torch.testing.assert_close(got, want)
    assert want.any()
    assert_close(
        list(torch.autograd.grad(got.sum(), list(net.parameters()))), list(want_grads), 1e-9
    )
    assert net.forward.report.lines[("Resonator", "over all time")] == STEPS


def test_a_net_of_them_is_unrolled() -> None:
    net = nn.Sequential(nn.Linear(5, 3), Resonator(init_hidden=True)).double()
    x = 3 * torch.randn(STEPS, 4, 5, dtype=torch.float64)
    got = snn.unroll(net, x)
    utils.reset(net)
    torch.testing.assert_close(got, torch.stack([net(row) for row in x]))
    assert "its step, compiled" in str(snn.plan(net, x)).splitlines()[2]


# --- one operation at a time ----------------------------------------------------------------

SPECIAL = torch.tensor([0.0, -0.0, 1.0, -1.0, 0.5, 2.0, -3.5, 1e-30, 3e-39, 1e10, -1e10])
SPECIAL = torch.cat([SPECIAL, torch.tensor([float("inf"), float("-inf"), float("nan")])])


def values(dtype: torch.dtype) -> Tensor:
    """Return numbers of many sizes, and those that are none, for two arguments."""
    generator = torch.Generator().manual_seed(2)
    drawn = torch.randn(2, 200, generator=generator, dtype=torch.float64)
    drawn = drawn * 10 ** torch.linspace(-4, 1.5, 200, dtype=torch.float64)
    pairs = torch.cartesian_prod(SPECIAL, SPECIAL).T.to(torch.float64)
    return torch.cat([drawn, pairs], 1).to(dtype)


def of(op: Any) -> type[Any]:
    """Return a neuron that computes one operation of its input and its state."""
    name = str(op)
    arity = sum(one.default_value is None for one in op._schema.arguments)
    logical = "logical" in name or "bitwise" in name

    class One(snn.SpikingNeuron):
        state_names = ("other", "mem")

        @staticmethod
        def step(input_: Tensor, other: Tensor, mem: Tensor) -> Any:
            given = (input_, 1.5) if "Scalar" in name else (input_, other)
            if "pow.Scalar" in name:
                given = (1.5, input_)
            if logical:
                given = (input_ > 0, other > 0)
            return other, op(*given[:arity]).to(input_.dtype)

    return One


OPERATIONS = {str(op): op for op in (*EXACT, *ROUNDED)} | {
    str(packet.Tensor): packet.Tensor for packet in COMPARED
}


def check_operation(
    name: str,
    dtype: torch.dtype,
    device: str,
    stepped: list[Any],
) -> None:
    """Compare an operation with itself in a loop, and see that no step was run."""
    x, other = (one.to(device) for one in values(dtype))
    neuron = of(OPERATIONS[name])(threshold=float("inf"), reset_mechanism="none")
    neuron = neuron.to(device, dtype)
    (want,) = loop(neuron, x[None], other, torch.zeros_like(x))[2:3]
    stepped.clear()
    (got,) = unrolled(neuron, x[None], other, torch.zeros_like(x))[2:3]
    assert not stepped
    if OPERATIONS[name] in ROUNDED:
        eps = 8 * torch.finfo(dtype).eps
        torch.testing.assert_close(got, want, rtol=eps, atol=eps, equal_nan=True)
    else:
        assert torch.equal(got.nan_to_num(7e7), want.nan_to_num(7e7))
        assert torch.equal(got.isnan(), want.isnan())


@dtypes
@pytest.mark.parametrize("name", OPERATIONS)
def test_each_operation(name: str, dtype: torch.dtype, stepped_calls: list[Any]) -> None:  # noqa: F811
    check_operation(name, dtype, "cpu", stepped_calls)


FUNCTIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "clamp": lambda v: v.clamp(-0.5, 0.5) + v.clamp(min=0.1) - v.clamp(max=1.0),
    "powers": lambda v: v**2 - 0.1 * v**3 + (v * v + 1) ** -1,
    "maximum": lambda v: torch.maximum(v, 0.3 * v * v) - torch.minimum(v, 1 - v),
    "where": lambda v: torch.where((v > 0) & ~(v > 1) | (v == -1), 2 * v, torch.zeros_like(v)),
    "filled": lambda v: v.masked_fill(v > 0.5, 0.25) * torch.ones_like(v),
    "relu": lambda v: F.relu(v) + F.hardtanh(v) + F.leaky_relu(v, 0.1) + F.relu6(v),
    "in place": lambda v: (v * 2).clone().add_(1).mul_(v > 0).clamp_(max=3),
    "in another dtype": lambda v: (v.double() * 3.3).to(v.dtype),
    "infinite": lambda v: torch.where(v.isfinite() & ~v.isnan(), v, 0.0),
    "smooth": lambda v: F.silu(v) + F.softplus(v) + F.elu(v) + F.gelu(v, approximate="tanh"),
    "of powers": lambda v: (v * v + 1) ** v + (v * v) ** 1.5 + torch.sqrt(v * v + 1),
    "mixed": lambda v: torch.lerp(v, v * v, 0.3) + torch.addcmul(v, v, v, value=0.5),
}


@dtypes
@pytest.mark.parametrize("name", FUNCTIONS)
def test_what_steps_are_made_of(name: str, dtype: torch.dtype, stepped_calls: list[Any]) -> None:  # noqa: F811
    function = FUNCTIONS[name]

    class Made(snn.SpikingNeuron):
        @staticmethod
        def step(input_: Tensor, mem: Tensor) -> Any:
            return (0.5 * mem + function(input_),)

    neuron = Made().to(dtype)
    x = torch.randn(STEPS, 4, 3, generator=torch.Generator().manual_seed(1)).to(dtype)
    x.requires_grad_()
    want, want_grads = loop(neuron, x), gradients(loop, neuron, x, [])
    stepped_calls.clear()
    rounds = name in ("smooth", "of powers", "mixed")
    assert_same(unrolled(neuron, x), want, "Softened" if rounds else "")
    assert_close(gradients(unrolled, neuron, x, []), want_grads, TOLERANCE[dtype])
    assert not stepped_calls


# --- what is not traced, and why ------------------------------------------------------------


def step_of(function: Callable[[Tensor, Tensor], Tensor], **members: Any) -> Any:
    """Return a neuron whose update is a function of its input and membrane."""
    step = staticmethod(lambda input_, mem: (function(input_, mem),))
    return type("Own", (snn.SpikingNeuron,), {"step": step, **members})()


class Reads(snn.SpikingNeuron):
    """Reads more from itself than parameters and numbers."""

    def __init__(self, table: Any) -> None:
        super().__init__()
        self.table = table

    def step(self, input_: Tensor, mem: Tensor) -> Any:
        return (self.table[0] * mem + input_,)


class Counts(snn.SpikingNeuron):
    """Counts its steps."""

    count = 0

    def step(self, input_: Tensor, mem: Tensor) -> Any:
        self.count = self.count + 1
        return (mem / self.count + input_,)


class Keeps(snn.SpikingNeuron):
    """Keeps a tensor that is neither parameter nor buffer."""

    def __init__(self) -> None:
        super().__init__()
        self.kept = torch.tensor(0.5)

    def step(self, input_: Tensor, mem: Tensor) -> Any:
        return (self.kept * mem + input_,)


class Layered(snn.SpikingNeuron):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(3, 3)

    def step(self, input_: Tensor, mem: Tensor) -> Any:
        return (0.5 * mem + self.layer(input_),)


class Scaled(snn.SpikingNeuron):
    """Has a ``forward`` of its own."""

    @staticmethod
    def step(input_: Tensor, mem: Tensor) -> Any:
        return (0.5 * mem + input_,)

    def forward(self, input_: Tensor, mem: Tensor | None = None) -> Any:
        return super().forward(0.7 * input_, mem)


STEPPED: dict[str, tuple[Callable[[], Any], str]] = {
    "branch": (lambda: step_of(lambda x, m: m + x if m.max() > 0 else x), "cannot be traced"),
    "number": (
        lambda: step_of(lambda x, m: 0.5 * m + x * x.mean().item()),
        "for aten.mean.default",
    ),
    "mean": (
        lambda: step_of(lambda x, m: 0.5 * m + x - x.mean(-1, True)),
        "aten.mean.dim gives (4, 1) for (4, 3) neurons",
    ),
    "neighbour": (lambda: step_of(lambda x, m: 0.5 * m.roll(1, -1) + x), "for aten.roll.default"),
    "fused": (lambda: step_of(lambda x, m: torch.add(x, m, alpha=0.3)), "with {'alpha': 0.3}"),
    "constant": (lambda: step_of(lambda x, m: m * torch.tensor(0.5) + x), "makes, or keeps"),
    "reads": (lambda: Reads([0.5, 0.25]), "no attribute 'table'"),
    "reads inside": (lambda: Reads((0.5, [0.25])), "no attribute 'table'"),
    "counts": (Counts, "it writes to itself"),
    "keeps": (Keeps, "no attribute 'kept'"),
    "layered": (Layered, "it holds a Linear"),
    "forward": (Scaled, "its class has a forward of its own"),
    "function": (
        lambda: Resonator(spike_grad=lambda x: surrogate.ATan.apply(2 * x)),
        "its spike_grad is a function",
    ),
    "other dtype": (lambda: step_of(lambda x, m: m + x).double(), "another dtype"),
}


@pytest.mark.parametrize("name", STEPPED)
def test_says_why_it_is_stepped(name: str, stepped_calls: list[Any]) -> None:  # noqa: F811
    make, why = STEPPED[name]
    torch.manual_seed(0)
    neuron = make()
    x = torch.randn(STEPS, 4, 3)
    got = neuron.unroll(x)
    assert len(stepped_calls) == STEPS
    if name == "counts":
        neuron.count = 0
    assert all(map(torch.equal, got, loop(neuron, x)))
    assert why in str(snn.plan(neuron, x))
    assert "step by step" in str(snn.plan(neuron, x))


def test_random_numbers_are_drawn_at_each_step() -> None:
    neuron = step_of(lambda x, m: 0.5 * m + x + torch.rand_like(x))
    assert "no C is written for aten.rand_like" in str(snn.plan(neuron))
    one = neuron.unroll(torch.zeros(STEPS, 2, 2))[1]
    assert len({*one.flatten().tolist()}) == one.numel()


class Constant(snn.SpikingNeuron):
    """Reads a number from itself."""

    rate: Any = 0.5

    def step(self, input_: Tensor, mem: Tensor) -> Any:
        return (self.rate * mem + input_ / len(input_),)


def test_what_a_trace_knows_by_value_can_change(stepped_calls: list[Any]) -> None:  # noqa: F811
    neuron = Constant()
    for rate in (0.5, 0.75, 1):
        neuron.rate = rate
        for batch in (4, 2):
            x = torch.randn(STEPS, batch, 3)
            stepped_calls.clear()
            got = unrolled(neuron, x)
            assert not stepped_calls
            assert_same(got, loop(neuron, x), "Constant")


def test_a_step_that_was_replaced_counts() -> None:
    neuron, x = step_of(lambda x, m: 0.5 * m + x), torch.randn(STEPS, 2, 3)
    first = neuron.unroll(x)[1]
    type(neuron).step = staticmethod(lambda input_, mem: (0.25 * mem + input_,))
    assert not torch.equal(neuron.unroll(x)[1], first)
    assert_same(unrolled(neuron, x), loop(neuron, x), "")


def test_a_wrong_line_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Negative control: the comparison sees one operation, in the step and in its derivative."""
    make = on_cpu.source
    monkeypatch.setattr(
        on_cpu, "source", lambda *given: make(*given).replace("n1 = ", "n1 = 1.001f * ")
    )
    run.kernel.cache_clear()
    neuron, x = made("Resonator", torch.float32)
    with pytest.raises(AssertionError):
        assert_same(unrolled(neuron, x), loop(neuron, x), "Resonator")
    monkeypatch.setattr(
        on_cpu, "source", lambda *given: make(*given).replace("d_x = ", "d_x = 1.001f * ")
    )
    run.kernel.cache_clear()
    x.requires_grad_()
    got = gradients(unrolled, neuron, x, [])
    with pytest.raises(AssertionError):
        assert_close(got, gradients(loop, neuron, x, []), 1e-5)
    run.kernel.cache_clear()


# --- the compiler, and what it leaves -------------------------------------------------------


@pytest.fixture
def cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Begin without anything compiled, in a folder of the test's own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    run.kernel.cache_clear()
    yield tmp_path / "snntorch"
    run.kernel.cache_clear()


def free_descriptor() -> int:
    """Return the number that the next open file will have."""
    number = os.open(os.devnull, os.O_RDONLY)
    os.close(number)
    return number


def test_no_file_is_left_open(cache: Path) -> None:
    before = free_descriptor()
    Resonator().unroll(torch.randn(STEPS, 2, 3))
    assert len(list(cache.iterdir())) == 1
    assert free_descriptor() == before


def test_is_compiled_once(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    x = torch.randn(STEPS, 2, 3)
    want = Resonator().unroll(x)
    (kept,) = cache.iterdir()
    assert kept.suffix == ".so"
    assert cache.stat().st_mode & 0o777 == 0o700
    assert kept.stat().st_mode & 0o777 == 0o700
    monkeypatch.setattr(compiler, "_compile", None)  # not called again, by another process either
    run.kernel.cache_clear()
    assert all(map(torch.equal, Resonator().unroll(x), want))
    run.kernel.cache_clear()
    assert torch.equal(Resonator().unroll(torch.cat([x, x], 1))[0][:, :2], want[0])


@pytest.mark.parametrize("what", ["folder", "file"])
def test_what_others_can_write_to_is_not_loaded(
    what: str, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    neuron, x = Resonator(), torch.randn(STEPS, 2, 3)
    want = neuron.unroll(x)
    path = cache if what == "folder" else next(cache.iterdir())
    path.chmod(0o777)
    monkeypatch.setattr(ctypes, "CDLL", None)
    run.kernel.cache_clear()
    assert f"others can write to {path}" in str(snn.plan(neuron))
    assert all(map(torch.equal, neuron.unroll(x), want))


def test_without_a_compiler(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    neuron, x = Resonator(), torch.randn(STEPS, 2, 3)
    monkeypatch.setenv("CC", "no-such-compiler")
    assert "no C compiler is there (looked for no-such-compiler)" in str(snn.plan(neuron))
    assert_same(unrolled(neuron, x), loop(neuron, x), "")
    assert not list(cache.parent.rglob("*.so"))


def test_a_compiler_that_fails(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CC", "false")
    assert "false failed: nothing" in str(snn.plan(Resonator()))
    assert not list(cache.iterdir()), "nothing is left"


def test_where_nothing_can_be_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    taken = tmp_path / "taken"
    taken.write_text("no folder")
    monkeypatch.setenv("XDG_CACHE_HOME", str(taken))
    run.kernel.cache_clear()
    assert "its step, compiled" in str(snn.plan(Resonator()))
    assert compiler.folder().stat().st_mode & 0o777 == 0o700
    run.kernel.cache_clear()


def test_the_c_has_no_warnings(tmp_path: Path) -> None:
    """What is written for a class is C that a strict compiler has nothing to say of."""
    found = []
    compiled = on_cpu.compiled

    def noted(text: str) -> Any:
        found.append(text)
        return compiled(text)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(on_cpu, "compiled", noted)
        run.kernel.cache_clear()
        snn.plan(snn.AdEx())
        snn.plan(Resonator().double())
        run.kernel.cache_clear()
    for text in found:
        flags = ["-Wall", "-Wextra", "-Werror", "-Wno-unknown-pragmas", "-Wno-unused", "-O2"]
        command = [*compiler.compiler(), *flags, "-std=gnu11", "-fsyntax-only", "-x", "c", "-"]
        done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr


def test_a_sequence_is_returned_as_a_step_is() -> None:
    neuron, x = snn.DeltaLeaky(0.5, beta=0.9), torch.randn(6, 2, 3)
    spk, (mem, before) = neuron.unroll(x)
    assert "one kernel" in snn.plan(neuron, x).notes[0]
    rows, state = [], neuron.reset_mem()
    for step in x:
        one, state = neuron(step, state)
        rows.append((one, *state))
    for found, want in zip((spk, mem, before), zip(*rows, strict=True), strict=True):
        assert torch.equal(found, torch.stack(want))
    net = torch.nn.Sequential(snn.DeltaLeaky(0.5, beta=0.9, init_hidden=True, output=True))
    assert torch.equal(snn.unroll(net, x)[1][0], mem)
