"""The recurrence on CUDA devices, by the Triton kernels of `kernels`.

`forward` and `backward` have the arguments and results of their namesakes in `recurrence`.
Nothing is kept between them: `backward` runs forward once more, and needs room for the states
of some ``2 sqrt(steps)`` steps meanwhile.
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

from snntorch import surrogate
from snntorch._kernels.problem import RECORDS, VALUES, Rule, States, Values
from snntorch.surrogate import SurrogateGradient

#: What a plan says of this path.
DESCRIPTION = "a Triton kernel"

_DTYPES = (torch.float32, torch.float64, torch.bfloat16, torch.float16)

#: The surrogates that the kernel computes itself; of others torch computes dS/dx beforehand.
_SURROGATES = (
    surrogate.ATan,
    surrogate.FastSigmoid,
    surrogate.Heaviside,
    surrogate.LeakySpikeOperator,
    surrogate.Sigmoid,
    surrogate.SparseFastSigmoid,
    surrogate.SpikeRateEscape,
    surrogate.StraightThroughEstimator,
    surrogate.Triangular,
)
#: Up to so many steps the way back keeps the states of each, not those of segments.
_SHORT = 16


@functools.cache
def available() -> str | None:
    """Return why these kernels cannot be used here; None if they can."""
    if not torch.cuda.is_available():
        return "torch sees no CUDA device"
    if importlib.util.find_spec("triton") is None:
        return "Triton is not installed"
    return None


def covers(x: Tensor, values: Values) -> bool:
    """Return whether these kernels run an input like ``x``."""
    return x.is_cuda and x.dtype in _DTYPES and available() is None


def forward(
    rule: Rule, values: Values, x: Tensor, steps: int, old: States, record: tuple[str, ...]
) -> tuple[States, States]:
    """Run all steps; see `plain.forward`."""
    recorded = {name: x.new_empty((steps, *x.shape[1:])) for name in record}
    last = {name: x.new_empty(x.shape[1:]) for name in rule.states}
    _run_forward(rule, values, x, steps, old, recorded, last)
    return recorded, last


def backward(
    rule: Rule,
    values: Values,
    spike_grad: SurrogateGradient,
    x: Tensor,
    steps: int,
    old: States,
    grads: States,
    last_grads: States,
    needs: frozenset[str] = frozenset(VALUES),
) -> tuple[Tensor, States, Values]:
    """Return the gradients of all inputs of `forward`; see `plain.backward`."""
    shape = x.shape[1:]
    grad_x = torch.empty(x.shape, dtype=x.dtype, device=x.device)
    grad_old = {name: x.new_empty(shape) for name in rule.states}
    total = {
        name: x.new_empty(shape)
        for name, value in values._asdict().items()
        if value is not None and name in needs
    }
    arguments: dict[str, Any] = {f"{name}_grad": total.get(name) for name in VALUES}
    for name in RECORDS:
        arguments[f"{name}_rows"], arguments[f"{name}_stride"] = _rows(grads.get(name))
        last = last_grads.get(name)
        arguments[f"last_{name}"] = None if last is None else last.contiguous().resolve_neg()
        arguments[f"{name}_grad"] = grad_old.get(name)
    name, parameters = _in_kernel(spike_grad)
    slopes = None if name else _slopes(rule, values, spike_grad, x, steps, old)
    computed_in = torch.float64 if x.dtype == torch.float64 else torch.float32
    for pointer, value in zip(("p_ptr", "q_ptr"), (*parameters, 0, 0), strict=False):
        # not an argument, as Triton passes numbers in float32
        arguments[pointer] = torch.full((1,), value, dtype=computed_in, device=x.device)
    length = max(math.isqrt(steps - 1) + 1, min(steps, _SHORT))
    segments = math.ceil(steps / length)
    kept = x.new_empty((segments + length, len(rule.states), *shape))
    _launch(
        "backward",
        rule,
        values,
        x,
        steps,
        old,
        **arguments,
        slopes=slopes,
        kept=kept,
        width=kept[0].numel(),
        segments=segments,
        length=length,
        x_grad=grad_x,
        SURROGATE=name,
        CONSTANT=len(x) == 1,
    )
    return grad_x, grad_old, Values(*(total.get(n) for n in VALUES))  # type: ignore[arg-type]


def _in_kernel(spike_grad: SurrogateGradient) -> tuple[str, tuple[float, ...]]:
    """Return name and parameters of a surrogate in the kernel, an empty name if it has none."""
    numbers = all(isinstance(value, (int, float)) for value in spike_grad.values)
    if spike_grad.function not in _SURROGATES or not numbers:
        return "", ()
    name, values = spike_grad.function.__name__, spike_grad.values
    return name, (values[0] / 2, math.pi / 2 * values[0]) if name == "ATan" else values


def _slopes(
    rule: Rule,
    values: Values,
    spike_grad: SurrogateGradient,
    x: Tensor,
    steps: int,
    old: States,
) -> Tensor:
    """Return dS/dx at all times, each step's as torch computes it, from the last to the first."""
    excess = x.new_empty((steps, *x.shape[1:]))
    _run_forward(rule, values, x, steps, old, {}, {}, excess)
    ones = torch.ones_like(excess[0])
    for row in reversed(excess.unbind()):
        row.copy_(spike_grad.function.gradient(row.clone(), ones, *spike_grad.values))
    return excess


def _run_forward(
    rule: Rule,
    values: Values,
    x: Tensor,
    steps: int,
    old: States,
    recorded: States,
    last: States,
    excess: Tensor | None = None,
) -> None:
    rows = {f"{name}_rows": recorded.get(name) for name in RECORDS}
    ends = {f"last_{name}": last.get(name) for name in RECORDS}
    _launch("forward", rule, values, x, steps, old, **rows, **ends, excess_rows=excess)


def _launch(
    kernel: str,
    rule: Rule,
    values: Values,
    x: Tensor,
    steps: int,
    old: States,
    **arguments: Any,
) -> None:
    """Run a kernel on what both have in common, and on its own arguments."""
    size = x[0].numel()
    if size == 0:
        return
    for name, value in values._asdict().items():
        arguments[f"{name}_ptr"], arguments[f"{name}_period"] = _periodic(value, x)
    x, old = x.resolve_neg(), {name: state.resolve_neg() for name, state in old.items()}
    arguments |= {f"old_{name}": old.get(name) for name in RECORDS}
    # a thread takes one neuron, or four at once where the others keep the device busy
    block = 128 if size < 1 << 20 else 512
    with torch.cuda.device_of(x):  # type: ignore[no-untyped-call]
        getattr(_kernels(), kernel)[(math.ceil(size / block),)](
            x_ptr=x,
            x_stride=x.stride(0) if len(x) > 1 else 0,
            n=size,
            steps=steps,
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
    """Return a number as the row that repeats over the neurons, and the row's length.

    torch rounds a number without dimensions to the dtype of ``x``, so that is done here too.
    """
    if value is None:
        return None, 1
    sizes = list(value.shape)
    while sizes and sizes[0] == 1:
        del sizes[0]
    repeated = x.shape[x.dim() - len(sizes) :]
    row = value.reshape(sizes).to(x.device, x.dtype).expand(repeated).contiguous()
    return row.resolve_neg(), row.numel()


def _rows(rows: Tensor | None) -> tuple[Tensor | None, int]:
    """Return rows, each contiguous, and the distance from one to the next."""
    if rows is None:
        return None, 0
    rows = rows.resolve_neg()
    if rows.stride(0) == 0 or len(rows) == 1:
        return rows[:1].contiguous(), 0
    rows = rows if rows[0].is_contiguous() else rows.contiguous()
    return rows, rows.stride(0)
