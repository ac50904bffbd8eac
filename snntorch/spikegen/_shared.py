"""What the encodings share: checks of data and timing, levels."""

from __future__ import annotations

from math import inf, isfinite

import torch
from torch import Tensor

from snntorch._checks import (
    expect,
    expect_number,
    expect_real,
    expect_size,
    expect_tensor,
    expect_truth,
    expect_values,
)


def expect_held(owner: str, dtype: torch.dtype, **values: float) -> None:
    """Raise unless all values are finite numbers, also in ``dtype``."""
    most = torch.finfo(dtype).max
    for name, value in values.items():
        expect_number(owner, name, value)
        expect(-most <= value <= most, owner, f"a finite `{name}`, as a {dtype}", value)


def held_times(owner: str, times: Tensor, dtype: torch.dtype) -> Tensor:
    """Return times as ``dtype``, which has to hold them."""
    times = times.to(dtype)
    what, hint = f"times that a {dtype} can hold", "Pass a smaller tau or first_spike_time."
    expect(bool(times.isfinite().all()), owner, what, "longer ones", hint)
    return times


def expect_binary(owner: str, name: str, value: Tensor) -> None:
    """Raise unless ``value`` is a tensor of zeros and ones."""
    expect_tensor(owner, name, value)
    expect_values(owner, name, value)
    other = value[(value != 0) & (value != 1)].tolist()
    expect(not other, owner, f"zeros and ones in `{name}`", other[:1])


def finite_values(
    owner: str, name: str, data: Tensor, low: float = -inf, high: float = inf
) -> Tensor:
    """Return ``data`` as floating point, finite and between two bounds."""
    return _ranged(owner, name, data, low, high)[0]


def probabilities(owner: str, data: Tensor, gain: float = 1, offset: float = 0) -> Tensor:
    """Return ``gain * data + offset`` clipped to [0, 1]."""
    values, least, most = _ranged(owner, "data", data)
    expect_held(owner, values.dtype, gain=gain, offset=offset)
    if (gain, offset) != (1, 0):
        return (values * float(gain) + float(offset)).clamp_(0, 1)
    # a copy of finished data would cost a fifth of what drawing the spikes does
    return values if 0 <= least <= most <= 1 else values.clamp(0, 1)


def _ranged(
    owner: str, name: str, data: Tensor, low: float = -inf, high: float = inf
) -> tuple[Tensor, float, float]:
    """Return checked data, the least of them and the greatest (0 for none)."""
    expect_tensor(owner, name, data)
    expect_real(owner, name, data)
    expect_values(owner, name, data)
    values = data.to(float_dtype(data))
    if not values.numel():
        return values, 0.0, 0.0
    least, most = (float(value) for value in values.detach().aminmax())
    inside = isfinite(least) and isfinite(most) and low <= least <= most <= high
    what, got = f"finite `{name}` in [{low}, {high}]", f"values from {least} to {most}"
    expect(inside, owner, what, got)
    return values, least, most


def float_dtype(data: Tensor) -> torch.dtype:
    """Return the dtype of results: that of floating-point data, else the default."""
    return data.dtype if data.is_floating_point() else torch.get_default_dtype()


def widened(values: Tensor) -> Tensor:
    """Return values precise enough for times: half precision cannot hold long ones."""
    return values.to(torch.promote_types(values.dtype, torch.float32))


def checked_steps(owner: str, num_steps: int, first_spike_time: int) -> int:
    """Return the number of steps, 0 without a time dimension."""
    if num_steps is not False:
        expect_size(owner, "num_steps", num_steps)
    expect_size(owner, "first_spike_time", first_spike_time, 0)
    late = num_steps is not False and first_spike_time >= num_steps
    expect(not late, owner, f"`first_spike_time` below num_steps={num_steps}", first_spike_time)
    return int(num_steps)


def checked_span(
    owner: str,
    num_steps: int,
    threshold: float,
    tau: float,
    first: int,
    full: bool,
    dtype: torch.dtype,
) -> int:
    """Check the parameters of a latency code; return the steps after the first spike."""
    steps = checked_steps(owner, num_steps, first)
    expect_truth(owner, normalize=full)
    expect(not full or steps > 0, owner, "`num_steps` to normalize", "none", error=TypeError)
    expect_held(owner, dtype, threshold=threshold, tau=tau)
    expect(0 < threshold < 1, owner, "a `threshold` between 0 and 1", threshold)
    expect(tau > 0, owner, "a `tau` above 0 steps", tau)
    return steps - 1 - first


def spike_steps(owner: str, spike_time: Tensor, num_steps: int) -> tuple[Tensor, Tensor]:
    """Return spike times rounded to whole steps, and all the steps."""
    expect_size(owner, "num_steps", num_steps)
    spike = widened(finite_values(owner, "spike_time", spike_time, 0, num_steps - 1)).round()
    return spike, torch.arange(num_steps, dtype=spike.dtype, device=spike.device)


def to_levels(owner: str, train: Tensor, on_target: float, off_target: float) -> Tensor:
    """Return a train of values from 0 to 1 as one from ``off_target`` to ``on_target``."""
    expect_held(owner, train.dtype, on_target=on_target, off_target=off_target)
    return torch.lerp(train.new_tensor(off_target), train.new_tensor(on_target), train)
