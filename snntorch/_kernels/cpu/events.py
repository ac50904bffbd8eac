"""Products with spikes: numbers that are 0 or one other value, as bits, pick what is added up.

So does a chip that is driven by events: what is silent costs no arithmetic.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from snntorch._kernels.cpu.library import threads_of_torch
from snntorch._kernels.cpu.memory import Memory, compiled

#: A block of a table has a multiple of so many columns, and so many at most.
LANES, MOST_LANES = 16, 64
#: The bit of an integer of four bytes that makes it negative.
SIGN = 1 << 31
#: Rows after which a sum begins anew: the longer it gets, the more is lost in rounding.
ROWS = 4096
#: Bytes behind the last bits that it may look at.
BEHIND = 16


def pack(x: Tensor, most: int) -> tuple[Tensor, int] | None:
    """Return numbers of four bytes as bits, and their one value as an integer.

    The first number is the lowest bit of the first byte. None if there are several values besides
    0, or more than ``most`` numbers that are not 0.
    """
    count, known = x.numel(), compiled()
    bits = torch.empty(-(-count // 8) + BEHIND, dtype=torch.uint8, device="cpu")
    packed = torch.zeros(2, dtype=torch.int64, device="cpu")
    known.call(
        "snn_pack",
        known.pack.pack(
            {
                "size": count,
                "most": most,
                "threads": torch.get_num_threads(),
                "parallel": threads_of_torch(),
                "x": Memory(x.dtype, count).address(x, count),
                "bits": Memory(torch.uint8, len(bits)).address(bits, len(bits)),
                "packed": Memory(torch.int64, 2).address(packed, 2),
            }
        ),
    )
    found, value = packed.tolist()
    return None if found > most else (bits[:-BEHIND], (value ^ SIGN) - SIGN)


def product(bits: Tensor, value: float, weight: Tensor, out: Tensor) -> None:
    """Put ``x @ weight.T`` into ``out``, for rows of zeros and of a value.

    Args:
        bits: From `pack`, as they are: there is memory behind them.
        value: The value.
        weight: (columns, numbers of a row of ``x``), float32.
        out: (rows of ``x``, columns), float32.
    """
    columns, size = weight.shape
    lanes = _lanes(columns)
    padded = F.pad(weight, (0, 0, 0, -columns % lanes)).view(-1, lanes, size)
    _call("snn_add_rows", bits, value, padded.transpose(1, 2).contiguous(), out)


def product_of_columns(bits: Tensor, value: float, grad: Tensor, size: int) -> Tensor:
    """Return ``grad.T @ x``, for rows ``x`` of zeros and of a value.

    Args:
        bits: From `pack`, as they are.
        value: The value.
        grad: (rows of ``x``, columns), float32.
        size: Numbers of a row of ``x``.
    """
    columns, lanes = grad.shape[1], _lanes(grad.shape[1])
    table = grad.new_zeros(-(-columns // lanes), size, lanes)
    for start in range(0, len(grad), ROWS):
        rows, part = grad[start : start + ROWS].contiguous(), torch.zeros_like(table)
        first, last = start * size // 8, -(-(start + len(rows)) * size // 8)
        _call("snn_add_to_table", bits[first:last], value, part, rows)
        table += part
    return table.transpose(1, 2).reshape(-1, size)[:columns]


def _lanes(columns: int) -> int:
    """Return how many columns a block has, of as few blocks as can be, and these as narrow."""
    blocks = -(-columns // MOST_LANES)
    return -(-columns // (blocks * LANES)) * LANES


def _call(name: str, bits: Tensor, value: float, table: Tensor, rows: Tensor) -> None:
    (count, columns), (_, size, lanes), known = rows.shape, table.shape, compiled()
    floats = Memory(torch.float32, columns)
    known.call(
        name,
        known.product.pack(
            {
                "count": count,
                "size": size,
                "columns": columns,
                "lanes": lanes,
                "threads": torch.get_num_threads(),
                "parallel": threads_of_torch(),
                "value": value,
                "bits": Memory(torch.uint8, len(bits)).address(bits, -(-count * size // 8)),
                "table": floats.address(table, table.numel()),
                "rows": floats.address(rows, count * columns),
            }
        ),
    )
