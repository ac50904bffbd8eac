"""A linear recurrence over a whole sequence, differentiably."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from snntorch._kernels.cpu import binding as cpu
from snntorch._torch import is_traced
from snntorch.surrogate import why_traceable

#: Steps that a scan takes one by one, for all blocks of a sequence at once.
BLOCK = 32


def linear_scan(decay: Tensor, x: Tensor) -> Tensor:
    r"""Return y with :math:`y[t] = decay[t]\,y[t-1] + x[t]` along the first dimension.

    Nothing is divided, so that a vanishing product of decays loses nothing. What
    autograd keeps is ``decay`` and the result. Half precision is summed in single.

    Args:
        decay: (time, ...), expandable to ``x``.
        x: (time, ...).

    Returns:
        A tensor as ``x``.
    """
    dtype = torch.promote_types(x.dtype, torch.float32)
    if why_traceable() is not None:
        return _by_steps(decay.to(dtype), x.to(dtype)).to(x.dtype)
    y: Tensor = _LinearScan.apply(decay.to(dtype), x.to(dtype), False)  # type: ignore[no-untyped-call]
    return y.to(x.dtype)


def _by_steps(decay: Tensor, x: Tensor) -> Tensor:
    """Scan as the equation says, for who differentiates it himself."""
    y = [x[0]]
    for rate, step in zip(decay[1:].unbind(), x[1:].unbind(), strict=True):
        y.append(rate * y[-1] + step)
    return torch.stack(y)


def _scan(decay: Tensor, x: Tensor) -> Tensor:
    """Scan all blocks side by side from zero, then add what each inherits."""
    steps = len(x)
    size = min(steps, BLOCK)
    y, decay = _blocks(x, size), _blocks(decay, size)
    for t in range(1, size):
        y[:, t].addcmul_(decay[:, t], y[:, t - 1])
    if len(y) > 1:
        fade = decay.cumprod(1)
        ends = _scan(fade[:, -1], y[:, -1])
        y[1:].addcmul_(fade[1:], ends[:-1].unsqueeze(1))
    return y.flatten(0, 1)[:steps]


def _blocks(x: Tensor, size: int) -> Tensor:
    """Return a copy of x in blocks of equal size, the last one filled up with zeros."""
    padding = [0] * (2 * x.dim() - 1) + [-len(x) % size]
    return F.pad(x, padding).reshape(-1, size, *x.shape[1:])


class _LinearScan(torch.autograd.Function):
    """The sum forwards in time, or with ``back`` y[t] = decay[t+1] y[t+1] + x[t].

    Each is the other's backward pass.
    """

    @staticmethod
    def forward(decay: Tensor, x: Tensor, back: bool) -> Tensor:
        eager = type(x) is Tensor and not is_traced()
        if eager and x.is_cpu and cpu.available() is None:
            return cpu.scan(decay, x, back)
        if not back:
            return _scan(decay, x)
        later = torch.cat([decay[1:], torch.zeros_like(decay[:1])])
        return _scan(later.flip(0), x.flip(0)).flip(0)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor, bool], output: Tensor) -> None:
        decay, _, ctx.back = inputs
        ctx.save_for_backward(decay, output)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor, None]:
        decay, y = ctx.saved_tensors
        grad_x = _LinearScan.apply(decay, grad, not ctx.back)  # type: ignore[no-untyped-call]
        grad_decay = None
        if ctx.needs_input_grad[0]:
            later, earlier = (grad_x, y) if not ctx.back else (y, grad_x)
            before = torch.cat([torch.zeros_like(earlier[:1]), earlier[:-1]])
            grad_decay = (later * before).sum_to_size(decay.shape)
        return grad_decay, grad_x, None

    @staticmethod
    def vmap(
        info: Any, in_dims: tuple[int | None, ...], decay: Tensor, x: Tensor, back: bool
    ) -> tuple[Tensor, int]:
        # what is mapped over becomes one more dimension, behind time
        decay, x = (
            one.unsqueeze(1) if dim is None else one.movedim(dim, 1)
            for one, dim in zip((decay, x), in_dims, strict=False)
        )
        x = x.expand(len(x), info.batch_size, *x.shape[2:])
        return _LinearScan.apply(decay, x, back), 1  # type: ignore[no-untyped-call]
