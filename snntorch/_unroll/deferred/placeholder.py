"""What stands for a value until it is computed: a tensor of known shape, dtype and device."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor

from snntorch._torch import tree_map

if TYPE_CHECKING:
    from snntorch._unroll.deferred.columns import Column
    from snntorch._unroll.deferred.recorder import Recorder

#: The output of a slot whose value nobody computed here.
FOREIGN = -1


class Meta(NamedTuple):
    """What is known of a value before it is computed."""

    shape: torch.Size
    dtype: torch.dtype
    device: torch.device
    requires_grad: bool


class Source:
    """One output of a column, at whatever step: each value of it has the same source.

    Attributes:
        column: The column; None for the source of a value that is there.
        out: Which of the column's outputs.
        meta: What is known of each value.
    """

    __slots__ = ("column", "meta", "out")

    def __init__(self, column: Column | None, out: int, meta: Meta) -> None:
        self.column, self.out, self.meta = column, out, meta


class Slot:
    """Where a value will be: one row of what a column computes.

    Attributes:
        source: Where it comes from.
        index: Which row of that.
        value: The value, once it was asked for.
        is_row: Whether that shares memory with other rows.
    """

    __slots__ = ("__weakref__", "index", "is_row", "source", "value")

    def __init__(self, source: Source, index: int) -> None:
        self.source, self.index, self.is_row = source, index, False
        self.value: Tensor | None = None

    def settle(self, value: Tensor) -> Tensor:
        """Take the value, and let go of what computed it; returns the value."""
        self.value, self.source = value, Source(None, self.source.out, self.source.meta)
        return value

    def real(self) -> Tensor:
        """Return the value of what has run."""
        if self.value is not None:
            return self.value
        column = self.source.column
        assert column is not None
        self.is_row = True
        return self.settle(column.row(self.source.out, self.index))

    def is_computed(self) -> bool:
        """Return whether what gives it has run."""
        column = self.source.column
        return self.value is not None or (column is not None and column.done)


def known(tensor: Tensor) -> Slot:
    """Return a slot that has its value."""
    meta = Meta(tensor.shape, tensor.dtype, tensor.device, tensor.requires_grad)
    slot = Slot(Source(None, FOREIGN, meta), 0)
    slot.value = tensor
    return slot


class View(NamedTuple):
    """How a value came out of the memory of another one.

    Attributes:
        base: The other one.
        func: The function that gave it, of ``args`` and ``kwargs``.
        place: Where it was among several values; None if it was the only one.
    """

    base: Tensor
    func: Any
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    place: int | None = None

    def again(self, args: Any, kwargs: Any) -> Tensor:
        """Return the same view, of the values."""
        found = self.func(*args, **kwargs)
        return found if self.place is None else found[self.place]  # type: ignore[no-any-return]


class Deferred(Tensor):
    """A tensor that is not computed yet. What asks for its value gets it."""

    __slots__ = ("origin", "recorder", "slot", "views")
    slot: Slot
    recorder: Recorder
    #: What it is a view of, and the views of it: they share memory.
    origin: View | None
    views: list[weakref.ref[Deferred]] | None

    @staticmethod
    def of(slot: Slot, recorder: Recorder) -> Deferred:
        """Return a placeholder for a slot."""
        made = Deferred()
        made.slot, made.recorder, made.origin, made.views = slot, recorder, None, None
        return made

    @classmethod
    def __torch_function__(
        cls, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Run a function of the values, as nobody notes any more."""
        found: list[Deferred] = []
        tree_map(lambda one: found.append(one) if type(one) is Deferred else None, (args, kwargs))
        return found[0].recorder.now(func, args, kwargs or {})

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:  # type: ignore[override]
        """Raise, as a value was not asked for where it should have been."""
        raise RuntimeError(
            f"{func} got a placeholder of snn.fuse or snn.deferred instead of a value, as it does "
            "not ask for one. Call snn.unfuse(net), or keep this out of snn.deferred()."
        )

    # What is known needs no value. Overridden as properties, these cost no dispatch
    shape = property(lambda self: self.slot.source.meta.shape)
    dtype = property(lambda self: self.slot.source.meta.dtype)
    device = property(lambda self: self.slot.source.meta.device)
    requires_grad = property(lambda self: self.slot.source.meta.requires_grad)
    ndim = property(lambda self: len(self.slot.source.meta.shape))
    is_cpu = property(lambda self: self.slot.source.meta.device.type == "cpu")
    is_cuda = property(lambda self: self.slot.source.meta.device.type == "cuda")
    is_meta = property(lambda self: self.slot.source.meta.device.type == "meta")

    def size(self, dim: int | None = None) -> Any:
        """Return the shape, or the size of one dimension."""
        return self.slot.source.meta.shape if dim is None else self.slot.source.meta.shape[dim]

    def dim(self) -> int:
        """Return the number of dimensions."""
        return len(self.slot.source.meta.shape)

    ndimension = dim

    def numel(self) -> int:
        """Return the number of entries."""
        return self.slot.source.meta.shape.numel()

    nelement = numel

    def __len__(self) -> int:
        if not self.slot.source.meta.shape:
            raise TypeError("len() of a 0-d tensor")
        return self.slot.source.meta.shape[0]

    def element_size(self) -> int:
        """Return the number of bytes of an entry."""
        return self.slot.source.meta.dtype.itemsize

    def is_floating_point(self) -> bool:
        """Return whether its dtype is one of floats."""
        return self.slot.source.meta.dtype.is_floating_point

    def is_complex(self) -> bool:
        """Return whether its dtype is complex."""
        return self.slot.source.meta.dtype.is_complex

    def is_inference(self) -> bool:
        """Return whether it is, or will be, a tensor of inference mode."""
        value = self.slot.value
        return torch.is_inference_mode_enabled() if value is None else value.is_inference()

    def expand(self, *sizes: Any) -> Any:  # type: ignore[override]
        """Return a view in which dimensions of size 1 are larger."""
        return self.recorder.__torch_function__(Tensor.expand, (), (self, *sizes))

    def __hash__(self) -> int:
        return id(self)


def value_of(one: Any) -> Any:
    """Return a placeholder's value, computing what leads to it; anything else as it is."""
    if type(one) is Deferred:
        return one.recorder.value(one)
    return one


def living(views: list[weakref.ref[Deferred]] | None) -> list[Deferred]:
    """Return those views that someone still holds."""
    return [view for ref in views or () if (view := ref()) is not None]


def own_or_zero(state: Any) -> Tensor:
    """Return the value of a state in memory of its own."""
    if type(state) is not Deferred:
        return state  # type: ignore[no-any-return]
    slot = state.slot
    if not slot.is_computed():
        shape, dtype, device, _ = slot.source.meta
        return torch.zeros(shape, dtype=dtype, device=device)
    value = slot.real()
    return value.clone() if slot.is_row else value
