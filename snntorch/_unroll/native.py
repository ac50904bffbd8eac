"""The recurrence on the CPU: `recurrence.forward` and `backward` in compiled C.

The library is built with the package, without the headers of Python or torch, and called
through ctypes. Without a compiler it is missing, and `available` says so.
"""

from __future__ import annotations

import ctypes
import functools
import struct
from importlib.machinery import EXTENSION_SUFFIXES
from numbers import Real
from pathlib import Path

import torch
from torch import Tensor

from snntorch import surrogate
from snntorch._checks import expect
from snntorch._unroll._buffers import empty
from snntorch._unroll.recurrence import RECORDS, STATES, VALUES, Rule, States, Values
from snntorch.surrogate import SurrogateGradient

#: What a plan says of this path.
DESCRIPTION = "compiled for this CPU"
#: Where the library is, if it was built.
FOLDER = str(Path(__file__).parent)
#: That of `_native.c`; a library left from another version must not be called.
VERSION = 1

DTYPES = {torch.float32: 0, torch.float64: 1, torch.bfloat16: 2}
MODELS = {model: number for number, model in enumerate(STATES)}
#: What a reset does: how it is computed, and a drop by (a + b beta) theta.
RESETS = {
    "none": (0, 0.0, 0.0),
    "subtract": (0, 1.0, 0.0),
    "soft": (0, 0.0, 1.0),
    "zero": (1, 0.0, 0.0),
    "zero_old": (2, 0.0, 0.0),
}
#: The surrogates that the kernel knows; the others are evaluated by torch beforehand.
SURROGATES = {
    surrogate.ATan: 1,
    surrogate.FastSigmoid: 2,
    surrogate.Sigmoid: 3,
    surrogate.StraightThroughEstimator: 4,
    surrogate.Triangular: 5,
    surrogate.Heaviside: 6,
    surrogate.SpikeRateEscape: 7,
    surrogate.LeakySpikeOperator: 8,
    surrogate.SparseFastSigmoid: 9,
}
#: Any other, whose derivative comes in a tensor; number and parameters.
TABULATED: tuple[float, ...] = (0, 0.0, 0.0)
#: What a number is where a rule has no use for it.
DEFAULTS = (0.0, 0.0, 0.0, 1.0, 0.0, 1.0)
#: Bytes of a tensor from which on it is written past the cache.
STREAM = 4 << 20

#: How Args and Scan are laid out in `_native.c`.
_ARGS = struct.Struct("10q P q 4d" + 6 * "P d q " + 3 * "P q " + 4 * "P q " + "4P 4P 4P 6P")
_SCAN = struct.Struct("7q P" + 3 * "P q ")


@functools.cache
def _load(folder: str) -> ctypes.CDLL | str:
    """Return the library, or why there is none."""
    paths = [Path(folder, f"_native{suffix}") for suffix in EXTENSION_SUFFIXES]
    found = [path for path in paths if path.exists()]
    if not found:
        return "the compiled kernel is missing: snntorch was installed without a C compiler"
    try:
        library = ctypes.CDLL(str(found[0]))
        library.snn_version.restype = ctypes.c_int64
        version = library.snn_version()
    except (OSError, AttributeError) as error:
        return f"the compiled kernel cannot be loaded: {error}"
    if version != VERSION * 1_000_000 + _ARGS.size * 1000 + _SCAN.size:
        return "the compiled kernel is that of another version of snntorch: install it again"
    return library


@functools.cache
def _threads() -> int:
    """Return the address of OpenMP's way to run torch's own threads, 0 if there is none."""
    try:
        return ctypes.cast(ctypes.CDLL(None).GOMP_parallel, ctypes.c_void_p).value or 0
    except (AttributeError, TypeError, OSError):
        return 0


def available() -> str | None:
    """Return None if the kernel can be used, else the reason why not."""
    library = _load(FOLDER)
    return library if isinstance(library, str) else None


def covers(x: Tensor, values: Values) -> bool:
    """Return whether the kernel computes with such an input and such numbers."""
    return (
        x.device.type == "cpu"
        and x.dtype in DTYPES
        and x.dim() > 1  # torch promotes among tensors without a dimension
        and x.numel() > 0
        and all(v is None or (v.is_cpu and (v.dim() == 0 or v.dtype == x.dtype)) for v in values)
    )


def forward(
    rule: Rule, values: Values, x: Tensor, steps: int, old: States, record: tuple[str, ...]
) -> tuple[States, States]:
    """Run all steps, see `recurrence.forward`."""
    shape = x.shape[1:]
    recorded = {name: empty((steps, *shape), x.dtype) for name in record}
    last = {name: empty(shape, x.dtype) for name in rule.states}
    _run("snn_forward", rule, values, x, steps, old, rows=recorded, to=last)
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
    """Return the gradients of all inputs of `forward`, see `recurrence.backward`."""
    shape = x.shape[1:]
    grad_x = empty(x.shape, x.dtype)
    grad_old = {name: empty(shape, x.dtype) for name in rule.states}
    totals = {
        name: empty(shape, x.dtype)
        for name, value in zip(VALUES, values, strict=True)
        if value is not None and name in needs
    }
    known = _known(spike_grad)
    tabulated = known == TABULATED
    slopes = _slopes(rule, values, spike_grad, x, steps, old) if tabulated else None
    _run(
        "snn_backward",
        rule,
        values,
        x,
        steps,
        old,
        rows={name: _by_row(grad) for name, grad in grads.items()},
        to=grad_old,
        last_grads={name: grad.contiguous() for name, grad in last_grads.items()},
        totals=totals,
        grad_x=grad_x,
        excess=slopes,
        spike_grad=known,
    )
    return grad_x, grad_old, Values(*(totals.get(name) for name in VALUES))  # type: ignore[arg-type]


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
    x, decay = _by_row(x), _repeated(decay, x.shape)
    period, size = decay[0].numel(), x[0].numel()
    args = _SCAN.pack(
        *(DTYPES[x.dtype], len(y), size, torch.get_num_threads(), y.nbytes >= STREAM),
        *(reverse, period, _threads()),
        *(*_rows(decay), *_rows(x), *_rows(y)),
    )
    _call("snn_scan", args)
    return y


def _known(spike_grad: SurrogateGradient) -> tuple[float, ...]:
    """Return the number of a surrogate that the kernel knows, and its two parameters."""
    function, values = spike_grad.function, spike_grad.values
    if function not in SURROGATES or len(values) != len(function.parameters):
        return TABULATED
    if not all(isinstance(value, Real) for value in values):
        return TABULATED
    return (SURROGATES[function], *values, 0.0, 0.0)[:3]


def _slopes(
    rule: Rule, values: Values, spike_grad: SurrogateGradient, x: Tensor, steps: int, old: States
) -> Tensor:
    """Return dS/dU at every step, evaluated by torch."""
    slopes = empty((steps, *x.shape[1:]), x.dtype)
    _run("snn_forward", rule, values, x, steps, old, excess=slopes)
    ones = torch.ones_like(slopes[0])
    for excess in reversed(slopes.unbind()):  # the last step first, as some draw at random
        excess.copy_(spike_grad.function.gradient(excess, ones, *spike_grad.values))
    return slopes


def _run(
    name: str,
    rule: Rule,
    values: Values,
    x: Tensor,
    steps: int,
    old: States,
    *,
    rows: States | None = None,
    to: States | None = None,
    last_grads: States | None = None,
    totals: States | None = None,
    grad_x: Tensor | None = None,
    excess: Tensor | None = None,
    spike_grad: tuple[float, ...] = TABULATED,
) -> None:
    """Call a function of the library; the order is that of its struct Args."""
    kind, factor, soft = RESETS[rule.reset]
    x = _by_row(x)
    size = x[0].numel()
    spread = [_spread(value, x.shape[1:]) for value in values]
    pairs = zip(spread, DEFAULTS, strict=True)
    args = _ARGS.pack(
        *(DTYPES[x.dtype], MODELS[rule.model], kind, not rule.delay, rule.feedback, bool(totals)),
        *(steps, size, torch.get_num_threads(), steps * size * x.itemsize >= STREAM, _threads()),
        *(*spike_grad, factor, soft),
        *(n for value, default in pairs for n in _number(value, default)),
        *(*_rows(x), *_rows(excess), *_rows(grad_x)),
        *(n for name in RECORDS for n in _rows(rows.get(name) if rows else None)),
        *_pointers(RECORDS, old),
        *_pointers(RECORDS, last_grads),
        *_pointers(RECORDS, to),
        *_pointers(VALUES, totals),
    )
    _call(name, args)


def _call(name: str, args: bytes) -> None:
    library = _load(FOLDER)
    if isinstance(library, str):
        raise RuntimeError(library)
    if getattr(library, name)(args):
        raise MemoryError("The compiled kernel of snntorch found no memory to work with.")


def _spread(value: Tensor | None, shape: torch.Size) -> Tensor | None:
    """Return ``value`` so that it only has to be repeated to fill ``shape``."""
    if value is None or value.numel() == 1:
        return value
    while value.shape[0] == 1:
        value = value[0]
    return value.expand(shape[len(shape) - value.dim() :]).contiguous()


def _number(value: Tensor | None, default: float) -> tuple[int, float, int]:
    if value is None:
        return 0, default, 0
    if value.numel() == 1:
        return 0, value.item(), 0
    return value.data_ptr(), 0.0, value.numel()


def _repeated(decay: Tensor, shape: torch.Size) -> Tensor:
    """Return rows that only have to be repeated to fill ``shape``; one row if all are equal."""
    decay = decay.expand(shape)
    decay = decay[:1] if decay.stride(0) == 0 else decay
    while decay.dim() > 1 and (decay.stride(1) == 0 or decay.shape[1] == 1):
        decay = decay[:, 0]
    return _by_row(decay)


def _by_row(x: Tensor) -> Tensor:
    """Return ``x``, or a copy whose rows are contiguous; one row if all are the same."""
    if x.is_contiguous():
        return x
    if x.stride(0) == 0:
        x = x[:1]
    return x if x[0].is_contiguous() else x.contiguous()


def _rows(x: Tensor | None) -> tuple[int, int]:
    """Return where the rows are, and how far from each other."""
    if x is None:
        return 0, 0
    return x.data_ptr(), x.stride(0) if len(x) > 1 else 0


def _pointers(names: tuple[str, ...], tensors: States | None) -> list[int]:
    if not tensors:
        return [0] * len(names)
    return [tensors[name].data_ptr() if name in tensors else 0 for name in names]
