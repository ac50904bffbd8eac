"""Products with spikes: of those that fired, nothing else is added up.

A layer that takes spikes multiplies mostly by zero. Where all of time is one matrix, few enough of
whose numbers are not 0, and these all the same, its products are sums of columns of the weights.
"""

from __future__ import annotations

import contextlib
import math
from typing import Any, NamedTuple

import torch
from torch import Tensor

from snntorch._kernels.autograd import by_torch, unpacked
from snntorch._kernels.cpu import binding, events
from snntorch._kernels.cpu.pool import empty
from snntorch._torch import PLAIN, is_traced, is_transformed, memory_of
from snntorch._unroll.bits import Bits
from snntorch._unroll.keeping import counter, is_mine, keeping

#: Multiplications below which spikes are not looked for.
LEAST = 1 << 24
#: Share of spikes above which a product of all numbers is as fast, for few columns and for many.
MOST = ((32, 1 / 4), (math.inf, 1 / 8))


def linear(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor | None:
    """Return what `torch.nn.functional.linear` does, only rounded otherwise.

    None if it does not pay, or is not the same, to add up spikes.
    """
    spikes = _spikes(input, weight, bias)
    if spikes is None:
        return None
    with _keeping(spikes, input):
        return _Product.apply(spikes, input, weight, bias)  # type: ignore[no-any-return, no-untyped-call]


def _spikes(x: Tensor, weight: Tensor, bias: Tensor | None) -> Bits | None:
    """Return the input of a layer as bits, if its product is to be made of these."""
    if not _is_left_to_us() or not _are_matrices(x, weight, bias):
        return None
    if memory_of(weight) == memory_of(x):  # what is kept of one would be kept of the other
        return None
    most = next(share for columns, share in MOST if len(weight) <= columns)
    found = events.pack(x.detach(), int(most * x.numel()))
    if found is None:
        return None
    spikes = Bits(found[0].numpy(), found[1], x.dtype, x.shape, x.stride())
    total = weight.detach().sum().item()  # 0 times infinity is no 0
    return spikes if math.isfinite(total) and math.isfinite(spikes.number) else None


def _is_left_to_us() -> bool:
    """Return whether nobody looks at the operations, nor decides what they keep."""
    seen = is_traced() or is_transformed() or torch.is_autocast_enabled("cpu")
    return not seen and (is_mine() or not torch.is_grad_enabled())


def _are_matrices(x: Tensor, weight: Tensor, bias: Tensor | None) -> bool:
    """Return whether the library can multiply them, and it may pay."""
    for one in (x, weight) if bias is None else (x, weight, bias):
        if type(one) not in PLAIN or one.dtype is not torch.float32 or not one.is_cpu:
            return False
    fit = x.dim() > 1 and weight.dim() == 2 and x.shape[-1] == weight.shape[1]
    fit = fit and (bias is None or bias.shape == weight.shape[:1])
    if not fit or x.numel() * len(weight) < LEAST or binding.available() is not None:
        return False
    return x.layout is torch.strided and x.is_contiguous() and not x.is_neg()


class _Late(NamedTuple):
    """What is kept of spikes: they are made of bits again only for derivatives of derivatives."""

    spikes: Bits

    def tensor(self) -> Tensor:
        return self.spikes.tensor() if torch.is_grad_enabled() else torch.empty(0, device="cpu")


def _keeping(spikes: Bits, x: Tensor) -> contextlib.AbstractContextManager[Any]:
    """Keep spikes as bits."""
    count = counter()

    def find(one: Tensor) -> _Late | None:
        if memory_of(one) != memory_of(x):
            return None
        if count is not None:
            count(spikes)
        return _Late(spikes)

    return keeping(find=find)


class _Product(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, spikes: Bits, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        ctx.spikes = spikes
        # what is not needed may be written to; of x, it is the graph for derivatives of derivatives
        _, needs_x, needs_weight, _ = ctx.needs_input_grad
        ctx.save_for_backward(x if needs_weight else None, weight if needs_x else None)
        # of this shape at once: torch forbids to write to a view that a function returns
        out = empty((*x.shape[:-1], len(weight)), x.dtype)
        rows, bits = out.view(-1, len(weight)), torch.from_numpy(spikes.bits)
        events.product(bits, spikes.number, weight, rows)
        return out if bias is None else out.add_(bias)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        (x, weight), spikes = unpacked(ctx, torch.float32), ctx.spikes
        columns, size = grad.shape[-1], spikes.shape[-1]
        rows = grad.reshape(-1, columns)
        _, needs_x, needs_weight, needs_bias = ctx.needs_input_grad
        grad_x = grad_weight = None
        grad_bias = rows.sum(-2) if needs_bias else None
        # zero times infinity is no zero
        if by_torch([grad]) or (needs_weight and not math.isfinite(rows.sum().item())):
            if needs_x:
                grad_x = grad @ weight
            if needs_weight:
                x = x if x.numel() else spikes.tensor()
                grad_weight = rows.mT @ x.reshape(-1, size)
            return None, grad_x, grad_weight, grad_bias
        if needs_x:
            grad_x = empty(spikes.shape, grad.dtype)
            torch.mm(rows, weight, out=grad_x.view(-1, size))
        if needs_weight:
            bits = torch.from_numpy(spikes.bits)
            grad_weight = events.product_of_columns(bits, spikes.number, rows, size)
        return None, grad_x, grad_weight, grad_bias
