"""The compiled kernel equals its reference, bit for bit forward, and rounding apart back."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

import snntorch as snn
from snntorch import surrogate
from snntorch._kernels import backends, plain
from snntorch._kernels.cpu import binding as cpu
from snntorch._kernels.cpu import library, memory
from snntorch._kernels.problem import (
    PARAMETERS,
    RESETS,
    STATES,
    ByName,
    Parameters,
    Problem,
    Rule,
)
from snntorch.surrogate import SurrogateGradient
from tests.cases import FORMULAS, SURROGATES

needs_kernel = pytest.mark.skipif(
    cpu.available() is not None, reason=f"no kernel: {cpu.available()}"
)
RULES = [
    Rule(model, reset, delay, feedback)
    for model, reset, delay, feedback in itertools.product(
        STATES, RESETS, (True, False), (True, False)
    )
]
each_rule = pytest.mark.parametrize("rule", RULES, ids=lambda r: "-".join(map(str, r)))
LEAKY = Rule("leaky", "subtract", True, False)
DTYPES = (torch.float32, torch.float64, torch.bfloat16)
each_dtype = pytest.mark.parametrize("dtype", DTYPES, ids=str)


class Window(surrogate.SurrogateFunction):
    @staticmethod
    def gradient(x: Tensor, grad: Tensor) -> Tensor:
        return grad * (x.abs() < 0.5)


SPIKE_GRADS = (
    *SURROGATES.values(),
    SurrogateGradient("window", Window),
    # a number that is a tensor is left to torch
    SurrogateGradient("atan", surrogate.ATan, (torch.tensor(1.5),)),
)
#: Whose derivative jumps where a membrane is at the threshold.
JUMPS = (surrogate.triangular(), surrogate.heaviside(), surrogate.LSO(), surrogate.SFS(2, 0))


def numbers(
    rule: Rule, dtype: torch.dtype, shape: tuple[int, ...] = (), graded: bool = True
) -> Parameters:
    """Return numbers for a rule: without a shape in float32, as a neuron has them."""

    def draw(low: float, high: float) -> Tensor:
        return (torch.rand(shape) * (high - low) + low).to(dtype if shape else torch.float32)

    return Parameters(
        draw(0.5, 1.0),
        draw(0.5, 0.7),
        None if rule.model == "leaky" else draw(0.7, 0.9),
        draw(1.0, 3.0) if rule.model == "alpha" else None,
        draw(-0.5, 0.5) if rule.feedback else None,
        draw(0.5, 2.0) if graded else None,
    )


def states(rule: Rule, x: Tensor) -> ByName:
    return {name: torch.rand(x.shape[1:]).to(x.dtype) for name in rule.states()}


def inputs(*shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
    return (torch.rand(shape) * 2.5 - 0.5).to(dtype)


#: What can be infinite in `make_infinite`, with rates that keep it or forget it.
INFINITE = ("threshold", "input", "state", "forgotten input", "forgotten state")


def make_infinite(what: str, values: Parameters, x: Tensor, old: ByName) -> None:
    """Have neuron 3 meet infinity; the parameters are one per neuron."""
    if what == "threshold":
        values.threshold[3] = torch.inf
    if "input" in what:
        x[len(x) // 2, 0, 3] = torch.inf
    if "state" in what:
        for name in old.keys() - {"spk"}:
            old[name][0, 3] = torch.inf
    if "forgotten" in what:
        for rate in (values.beta, values.alpha):
            if rate is not None:
                rate[3] = 0


def records(rule: Rule) -> tuple[str, ...]:
    return ("spk", *STATES[rule.model])


def assert_same(got: ByName, want: ByName) -> None:
    assert got.keys() == want.keys()
    for name, value in want.items():
        assert got[name].dtype == value.dtype
        torch.testing.assert_close(got[name], value, rtol=0, atol=0, equal_nan=True, msg=name)


def check_forward(
    rule: Rule,
    values: Parameters,
    x: Tensor,
    steps: int,
    record: tuple[str, ...] | None = None,
    old: ByName | None = None,
) -> Tensor:
    """Compare all that comes out, bit for bit; return the spikes."""
    old = states(rule, x) if old is None else old
    record = records(rule) if record is None else record
    problem = Problem(rule, values, surrogate.atan(), x, steps, old)
    got = cpu.forward(problem, record)
    want = plain.forward(problem, record)
    for one, other in zip(got, want, strict=True):
        assert_same(one, other)
    return want[0].get("spk", x)


def check_backward(
    rule: Rule,
    values: Parameters,
    x: Tensor,
    steps: int,
    spike_grad: SurrogateGradient,
    grads: ByName,
    last_grads: ByName,
    needs: frozenset[str] = frozenset(PARAMETERS),
    old: ByName | None = None,
) -> None:
    """Compare all gradients: 1e-10 in double precision, 1e-6 of the largest in single."""
    old = states(rule, x) if old is None else old
    problem = Problem(rule, values, spike_grad, x, steps, old)
    arguments = (problem, grads, last_grads, needs)
    torch.manual_seed(5)  # for a surrogate that draws
    want = plain.backward(*arguments)
    torch.manual_seed(5)
    got = cpu.backward(*arguments)
    tolerance = 1e-10 if x.dtype == torch.float64 else 1e-6
    pairs = {"x": (got[0], want[0])}
    pairs |= {name: (got[1][name], value) for name, value in want[1].items()}
    pairs |= {n: (getattr(got[2], n), getattr(want[2], n)) for n in PARAMETERS}
    for name, (one, other) in pairs.items():
        assert (one is None) == (other is None), name
        if other is not None:
            # of numbers it is each neuron's own, whose sums cancel
            largest = one.abs().sum_to_size(other.shape).max().item()
            torch.testing.assert_close(
                one.sum_to_size(other.shape),
                other,
                rtol=tolerance,
                atol=tolerance * max(largest, 1),
                msg=name,
            )


# --- forward ---------------------------------------------------------------------------------


@needs_kernel
@each_rule
@each_dtype
def test_forward_is_the_reference_bit_for_bit(rule: Rule, dtype: torch.dtype) -> None:
    torch.manual_seed(1)
    fired = 0
    for shape, graded, constant in itertools.product(((), (37,)), (True, False), (True, False)):
        x = inputs(1 if constant else 9, 5, 37, dtype=dtype)
        spikes = check_forward(rule, numbers(rule, dtype, shape, graded), x, 9)
        fired += int(spikes.count_nonzero())
    assert fired > 100


@needs_kernel
@each_dtype
def test_a_number_may_have_any_dtype_or_shape(dtype: torch.dtype) -> None:
    torch.manual_seed(2)
    rule = Rule("alpha", "soft", False, True)
    x = inputs(6, 3, 4, 5, 7, dtype=dtype)
    for shape in ((1,), (4, 1, 1), (1, 4, 1, 1), (5, 1), (3, 1, 1, 1), (3, 4, 5, 7), (1, 7)):
        check_forward(rule, numbers(rule, dtype, shape), x, 6)
    values = Parameters(*(v.to(torch.float64) for v in numbers(rule, dtype)))
    check_forward(rule, values, x, 6)


@needs_kernel
@each_dtype
@pytest.mark.parametrize("size", [1, 7, 16, 33, 1000, 1024, 2111])
def test_any_number_of_neurons(size: int, dtype: torch.dtype) -> None:
    torch.manual_seed(3)
    for rule in (LEAKY, Rule("synaptic", "zero", False, True)):
        x = inputs(4, 1, size, dtype=dtype)
        check_forward(rule, numbers(rule, dtype, (size,)), x, 4)


@needs_kernel
@pytest.mark.parametrize("steps", [1, 2, 3000])
def test_any_number_of_steps(steps: int) -> None:
    torch.manual_seed(4)
    zeroed = Rule("alpha", "zero", False, False)
    for rule, dtype in ((LEAKY, torch.float32), (zeroed, torch.float64)):
        x = inputs(steps, 3, 11, dtype=dtype)
        check_forward(rule, numbers(rule, dtype), x, steps)
        values = Parameters(*(v if v is None else v.to(dtype) for v in numbers(rule, dtype)))
        gradient = {"spk": torch.randn(x.shape, dtype=dtype)}
        check_backward(rule, values, x, steps, surrogate.atan(), gradient, {})


@needs_kernel
@pytest.mark.parametrize("record", [(), ("mem",), ("spk", "syn"), ("mem", "spk", "syn")])
def test_only_what_was_asked_for_is_recorded(record: tuple[str, ...]) -> None:
    rule = Rule("synaptic", "subtract", True, False)
    check_forward(rule, numbers(rule, torch.float32), inputs(5, 2, 50), 5, record)


@needs_kernel
@each_dtype
@pytest.mark.parametrize("size", [640, 647])
def test_writing_past_the_cache_changes_nothing(
    size: int, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cpu, "STREAM", 0)
    torch.manual_seed(6)
    for rule in (LEAKY, Rule("alpha", "zero", False, True)):
        x = inputs(7, 3, size, dtype=dtype)
        check_forward(rule, numbers(rule, dtype), x, 7)
        if dtype != torch.bfloat16:
            gradient = {name: torch.randn(x.shape, dtype=dtype) for name in records(rule)}
            values = Parameters(*(v if v is None else v.to(dtype) for v in numbers(rule, dtype)))
            check_backward(rule, values, x, 7, surrogate.atan(), gradient, {})
    decay, x = torch.rand(9, 1, size), torch.randn(9, 4, size)
    torch.testing.assert_close(cpu.scan(decay, x), loop(decay, x), rtol=0, atol=0)


@needs_kernel
@each_rule
def test_infinity_and_nan_come_out_where_the_reference_has_them(rule: Rule) -> None:
    torch.manual_seed(7)
    for dtype in DTYPES:
        x = inputs(8, 2, 24, dtype=dtype)
        x[2, 0, 3], x[3, 1, 4], x[4, 0, 5] = torch.nan, torch.inf, -torch.inf
        values = numbers(rule, dtype, (24,))
        values.threshold[6] = torch.inf
        check_forward(rule, values, x, 8)


@needs_kernel
@pytest.mark.parametrize("what", INFINITE)
@each_rule
def test_infinity_goes_back_as_in_the_reference(rule: Rule, what: str) -> None:
    torch.manual_seed(17)
    x = inputs(8, 2, 24, dtype=torch.float64)
    values, old = numbers(rule, x.dtype, (24,)), states(rule, x)
    make_infinite(what, values, x, old)
    # whose slope does not end far below a threshold, as others' do
    problem = Problem(rule, values, surrogate.straight_through_estimator(), x, 8, old)
    for one, other in zip(
        *(way.forward(problem, records(rule)) for way in (cpu, plain)), strict=True
    ):
        assert_same(one, other)
    grads = {name: torch.randn(8, 2, 24, dtype=x.dtype) for name in records(rule)}
    last = {name: torch.randn(2, 24, dtype=x.dtype) for name in rule.states()}
    found = []
    for way in (cpu, plain):
        grad_x, grad_old, grad_values = way.backward(problem, grads, last, frozenset(PARAMETERS))
        found.append([grad_x, *grad_old.values(), *(v for v in grad_values if v is not None)])
    for one, other in zip(*found, strict=True):
        got = one.sum_to_size(other.shape)
        torch.testing.assert_close(got, other, rtol=1e-9, atol=1e-9, equal_nan=True)
        assert got[..., torch.arange(24) != 3].isfinite().all()


@needs_kernel
@each_rule
def test_on_the_threshold_nothing_fires(rule: Rule) -> None:
    """Where a membrane is as high as the threshold, a comparison of another kind would show."""
    torch.manual_seed(18)
    half = torch.tensor(0.5, dtype=torch.float64)
    x = inputs(8, 5, 24, dtype=half.dtype).mul(4).round() / 4
    values = Parameters(*(None if value is None else half for value in numbers(rule, half.dtype)))
    old = {name: state.mul(4).round() / 4 for name, state in states(rule, x).items()}
    seen = plain.forward(Problem(rule, values, surrogate.atan(), x, 8, old), ("spk", "mem"))[0]
    assert (old["mem"] == half).any()
    assert not seen["spk"][seen["mem"] == half].all()
    grads = {name: torch.randn(8, 5, 24, dtype=half.dtype) for name in records(rule)}
    check_forward(rule, values, x, 8, old=old)
    for spike_grad in JUMPS:
        check_backward(rule, values, x, 8, spike_grad, grads, {}, old=old)


@needs_kernel
def test_time_may_have_any_stride() -> None:
    torch.manual_seed(8)
    wide, gradient = inputs(8, 6, 20), torch.randn(8, 6, 20)
    for x, grad in ((wide[::2], gradient[::2]), (wide[:, :5], gradient[:, 1:])):
        assert not x.is_contiguous()
        values, steps = numbers(LEAKY, x.dtype), len(x)
        check_forward(LEAKY, values, x, steps)
        check_backward(LEAKY, values, x, steps, surrogate.atan(), {"spk": grad}, {})


@needs_kernel
def test_the_harness_notices_a_difference() -> None:
    torch.manual_seed(9)
    x, values = inputs(9, 5, 37), numbers(LEAKY, torch.float32)
    old = states(LEAKY, x)
    problem = Problem(LEAKY, values, surrogate.atan(), x, 9, old)
    other = replace(problem, rule=LEAKY._replace(reset="zero"))
    got, _ = cpu.forward(other, ("spk", "mem"))
    want, _ = plain.forward(problem, ("spk", "mem"))
    with pytest.raises(AssertionError):
        assert_same(got, want)
    nudged = {"mem": want["mem"].clone(), "spk": want["spk"]}
    nudged["mem"][4, 3, 2] = torch.nextafter(nudged["mem"][4, 3, 2], torch.tensor(9.0))
    with pytest.raises(AssertionError):
        assert_same(nudged, want)


# --- backward --------------------------------------------------------------------------------


@needs_kernel
@each_rule
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_backward_is_the_reference(rule: Rule, dtype: torch.dtype) -> None:
    torch.manual_seed(10)
    for shape, constant in itertools.product(((), (37,)), (True, False)):
        x = inputs(1 if constant else 9, 5, 37, dtype=dtype)
        values = Parameters(*(v if v is None else v.to(dtype) for v in numbers(rule, dtype, shape)))
        grads = {name: torch.randn(9, 5, 37, dtype=dtype) for name in records(rule)}
        last = {name: torch.randn(5, 37, dtype=dtype) for name in rule.states()}
        check_backward(rule, values, x, 9, surrogate.atan(), grads, last)
        check_backward(rule, values, x, 9, surrogate.atan(), {"spk": grads["spk"]}, {})
        check_backward(rule, values, x, 9, surrogate.atan(), {}, {"mem": last["mem"]})


@needs_kernel
@each_rule
def test_backward_in_bfloat16_goes_back_in_single_precision(rule: Rule) -> None:
    # from the same rounded states, so the reference has to be close within its own rounding
    torch.manual_seed(11)
    x = inputs(7, 4, 21, dtype=torch.bfloat16)
    values = numbers(rule, torch.bfloat16, (21,))
    grads = {name: torch.randn(7, 4, 21).bfloat16() for name in records(rule)}
    problem = Problem(rule, values, surrogate.fast_sigmoid(2), x, 7, states(rule, x))
    arguments = (problem, grads, {}, frozenset(PARAMETERS))
    got, want = cpu.backward(*arguments), plain.backward(*arguments)
    pairs = [(got[0], want[0]), *zip(got[2], want[2], strict=True)]
    for one, other in pairs:
        if other is not None:
            assert one.dtype == torch.bfloat16
            exact = other.float()
            error = (one.float().sum_to_size(other.shape) - exact).norm() / exact.norm()
            assert error < 0.05


@needs_kernel
@pytest.mark.parametrize("spike_grad", SPIKE_GRADS, ids=lambda s: s.name)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_every_surrogate(spike_grad: SurrogateGradient, dtype: torch.dtype) -> None:
    torch.manual_seed(12)
    for rule in (LEAKY, Rule("synaptic", "zero", False, True)):
        values = Parameters(*(v if v is None else v.to(dtype) for v in numbers(rule, dtype)))
        x = inputs(6, 3, 29, dtype=dtype)
        grads = {name: torch.randn(6, 3, 29, dtype=dtype) for name in records(rule)}
        check_backward(rule, values, x, 6, spike_grad, grads, {})


@needs_kernel
@pytest.mark.parametrize("spike_grad", [SURROGATES[name] for name in FORMULAS], ids=FORMULAS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_a_surrogate_far_out_stays_finite(
    spike_grad: SurrogateGradient, dtype: torch.dtype
) -> None:
    rule = Rule("leaky", "none", True, False)
    size = torch.logspace(-6, 15, 400, dtype=dtype)
    x = torch.cat([-size.flip(0), torch.zeros(1, dtype=dtype), size]).reshape(1, 1, -1)
    values = Parameters(torch.zeros(()), torch.zeros(()))
    ones = {"spk": torch.ones_like(x)}
    problem = Problem(rule, values, spike_grad, x, 1, states(rule, x))
    got, _, _ = cpu.backward(problem, ones, {}, frozenset(PARAMETERS))
    assert got.isfinite().all()
    want = spike_grad.derivative(x)
    tolerance = 1e-6 if dtype == torch.float32 else 1e-13
    torch.testing.assert_close(got, want, rtol=tolerance, atol=tolerance * want.abs().max())


@needs_kernel
def test_gradients_come_in_any_layout() -> None:
    torch.manual_seed(13)
    x, values = inputs(6, 4, 32), numbers(LEAKY, torch.float32)
    layouts = {
        "the same at all times": torch.randn(1, 4, 32).expand(6, 4, 32),
        "of a sum": torch.tensor(0.7).expand(6, 4, 32),
        "of a sum over neurons": torch.randn(6, 4, 1).expand(6, 4, 32),
        "transposed": torch.randn(6, 32, 4).transpose(1, 2),
        "one row": torch.randn(4, 32).t().contiguous().t().expand(6, 4, 32),
    }
    for grad in layouts.values():
        last = {"mem": torch.randn(32, 4).t()}
        check_backward(LEAKY, values, x, 6, surrogate.atan(), {"spk": grad}, last)


@needs_kernel
def test_only_the_gradients_that_are_needed_come_back() -> None:
    torch.manual_seed(14)
    rule = Rule("synaptic", "soft", False, True)
    x, values = inputs(6, 4, 32), numbers(rule, torch.float32)
    grads = {"spk": torch.randn(6, 4, 32)}
    for needs in (frozenset(), frozenset({"beta"}), frozenset({"V", "graded"})):
        check_backward(rule, values, x, 6, surrogate.atan(), grads, {}, needs)


@needs_kernel
def test_nan_stays_with_its_neuron() -> None:
    x, values = inputs(6, 1, 40), numbers(LEAKY, torch.float32)
    x[2, 0, 17] = torch.nan
    ones = {"spk": torch.ones(6, 1, 40)}
    for name in FORMULAS:
        problem = Problem(LEAKY, values, SURROGATES[name], x, 6, states(LEAKY, x))
        arguments = (problem, ones, {}, frozenset(PARAMETERS))
        got, want = cpu.backward(*arguments)[0], plain.backward(*arguments)[0]
        assert torch.equal(got.isnan(), want.isnan())
        assert not got[..., torch.arange(40) != 17].isnan().any()


# --- threads, and sums -----------------------------------------------------------------------


@pytest.fixture(params=["OpenMP's threads", "threads of its own"])
def two_threads(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    if request.param == "threads of its own":
        monkeypatch.setattr(memory, "threads_of_torch", lambda: 0)
        monkeypatch.setattr(library, "threads_of_torch", lambda: 0)
        memory._parts.cache_clear()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(1)
    memory._parts.cache_clear()


@needs_kernel
@pytest.mark.usefixtures("two_threads")
@pytest.mark.parametrize("size", [1000, 1800, 5003])
def test_threads_change_nothing(size: int) -> None:
    torch.manual_seed(15)
    rule = Rule("synaptic", "subtract", False, False)
    x, values = inputs(40, 1, size), numbers(rule, torch.float32, (size,))
    assert x.numel() > 32768
    old, grads = states(rule, x), {"spk": torch.randn(x.shape)}
    decay = torch.rand(40, 1, size)
    results = []
    for threads in (2, 1):
        torch.set_num_threads(threads)
        problem = Problem(rule, values, surrogate.atan(), x, 40, old)
        recorded, last = cpu.forward(problem, ("spk", "mem"))
        back = cpu.backward(problem, grads, {}, frozenset(PARAMETERS))
        results.append([*recorded.values(), *last.values(), back[0], *back[1].values()])
        results[-1] += [v for v in back[2] if v is not None] + [cpu.scan(decay, x)]
    assert all(torch.equal(one, other) for one, other in zip(*results, strict=True))


def loop(decay: Tensor, x: Tensor, reverse: bool = False) -> Tensor:
    decay, y = decay.expand(x.shape), torch.empty_like(x)
    steps = range(len(x))
    before = None
    for t in reversed(steps) if reverse else steps:
        factor = decay[(t + 1) % len(x) if reverse else t]
        y[t] = x[t] if before is None else factor * y[before] + x[t]
        before = t
    return y


@needs_kernel
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_scan_is_the_loop(reverse: bool, dtype: torch.dtype) -> None:
    torch.manual_seed(16)
    for shape in ((1, 5), (50, 3, 16), (50, 3, 37), (7, 2, 3, 5), (400, 1), (9,)):
        drawn = torch.randn(shape, dtype=dtype)
        decays = [torch.rand(shape[:1] + (1,) * (len(shape) - 1)), torch.rand(shape)]
        decays += [torch.rand(shape[-1:]), torch.rand(())] if len(shape) > 1 else []
        decays.append(torch.rand(1, *shape[1:]).expand(shape))
        layouts = (drawn, drawn[:1].expand(shape), drawn.sum().expand(shape))
        for decay, x in itertools.product(decays, layouts):
            got = cpu.scan(decay.to(dtype), x, reverse)
            torch.testing.assert_close(got, loop(decay.to(dtype), x, reverse), rtol=0, atol=0)
    assert cpu.scan(torch.rand(3, 1), torch.rand(3, 0)).shape == (3, 0)


def test_scan_names_the_dtypes_it_takes() -> None:
    with pytest.raises(TypeError, match=r"scan expected `decay` and `x` of the same dtype"):
        cpu.scan(torch.rand(3, 1), torch.rand(3, 2).half())


# --- without a library -----------------------------------------------------------------------


def test_without_a_library_the_reason_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(library, "FOLDER", str(tmp_path))
    assert cpu.available() is not None
    assert "without a C compiler" in cpu.available()
    with pytest.raises(RuntimeError, match="without a C compiler"):
        cpu.scan(torch.rand(2, 3), torch.rand(2, 3))
    lif, x, mem, spikes = snn.Leaky(0.9), torch.rand(8, 2, 3), None, []
    for step in x:
        spk, mem = lif(step, mem)
        spikes.append(spk)
    assert torch.equal(snn.Leaky(0.9).unroll(x)[0], torch.stack(spikes))


def test_a_broken_library_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / f"_kernel{library.EXTENSION_SUFFIXES[0]}").write_bytes(b"no library")
    monkeypatch.setattr(library, "FOLDER", str(tmp_path))
    assert "cannot be loaded" in (cpu.available() or "")


@needs_kernel
def test_a_library_of_other_sources_is_not_called(monkeypatch: pytest.MonkeyPatch) -> None:
    known = library.load.__wrapped__(library.FOLDER)
    assert isinstance(known, library.Library)
    assert library.hash_of_sources() in (None, known.sources)
    monkeypatch.setattr(library, "hash_of_sources", lambda: known.sources + 1)
    assert "other sources" in library.load.__wrapped__(library.FOLDER)
    monkeypatch.setattr(library, "hash_of_sources", lambda: None)  # as in a wheel
    assert isinstance(library.load.__wrapped__(library.FOLDER), library.Library)


@needs_kernel
def test_tables_of_another_library_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("STATES", "PARAMETERS"):
        with monkeypatch.context() as patch:
            patch.setattr(library, name, {"leaky": ("mem", "new")} if name == "STATES" else ())
            assert "cannot be loaded: its" in str(library.load.__wrapped__(library.FOLDER))


@needs_kernel
@pytest.mark.parametrize(
    "field", ("dtype", "model", "kind", "surrogate", "now", "fed", "steps", "size")
)
@pytest.mark.parametrize("name", ("snn_forward", "snn_backward"))
def test_c_refuses_what_it_does_not_know(field: str, name: str) -> None:
    x, one = torch.rand(1, 3), torch.tensor(1.0)
    problem = Problem(LEAKY, Parameters(one, one), surrogate.atan(), x, 1, {"mem": x[0]})
    args = cpu.arguments(problem, (1, 2.0, 0.0))
    args.call(name)
    for number in (-1, 0 if field in ("steps", "size") else 99):
        args.parts[args.place(field)] = number
        with pytest.raises(ValueError, match="does not know"):
            args.call(name)


def test_what_the_kernel_covers() -> None:
    values = Parameters(torch.tensor(1.0), torch.rand(3))
    why = cpu.why_not(torch.rand(2, 3), values)
    assert why == cpu.available()
    for x in (torch.rand(2, 3).half(), torch.rand(2, 3).double(), torch.rand(2), torch.rand(2, 0)):
        assert cpu.why_not(x, values)
    assert cpu.why_not(torch.rand(2, 3, device="meta"), values)


# --- what a kernel is told -----------------------------------------------------------------------


def test_a_problem_that_does_not_fit_is_not_made() -> None:
    x, one = torch.rand(4, 2, 3), torch.tensor(1.0)
    fits = Problem(LEAKY, Parameters(one, one), surrogate.atan(), x, 4, {"mem": x[0]})
    for change, said in (
        ({"rule": LEAKY._replace(model="lif")}, "model"),
        ({"rule": LEAKY._replace(reset="hard")}, "reset"),
        ({"rule": LEAKY._replace(feedback=True)}, "parameters"),
        ({"rule": LEAKY._replace(model="synaptic")}, "parameters"),
        ({"parameters": Parameters(one, one, alpha=one)}, "parameters"),
        ({"parameters": Parameters(one, torch.rand(2))}, "`beta` that expands"),
        ({"parameters": Parameters(torch.rand(3).double(), one)}, "`threshold` that expands"),
        ({"steps": 5}, "`x` of 1 or 5 steps"),
        ({"old": {}}, "states"),
        ({"old": {"mem": x}}, "`mem` like a step"),
        ({"old": {"mem": x[0].double()}}, "`mem` like a step"),
    ):
        with pytest.raises(ValueError, match=said):
            replace(fits, **change)


def test_one_warning_of_a_large_sequence_without_kernel(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(library, "FOLDER", str(tmp_path))
    monkeypatch.setattr(backends, "MANY", 100)
    backends._tell.cache_clear()
    lif = snn.Leaky(0.9)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        lif.unroll(torch.rand(3, 2, 5))  # of 30 values
    for told in (1, 0):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            lif.unroll(torch.rand(2, 5), num_steps=50)
        assert len(caught) == told
        assert all("without a compiled kernel" in str(one.message) for one in caught)
        assert all("pip install" in str(one.message) for one in caught)
    backends._tell.cache_clear()
