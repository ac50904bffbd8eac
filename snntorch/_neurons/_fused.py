"""Reset and threshold in one autograd node: the fast path of one eager time step.

The same numbers as the reference in :meth:`SpikingNeuron.transition`, bit for bit: a
product with R = 0 or 1 is exact, so it does not matter that it is fused with the
subtraction.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from snntorch.surrogate import SurrogateGradient


def above(mem: Tensor, threshold: Tensor) -> Tensor:
    """Return 1 where ``mem`` is above threshold, else 0, in one operation."""
    return torch.gt(mem, threshold, out=torch.empty_like(mem))


def fits(mem: Tensor, threshold: Tensor) -> bool:
    """Return whether ``threshold`` neither widens ``mem`` nor changes its dtype."""
    own = threshold.dim()
    return own == 0 or (threshold.dtype == mem.dtype and threshold.shape == mem.shape[-own:])


def reset_and_fire(
    pre: Tensor, old: Tensor, threshold: Tensor, zero: bool, spike_grad: SurrogateGradient
) -> tuple[Tensor, Tensor]:
    """Return the membrane after a delayed reset, and whether it is above threshold.

    Args:
        pre: Membrane potential after the update.
        old: Membrane potential before it, which decides the reset.
        threshold: Firing threshold.
        zero: Whether the reset clears the membrane; otherwise it subtracts.
        spike_grad: Surrogate gradient.
    """
    if torch.is_grad_enabled() and (pre.requires_grad or threshold.requires_grad):
        return _ResetAndFire.apply(pre, old, threshold, zero, spike_grad)  # type: ignore[no-any-return, no-untyped-call]
    mem = _reset(pre, above(old, threshold), threshold, zero)
    return mem, above(mem, threshold)


def _reset(pre: Tensor, fired: Tensor, threshold: Tensor, zero: bool) -> Tensor:
    return torch.addcmul(pre, fired, pre if zero else threshold, value=-1)


class _ResetAndFire(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, pre: Any, old: Any, threshold: Any, zero: Any, spike_grad: Any) -> Any:
        fired = above(old, threshold)
        # Not `mem`: the caller gets that, and may write to it
        ctx.save_for_backward(pre, fired, threshold)
        ctx.zero, ctx.spike_grad = zero, spike_grad
        ctx.set_materialize_grads(False)
        mem = _reset(pre, fired, threshold, zero)
        return mem, above(mem, threshold)

    @staticmethod
    def backward(ctx: Any, grad_mem: Tensor | None, grad_spk: Tensor | None) -> Any:
        pre, fired, threshold = ctx.saved_tensors
        grad, grad_threshold = grad_mem, None
        if grad_spk is not None:
            excess = _reset(pre, fired, threshold, ctx.zero) - threshold
            through = ctx.spike_grad.function.gradient(excess, grad_spk, *ctx.spike_grad.values)
            grad = through if grad_mem is None else grad_mem + through
            grad_threshold = through
        if grad is None:
            return None, None, None, None, None
        if ctx.needs_input_grad[2]:
            resets = 0.0 if ctx.zero else fired * grad
            grad_threshold = resets if grad_threshold is None else resets + grad_threshold
            grad_threshold = -torch.as_tensor(grad_threshold).sum_to_size(threshold.shape)
        else:
            grad_threshold = None
        return grad - fired * grad if ctx.zero else grad, None, grad_threshold, None, None
