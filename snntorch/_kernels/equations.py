"""What decay and reset do to a state, written once in torch operations.

They select where the equation multiplies by 0 or 1: infinity times 0 is no number.
"""

from __future__ import annotations

import torch
from torch import Tensor

from snntorch.surrogate import finite

States = tuple[Tensor, ...]


def decayed(rate: Tensor, state: Tensor) -> Tensor:
    """Return ``rate * state``; a rate of 0 forgets whatever the state was."""
    return rate * torch.where((rate == 0) & ~finite(state), 0.0, state)


def dropped(times: Tensor, amount: Tensor) -> Tensor:
    """Return ``amount`` as often as ``times`` says.

    Args:
        times: Where a spike resets, or how often: 0, 1, or -1 to take one back.
        amount: What it takes off. None is taken off where it is infinite: what is
            infinite is never crossed.
    """
    if times.dtype == torch.bool:
        return torch.where(times, amount, 0.0)
    return times * torch.where(finite(amount), amount, 0.0)


def cleared(times: Tensor, state: Tensor) -> Tensor:
    """Return ``state``, or 0 where it is reset; see `dropped` for ``times``."""
    if times.dtype == torch.bool:
        return torch.where(times, 0.0, state)
    known = finite(state)
    rest = torch.where(known | (times != 1), state, 0.0)
    return rest - times * torch.where(known, state, 0.0)


def gated(input_: Tensor, forget: Tensor, new: Tensor, output: Tensor, syn: Tensor) -> States:
    """Return cell and hidden state of an LSTM after one step, from what goes into its gates."""
    syn = torch.sigmoid(forget) * syn + torch.sigmoid(input_) * torch.tanh(new)
    return syn, torch.sigmoid(output) * torch.tanh(syn)


def in_dtype(value: Tensor, dtype: torch.dtype) -> Tensor:
    """Return a parameter as one of a dtype, so that it does not decide that of a result."""
    # without dimensions it does not take part in torch's promotion
    return value if value.dtype == dtype or not value.dim() else value.to(dtype)
