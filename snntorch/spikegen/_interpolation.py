"""Membrane potentials that rise to given spikes."""

from __future__ import annotations

from math import inf

import torch
from torch import Tensor

from snntorch._checks import expect
from snntorch.spikegen._shared import float_dtype, spike_steps, to_levels


def latency_interpolate(
    spike_time: Tensor, num_steps: int, on_target: float = 1, off_target: float = 0
) -> Tensor:
    """Rise linearly from ``off_target`` at step 0 to ``on_target`` at each neuron's spike.

    For membrane targets: ``(...)``, the spike times, rounded, to ``(time, ...)``. After
    the spike, the value is ``off_target`` again.

    Examples:
        >>> import torch
        >>> latency_interpolate(torch.tensor([0.0, 2.0]), num_steps=3).T
        tensor([[1.0000, 0.0000, 0.0000],
                [0.0000, 0.5000, 1.0000]])
    """
    spike, step = spike_steps("latency_interpolate", spike_time, num_steps)
    step = step.view(-1, *[1] * spike.dim())
    rise = torch.where(step == spike, 1, step / spike.clamp(min=1)).masked_fill(step > spike, 0)
    return to_levels("latency_interpolate", rise.to(float_dtype(spike_time)), on_target, off_target)


def rate_interpolate(
    spike_time: Tensor,
    num_steps: int,
    on_target: float = 1,
    off_target: float = 0,
    epsilon: float = 1e-7,
) -> Tensor:
    """Rise linearly to ``on_target`` at each spike of one train.

    For membrane targets: ``(num_spikes)``, the spike times, rounded, to ``(time)``. Each rise
    starts from ``off_target`` one step after the spike before, the first one at step 0.
    ``epsilon`` is kept for released calls: nothing here depends on rounding.

    Examples:
        >>> import torch
        >>> rate_interpolate(torch.tensor([0, 3]), num_steps=5)
        tensor([1.0000, 0.0000, 0.5000, 1.0000, 0.0000])
    """
    spike, step = spike_steps("rate_interpolate", spike_time, num_steps)
    expect(
        spike.dim() == 1,
        "rate_interpolate",
        "`spike_time` of shape (num_spikes)",
        tuple(spike.shape),
    )
    ends = torch.cat((spike.new_tensor([-1]), spike.sort().values, spike.new_tensor([inf])))
    after = torch.searchsorted(ends, step)
    start, stop = ends[after - 1] + 1, ends[after]
    rise = torch.where(step == stop, 1, (step - start) / (stop - start).clamp(min=1))
    return to_levels("rate_interpolate", rise.to(float_dtype(spike_time)), on_target, off_target)
