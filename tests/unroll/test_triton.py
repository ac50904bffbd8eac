"""The Triton kernels against plain torch.

Triton decides when it is imported whether kernels are compiled or interpreted, so each test
runs a group of cases in a process of its own: `python -m tests.unroll.test_triton GROUP`.
"""

from __future__ import annotations

import importlib.util
import itertools
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor

from snntorch import surrogate
from snntorch._kernels import plain
from snntorch._kernels.cuda import launch as cuda
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
from tests.cases import SURROGATES
from tests.unroll.test_native import INFINITE, JUMPS, make_infinite

needs_triton = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="Triton is for Linux only"
)
needs_gpu = pytest.mark.skipif(cuda.available() is not None, reason=str(cuda.available()))

#: Largest error of a gradient, relative to the largest entry.
TOLERANCE = {torch.float32: 1e-6, torch.float64: 1e-13, torch.float16: 4e-3, torch.bfloat16: 4e-2}


class Case(NamedTuple):
    """One comparison: what is run, and on what."""

    rule: Rule
    spike_grad: SurrogateGradient = surrogate.atan()
    dtype: torch.dtype = torch.float32
    graded: bool = True
    constant: bool = False
    per: tuple[int, ...] = (5,)  # shape of the parameters
    values_dtype: torch.dtype | None = None
    shape: tuple[int, ...] = (3, 5)
    steps: int = 5
    record: tuple[str, ...] | None = None
    grads: str = "full"  # of what is recorded; or "expanded", "scalar", "none"
    needs: frozenset[str] = frozenset(PARAMETERS)
    strided: bool = False  # x over time
    turned: bool = False  # numbers of x and of the states, within a step
    halves: bool = False  # parameters so short that bfloat16 needs no rounding
    infinite: str = ""  # what neuron 3 meets, of INFINITE


def problem_of(case: Case, device: str) -> Problem:
    torch.manual_seed(0)
    rule, model = case.rule, case.rule.model

    def draw(low: float, high: float, *shape: int, dtype: torch.dtype = case.dtype) -> Tensor:
        number = torch.rand(shape) * (high - low) + low
        number = (number * 2).round() / 2 if case.halves else number
        return number.to(device, dtype)

    def number(low: float, high: float, wanted: bool = True) -> Any:
        return draw(low, high, *case.per, dtype=case.values_dtype or case.dtype) if wanted else None

    parameters = Parameters(
        threshold=number(0.5, 1.0),
        beta=number(0.5, 0.7),
        alpha=number(0.7, 0.9, model != "leaky"),
        tau=number(1.0, 3.0, model == "alpha"),
        V=number(-0.5, 0.5, rule.feedback),
        graded=number(0.5, 2.0, case.graded),
    )
    length = 1 if case.constant else case.steps
    x = draw(-0.5, 1.5, length, 2, *case.shape)
    x = x[:, 1] if case.strided else x[:, 1].clone()
    old = {name: draw(0.0, 1.2, *case.shape) for name in rule.states()}
    if case.turned:
        x = x.transpose(1, 2).contiguous().transpose(1, 2)
        old = {name: one.t().contiguous().t() for name, one in old.items()}
    make_infinite(case.infinite, parameters, x, old)
    return Problem(rule, parameters, case.spike_grad, x, case.steps, old)


def upstream(case: Case, like: ByName, kind: str) -> ByName:
    """Return gradients of ``like``."""
    make = {
        "full": torch.randn_like,
        "expanded": lambda v: torch.randn_like(v[0]).expand_as(v),
        "scalar": lambda v: v.new_ones(()).expand_as(v),
    }
    return {} if kind == "none" else {name: make[kind](value) for name, value in like.items()}


def check(case: Case, device: str = "cpu", kernels: Any = cuda) -> None:
    """Compare kernels with the reference: the same numbers forward, near ones backward."""
    problem = problem_of(case, device)
    every = ("spk", *(name for name in STATES[case.rule.model]))
    record = every if case.record is None else case.record
    rows, last = plain.forward(problem, record)
    got_rows, got_last = kernels.forward(problem, record)
    for kind, want, got in (("", rows, got_rows), ("last ", last, got_last)):
        assert got.keys() == want.keys()
        for name in want:
            assert got[name].dtype == case.dtype, kind + name
            same = (got[name] == want[name]) | (got[name].isnan() & want[name].isnan())
            assert same.all(), f"{kind}{name} differs"
    if "spk" in rows and problem.x.numel():
        assert 0 < (rows["spk"] != 0).float().mean() < 1, "nothing to compare"
    grads = upstream(case, rows, case.grads)
    last_grads = upstream(case, last, "none" if case.grads == "scalar" else "full")
    found = []
    for module in (plain, kernels):
        torch.manual_seed(1)  # some surrogates are random
        grad_x, grad_old, grad_of = module.backward(problem, grads, last_grads, case.needs)
        found.append({"x": grad_x, **grad_old, **grad_of._asdict()})
    want, got = found
    assert got.keys() == want.keys()
    for name in want:
        assert (got[name] is None) == (want[name] is None), name
        if want[name] is not None and problem.x.numel():
            assert got[name].dtype == case.dtype, name
            each, total = got[name].sum_to_size(want[name].shape), want[name]
            finite = total.isfinite()
            assert torch.equal(each[~finite].nan_to_num(), total[~finite].nan_to_num()), name
            # of numbers it is each neuron's own, whose sums cancel
            sizes = got[name].abs().sum_to_size(total.shape).where(finite, 0)
            off = (each - total).where(finite, 0)
            error = (off.abs().max() / sizes.max().clamp(min=1e-3)).item()
            tolerance = max(TOLERANCE[total.dtype], TOLERANCE[case.dtype])
            assert error <= tolerance, f"gradient of {name} is off by {error:.1e}"


def rules(model: str, dtypes: tuple[torch.dtype, ...]) -> Iterator[Case]:
    """Yield every reset and delay of a model, its other options by turns."""
    for i, (reset, delay) in enumerate(itertools.product(RESETS, (True, False))):
        feedback = i % 3 > 0
        yield Case(
            Rule(model, reset, delay, feedback),
            dtype=dtypes[i % len(dtypes)],
            graded=i % 4 < 2,
            constant=i % 5 > 2,
            per=((), (5,), (3, 1))[i % 7 % 3],
        )


def surrogates() -> Iterator[Case]:
    """Yield every surrogate of the package with every model and precision by turns."""
    for i, spike_grad in enumerate(SURROGATES.values()):
        for k, dtype in enumerate((torch.float32, torch.float64)):
            model = tuple(STATES)[(i + k) % 3]
            rule = Rule(model, "subtract", (i + k) % 2 == 0, False)
            yield Case(rule, spike_grad, dtype, steps=4)


def layouts() -> Iterator[Case]:
    """Yield ways in which tensors can lie in memory, and be there or not."""
    leaky = Rule("leaky", "subtract", delay=True, feedback=False)
    fed = Rule("synaptic", "zero", delay=True, feedback=True)
    yield Case(leaky, shape=(3, 100), per=(100,), steps=3)  # three blocks
    yield Case(leaky, shape=(2, 3, 2, 2), per=(3, 1, 1))
    yield Case(leaky, shape=(2, 3, 2, 2), per=(2, 1, 1, 2))
    yield Case(fed, dtype=torch.float64, per=(), values_dtype=torch.float32)
    yield Case(fed, strided=True, grads="expanded", record=("mem", "spk"))
    yield Case(fed, turned=True)
    yield Case(leaky, turned=True, constant=True, per=())
    yield Case(leaky, grads="scalar", record=("spk",), needs=frozenset({"beta"}))
    yield Case(leaky, grads="none", record=(), needs=frozenset())
    yield Case(fed, steps=1)
    yield Case(fed, steps=1, constant=True)
    yield Case(leaky, steps=18)
    yield Case(leaky, shape=(0, 5))
    yield Case(leaky, dtype=torch.bfloat16, halves=True, steps=3)
    yield Case(fed, dtype=torch.bfloat16, halves=True, steps=3)


def edges() -> Iterator[Case]:
    """Yield what is rare: infinities, membranes as high as the threshold, an unrounded factor."""
    resets = itertools.cycle(RESETS)
    slope = surrogate.straight_through_estimator()  # it does not end far below a threshold
    for what, model, delay in itertools.product(INFINITE, STATES, (True, False)):
        rule = Rule(model, next(resets), delay, feedback=model == "synaptic")
        yield Case(rule, slope, torch.float64, infinite=what)
    for what, reset in itertools.product(INFINITE, ("soft", "zero")):
        rule = Rule("alpha", reset, delay=False, feedback=False)
        yield Case(rule, slope, torch.float64, infinite=what)
    yield Case(rule, surrogate.sigmoid(400))  # whose exp(x) would be infinite
    for spike_grad, model in itertools.product(JUMPS, STATES):
        rule = Rule(model, next(resets), delay=True, feedback=False)
        yield Case(rule, spike_grad, torch.float64, graded=False, halves=True)
    fed = Rule("alpha", "subtract", delay=False, feedback=True)
    yield Case(fed, dtype=torch.float16, per=(), values_dtype=torch.float32)
    yield Case(fed, shape=(3, 100), per=(100,), steps=3)  # three blocks of all states


#: What the interpreter rounds as torch does; it truncates to bfloat16.
ROUNDED = (torch.float32, torch.float64, torch.float16)
GROUPS = {
    "rules": [case for model in STATES for case in rules(model, ROUNDED)],
    "surrogates": list(surrogates()),
    "layouts": list(layouts()),
    "edges": list(edges()),
}


def failures(cases: list[Case], device: str) -> list[str]:
    """Return what goes wrong in which case."""
    found = []
    for case in cases:
        # several segments even of few steps
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(cuda, "SHORT", 1 if case.steps < 16 else cuda.SHORT)
            try:
                check(case, device)
            except Exception as error:
                found.append(f"{case}: {type(error).__name__}: {error}")
    return found


def run(*arguments: str, **environment: str) -> None:
    """Run this file as a program; it prints what went wrong."""
    command = [sys.executable, "-m", "tests.unroll.test_triton", *arguments]
    done = subprocess.run(
        command, capture_output=True, text=True, env={**os.environ, **environment}, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@needs_triton
@pytest.mark.parametrize("group", GROUPS)
def test_interpreted(group: str) -> None:
    run(group, TRITON_INTERPRET="1")


@needs_triton
def test_compiles_without_gpu(tmp_path: Any) -> None:
    run("compile", TRITON_INTERPRET="0", TRITON_CACHE_DIR=str(tmp_path))


@needs_gpu
@pytest.mark.parametrize("first", range(8))
@pytest.mark.parametrize("group", GROUPS)
def test_on_gpu(group: str, first: int) -> None:
    assert failures(GROUPS[group][first::8], "cuda") == []


@needs_gpu
@pytest.mark.parametrize("model", STATES)
def test_bfloat16_on_gpu(model: str) -> None:
    cases = list(rules(model, (torch.bfloat16,)))
    cases += [case._replace(per=(), values_dtype=torch.float32) for case in cases]
    assert failures(cases, "cuda") == []


def test_every_option_meets_every_model() -> None:
    for model in STATES:
        cases = [case for case in GROUPS["rules"] if case.rule.model == model]
        assert {(c.rule.reset, c.rule.delay) for c in cases} == {
            *itertools.product(RESETS, (True, False))
        }
        for option in ("dtype", "graded", "constant", "per"):
            met = {getattr(case, option) for case in cases}
            assert len(met) == (3 if option in ("dtype", "per") else 2), (model, option)
        fed = {case.rule.feedback for case in cases}
        assert fed == {True, False}


@pytest.mark.parametrize("what", ("none", "forward", "state", "backward", "needs"))
def test_check_finds_small_errors(what: str) -> None:
    def forward(problem: Problem, record: tuple[str, ...]) -> Any:
        off = 1 + 2**-23 if what == "forward" else 1
        parameters = problem.parameters._replace(beta=problem.parameters.beta * off)
        rows, last = plain.forward(replace(problem, parameters=parameters), record)
        return rows, {n: s + (what == "state") * 2**-22 for n, s in last.items()}

    def backward(*arguments: Any) -> Any:
        grad_x, grad_old, grad_of = plain.backward(*arguments)
        grad_x = grad_x * (1 + 1e-5) if what == "backward" else grad_x
        return grad_x, grad_old, Parameters(None, None) if what == "needs" else grad_of

    case = Case(Rule("synaptic", "subtract", delay=True, feedback=True))
    kernels = SimpleNamespace(forward=forward, backward=backward)
    if what == "none":
        check(case, kernels=kernels)
    else:
        with pytest.raises(AssertionError):
            check(case, kernels=kernels)


def test_says_why_not(monkeypatch: pytest.MonkeyPatch) -> None:
    one = torch.ones(1, 3)
    assert "Triton kernels take no" in cuda.why_not(one, Parameters(one, one))
    why = cuda.available.__wrapped__
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert why() == "torch sees no CUDA device"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert why() == "Triton is not installed"
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name)
    assert why() is None


# --- the program ---------------------------------------------------------------------------


class Compiled:
    """A kernel that is compiled for its arguments instead of run."""

    def __init__(self, kernel: Any) -> None:
        self.kernel = kernel
        self.ptx: list[str] = []

    def __getitem__(self, grid: Any) -> Any:
        return self.compile

    def compile(self, *, num_warps: int, enable_fp_fusion: bool, **arguments: Any) -> None:
        import triton  # noqa: PLC0415
        from triton.backends.compiler import GPUTarget  # noqa: PLC0415

        types = {torch.float32: "*fp32", torch.float64: "*fp64", torch.bfloat16: "*bf16"}
        signature, constants, hints = {}, {}, {}
        for i, parameter in enumerate(self.kernel.params):
            value, special = arguments[parameter.name], not parameter.do_not_specialize
            if isinstance(value, Tensor):
                signature[parameter.name] = types[value.dtype]
                hints[(i,)] = [["tt.divisibility", 16]]
            elif parameter.is_constexpr or value is None or (value == 1 and special):
                signature[parameter.name], constants[(i,)] = "constexpr", value
            else:
                signature[parameter.name] = "i32"
                if value % 16 == 0 and special:
                    hints[(i,)] = [["tt.divisibility", 16]]
        source = triton.compiler.ASTSource(self.kernel, signature, constants, hints)
        options = {"num_warps": num_warps, "enable_fp_fusion": enable_fp_fusion}
        target = GPUTarget("cuda", 90, 32)
        done = triton.compile(source, target=target, options=options)
        assert done.asm["cubin"]
        self.ptx.append(done.asm["ptx"])


def compile_some() -> None:
    from snntorch._kernels.cuda import kernels as _triton  # noqa: PLC0415

    forward, backward = (Compiled(kernel) for kernel in (_triton.forward, _triton.backward))
    compiled = {**vars(_triton), "forward": forward, "backward": backward}
    vars(cuda)["_kernels"] = lambda: SimpleNamespace(**compiled)
    for case in (
        Case(Rule("leaky", "subtract", True, False), shape=(2, 16), per=(), steps=100),
        Case(Rule("synaptic", "zero_old", False, True), surrogate.sigmoid(), torch.float64),
        Case(Rule("alpha", "soft", True, False), surrogate.SSO(), torch.bfloat16, constant=True),
    ):
        problem = problem_of(case, "cpu")
        rows, last = cuda.forward(problem, ("spk", *STATES[case.rule.model]))
        cuda.backward(problem, rows, last, frozenset(PARAMETERS))
    for ptx in forward.ptx:
        assert "fma" not in ptx, "a b + c would be rounded once"
    assert "cvt.rn.bf16" in forward.ptx[-1]
    assert len(forward.ptx) > len(backward.ptx) == 3  # once more where torch has the surrogate


def main(group: str) -> int:
    if group == "compile":
        compile_some()
        return 0
    failed = failures(GROUPS[group], "cpu")
    print(*failed, sep="\n")
    return len(failed)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
