"""The compiled kernel for the CPU: a `Backend`, and the scan."""

from __future__ import annotations

from numbers import Real

import torch
from torch import Tensor

from snntorch._checks import expect
from snntorch._kernels.cpu import library
from snntorch._kernels.cpu.library import Library
from snntorch._kernels.cpu.memory import STREAM, TABULATED, Args, Memory, by_row, compiled
from snntorch._kernels.cpu.pool import empty
from snntorch._kernels.problem import ByName, Parameters, Problem
from snntorch.surrogate import SurrogateGradient

#: What a plan says of this path.
DESCRIPTION = "compiled for this CPU"


def available() -> str | None:
    """Return None if the kernel can be used, else the reason why not."""
    found = library.load(library.FOLDER)
    return found if isinstance(found, str) else None


def why_not(x: Tensor, parameters: Parameters) -> str | None:
    """Return why the kernel does not compute with such an input and such parameters."""
    found = library.load(library.FOLDER)
    if not isinstance(found, Library):
        return found
    if not x.is_cpu or x.layout is not torch.strided or x.dtype not in found.dtypes:
        return f"the compiled kernel takes no {x.dtype}, {x.layout} on {x.device}"
    if x.dim() < 2 or not x.numel():
        return "torch promotes dtypes where a step has no dimension"
    for name, one in parameters.given().items():
        if not one.is_cpu or (one.dim() and one.dtype != x.dtype):
            return f"{name} is of {one.dtype} on {one.device}"
    return None


def arguments(problem: Problem, spike_grad: tuple[float, ...] = TABULATED) -> Args:
    """Return what forward and backward share."""
    args = Args(
        *(problem.x.dtype, *problem.rule),
        *(problem.steps, problem.shape.numel(), spike_grad),
    )
    for name, value in problem.parameters.given().items():
        args.parameter(name, value, problem.shape)
    args.rows(args.place("x"), problem.x)
    args.point_all("from", problem.old)
    return args


def forward(problem: Problem, record: tuple[str, ...]) -> tuple[ByName, ByName]:
    """Run all steps, see `Backend.forward`."""
    dtype, shape = problem.x.dtype, problem.shape
    recorded = {name: empty((problem.steps, *shape), dtype) for name in record}
    last = {name: empty(shape, dtype) for name in problem.rule.states()}
    args = arguments(problem)
    for name, rows in recorded.items():
        args.rows(args.place("rows", name), rows)
    args.point_all("to", last)
    args.call("snn_forward")
    return recorded, last


def backward(
    problem: Problem, grads: ByName, last_grads: ByName, needs: frozenset[str]
) -> tuple[Tensor, ByName, Parameters]:
    """Return the gradients of all inputs of `forward`, see `Backend.backward`."""
    dtype, shape, given = problem.x.dtype, problem.shape, problem.parameters.given()
    grad_x = empty(problem.x.shape, dtype)
    grad_old = {name: empty(shape, dtype) for name in problem.rule.states()}
    totals = {name: empty(shape, dtype) for name in given if name in needs}
    known = surrogate_number(problem.spike_grad)
    args = arguments(problem, known)
    if known == TABULATED:
        args.rows(args.place("excess"), _slopes(problem))
    for name, rows in grads.items():
        args.rows(args.place("rows", name), rows)
    args.learn(totals)
    args.rows(args.place("grad_x"), grad_x)
    args.point_all("last_grads", last_grads)
    args.point_all("to", grad_old)
    args.call("snn_backward")
    found = {name: totals.get(name) for name in problem.parameters._fields}
    return grad_x, grad_old, Parameters(**found)  # type: ignore[arg-type]


def scan(decay: Tensor, x: Tensor, reverse: bool = False) -> Tensor:
    """Return y with y[t] = decay[t] y[t-1] + x[t] along the first dimension.

    Args:
        decay: Expandable to ``x``. What repeats along leading dimensions stays small.
        x: (time, ...), float32 or float64 as ``decay``.
        reverse: From the last step to the first, y[t] = decay[t+1] y[t+1] + x[t].

    Returns:
        A tensor as ``x``.

    Raises:
        TypeError: If the dtypes differ or are others.
    """
    expect(
        x.dtype == decay.dtype and x.dtype in (torch.float32, torch.float64),
        "scan",
        "`decay` and `x` of the same dtype, torch.float32 or torch.float64",
        f"{decay.dtype} and {x.dtype}",
        error=TypeError,
    )
    y = empty(x.shape, x.dtype)
    if not x.numel():
        return y
    x, decay = by_row(x), _repeated(decay, x.shape)
    period, size = decay[0].numel(), x[0].numel()
    steps, memory, known = len(y), Memory(x.dtype, size), compiled()
    args = known.scan.pack(
        {
            "dtype": known.dtypes[x.dtype],
            "steps": steps,
            "size": size,
            "threads": torch.get_num_threads(),
            "stream": y.nbytes >= STREAM,
            "reverse": reverse,
            "period": period,
            "parallel": library.threads_of_torch(),
            "decay": Memory(x.dtype, period).rows_of(decay, steps),
            "x": memory.rows_of(x, steps),
            "y": memory.rows_of(y, steps),
        }
    )
    known.call("snn_scan", args)
    return y


def surrogate_number(spike_grad: SurrogateGradient) -> tuple[float, ...]:
    """Return the library's number of a surrogate and its two parameters, or `TABULATED`."""
    function, values = spike_grad.function, spike_grad.values
    number = compiled().surrogates.get(function)
    if number is None or len(values) != len(function.parameters):
        return TABULATED
    if not all(isinstance(value, Real) for value in values):
        return TABULATED
    return (number, *values, 0.0, 0.0)[:3]


def _slopes(problem: Problem) -> Tensor:
    """Return dS/dU at every step, evaluated by torch."""
    slopes = empty((problem.steps, *problem.shape), problem.x.dtype)
    args = arguments(problem)
    args.rows(args.place("excess"), slopes)
    args.call("snn_forward")
    ones, spike_grad = torch.ones_like(slopes[0]), problem.spike_grad
    for excess in reversed(slopes.unbind()):  # the last step first, as some draw at random
        excess.copy_(spike_grad.function.gradient(excess, ones, *spike_grad.values))
    return slopes


def _repeated(decay: Tensor, shape: torch.Size) -> Tensor:
    """Return rows that only have to be repeated to fill ``shape``; one row if all are equal."""
    decay = decay.expand(shape)
    decay = decay[:1] if decay.stride(0) == 0 else decay
    while decay.dim() > 1 and (decay.stride(1) == 0 or decay.shape[1] == 1):
        decay = decay[:, 0]
    return by_row(decay)
