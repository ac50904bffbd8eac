"""Spikes as bits: a tensor of zeros and of one other value takes 1/32 of its memory, exactly."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from snntorch._kernels.cpu.binding import available
from snntorch._kernels.cpu.events import pack
from snntorch._kernels.cpu.pool import empty
from snntorch._torch import PLAIN

#: Integers of the size of a number, in torch and in NumPy, by the bytes of the number.
_INTEGERS = {
    2: (torch.int16, np.int16),
    4: (torch.int32, np.int32),
    8: (torch.int64, np.int64),
}
#: Numbers looked at together, few enough to stay in a core's cache: whole bytes of bits.
_GRAIN = 1 << 15


class Bits(NamedTuple):
    """Which numbers of a tensor are its one value; the others are 0.

    Attributes:
        bits: One bit for each number, in the order in which they lie in memory, the lowest of a
            byte first; on the device of the tensor, in an array if that is the CPU.
        value: The one value, as the integer that has its bits.
        dtype: Of the tensor, as ``shape`` and ``stride`` are.
    """

    bits: Any
    value: int
    dtype: torch.dtype
    shape: torch.Size
    stride: tuple[int, ...]

    @property
    def number(self) -> float:
        """The one value of a tensor of float32."""
        return float(np.int32(self.value).view(np.float32))

    @property
    def nbytes(self) -> int:
        """Bytes that it takes."""
        count: int = self.bits.nbytes
        return count

    def tensor(self) -> Tensor:
        """Return the tensor, bit for bit."""
        unpacked = _unpacked_by_torch if isinstance(self.bits, Tensor) else _unpacked
        numbers = unpacked(self.bits, math.prod(self.shape), self.value, self.dtype)
        return numbers.as_strided(self.shape, self.stride)


def to_bits(tensor: Tensor) -> Bits | None:
    """Return a tensor as bits; None if it has other values, or other memory, than can be."""
    if (
        type(tensor) not in PLAIN
        or not (tensor.is_cpu or tensor.is_cuda)
        or tensor.layout is not torch.strided
        or not tensor.is_floating_point()
        or tensor.is_neg()
        or not _is_dense(tensor)
    ):
        return None
    row = tensor.detach().as_strided((tensor.numel(),), (1,)).view(_INTEGERS[tensor.itemsize][0])
    found: tuple[Any, int] | None = _packed(row) if tensor.is_cpu else _packed_by_torch(row)
    if found is None:
        return None
    bits, value = found
    return Bits(bits, value, tensor.dtype, tensor.shape, tensor.stride())


def _packed(integers: Tensor) -> tuple[np.ndarray, int] | None:
    """Return bits, and the one value: on the CPU, part by part."""
    if integers.dtype is torch.int32 and len(integers) and available() is None:
        found = pack(integers, len(integers))
        return None if found is None else (found[0].numpy(), found[1])
    row = integers.numpy()
    bits, value = np.empty(-(-len(row) // 8), np.uint8), None
    for start in range(0, len(row), _GRAIN):
        part = row[start : start + _GRAIN]
        ones = part != 0
        if value is None and ones.any():
            value = part[ones.argmax()]
        if value is not None and not np.array_equal(ones, part == value):
            return None
        packed = np.packbits(ones, bitorder="little")
        bits[start // 8 : start // 8 + len(packed)] = packed
    return bits, int(value or 0)


def _unpacked(bits: np.ndarray, count: int, value: int, dtype: torch.dtype) -> Tensor:
    out, (integers, numbers) = empty((count,), dtype), _INTEGERS[dtype.itemsize]
    to = out.view(integers).numpy()
    for start in range(0, count, _GRAIN):
        part = to[start : start + _GRAIN]
        ones = np.unpackbits(bits[start // 8 :], count=len(part), bitorder="little")
        np.multiply(ones, numbers(value), out=part, dtype=numbers)
    return out


def _packed_by_torch(integers: Tensor) -> tuple[Tensor, int] | None:
    """Return bits, and the one value: on a device, which is asked twice."""
    if not len(integers):
        return integers.new_empty(0, dtype=torch.uint8), 0
    low, high = torch.stack(integers.aminmax()).tolist()
    value, ones = low or high, integers != 0
    if (low and high and low != high) or (value and not torch.equal(ones, integers == value)):
        return None
    eights = F.pad(ones.to(torch.uint8), (0, -len(ones) % 8)).view(-1, 8)
    return (eights << _places(eights)).sum(1, dtype=torch.uint8), value


def _unpacked_by_torch(bits: Tensor, count: int, value: int, dtype: torch.dtype) -> Tensor:
    ones = (bits.unsqueeze(1) >> _places(bits)).bitwise_and_(1).view(-1)[:count]
    return (ones.to(_INTEGERS[dtype.itemsize][0]) * value).view(dtype)


def _places(like: Tensor) -> Tensor:
    return torch.arange(8, dtype=torch.uint8, device=like.device)


def _is_dense(tensor: Tensor) -> bool:
    """Return whether the numbers of a tensor follow each other without gaps, in whatever order."""
    size = 1
    for stride, length in sorted(zip(tensor.stride(), tensor.shape, strict=True)):
        if length != 1 and stride != size:
            return False
        size *= length
    return True
