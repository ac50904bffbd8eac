"""Spikes as bits: a tensor of zeros and of one other value takes 1/32 of its memory, exactly."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from snntorch._kernels.cpu.pool import empty
from snntorch._torch import PLAIN

#: Integers of the size of a number, in torch and in NumPy, by the bytes of the number.
_INTEGERS = {
    2: (torch.int16, np.uint16),
    4: (torch.int32, np.uint32),
    8: (torch.int64, np.uint64),
}
#: Numbers looked at together, few enough to stay in a core's cache: whole bytes of bits.
_GRAIN = 1 << 15
#: Layouts in which a tensor's numbers follow each other without gaps.
_LAYOUTS = (torch.contiguous_format, torch.channels_last, torch.channels_last_3d)


class Bits(NamedTuple):
    """Which numbers of a tensor are its one value; the others are 0.

    Attributes:
        bits: One bit for each number, in the order in which they lie in memory.
        value: The one value, as the integer that has its bits.
        dtype: Of the tensor, as ``shape`` and ``stride`` are.
    """

    bits: np.ndarray
    value: int
    dtype: torch.dtype
    shape: torch.Size
    stride: tuple[int, ...]

    @property
    def nbytes(self) -> int:
        """Bytes that it takes."""
        return self.bits.nbytes

    def tensor(self) -> Tensor:
        """Return the tensor, bit for bit."""
        integers, numbers = _INTEGERS[self.dtype.itemsize]
        count = math.prod(self.shape)
        out = empty((count,), self.dtype)
        to = out.view(integers).numpy().view(numbers)
        for start in range(0, count, _GRAIN):
            part = to[start : start + _GRAIN]
            ones = np.unpackbits(self.bits[start // 8 :], count=len(part))
            np.multiply(ones, numbers(self.value), out=part, dtype=numbers)
        return out.as_strided(self.shape, self.stride)


def to_bits(tensor: Tensor) -> Bits | None:
    """Return a tensor as bits; None if it has other values, or other memory, than can be."""
    if (
        type(tensor) not in PLAIN
        or not tensor.is_cpu
        or tensor.layout is not torch.strided
        or not tensor.is_floating_point()
        or tensor.is_neg()
        or not any(_lies(tensor, layout) for layout in _LAYOUTS)
    ):
        return None
    integers, numbers = _INTEGERS[tensor.dtype.itemsize]
    row = tensor.detach().as_strided((tensor.numel(),), (1,)).view(integers).numpy().view(numbers)
    bits, value = np.empty(-(-len(row) // 8), np.uint8), None
    for start in range(0, len(row), _GRAIN):
        part = row[start : start + _GRAIN]
        ones = part != 0
        if value is None and ones.any():
            value = part[ones.argmax()]
        if value is not None and not np.array_equal(ones, part == value):
            return None
        packed = np.packbits(ones)
        bits[start // 8 : start // 8 + len(packed)] = packed
    return Bits(bits, int(value or 0), tensor.dtype, tensor.shape, tensor.stride())


def _lies(tensor: Tensor, layout: torch.memory_format) -> bool:
    dims = {torch.channels_last: 4, torch.channels_last_3d: 5}.get(layout, tensor.dim())
    return tensor.dim() == dims and tensor.is_contiguous(memory_format=layout)
