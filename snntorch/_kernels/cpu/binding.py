"""The recurrence on the CPU: `plain.forward` and `backward` in compiled C.

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
from snntorch._kernels.cpu.pool import empty
from snntorch._kernels.problem import RECORDS, STATES, VALUES, Rule, States, Values
from snntorch._torch import PLAIN
from snntorch.surrogate import SurrogateGradient

#: What a plan says of this path.
DESCRIPTION = "compiled for this CPU"
#: Where the library is, if it was built.
FOLDER = str(Path(__file__).parent)
#: That of `kernel.c`; a library left from another version must not be called.
VERSION = 2

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
DEFAULTS = dict(zip(VALUES, (0.0, 0.0, 0.0, 1.0, 1.0, 1.0), strict=True))
#: Bytes of a tensor from which on it is written past the cache.
STREAM = 4 << 20

#: How Args and Scan are laid out in `kernel.c`.
_ARGS = struct.Struct("10q P q 4d" + 6 * "P d q " + 3 * "P q " + 4 * "P q " + "4P 4P 4P 6P")
_SCAN = struct.Struct("7q P" + 3 * "P q ")

#: Where in Args to say whether numbers learn, and where each of its parts begins.
LEARN, STEPS, X, EXCESS, GRAD_X = 5, 6, 34, 36, 38
NUMBER = {name: 16 + 3 * place for place, name in enumerate(VALUES)}
ROW, FROM, LAST, TO = (
    {name: begin + width * place for place, name in enumerate(RECORDS)}
    for begin, width in ((40, 2), (48, 1), (52, 1), (56, 1))
)
TOTAL = {name: 60 + place for place, name in enumerate(VALUES)}
#: What follows Args' first fields, as long as nothing is known.
_UNKNOWN = [part for default in DEFAULTS.values() for part in (0, default, 0)] + [0] * 32


@functools.cache
def _load(folder: str) -> ctypes.CDLL | str:
    """Return the library, or why there is none."""
    paths = [Path(folder, f"_kernel{suffix}") for suffix in EXTENSION_SUFFIXES]
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
        and x.layout is torch.strided
        and x.dim() > 1  # torch promotes among tensors without a dimension
        and x.numel() > 0
        and all(v is None or (v.is_cpu and (v.dim() == 0 or v.dtype == x.dtype)) for v in values)
    )


class Memory:
    """The memory of tensors of one dtype, for C to read and write, while this lives.

    Nothing else hands memory to the library, which itself checks nothing.

    Args:
        dtype: Of all tensors.
        size: Numbers in a row.
    """

    __slots__ = ("dtype", "kept", "size")

    def __init__(self, dtype: torch.dtype, size: int) -> None:
        self.dtype, self.size = dtype, size
        self.kept: list[Tensor] = []

    def address(self, tensor: Tensor, count: int) -> int:
        """Return where a tensor's numbers are, for C to read or write.

        Raises:
            TypeError: If they are not there, of this dtype, and ``count`` in number.
        """
        if (
            type(tensor) not in PLAIN
            or tensor.dtype is not self.dtype
            or not tensor.is_cpu
            or tensor.layout is not torch.strided
            or tensor.numel() != count
        ):
            what = f"{count} numbers of {self.dtype} in memory of this CPU"
            got = f"{tensor.numel()} of {tensor.dtype} on {tensor.device} ({type(tensor).__name__})"
            expect(False, "the compiled kernel", what, got, error=TypeError)
        self.kept.append(tensor)
        return tensor.data_ptr()

    def rows_of(self, tensor: Tensor, steps: int) -> tuple[int, int]:
        """Return where the rows of so many steps are, and how far from each other."""
        tensor = _by_row(tensor)
        apart = tensor.stride(0) if len(tensor) > 1 else 0
        return self.address(tensor, self.size * (steps if apart else 1)), apart


class Args(Memory):
    """What the library is told: the fields of its struct, and the tensors they point to.

    Args:
        dtype: Of all tensors.
        model: As in a `Rule`, like ``reset``, ``delay`` and ``feedback``.
        steps: Number of steps.
        size: Number of neurons.
        spike_grad: Number of the surrogate and its two parameters, see `surrogate_number`.
    """

    __slots__ = ("fields", "followed")

    def __init__(
        self,
        dtype: torch.dtype,
        model: str,
        reset: str,
        delay: bool,
        feedback: bool,
        steps: int,
        size: int,
        spike_grad: tuple[float, ...] = TABULATED,
    ) -> None:
        super().__init__(dtype, size)
        kind, factor, soft = RESETS[reset]
        past = steps * size * dtype.itemsize >= STREAM
        self.fields: list[float] = [
            *(DTYPES[dtype], MODELS[model], kind, not delay, feedback, False),
            *(steps, size, torch.get_num_threads(), past, _threads()),
            *(*spike_grad, factor, soft),
            *_UNKNOWN,
        ]
        self.followed: dict[int, list[int]] = {}

    def copy(self) -> Args:
        """Return the same, to be told more."""
        new = Args.__new__(Args)
        new.dtype, new.size, new.followed = self.dtype, self.size, self.followed
        new.fields, new.kept = self.fields.copy(), self.kept.copy()
        return new

    def point(self, at: int, tensor: Tensor) -> None:
        """Point at one row."""
        if tensor.is_neg() or not tensor.is_contiguous():
            tensor = _plain(tensor)
        self.fields[at] = self.address(tensor, self.size)

    def result(self, at: int, like: Tensor) -> Tensor:
        """Return memory for a row, and point at it: made here, it needs no look."""
        row = torch.empty_like(like)
        self.fields[at] = row.data_ptr()
        return row

    def point_all(self, at: dict[str, int], tensors: States) -> None:
        """Point at one row each."""
        for name, tensor in tensors.items():
            self.point(at[name], tensor)

    def rows(self, at: int, tensor: Tensor) -> None:
        """Point at a row for each step, or at one for all."""
        self.fields[at : at + 2] = self.rows_of(tensor, int(self.fields[STEPS]))

    def follow(self, at: int, tensor: Tensor, steps: int, before: Tensor | None = None) -> None:
        """Point at the row of the step that `call` names, or at that of the step before.

        Args:
            at: Field to set.
            tensor: A row for each step, or one for all.
            steps: Number of steps that can be named.
            before: What comes before the first row, if it is to be the row of the step before.
        """
        first, stride = self.rows_of(tensor, steps)
        addresses = [first + t * stride * tensor.itemsize for t in range(steps)]
        if before is not None:
            addresses = [self.address(_plain(before), self.size), *addresses[:-1]]
        self.followed[at] = addresses

    def learn(self, totals: States) -> None:
        """Ask for gradients of numbers, each neuron's own."""
        self.fields[LEARN] = bool(totals)
        self.point_all(TOTAL, totals)

    def number(self, name: str, value: Tensor, shape: torch.Size) -> None:
        """Set one of the numbers, for neurons of some shape."""
        at = NUMBER[name]
        if value.numel() == 1:
            self.fields[at + 1] = value.detach().item()
            return
        while value.shape[0] == 1:
            value = value[0]
        value = _plain(value.expand(shape[len(shape) - value.dim() :]))
        self.fields[at : at + 3] = self.address(value, value.numel()), 0.0, value.numel()

    def call(self, name: str, t: int = 0) -> None:
        """Call a function of the library; for step ``t``, if anything was to follow it."""
        for at, addresses in self.followed.items():
            self.fields[at] = addresses[t]
        _call(name, _ARGS.pack(*self.fields))


def arguments(
    rule: Rule,
    values: Values,
    x: Tensor,
    steps: int,
    old: States,
    spike_grad: tuple[float, ...] = TABULATED,
) -> Args:
    """Return what forward and backward share."""
    args = Args(
        *(x.dtype, rule.model, rule.reset, rule.delay, rule.feedback),
        *(steps, x.shape[1:].numel(), spike_grad),
    )
    for name, value in zip(VALUES, values, strict=True):
        if value is not None:
            args.number(name, value, x.shape[1:])
    args.rows(X, x)
    args.point_all(FROM, old)
    return args


def forward(
    rule: Rule, values: Values, x: Tensor, steps: int, old: States, record: tuple[str, ...]
) -> tuple[States, States]:
    """Run all steps, see `plain.forward`."""
    shape = x.shape[1:]
    recorded = {name: empty((steps, *shape), x.dtype) for name in record}
    last = {name: empty(shape, x.dtype) for name in rule.states}
    args = arguments(rule, values, x, steps, old)
    for name, rows in recorded.items():
        args.rows(ROW[name], rows)
    args.point_all(TO, last)
    args.call("snn_forward")
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
    """Return the gradients of all inputs of `forward`, see `plain.backward`."""
    shape = x.shape[1:]
    grad_x = empty(x.shape, x.dtype)
    grad_old = {name: empty(shape, x.dtype) for name in rule.states}
    totals = {
        name: empty(shape, x.dtype)
        for name, value in zip(VALUES, values, strict=True)
        if value is not None and name in needs
    }
    known = surrogate_number(spike_grad)
    args = arguments(rule, values, x, steps, old, known)
    if known == TABULATED:
        args.rows(EXCESS, _slopes(rule, values, spike_grad, x, steps, old))
    for name, rows in grads.items():
        args.rows(ROW[name], rows)
    args.learn(totals)
    args.rows(GRAD_X, grad_x)
    args.point_all(LAST, last_grads)
    args.point_all(TO, grad_old)
    args.call("snn_backward")
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
    steps, memory = len(y), Memory(x.dtype, size)
    args = _SCAN.pack(
        *(DTYPES[x.dtype], steps, size, torch.get_num_threads(), y.nbytes >= STREAM),
        *(reverse, period, _threads()),
        *Memory(x.dtype, period).rows_of(decay, steps),
        *(*memory.rows_of(x, steps), *memory.rows_of(y, steps)),
    )
    _call("snn_scan", args)
    return y


def surrogate_number(spike_grad: SurrogateGradient) -> tuple[float, ...]:
    """Return the kernel's number of a surrogate and its two parameters, or `TABULATED`."""
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
    args = arguments(rule, values, x, steps, old)
    args.rows(EXCESS, slopes)
    args.call("snn_forward")
    ones = torch.ones_like(slopes[0])
    for excess in reversed(slopes.unbind()):  # the last step first, as some draw at random
        excess.copy_(spike_grad.function.gradient(excess, ones, *spike_grad.values))
    return slopes


def _call(name: str, args: bytes) -> None:
    library = _load(FOLDER)
    if isinstance(library, str):
        raise RuntimeError(library)
    if getattr(library, name)(args):
        raise MemoryError("The compiled kernel of snntorch found no memory to work with.")


def _repeated(decay: Tensor, shape: torch.Size) -> Tensor:
    """Return rows that only have to be repeated to fill ``shape``; one row if all are equal."""
    decay = decay.expand(shape)
    decay = decay[:1] if decay.stride(0) == 0 else decay
    while decay.dim() > 1 and (decay.stride(1) == 0 or decay.shape[1] == 1):
        decay = decay[:, 0]
    return _by_row(decay)


def _plain(x: Tensor) -> Tensor:
    """Return ``x``, or a copy, so that its memory holds its numbers one after the other."""
    return x.contiguous().resolve_neg()


def _by_row(x: Tensor) -> Tensor:
    """Return ``x``, or a copy whose rows are contiguous; one row if all are the same."""
    x = x.resolve_neg()
    if x.is_contiguous():
        return x
    if x.stride(0) == 0:
        x = x[:1]
    return x if x[0].is_contiguous() else x.contiguous()
