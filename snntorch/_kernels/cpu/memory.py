"""What the library is told, and the memory that it reads and writes."""

from __future__ import annotations

import functools

import torch
from torch import Tensor

from snntorch._checks import expect
from snntorch._kernels.cpu import library
from snntorch._kernels.cpu.library import Library, threads_of_torch
from snntorch._kernels.problem import ByName
from snntorch._torch import PLAIN

#: What a reset does: the library's kind, and a drop by (a + b beta) threshold.
RESETS = {
    "none": ("linear", 0.0, 0.0),
    "subtract": ("linear", 1.0, 0.0),
    "soft": ("linear", 0.0, 1.0),
    "zero": ("zero", 0.0, 0.0),
    "zero_old": ("zero_old", 0.0, 0.0),
}
#: A surrogate unknown to the library, whose slopes come in a tensor; number and parameters.
TABULATED: tuple[float, ...] = (0, 0.0, 0.0)
#: What a parameter is where a rule has no use for it, unless it is 0.
DEFAULTS = {"tau": 1.0, "V": 1.0, "graded": 1.0}
#: Bytes of a tensor from which on it is written past the cache.
STREAM = 4 << 20


def compiled() -> Library:
    """Return the library.

    Raises:
        RuntimeError: If there is none.
    """
    found = library.load(library.FOLDER)
    if isinstance(found, str):
        raise RuntimeError(found)
    return found


class Memory:
    """The memory of tensors of one dtype, for C to read and write, while this lives.

    Nothing else hands memory to the library, which itself cannot check it.

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
        tensor = by_row(tensor)
        apart = tensor.stride(0) if tensor.shape[0] > 1 else 0
        return self.address(tensor, self.size * (steps if apart else 1)), apart


class Args(Memory):
    """What the library is told: the parts of its struct, and the tensors they point to.

    Args:
        dtype: Of all tensors.
        model: As in a `Rule`, like ``reset``, ``delay`` and ``feedback``.
        steps: Number of steps.
        size: Number of neurons.
        spike_grad: Number of the surrogate and its two parameters.
    """

    __slots__ = ("followed", "library", "parts")

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
        self.library = compiled()
        known = (dtype, model, reset, delay, feedback, steps, size, spike_grad)
        self.parts: list[float] = _parts(self.library, *known).copy()
        self.parts[self.library.args.at["threads"]] = torch.get_num_threads()
        self.followed: dict[int, list[int]] = {}

    def copy(self) -> Args:
        """Return the same, to be told more."""
        new = Args.__new__(Args)
        new.dtype, new.size, new.followed = self.dtype, self.size, self.followed
        new.library, new.parts, new.kept = self.library, self.parts.copy(), self.kept.copy()
        return new

    def place(self, field: str, name: str | None = None) -> int:
        """Return where a field, or one of its rows, begins among the parts."""
        layout = self.library.args
        return layout.at[field] if name is None else layout.rows[field][name]

    def point(self, at: int, tensor: Tensor) -> None:
        """Point at one row."""
        if tensor.is_neg() or not tensor.is_contiguous():
            tensor = _plain(tensor)
        self.parts[at] = self.address(tensor, self.size)

    def result(self, at: int, like: Tensor) -> Tensor:
        """Return memory for a row, and point at it: made here, it needs no look."""
        row = torch.empty_like(like)
        self.parts[at] = row.data_ptr()
        return row

    def point_all(self, field: str, tensors: ByName) -> None:
        """Point at one row each."""
        for name, tensor in tensors.items():
            self.point(self.place(field, name), tensor)

    def rows(self, at: int, tensor: Tensor) -> None:
        """Point at a row for each step, or at one for all."""
        steps = int(self.parts[self.place("steps")])
        self.parts[at : at + 2] = self.rows_of(tensor, steps)

    def follow(self, at: int, tensor: Tensor, steps: int, before: Tensor | None = None) -> None:
        """Point at the row of the step that `call` names, or at that of the step before.

        Args:
            at: Part to set.
            tensor: A row for each step, or one for all.
            steps: Number of steps that can be named.
            before: What comes before the first row, if it is to be the row of the step before.
        """
        first, stride = self.rows_of(tensor, steps)
        addresses = [first + t * stride * tensor.itemsize for t in range(steps)]
        if before is not None:
            addresses = [self.address(_plain(before), self.size), *addresses[:-1]]
        self.followed[at] = addresses

    def learn(self, totals: ByName) -> None:
        """Ask for gradients of parameters, each neuron's own."""
        self.parts[self.place("learn")] = bool(totals)
        self.point_all("totals", totals)

    def parameter(self, name: str, value: Tensor, shape: torch.Size) -> None:
        """Set one of the parameters, for neurons of some shape."""
        at = self.place("values", name)
        if value.numel() == 1:
            self.parts[at + 1] = value.item()
            return
        while value.shape[0] == 1:
            value = value[0]
        value = _plain(value.expand(shape[len(shape) - value.dim() :]))
        self.parts[at : at + 3] = self.address(value, value.numel()), 0.0, value.numel()

    def call(self, name: str, t: int = 0) -> None:
        """Call a function of the library; for step ``t``, if anything was to follow it."""
        for at, addresses in self.followed.items():
            self.parts[at] = addresses[t]
        self.library.call(name, self.library.args.struct.pack(*self.parts))


@functools.lru_cache(maxsize=4096)
def _parts(
    known: Library,
    dtype: torch.dtype,
    model: str,
    reset: str,
    delay: bool,
    feedback: bool,
    steps: int,
    size: int,
    spike_grad: tuple[float, ...],
) -> list[float]:
    """Return the parts of the library's struct before any tensor is known."""
    kind, factor, soft = RESETS[reset]
    layout, (number, first, second) = known.args, spike_grad
    parts: list[float] = [0] * layout.size
    told = {
        "dtype": known.dtypes[dtype],
        "model": known.models[model],
        "kind": known.kinds[kind],
        "now": not delay,
        "fed": feedback,
        "steps": steps,
        "size": size,
        "stream": steps * size * dtype.itemsize >= STREAM,
        "parallel": threads_of_torch(),
        "surrogate": number,
        "first": first,
        "second": second,
        "factor": factor,
        "soft": soft,
    }
    for name, value in told.items():
        parts[layout.at[name]] = value
    for name, at in layout.rows["values"].items():
        parts[at + 1] = DEFAULTS.get(name, 0.0)
    return parts


def by_row(x: Tensor) -> Tensor:
    """Return ``x``, or a copy whose rows are contiguous; one row if all are the same."""
    x = x.resolve_neg()
    if x.is_contiguous():
        return x
    if x.stride(0) == 0:
        x = x[:1]
    return x if x[0].is_contiguous() else x.contiguous()


def _plain(x: Tensor) -> Tensor:
    """Return ``x``, or a copy, so that its memory holds its numbers one after the other."""
    return x.contiguous().resolve_neg()
