"""Latency code: the larger a feature, the earlier its only spike."""

from __future__ import annotations

import torch
from torch import Tensor

from snntorch._checks import MOST, expect, expect_truth
from snntorch.spikegen._interpolation import latency_interpolate
from snntorch.spikegen._shared import (
    checked_span,
    expect_held,
    finite_values,
    held_times,
    to_levels,
    widened,
)


def latency(
    data: Tensor,
    num_steps: int = False,
    threshold: float = 0.01,
    tau: float = 1,
    first_spike_time: int = 0,
    on_target: float = 1,
    off_target: float = 0,
    clip: bool = False,
    normalize: bool = False,
    linear: bool = False,
    interpolate: bool = False,
    bypass: bool = False,
    epsilon: float = 1e-7,
) -> Tensor:
    """Encode the size of each feature as the time of its only spike: large is early.

    The choice where spikes are expensive or timing matters; :func:`rate` bears more noise.
    The times are those of :func:`latency_code_log` or :func:`latency_code_linear`, rounded.

    Args:
        data: Features in [0, 1].
        num_steps: Length of the trains; ``False`` (with ``bypass``) ends with the last spike,
            which has to come within 2**24 steps, as many as float32 counts (float64: 2**31).
        threshold: Feature, between 0 and 1, below which all fire last, together.
        tau: Time constant in steps; larger is later.
        first_spike_time: Steps before all spikes.
        on_target: Value at a spike.
        off_target: Value everywhere else, any number (1.0.0 raised negative ones to 0).
        clip: Whether features below ``threshold`` do not fire.
        normalize: Whether to stretch the times over all of ``num_steps``.
        linear: Whether times fall linearly with the feature, not logarithmically.
        interpolate: Whether to rise to the spike as in :func:`latency_interpolate`.
        bypass: Whether to accept late spikes, moved to the last step, and no ``num_steps``.
        epsilon: Margin by which features below ``threshold`` are lifted over it.

    Shape:
        ``(...)`` to ``(time, ...)``.

    References:
        S. Thorpe, A. Delorme and R. Van Rullen, "Spike-based strategies for rapid
        processing", 2001. DOI 10.1016/S0893-6080(01)00083-1

    Examples:
        >>> import torch
        >>> latency(torch.tensor([1.0, 0.5, 0.0]), num_steps=3, normalize=True, linear=True)
        tensor([[1., 0., 0.],
                [0., 1., 0.],
                [0., 0., 1.]])
    """
    expect_truth("latency", clip=clip, interpolate=interpolate, bypass=bypass)
    clip = bool(clip)
    values = finite_values("latency", "data", data, 0, 1)
    circuit = (num_steps, threshold, tau, first_spike_time)
    times, below = latency_code(widened(values), *circuit, normalize, linear, epsilon)
    # What is clipped does not fire, so it cannot fire too late.
    late = times.detach().round().masked_fill(below & clip, 0)
    last = int(late.max()) if late.numel() else 0
    hint = f"Pass num_steps={last + 1} or more, a smaller tau, normalize=True or bypass=True."
    what, got = f"all spikes within num_steps={num_steps}", f"one at step {last}"
    expect(bypass or num_steps is not False, "latency", "`num_steps`", "none", hint, TypeError)
    expect(bypass or last < num_steps, "latency", what, got, hint)
    if num_steps is False:
        most = min(int(2 / torch.finfo(times.dtype).eps), MOST)  # further steps are not told apart
        what, got = f"all spikes within {most} steps without `num_steps`", f"one at step {last}"
        expect(last < most, "latency", what, got, "Pass num_steps or a smaller tau.")
    steps = num_steps or last + 1
    step = late.clamp(max=MOST).long().clamp(max=steps - 1)
    if interpolate:
        train = latency_interpolate(step.to(times.dtype), steps).to(values.dtype)
    else:
        train = values.new_zeros(steps, *values.shape).scatter_(0, step.unsqueeze(0), 1)
    return to_levels("latency", train.masked_fill_(below & clip, 0), on_target, off_target)


def latency_code(
    data: Tensor,
    num_steps: int = False,
    threshold: float = 0.01,
    tau: float = 1,
    first_spike_time: int = 0,
    normalize: bool = False,
    linear: bool = False,
    epsilon: float = 1e-7,
) -> tuple[Tensor, Tensor]:
    """Return the times of :func:`latency`, not rounded, and what is below ``threshold``.

    For times themselves, such as temporal targets: ``(...)`` to twice ``(...)``. Arguments as
    in :func:`latency`; only ``normalize`` needs ``num_steps``.

    Examples:
        >>> import torch
        >>> latency_code(torch.tensor([0.0, 0.5, 1.0]), tau=4, threshold=0.25, linear=True)
        (tensor([3., 2., 0.]), tensor([ True, False, False]))
    """
    expect_truth("latency_code", linear=linear)
    circuit = (num_steps, threshold, tau, first_spike_time, normalize)
    if linear:
        return latency_code_linear(data, *circuit), data < threshold
    return latency_code_log(data, *circuit, epsilon), data < threshold


def latency_code_linear(
    data: Tensor,
    num_steps: int = False,
    threshold: float = 0.01,
    tau: float = 1,
    first_spike_time: int = 0,
    normalize: bool = False,
) -> Tensor:
    r"""Return firing times, ``(...)`` to ``(...)``, that fall linearly with the feature.

    Spreads evenly what the logarithm of :func:`latency_code_log` crowds at both ends.

    .. math:: t = t_0 + \tau\,(1 - \max(x, \theta))

    with the feature :math:`x \le 1` (``data``), :math:`\theta` (``threshold``) and, in
    steps, :math:`\tau` (``tau``) and :math:`t_0` (``first_spike_time``). ``normalize`` sets
    :math:`\tau` to ``num_steps - 1 - first_spike_time``. Arguments as in :func:`latency`.

    Examples:
        >>> import torch
        >>> latency_code_linear(torch.tensor([0.0, 0.5, 1.0]), num_steps=11, normalize=True)
        tensor([9.9000, 5.0000, 0.0000])
    """
    owner = "latency_code_linear"
    values = finite_values(owner, "data", data, high=1)
    wide, circuit = widened(values), (num_steps, threshold, tau, first_spike_time, normalize)
    span = checked_span(owner, *circuit, wide.dtype)
    times = (span if normalize else float(tau)) * (1 - wide.clamp(min=threshold))
    return held_times(owner, first_spike_time + times, values.dtype)


def latency_code_log(
    data: Tensor,
    num_steps: int = False,
    threshold: float = 0.01,
    tau: float = 1,
    first_spike_time: int = 0,
    normalize: bool = False,
    epsilon: float = 1e-7,
) -> Tensor:
    r"""Return when an RC circuit fed with the features reaches threshold, ``(...)`` to ``(...)``.

    .. math:: t = t_0 + \tau \ln\frac{x}{x - \theta}, \qquad x \ge \theta + \epsilon

    with the feature :math:`x` (``data``, a voltage: current times resistance), the voltage
    :math:`\theta` (``threshold``) and, in steps, :math:`\tau = RC` (``tau``) and :math:`t_0`
    (``first_spike_time``). Smaller features are lifted to :math:`\theta + \epsilon`
    (``epsilon``). ``normalize`` scales :math:`t - t_0` such that the last spike comes at
    the last step. Arguments as in :func:`latency`; ``data`` may exceed 1.

    Examples:
        >>> import torch
        >>> latency_code_log(torch.tensor([0.25, 1.0]), threshold=0.2, tau=5)
        tensor([8.0472, 1.1157])
    """
    owner = "latency_code_log"
    values = finite_values(owner, "data", data)
    wide, circuit = widened(values), (num_steps, threshold, tau, first_spike_time, normalize)
    span = checked_span(owner, *circuit, wide.dtype)
    expect_held(owner, wide.dtype, epsilon=epsilon)
    voltage = wide.clamp(min=threshold + epsilon)
    margin = voltage.new_tensor(threshold + epsilon) - threshold
    what = f"an `epsilon` above 0 that {voltage.dtype} can add to threshold={threshold}"
    expect(bool(margin > 0), owner, what, epsilon)
    times = float(tau) * torch.log(voltage / (voltage - threshold))
    if normalize and times.numel():
        # Features so large that all times are 0 stay there, without a division by zero.
        times = times / times.max().clamp(min=torch.finfo(times.dtype).tiny) * span
    return held_times(owner, first_spike_time + times, values.dtype)
