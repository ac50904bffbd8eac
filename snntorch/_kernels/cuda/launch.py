"""The Triton kernels for CUDA devices: a `Backend`.

Nothing is kept between forward and backward: `backward` runs forward once more, and needs room
for the states of some ``2 sqrt(steps)`` steps meanwhile.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
import math
from types import ModuleType
from typing import Any

import torch
from torch import Tensor

from snntorch._kernels.covers import DTYPES
from snntorch._kernels.problem import PARAMETERS, RECORDS, ByName, Parameters, Problem
from snntorch.surrogate import SurrogateGradient

#: What a plan says of this path.
DESCRIPTION = "a Triton kernel"

#: How far rows may be apart, counted in 32 bits.
FARTHEST = 2**31 - 1
#: Up to so many steps the backward pass keeps the states of each, not those of segments.
SHORT = 16


@functools.cache
def available() -> str | None:
    """Return why these kernels cannot be used here; None if they can."""
    if not torch.cuda.is_available():
        return "torch sees no CUDA device"
    if importlib.util.find_spec("triton") is None:
        return "Triton is not installed"
    return None


def why_not(x: Tensor, parameters: Parameters) -> str | None:
    """Return why these kernels do not run an input like ``x``."""
    if not x.is_cuda or x.dtype not in DTYPES:
        return f"the Triton kernels take no {x.dtype} on {x.device}"
    return available()


def forward(problem: Problem, record: tuple[str, ...]) -> tuple[ByName, ByName]:
    """Run all steps, see `Backend.forward`."""
    x, shape = problem.x, problem.shape
    recorded = {name: x.new_empty((problem.steps, *shape)) for name in record}
    last = {name: x.new_empty(shape) for name in problem.rule.states()}
    _run_forward(problem, recorded, last)
    return recorded, last


def backward(
    problem: Problem, grads: ByName, last_grads: ByName, needs: frozenset[str]
) -> tuple[Tensor, ByName, Parameters]:
    """Return the gradients of all inputs of `forward`, see `Backend.backward`."""
    x, shape, steps = problem.x, problem.shape, problem.steps
    grad_x = torch.empty(x.shape, dtype=x.dtype, device=x.device)
    grad_old = {name: x.new_empty(shape) for name in problem.rule.states()}
    totals = {n: x.new_empty(shape) for n in problem.parameters.given() if n in needs}
    arguments: dict[str, Any] = {f"{name}_grad": totals.get(name) for name in PARAMETERS}
    for name in RECORDS:
        rows = grads.get(name)
        row, stride = (None, 0) if rows is None else rows_of(rows)
        arguments[f"{name}_rows"], arguments[f"{name}_stride"] = row, stride
        last = last_grads.get(name)
        arguments[f"last_{name}"] = None if last is None else last.contiguous().resolve_neg()
        arguments[f"{name}_grad"] = grad_old.get(name)
    slope, parameters = _in_kernel(problem.spike_grad)
    computed_in = torch.float64 if x.dtype == torch.float64 else torch.float32
    for pointer, value in zip(("p_ptr", "q_ptr"), (*parameters, 0, 0), strict=False):
        # not an argument, as Triton passes numbers in float32
        arguments[pointer] = torch.full((1,), value, dtype=computed_in, device=x.device)
    length = max(math.isqrt(steps - 1) + 1, min(steps, SHORT))
    segments = math.ceil(steps / length)
    kept = x.new_empty((segments + length, len(problem.rule.states()), *shape))
    _launch(
        "backward",
        problem,
        **arguments,
        slopes=None if slope else _slopes(problem),
        kept=kept,
        width=kept[0].numel(),
        segments=segments,
        length=length,
        x_grad=grad_x,
        SLOPE=slope,
        CONSTANT=len(x) == 1,
    )
    found = {name: totals.get(name) for name in PARAMETERS}
    return grad_x, grad_old, Parameters(**found)  # type: ignore[arg-type]


def _in_kernel(spike_grad: SurrogateGradient) -> tuple[Any, tuple[float, ...]]:
    """Return what computes dS/dx in the kernel, None if torch has to, and its parameters."""
    name, values = spike_grad.function_name, spike_grad.values
    slope = getattr(_kernels(), f"slope_{name}", None) if spike_grad.has_kernel_name else None
    if slope is None:
        return None, ()
    return slope, (values[0] / 2, math.pi / 2 * values[0]) if name == "ATan" else values


def _slopes(problem: Problem) -> Tensor:
    """Return dS/dx at all times, each step's as torch computes it, from the last to the first."""
    excess = problem.x.new_empty((problem.steps, *problem.shape))
    _run_forward(problem, {}, {}, excess)
    ones, spike_grad = torch.ones_like(excess[0]), problem.spike_grad
    for row in reversed(excess.unbind()):
        row.copy_(spike_grad.function.gradient(row.clone(), ones, *spike_grad.values))
    return excess


def _run_forward(
    problem: Problem, recorded: ByName, last: ByName, excess: Tensor | None = None
) -> None:
    rows = {f"{name}_rows": recorded.get(name) for name in RECORDS}
    ends = {f"last_{name}": last.get(name) for name in RECORDS}
    _launch("forward", problem, **rows, **ends, excess_rows=excess)


def _launch(kernel: str, problem: Problem, **arguments: Any) -> None:
    """Run a kernel on what both have in common, and on its own arguments."""
    rule, size = problem.rule, problem.shape.numel()
    if size == 0:
        return
    x, stride = rows_of(problem.x)
    for name, value in problem.parameters._asdict().items():
        arguments[f"{name}_ptr"], arguments[f"{name}_period"] = _periodic(value, x)
    old = {name: state.contiguous().resolve_neg() for name, state in problem.old.items()}
    arguments |= {f"old_{name}": old.get(name) for name in RECORDS}
    # a thread takes one neuron, or four at once where the others keep the device busy
    block = 128 if size < 1 << 20 else 512
    with torch.cuda.device_of(x):  # type: ignore[no-untyped-call]
        getattr(_kernels(), kernel)[(math.ceil(size / block),)](
            x_ptr=x,
            x_stride=stride,
            n=size,
            steps=problem.steps,
            MODEL=rule.model,
            RESET=rule.reset,
            DELAY=rule.delay,
            FEEDBACK=rule.feedback,
            BLOCK=block,
            num_warps=4,
            enable_fp_fusion=False,  # a b + c is rounded twice, as in torch
            **arguments,
        )


@functools.cache
def _kernels() -> ModuleType:
    """Return the kernels; Triton is imported only here."""
    return importlib.import_module("snntorch._kernels.cuda.kernels")


def _periodic(value: Tensor | None, x: Tensor) -> tuple[Tensor | None, int]:
    """Return a parameter as the row that repeats over the neurons, and the row's length.

    torch rounds one without dimensions to the dtype of ``x``, so that is done here too.
    """
    if value is None:
        return None, 1
    sizes = list(value.shape)
    while sizes and sizes[0] == 1:
        del sizes[0]
    repeated = x.shape[x.dim() - len(sizes) :]
    row = value.reshape(sizes).to(x.device, x.dtype).expand(repeated).contiguous()
    return row.resolve_neg(), row.numel()


def rows_of(rows: Tensor) -> tuple[Tensor, int]:
    """Return rows, each contiguous, and the distance from one to the next; 0 for one row."""
    rows = rows.resolve_neg()
    if rows.stride(0) == 0 or len(rows) == 1:
        return rows[:1].contiguous(), 0
    if not rows[0].is_contiguous() or rows.stride(0) > FARTHEST:
        rows = rows.contiguous()
    return rows, rows.stride(0)
