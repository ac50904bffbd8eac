"""Bounds that a learned number can come back from."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor


class _Bounded(torch.autograd.Function):
    """Clamp; outside, only a gradient whose descent leads back inside passes."""

    generate_vmap_rule = True

    @staticmethod
    def forward(value: Tensor, low: float, high: float) -> Tensor:
        return value.clamp(low, high)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, float, float], output: Tensor) -> None:
        value, ctx.low, ctx.high = inputs
        ctx.save_for_backward(value)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        (value,) = ctx.saved_tensors
        outward = ((value < ctx.low) & (grad > 0)) | ((value > ctx.high) & (grad < 0))
        return grad.masked_fill(outward, 0), None, None


def bounded(value: Tensor, low: float, high: float = math.inf) -> Tensor:
    """Return ``value`` clamped; beyond a bound it learns what leads back, and that alone."""
    if value.requires_grad and torch.is_grad_enabled():
        found: Tensor = _Bounded.apply(value, low, high)  # type: ignore[no-untyped-call]
        return found
    return value.clamp(low, high)
